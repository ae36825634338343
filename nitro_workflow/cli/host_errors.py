"""How nitro-cli ends: its lines on standard error, and the error's number as exit status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from nitro_workflow.errors import (
    ImageError,
    ImageRefused,
    NitroWorkflowError,
    SandboxUnavailable,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["HELP_PAGE", "NitroCliGroup", "exactly_one"]

HELP_PAGE: Final = "https://docs.aws.amazon.com/enclaves/latest/user/cli-errors.html"


class NitroCliGroup(click.Group):
    """Prints errors as nitro-cli does; the exit status is the error's number."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error of the package becomes nitro-cli's lines and status."""
        try:
            return super().invoke(ctx)
        except NitroWorkflowError as error:
            code = _code_of(error)
            lines = [f"[ {code} ] {error.found}"]
            lines.append(f"For more details, please visit {HELP_PAGE}#{code}")
            lines += [f"{label}: {text}" for label, text in _advice(error) if text]
            click.echo(_printable("\n\n".join(lines)), err=True)
            from nitro_workflow.host import status_of

            ctx.exit(status_of(code))


def exactly_one(*options: tuple[str, Any]) -> None:
    """Refuse a command line on which not one of ``(name, value)`` was given: exit status 2.

    As nitro-cli's own parser does, before any of its codes. Raises `click.UsageError`.
    """
    given = [name for name, value in options if value]
    if len(given) != 1:
        names = ", ".join(name for name, _ in options)
        found = f"{' and '.join(given)} cannot be used together" if given else "missing argument"
        raise click.UsageError(f"{found}; expected exactly one of {names}")


def _code_of(error: NitroWorkflowError) -> str:
    if len(error.code) == 3 and error.code[0] == "E" and error.code[1:].isdigit():
        return error.code
    match error:
        case ImageRefused():
            return "E59"
        case ImageError():
            return "E35"
        case SandboxUnavailable():
            return "E36"
        case _:
            return "E00"


def _advice(error: NitroWorkflowError) -> Sequence[tuple[str, str]]:
    return (("Expected", error.expected), ("Next", error.next))


def _printable(text: str) -> str:
    """Return text that moves no cursor: an image's own words may be in it."""
    return "".join(
        char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text
    )
