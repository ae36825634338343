"""`--json` of `walk` and `step`: one object a line, whatever fails, the start included."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

import click

from nitro_workflow.cli.standard_streams import OUTPUT
from nitro_workflow.cli.termination import exit_status
from nitro_workflow.errors import LabError, NitroWorkflowError
from nitro_workflow.extras import missing_extra
from nitro_workflow.system_errors import as_package_error

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nitro_workflow.lab import StepResult

__all__ = ["exit_code_of", "print_results"]

_NEXT: Final = "run `nitro-workflow {}` again: what was left is adopted or ended"


def print_results(results: Iterable[StepResult], command: str) -> int:
    """Print each result as it comes; what ended them otherwise is the last line.

    ``command`` (``walk``, ``step P8``) is what to run again. Returns the exit code.
    """
    begun, title, code = time.monotonic(), "the start", 0
    try:
        for result in results:
            title, code = f"after {result.step}", exit_code_of(result)
            _print(result.to_json())
    except KeyboardInterrupt as stop:
        _print(_ended(_interruption(title, command), title, begun))
        return exit_status(stop)
    except Exception as error:
        known = _known(error)
        if known is None:
            raise
        _print(_ended(known, title, begun))
        return known.exit_code
    return code


def exit_code_of(result: StepResult) -> int:
    """Return 0 for a step that is done, else its error's exit code."""
    return 0 if result.error is None else NitroWorkflowError.from_json(result.error).exit_code


def _known(error: Exception) -> NitroWorkflowError | None:
    """Return what a person can cause; None for a fault of ours or where nothing can be printed."""
    if isinstance(error, OSError) and error.filename == OUTPUT:
        return None
    if isinstance(error, ModuleNotFoundError):
        return missing_extra(error)
    return as_package_error(error)


def _interruption(where: str, command: str) -> LabError:
    return LabError(
        "interrupted",
        expected=f"the end of `{command}`",
        where=where,
        next=_NEXT.format(command),
        code="Interrupted",
    )


def _ended(error: NitroWorkflowError, title: str, begun: float) -> dict[str, Any]:
    """Return the line of an end outside the steps; its ``step`` is empty."""
    return {
        "step": "",
        "party": "",
        "title": title,
        "status": "failed",
        "seconds": round(time.monotonic() - begun, 3),
        "evidence": {},
        "error": error.to_json(),
    }


def _print(record: dict[str, Any]) -> None:
    click.echo(json.dumps(record, ensure_ascii=False))
