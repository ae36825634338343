"""What goes wrong in a lesson, as the package's errors: a learner is to read no traceback."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from nitro_workflow.cloud import cloud_errors
from nitro_workflow.errors import LabError, NitroWorkflowError
from nitro_workflow.system_errors import as_package_error

__all__ = ["in_a_lesson"]

Params = ParamSpec("Params")
Result = TypeVar("Result")


def in_a_lesson(function: Callable[Params, Result]) -> Callable[Params, Result]:
    """Have a call of a lesson raise the package's errors only; what it was stands as the cause.

    A record that was cut or edited shows as a `KeyError` somewhere below: it is named, with what
    makes it again.
    """

    @functools.wraps(function)
    def told(*args: Params.args, **values: Params.kwargs) -> Result:
        try:
            with cloud_errors(f"lesson, {function.__name__}"):
                return function(*args, **values)
        except NitroWorkflowError:
            raise
        except (OSError, UnicodeError, RecursionError, MemoryError) as error:
            known = as_package_error(error)
            if known is None:
                raise
            raise known from error
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise _bent(function.__name__, error) from error

    return told


def _bent(call: str, error: Exception) -> LabError:
    what: Any = error.args[0] if error.args else ""
    return LabError(
        f"a record of the lab lacks or bends something: {type(error).__name__} {what!r:.80}",
        expected="records as the steps write them",
        where=f"lesson, {call}",
        next="run the lesson's steps again; where it stays so, start over in another folder",
    )
