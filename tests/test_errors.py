"""The errors' own texts."""

from __future__ import annotations

from nitro_workflow.errors import EnclaveError


def test_a_terminal_obeys_nothing_that_was_found() -> None:
    error = EnclaveError("two\nlines\x1b]0;owned\x07", code="C\x1b[2J")
    assert error.diagnostics() == "C\\x1b[2J\n   found  two\nlines\\x1b]0;owned\\x07"
