"""What the practice application does with a job, without an enclave around it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from nitro_workflow.lab.failures import practice_program
from nitro_workflow.lab.failures.set_up import Client


class Program(practice_program.PracticeProgram):
    """Has no module and reaches nobody; ``done`` is what it did, in order."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self._key, self._kept = None, b""

    def _attest(self, key: Any) -> bytes:
        self.done.append("a document")
        return b"document"

    def _client(self, credentials: Any, port: int) -> None:
        self.done.append("a client")


def test_nothing_slow_stands_between_a_document_and_its_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A cloud of the failure lab takes a document for five seconds."""
    program = Program()

    def call_kms(client: Any, request: Any) -> dict[str, Any]:
        program.done.append("the call")
        return {}

    monkeypatch.setattr(practice_program, "call_kms", call_kms)
    request = {"CiphertextBlob": ""}
    program.answer({"op": "decrypt", "settings": asdict(Client()), "request": request,
                    "credentials": {}, "port": 8000})  # fmt: skip
    assert program.done == ["a client", "a document", "the call"]
