"""Find what a learner has not filled in: every `...` in what they made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

__all__ = ["unfinished"]

DEPTH: Final = 12
"""Levels that are looked at: a policy has six, and a learner may put a list into itself."""


def unfinished(value: object, depth: int = DEPTH) -> list[str]:
    """Return where a value holds ``...``, each as a path; ``[""]`` where it is nothing else.

    >>> unfinished({"Effect": "Deny", "Principal": ..., "Condition": {"Null": ...}})
    ['Principal', 'Condition.Null']
    """
    if value is ...:
        return [""]
    if depth == 0:
        return []
    parts: Sequence[tuple[object, object]] = ()
    if isinstance(value, Mapping):
        parts = list(value.items())
    elif isinstance(value, (list, tuple)):
        parts = list(enumerate(value))
    return [
        f"{name}.{rest}".rstrip(".") for name, part in parts for rest in unfinished(part, depth - 1)
    ]
