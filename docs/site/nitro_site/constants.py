"""A module's constants with what is written beside them: the value, its unit, its source."""

from __future__ import annotations

import ast
import importlib
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Constant:
    """``text`` is the docstring below a constant, or the comments beside and above it."""

    name: str
    value: Any
    text: str


def constants_of(module: str) -> list[Constant]:
    """Return a module's public constants, in its own order."""
    loaded = importlib.import_module(module)
    source = Path(str(loaded.__file__)).read_text()
    lines, body = source.splitlines(), ast.parse(source).body
    found = []
    for node, after in zip(body, [*body[1:], None], strict=True):
        name = _assigned(node)
        if name and name.isupper() and not name.startswith("_"):
            text = _docstring(after) or _comments(lines, node)
            found.append(Constant(name, getattr(loaded, name), text))
    return found


def is_limit(value: object) -> bool:
    """Tell whether a constant is a number, a time, or several of them: not a name, nor a path."""
    if isinstance(value, tuple | frozenset):
        return all(map(is_limit, value))
    return isinstance(value, int | float | timedelta)


def _assigned(node: ast.stmt) -> str:
    if isinstance(node, ast.AnnAssign):
        return getattr(node.target, "id", "")
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        return getattr(node.targets[0], "id", "")
    return ""


def _docstring(node: ast.stmt | None) -> str:
    value = node.value if isinstance(node, ast.Expr) else None
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return " ".join(value.value.split())
    return ""


def _comments(lines: list[str], node: ast.stmt) -> str:
    """Return the comment at the end of the constant's line, else the one right above it."""
    beside = re.search(r"\s#\s(.*)$", lines[(node.end_lineno or node.lineno) - 1])
    if beside:
        return re.sub(r"\s*noqa.*", "", beside[1])
    above: list[str] = []
    for line in reversed(lines[: node.lineno - 1]):
        if not line.startswith("# "):
            break
        above.insert(0, line[2:])
    return " ".join(above)
