"""axe-core and contrast, in the page that a test has drawn."""

from __future__ import annotations

import shutil

from tests.javascript.javascript_tools import javascript_tools

__all__ = ["serious", "with_axe"]


def with_axe(page, require):
    """Put axe-core into the page; skips or fails, as `require` says, where npm is not there."""
    require("node", shutil.which("npm") is not None, "install Node.js 20 with npm")
    with javascript_tools() as tools:
        page.add_script_tag(path=str(tools / "node_modules" / "axe-core" / "axe.min.js"))


def serious(page):
    """Return axe's serious and critical findings, each with the elements."""
    found = page.evaluate("axe.run(document.getElementById('host'))")
    return [
        (one["id"], [node["target"] for node in one["nodes"]][:5])
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
    ]
