"""Where Chromium is, and how it is started: for the tests, and for what draws or looks at pages."""

from __future__ import annotations

import shutil

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find_chromium() -> str | None:
    """Return its path; nothing, where there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser")
