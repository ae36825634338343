"""The bytes of a lab, by the names under which a lesson opens them."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Mapping
from pathlib import Path

from nitro_workflow.errors import UsageError
from nitro_workflow.lab import (
    WIRES,
    Workbench,
    ciphertext_path,
    document_of,
    envelope_of,
    fresh_document,
    image_of,
    jobs_of,
    request_of,
    wire_of,
)
from nitro_workflow.lessons.lesson_views import evidence

__all__ = ["beginning", "openable", "whole"]


def things(bench: Workbench) -> Mapping[str, Callable[[], bytes | Path]]:
    """Return what may be opened of a lab, by name. None of it is secret."""

    def ended(name: str) -> bytes:
        return b64decode(jobs_of(bench)["encryption-sdk"].ended()[name])

    def carried(direction: str) -> Callable[[], bytes]:
        return lambda: wire_of(bench, direction)

    return {
        "data-key": lambda: bench.path / "owner" / "data-key.encrypted",
        "message": lambda: ciphertext_path(bench),
        "image": lambda: image_of(bench),
        "key-policy": lambda: json.dumps(evidence(bench, "P7")["policy"]).encode(),
        "nonce": lambda: bytes.fromhex(jobs_of(bench)["encryption-sdk"].nonce),
        "document": lambda: document_of(bench),
        "fresh-document": lambda: fresh_document(bench),
        "request": lambda: request_of(bench),
        **{direction: carried(direction) for direction in WIRES},
        "envelope": lambda: envelope_of(bench),
        "result": lambda: ended("result"),
        "receipt": lambda: ended("receipt"),
    }


def openable(bench: Workbench, name: str) -> bytes | Path:
    """Return bytes or a file of the lab by name. Raises `UsageError` for another name."""
    known = things(bench)
    if name not in known:
        raise UsageError(
            f"nothing called {name!r}",
            expected=", ".join(known),
            where="lesson.open",
            next="name one of these",
        )
    return known[name]()


def whole(bench: Workbench, name: str) -> bytes:
    """Return all bytes of a thing of the lab. Raises `UsageError` for another name."""
    thing = openable(bench, name)
    return thing if isinstance(thing, bytes) else thing.read_bytes()


def beginning(bench: Workbench, name: str, size: int) -> tuple[bytes, int]:
    """Return the first bytes of a thing of the lab, and how many there are in all."""
    thing = openable(bench, name)
    if isinstance(thing, bytes):
        return thing[:size], len(thing)
    with thing.open("rb") as file:
        return file.read(size), thing.stat().st_size
