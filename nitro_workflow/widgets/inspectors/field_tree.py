"""A field of some bytes: what it is, what it says, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["ByteField", "cut_hex", "flat"]

_SHOWN = 8  # bytes of a value that its line shows

Shape = Literal["bytes", "text", ""]


@dataclass(frozen=True, slots=True)
class ByteField:
    """One item of a byte string: ``start`` and ``end`` are offsets, ``end`` exclusive.

    ``content`` is where its value begins, after the key and head. ``says`` is its type in words,
    ``head`` how it is encoded. ``tint`` is the class of its ground, ``f1`` to ``f6``. ``shape``
    tells how the value is shown: as hex, as text, or by ``value`` alone.
    """

    label: str
    value: str
    start: int
    content: int
    end: int
    says: str = ""
    head: str = ""
    note: str = ""
    tint: str = ""
    shape: Shape = ""
    open: bool = False
    children: tuple[ByteField, ...] = ()


def cut_hex(data: bytes) -> str:
    """Return the first bytes as hex, with … where more follow."""
    more = " …" if len(data) > _SHOWN else ""
    return (data[:_SHOWN].hex() or "empty") + more


def flat(fields: tuple[ByteField, ...]) -> dict[str, ByteField]:
    """Return all fields by their path: ``payload/pcrs/[0]``."""
    found: dict[str, ByteField] = {}
    for field in fields:
        found[field.label] = field
        found |= {f"{field.label}/{name}": kid for name, kid in flat(field.children).items()}
    return found
