"""The `nitro-workflow` command: one group a room, imported when it is called.

Exit codes: 0 done, 1 refused or a finding, 2 usage, 3 bad input, 4 a service failed.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from typing import Any

import click

from nitro_workflow.cli.standard_streams import (
    OUTPUT,
    ReaderGone,
    finish_output,
    reader_may_leave,
    use_streams,
)
from nitro_workflow.cli.termination import end_in_order, exit_status
from nitro_workflow.errors import MissingExtra, NitroWorkflowError, ServiceError
from nitro_workflow.extras import missing_extra
from nitro_workflow.system_errors import as_package_error
from nitro_workflow.version import __version__

__all__ = ["main", "run_program"]

# command -> (module of this package, attribute, one line of help)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "attestation": ("attestation", "attestation", "Show, verify, explain attestation documents."),
    "aws": ("aws", "aws", "Plan, check, list and remove what a lab makes on AWS."),
    "cloud": ("cloud", "cloud", "Serve the local cloud; print what SDKs need to use it."),
    "confirm": ("confirm", "confirm", "Complete D4 with AWS's record of the decryption."),
    "down": ("lab_state", "down", "Stop the lab's background processes."),
    "events": ("cloud", "events", "Show the cloud's decision records, with their reasons."),
    "export": ("export", "export", "Write what an operator carries into production."),
    "host": ("host_machines", "host", "Start and show the instance for your own enclaves."),
    "image": ("image", "image", "Build, measure, check, sign and compare enclave images."),
    "inspect": ("inspect_files", "inspect", "Show what a file is, or serve a page to drop it on."),
    "lab": ("jupyter", "lab", "Start JupyterLab with the first notebook open."),
    "nitro-cli": ("host", "nitro_cli", "nitro-cli's commands, JSON and E-codes, on this machine."),
    "notebooks": ("notebooks", "notebooks", "Copy the course's notebooks, see how far you are."),
    "parent": ("host_parent", "parent", "Run programs as on the parent instance, with AF_VSOCK."),
    "policy": ("policy", "policy", "Decide, explain, analyse and write key policies."),
    "reset": ("lab_state", "reset", "Start the lab over, or go back to a step."),
    "status": ("lab_state", "status", "Show the lab: steps done, processes, trust root."),
    "step": ("workflow", "step", "Run one step of the workflow."),
    "trace": ("lab_state", "trace", "Show who sent what to whom."),
    "vsock": ("host_vsock", "vsock", "Talk to an enclave: connect to its ports, listen for it."),
    "walk": ("workflow", "walk", "Run the 17 steps, from key creation to attested decryption."),
}


class _LazyGroup(click.Group):
    """Imports a command's module only when that command is asked for."""

    def make_context(self, *args: Any, **settings: Any) -> click.Context:
        with reader_may_leave():  # before click makes a refusal of it
            return super().make_context(*args, **settings)

    def invoke(self, ctx: click.Context) -> Any:
        with reader_may_leave():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(f"nitro_workflow.cli.{module}"), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"nitro_workflow.cli.{module}.{attribute} is not a click command")
        if isinstance(command, click.Group):
            _say_whole_sentences(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][2]) for name in sorted(COMMANDS)])


def _say_whole_sentences(group: click.Group) -> None:
    """List each command with the first sentence of its help: click would cut it at 45 letters."""
    for command in group.commands.values():
        paragraph = " ".join((command.help or "").partition("\n\n")[0].split())
        command.short_help = command.short_help or paragraph.partition(". ")[0].rstrip(".") + "."


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="nitro-workflow")
def cli() -> None:
    """Run the AWS Nitro Enclaves workflow: locally without AWS, and see every refusal explained."""


SYSTEM_ERRORS = (OSError, RuntimeError, MemoryError, OverflowError, ValueError)
READER_GONE = 141  # 128 + SIGPIPE, as a shell shows of any tool whose reader has left


def main() -> None:
    """Run `nitro-workflow`."""
    run_program(cli)


def run_program(command: click.Command) -> None:
    """Run a command; what went wrong becomes four lines and an exit code of the table."""
    use_streams()
    end_in_order()
    try:
        status = _run(command)
        finish_output()
    except ReaderGone:
        status = READER_GONE
    except click.exceptions.Abort as error:
        status = _stopped(error)
    except click.ClickException as error:
        error.show()
        status = 2
    except (NitroWorkflowError, ModuleNotFoundError, *SYSTEM_ERRORS) as error:
        status = _explain(error)
    sys.exit(status)


def _stopped(error: click.exceptions.Abort) -> int:
    """Say so, where standard error is still there: a closed terminal takes it along."""
    with contextlib.suppress(OSError):
        click.echo("Stopped.", err=True)
    return exit_status(error.__cause__ or error.__context__)


def _run(command: click.Command) -> int:
    plain: dict[str, Any] = {"color": False} if os.environ.get("NO_COLOR") else {}  # no-color.org
    status = command.main(standalone_mode=False, **plain)
    return status if isinstance(status, int) else 0


def _explain(error: Exception) -> int:
    """Say what went wrong, in four lines; a missing extra in one. A fault of ours is raised."""
    missing = missing_extra(error) if isinstance(error, ModuleNotFoundError) else None
    known = missing or as_package_error(error)
    if known is None:
        raise error
    if isinstance(error, OSError) and error.filename == OUTPUT:
        known = ServiceError(
            known.found,
            where=OUTPUT,
            next="free some space, or give the command an output that is open",
        )
    with contextlib.suppress(OSError):  # standard error may be closed or full as well
        one_line = isinstance(known, MissingExtra)
        click.echo(str(known) if one_line else known.diagnostics(), err=True)
    return known.exit_code
