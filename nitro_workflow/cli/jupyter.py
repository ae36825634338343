"""`lab`: JupyterLab on the lab's notebooks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import click

from nitro_workflow.cli.lab_options import lab_option, open_lab
from nitro_workflow.cli.notebook_files import first_notebook
from nitro_workflow.extras import require
from nitro_workflow.lab import LabUsers

__all__ = ["lab"]


@click.command(context_settings={"ignore_unknown_options": True})
@lab_option
@click.option("--notebooks", type=click.Path(path_type=Path), help="Folder of the notebooks.")
@click.argument("jupyter_arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def lab(
    ctx: click.Context,
    folder: Path | None,
    notebooks: Path | None,
    jupyter_arguments: tuple[str, ...],
) -> None:
    """Start JupyterLab with the first notebook open; the last to end stops the lab's processes.

    It opens your own copies of the notebooks, in the lab's folder: see `nitro-workflow notebooks`.
    Further arguments go to JupyterLab: `nitro-workflow lab -- --no-browser --port 8889`.
    """
    require("jupyterlab")
    opened = open_lab(folder)
    first = first_notebook(notebooks, opened.path)
    environment = {**os.environ, "NITRO_WORKFLOW_LAB": str(opened.path)}
    # The argument opens a browser there; the default is for people who copy the printed address.
    address = f"--LabApp.default_url=/lab/tree/{first.name}"
    options = (*_as_root(jupyter_arguments), *jupyter_arguments)
    command = [sys.executable, "-m", "jupyterlab", str(first), address, *options]
    with LabUsers(opened.path) as users:
        try:
            code = _run_until_end(command, environment, first.parent)
        finally:
            if users.last():
                opened.down()
            else:
                click.echo("Another JupyterLab uses this lab: its processes stay.", err=True)
    ctx.exit(code)


def _as_root(given: tuple[str, ...]) -> tuple[str, ...]:
    """Let JupyterLab run as root, as in a container, where it would refuse; and say so."""
    if os.geteuid() != 0 or any(one.startswith("--allow-root") for one in given):
        return ()
    click.echo("You are root, as in a container: JupyterLab is given --allow-root.", err=True)
    return ("--allow-root",)


def _run_until_end(command: list[str], environment: dict[str, str], folder: Path) -> int:
    """Run in the foreground; Ctrl-C is JupyterLab's to answer, SIGTERM and SIGHUP are handed on."""
    child = subprocess.Popen(command, env=environment, cwd=folder)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: child.send_signal(received))
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            continue
