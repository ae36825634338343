"""The key facts of a step's evidence as texts and digests: cards and the map say them alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from nitro_workflow.widgets.drawing import groups_of
from nitro_workflow.widgets.formats import duration, short
from nitro_workflow.widgets.formats import size as bytes_of

__all__ = ["brief", "fact", "flat", "is_digest", "label_of"]

_HEX: Final = frozenset("0123456789abcdef")
_DIGESTS: Final = (64, 96)
"""Hex digits of SHA-256 and SHA-384: such a value is drawn as a digest."""
_UNSAID: Final = frozenset({"groups"})
"""What another inspector shows: the result has its own."""
_BRIEF: Final = 72


def flat(pairs: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Yield the facts, a mapping of digests (such as PCRs) one by one."""
    for name, value in pairs:
        if isinstance(value, Mapping) and value and all(map(is_digest, value.values())):
            yield from value.items()
        elif name not in _UNSAID:
            yield name, value


def is_digest(value: Any) -> bool:
    """Tell whether a value is SHA-256 or SHA-384 in hex."""
    return isinstance(value, str) and len(value) in _DIGESTS and set(value) <= _HEX


def label_of(name: str) -> str:
    """Return the name of a fact for people."""
    return name.replace("_", " ").replace(" sha256", " digest")


def fact(name: str, value: Any) -> tuple[str, str]:
    """Return a fact's label and its value with its unit."""
    label = label_of(name)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and label in ("files", "rows"):
        return label, f"{value:,} {label}"
    if number and label == "same as inspected":
        return label, f"{value:,} files of the ramdisk"
    if number and label.endswith(" bytes"):
        return label.removesuffix(" bytes"), bytes_of(int(value))
    if number and label.endswith(" seconds"):
        return label.removesuffix(" seconds"), duration(value)
    return label, short(value)


def brief(name: str, value: Any) -> tuple[str, str]:
    """Return a fact in one short line: of a digest two groups, of a long text its beginning."""
    label, text = fact(name, value)
    if is_digest(value):
        return label, f"{' '.join(groups_of(value)[:2])} …"
    return label, text if len(text) <= _BRIEF else f"{text[: _BRIEF - 1]}…"
