"""The errors' own texts, and their way to another process and back."""

from __future__ import annotations

import doctest
import json

import pytest

from nitro_workflow import errors
from nitro_workflow.errors import EnclaveError, NitroWorkflowError, VerificationError

TREE = [getattr(errors, name) for name in errors.__all__]


def test_a_terminal_obeys_nothing_that_was_found() -> None:
    error = EnclaveError("two\nlines\x1b]0;owned\x07", code="C\x1b[2J")
    assert error.diagnostics() == "C\\x1b[2J\n   found  two\nlines\\x1b]0;owned\\x07"


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("code", ["", "AccessDenied"])
def test_an_error_is_the_same_in_another_process(kind: type, code: str) -> None:
    step = {"step": "chain"} if kind is VerificationError else {}
    error = kind("f", expected="e", where="w", next="n", **step)
    error.code = code or error.code
    again = NitroWorkflowError.from_json(json.loads(json.dumps(error.to_json())))
    assert type(again) is kind
    assert again.to_json() == error.to_json()
    assert str(again) == str(error)
    assert again.diagnostics() == error.diagnostics()


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"type": "SystemExit", "found": "x"},
        {"type": "_kinds"},
        {"type": ["Refused"], "code": None, "found": 7, "step": {}},
        {"type": "VerificationError", "found": None},
    ],
)
def test_a_record_of_anybody_is_an_error_of_the_tree(record: dict) -> None:
    error = NitroWorkflowError.from_json(record)
    assert type(error) in TREE
    assert all(isinstance(text, str) for text in error.to_json().values())


def test_the_example_runs() -> None:
    assert doctest.testmod(errors).failed == 0
