"""The record of a recognition."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

__all__ = ["FoundKind", "Recognised"]

FoundKind = Literal[
    "bytes",
    "certificates",
    "cloudtrail",
    "container",
    "document",
    "eif",
    "envelope",
    "kms-ciphertext",
    "nitro-cli",
    "nsm",
    "policy",
    "private-key",
    "sdk-message",
]


@dataclass(frozen=True, slots=True)
class Recognised:
    """What something is, why one thinks so, and how it was wrapped, outermost first.

    ``data`` are the innermost bytes, of a large file only its beginning: ``file`` names it then,
    and ``total`` is its size. ``value`` is the JSON value of what is JSON. ``guesses`` say in words
    what unknown bytes look like, the nearest first.
    """

    kind: FoundKind
    why: str
    data: bytes = field(default=b"", repr=False)
    value: Any = field(default=None, repr=False)
    path: tuple[str, ...] = ()
    name: str = ""
    file: Path | None = None
    total: int | None = None
    guesses: tuple[str, ...] = ()

    @property
    def form(self) -> str:
        """How it was read, in words: ``base64 in field CiphertextForRecipient of JSON``."""
        return ", then ".join(self.path) or "raw bytes"

    @property
    def size(self) -> int:
        """Bytes in all."""
        return len(self.data) if self.total is None else self.total
