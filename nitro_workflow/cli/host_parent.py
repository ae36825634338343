"""`parent run`: an unmodified program as one of the parent instance, AF_VSOCK and credentials."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import click

from nitro_workflow.cli.lab_options import host_folder_option
from nitro_workflow.errors import UsageError

__all__ = ["parent"]

_ELSEWHERE = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"),
    *("AWS_SHARED_CREDENTIALS_FILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"),
)
"""What a shell may hold for real AWS, and would win over the role's configuration."""


@click.group()
def parent() -> None:
    """Run programs as on the parent instance."""


@parent.command(context_settings={"ignore_unknown_options": True})
@host_folder_option
@click.argument("program", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def run(ctx: click.Context, folder: Path | None, program: tuple[str, ...]) -> None:
    """Run PROGRAM with AF_VSOCK as on EC2: it is CID 3, its enclaves are the others.

    SDKs in it have the instance role's credentials and this host's KMS. The exit status is the
    program's. On an EC2 parent it is simply run.
    """
    from nitro_workflow.host import run_program
    from nitro_workflow.lab import OwnInstance
    from nitro_workflow.vsock import PARENT_DEVICE

    found = shutil.which(program[0])
    if found is None:
        raise UsageError(
            f"no program {program[0]:.80}", expected="a program on PATH", where="parent run"
        )
    if PARENT_DEVICE.exists() and folder is None:
        os.execv(found, program)  # noqa: S606 - the kernel's own vsock is there

    def tell(text: str) -> None:
        click.secho(text, dim=True, err=True)

    own = OwnInstance.open(folder, say=tell)
    instance = str(own.up()["InstanceId"])
    for name in _ELSEWHERE:
        os.environ.pop(name, None)
    os.environ.update(own.environment())
    ctx.exit(run_program([found, *program[1:]], own.vsock_folder(instance)))
