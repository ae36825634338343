"""Another application's work in the place of the query: its class, held to the query's rules.

The class is named in the measured configuration and lies in the image; it is told the measured
arguments and the threshold. It is fed authenticated bytes as they come, and nothing of it leaves
before all of them have verified: what it raises is kept until then, and only its class is told.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from enclave_image.configuration import Program
from nitro_workflow.errors import DatasetError, EnclaveError

__all__ = ["ProgramAnswer", "ProgramRunner"]

MAX_ANSWER = 1024 * 1024
"""Bytes of an answer's JSON: it is encrypted and sent as one frame."""


class Processor(Protocol):
    """What an application's class gives: constructed with ``(arguments, threshold)``."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes, of any length."""
        ...

    def finish(self) -> Mapping[str, Any]:
        """Return the answer, as JSON can hold it."""
        ...


@dataclass(frozen=True, slots=True)
class ProgramAnswer:
    """The answer of an application."""

    answer: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return what goes into the result's document."""
        return {"answer": dict(self.answer)}


class ProgramRunner:
    """Feeds the class that ``work`` names; stands where the query's `Aggregator` does."""

    def __init__(self, work: Program, threshold: int) -> None:
        module, _, name = work.program.partition(":")
        try:
            kind = getattr(importlib.import_module(module), name)
            self._processor: Processor = kind(dict(work.arguments), threshold)
        except Exception as error:
            raise EnclaveError(
                f"{work.program} cannot be made ({type(error).__name__})",
                expected="a class that takes its arguments and a threshold",
                where="the measured configuration, query.program",
                next="try it outside first, then build the image again",
            ) from error
        self._broken = ""

    def feed(self, data: bytes) -> None:
        """Hand the next bytes on. Never raises: see `finish`."""
        if self._broken:
            return
        try:
            self._processor.feed(data)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not leave early
            self._broken = type(error).__name__

    def finish(self) -> ProgramAnswer:
        """Return the answer, once and last. Raises `DatasetError` when the program failed."""
        if not self._broken:
            try:
                answer: object = self._processor.finish()
                if isinstance(answer, Mapping) and len(json.dumps(answer)) <= MAX_ANSWER:
                    return ProgramAnswer(answer)
                self._broken = "an answer that is not an object, or too big"
            except Exception as error:  # noqa: BLE001 - its text is content
                self._broken = type(error).__name__
        raise DatasetError(
            f"the application failed: {self._broken}",
            expected="data as it was agreed on, and an answer that JSON holds",
            where="D9, the decrypted data (what was in it is not told: it is content)",
            next="the data owner tries the application on the file outside the enclave",
        )
