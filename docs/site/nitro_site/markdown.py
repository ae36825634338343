"""Text of the package as Markdown: nothing in it is read as markup but names in backticks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_SPECIAL = re.compile(r"([\\*_\[\]<>{}#|])")
_CODE = re.compile(r"(``.+?``|`[^`]+`)")


def plain(text: str) -> str:
    """Return prose with its special characters escaped; what is in backticks becomes code."""
    parts = _CODE.split(" ".join(text.split()))
    return "".join(code(p.strip("`")) if i % 2 else _escaped(p) for i, p in enumerate(parts))


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text).replace("`", r"\`")


def code(text: str) -> str:
    """Return a name or value in the code font, fit for a cell of a table."""
    fence = "``" if "`" in text else "`"
    room = " " if "`" in text else ""
    return f"{fence}{room}{text}{room}{fence}".replace("|", r"\|")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
