"""What the workflow's commands share: their options, an open lab, and its heading."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nitro_workflow.errors import NitroWorkflowError

if TYPE_CHECKING:
    from collections.abc import Callable

    from nitro_workflow.cloud import AwsSettings
    from nitro_workflow.lab import Lab

__all__ = [
    "heading",
    "host_folder_option",
    "host_option",
    "json_option",
    "lab_option",
    "open_lab",
    "short_path",
    "warn_without_sandbox",
]


def lab_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--lab``."""
    text = "The lab's folder  [default: NITRO_WORKFLOW_LAB, else one for each user]"
    return click.option("--lab", "folder", type=click.Path(path_type=Path), help=text)(function)


def host_folder_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--lab`` for what works on your own host."""
    text = "Folder of the host or lab  [default: NITRO_WORKFLOW_LAB, else your own host]"
    return click.option("--lab", "folder", type=click.Path(path_type=Path), help=text)(function)


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")(function)


def host_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--host``."""
    return click.option(
        "--host",
        type=click.Choice(["sandbox", "qemu"]),
        help="What runs enclaves: a sandbox, or QEMU, which boots the image  "
        "[default: NITRO_WORKFLOW_HOST, else the lab's, else sandbox]",
    )(function)


def open_lab(
    folder: Path | None,
    *,
    size: int = 0,
    host: str = "",
    cloud: str = "",
    aws: AwsSettings | None = None,
    make: bool = True,
) -> Lab:
    """Open the lab; without ``make`` one that is not there is an error, and stays so."""
    from nitro_workflow.lab import Lab

    def tell(text: str) -> None:
        click.secho(text, dim=True, err=True)

    return Lab.open(folder, say=tell, size=size, host=host, cloud=cloud, aws=aws, make=make)


def heading(opened: Lab) -> None:
    """Print which lab this is, what runs its enclaves, and which root it trusts."""
    trust = opened.bench.cloud.trust()
    click.echo(f"Lab         {short_path(opened.path)}")
    with contextlib.suppress(NitroWorkflowError):  # the processes may be down
        click.echo(f"Host        {opened.host}: runs {opened.bench.host.execution()}")
    click.echo(
        f"Trust root  {trust.root_name}, SHA-256 {trust.root_sha256[:16]}… ({_whose(opened)})"
    )
    warn_without_sandbox(opened)


def _whose(opened: Lab) -> str:
    """Say whose root it is that the lab's documents verify under."""
    if opened.bench.cloud.trust().is_aws:
        return "AWS's own: no document of a lab verifies under it"
    return "this lab's own: AWS trusts no document of it"


def warn_without_sandbox(opened: Lab) -> None:
    """Say in red where the launched instance has no boundary around it."""
    launched = opened.bench.result("P8")
    if launched is not None and launched.evidence.get("sandboxed") is False:
        click.secho("NOT SANDBOXED: parent and enclave are plain processes", fg="red", bold=True)


def short_path(path: Path) -> str:
    """Return the path with ``~`` for the home folder."""
    home = str(Path.home())
    return str(path).replace(home, "~", 1) if str(path).startswith(home + os.sep) else str(path)
