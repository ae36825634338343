"""Where the picture of a diagram is: named by its title and by the digest of its source."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "diagrams"
THEMES = ("light", "dark")


def picture(source: str, theme: str) -> Path:
    """Return where a diagram's picture is: named by its title and its source's digest."""
    title = re.sub(r"\W+", "-", said("accTitle", source).lower()).strip("-")
    digest = hashlib.sha256(source.strip().encode()).hexdigest()[:8]
    return FOLDER / f"{title}-{digest}-{theme}.svg"


def said(key: str, source: str) -> str:
    """Return what a diagram says of itself: its ``accTitle`` or ``accDescr``."""
    found = re.search(rf"^\s*{key}:\s*(.+)$", source, re.MULTILINE)
    return found[1].strip() if found else ""
