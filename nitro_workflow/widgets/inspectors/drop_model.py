"""A place to drop files on: what it is, and how much it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nitro_workflow.widgets.drawing import Head

__all__ = ["MAX_DROPPED_BYTES", "DropModel", "make_drop"]

MAX_DROPPED_BYTES = 24 << 20
"""Bytes of one file that a browser may send; larger ones are named by their path."""

_HEAD = Head(
    "Inspect",
    "Drop what you have: it says what it is",
    "neutral",
    why="Documents, certificates, images, envelopes, messages, key policies, CloudTrail records,"
    " nitro-cli's and the NSM's answers; raw, hex, base64, PEM, JSON, gzip.",
    next="Without a browser: inspect(path), or nitro-workflow inspect FILE.",
)


@dataclass(frozen=True, slots=True)
class DropModel:
    """The place itself; what is dropped becomes views of its own."""

    head: Head
    limit: int
    kind: Literal["drop"] = "drop"


def make_drop() -> DropModel:
    """Return the place."""
    return DropModel(_HEAD, MAX_DROPPED_BYTES)
