"""Bytes of no form that this package knows, and what they look like most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nitro_workflow.widgets.drawing import Head
from nitro_workflow.widgets.formats import sentence
from nitro_workflow.widgets.formats import size as bytes_of

__all__ = ["SHOWN_BYTES", "BytesModel", "make_bytes"]

SHOWN_BYTES = 64 * 1024
"""Bytes that the live form holds; of more, the view says how many follow."""


@dataclass(frozen=True, slots=True)
class BytesModel:
    """Bytes as hex, with guesses in words, the nearest first."""

    head: Head
    data: bytes
    size: int
    guesses: tuple[str, ...] = ()
    kind: Literal["bytes"] = "bytes"


def make_bytes(
    data: bytes, *, name: str = "", guesses: tuple[str, ...] = (), total: int | None = None
) -> BytesModel:
    """Return the view of bytes; ``total`` is their number where ``data`` is only their beginning.

    Raises nothing.
    """
    count = len(data) if total is None else total
    what = f"Bytes · {bytes_of(count)}" + (f" · {name}" if name else "")
    head = Head(
        what,
        "Not a form this package knows" if count else "Nothing: no bytes at all",
        "neutral",
        why=sentence(guesses[0]) if guesses else "",
        next="nitro-workflow inspect --help says what it recognises.",
    )
    return BytesModel(head, data[:SHOWN_BYTES], count, guesses)
