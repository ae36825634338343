"""nitro-cli's commands, flags, JSON, E-codes and exit statuses.

``nitro-workflow nitro-cli …``, and the program ``nitro-cli``. They need no lab: the instance is
made on first need.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from nitro_workflow.cli.host_arguments import SeveralIds, launch_request, options_of
from nitro_workflow.cli.host_errors import NitroCliGroup, exactly_one
from nitro_workflow.cli.host_images import IMAGE_COMMANDS
from nitro_workflow.version import __version__

if TYPE_CHECKING:
    from nitro_workflow.lab import OwnInstance

__all__ = ["nitro_cli"]

AS_IF: Final = "1.5.2"
"""The version whose options, JSON, texts and codes these are."""

FOLLOW_PAUSE: Final = 0.2  # seconds between two looks at a console


@click.group(name="nitro-cli", cls=NitroCliGroup)
@click.option(
    "--lab",
    type=click.Path(path_type=Path),
    help="Folder of the host or lab  [default: NITRO_WORKFLOW_LAB, else your own host]",
)
@click.version_option(f"{AS_IF}+nitro-workflow.{__version__}", message="Nitro CLI %(version)s")
@click.pass_context
def nitro_cli(ctx: click.Context, lab: Path | None) -> None:
    """Run enclaves on this machine with nitro-cli's commands, JSON and error codes.

    The first run-enclave makes an instance for them: `nitro-workflow host status` shows it.
    """
    ctx.obj = lab


def _host(ctx: click.Context) -> OwnInstance:
    from nitro_workflow.lab import OwnInstance

    def tell(text: str) -> None:
        click.secho(text, dim=True, err=True)

    return OwnInstance.open(ctx.obj, say=tell)


@nitro_cli.command("run-enclave", cls=SeveralIds)
@click.option("--eif-path", type=click.Path(path_type=Path))
@click.option("--memory", help="n, nM, nG or nT; MiB without a unit.")
@click.option("--cpu-count", type=int)
@click.option(
    "--cpu-ids", type=int, multiple=True, metavar="ID...", help="One or several ids of CPUs."
)
@click.option("--enclave-cid", type=int)
@click.option("--enclave-name")
@click.option("--debug-mode", is_flag=True, help="Console readable; PCR0, PCR1 and PCR2 are zero.")
@click.option("--attach-console", is_flag=True, help="Implies --debug-mode.")
@click.option("--config", type=click.Path(path_type=Path), help="JSON file in place of all others.")
@click.pass_context
def run_enclave(ctx: click.Context, /, config: Path | None, **given: Any) -> None:
    """Measure an image and run it.

    What would make the launch fail is looked for first: `nitro-workflow image check --launch`.
    """
    options = options_of(config, given)
    request = launch_request(options)
    click.echo("Start allocating memory...", err=True)
    host = _host(ctx)
    answer = host.run_enclave(request)
    click.echo(
        f"Started enclave with enclave-cid: {answer['EnclaveCID']}, memory: {answer['MemoryMiB']} "
        f"MiB, cpu-ids: {answer['CPUIDs']}",
        err=True,
    )
    _print(answer)
    if options["attach_console"]:
        _follow(host, answer["EnclaveID"], None)


@nitro_cli.command("describe-enclaves")
@click.option("--metadata", is_flag=True)
@click.pass_context
def describe_enclaves(ctx: click.Context, metadata: bool) -> None:
    """List the running enclaves."""
    found = _host(ctx).describe_enclaves(metadata=metadata)
    if not found and ctx.obj is None:
        _mention_the_walks()
    _print(found)


@nitro_cli.command("terminate-enclave")
@click.option("--enclave-id")
@click.option("--enclave-name")
@click.option("--all", "every", is_flag=True)
@click.pass_context
def terminate_enclave(
    ctx: click.Context, enclave_id: str | None, enclave_name: str | None, *, every: bool
) -> None:
    """End one enclave, or all."""
    exactly_one(("--enclave-id", enclave_id), ("--enclave-name", enclave_name), ("--all", every))
    host = _host(ctx)
    if not every:
        _print(host.terminate_enclave(enclave_id, enclave_name=enclave_name))
        return
    _print([host.terminate_enclave(it["EnclaveID"]) for it in host.describe_enclaves()])


@nitro_cli.command("console")
@click.option("--enclave-id")
@click.option("--enclave-name")
@click.option("--disconnect-timeout", type=int, metavar="SECONDS")
@click.pass_context
def console(
    ctx: click.Context,
    enclave_id: str | None,
    enclave_name: str | None,
    disconnect_timeout: int | None,
) -> None:
    """Show a debug enclave's output, and follow it until the enclave ends."""
    exactly_one(("--enclave-id", enclave_id), ("--enclave-name", enclave_name))
    _follow(_host(ctx), enclave_id, enclave_name, disconnect_timeout)


for _command in IMAGE_COMMANDS:
    nitro_cli.add_command(_command)


def _follow(
    host: OwnInstance, enclave_id: str | None, name: str | None, seconds: int | None = None
) -> None:
    """Print the console until the enclave ends, or for ``seconds``."""
    started, offset = time.monotonic(), 0
    answer = host.console(enclave_id, enclave_name=name)  # E44 comes before any word
    for it in host.describe_enclaves():
        if enclave_id == it["EnclaveID"] or (not enclave_id and name == it["EnclaveName"]):
            click.echo(f"Connecting to the console for enclave {it['EnclaveCID']}...")
            click.echo("Successfully connected to the console.")
    while True:
        click.echo(answer["text"], nl=False)
        offset = answer["offset"]
        if answer["ended"] or (seconds is not None and time.monotonic() - started > seconds):
            return
        time.sleep(FOLLOW_PAUSE)
        answer = host.console(enclave_id, enclave_name=name, offset=offset)


def _mention_the_walks() -> None:
    """Say where a walk's enclaves are: they run in its lab, and are not one's own."""
    from nitro_workflow.lab import OwnInstance, default_folder

    walk = default_folder()
    lab = None if os.environ.get("NITRO_WORKFLOW_LAB") else OwnInstance.find(walk)
    count = len(lab.describe_enclaves()) if lab else 0
    if count:
        click.echo(f"The walk's lab has {count}: nitro-workflow nitro-cli --lab {walk}", err=True)


def _print(value: Any) -> None:
    click.echo(json.dumps(value, indent=2))
