"""`walk`, `step`, `status`, `trace`, `down` and `lab`: the workflow from a terminal."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from nitro_workflow.cli.notebook_files import first_notebook
from nitro_workflow.cli.step_text import show_part, show_step
from nitro_workflow.errors import LabError
from nitro_workflow.extras import require

if TYPE_CHECKING:
    from collections.abc import Callable

    from nitro_workflow.lab import Lab, StepResult

__all__ = ["down", "lab", "status", "step", "trace", "walk"]

UNITS: Final = {"": 1, "B": 1, "KIB": 1024, "MIB": 1024**2, "GIB": 1024**3}
LARGEST: Final = 8 * 1024**3  # bytes: it is on the disk three times


class _Size(click.ParamType[int]):
    """A number of bytes: ``16MiB``, ``512KiB``, ``1048576``."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"(\d+)\s*([A-Za-z]*)", str(value).strip())
        if not found or found[2].upper() not in UNITS:
            self.fail(f"{value!r} is not a size such as 16MiB", param, ctx)
        size = int(found[1]) * UNITS[found[2].upper()]
        if not 1024 <= size <= LARGEST:
            self.fail(f"{value!r} is not from 1KiB to 8GiB", param, ctx)
        return size


SIZE: Final = _Size()


def _lab_option(function: Callable[..., Any]) -> Callable[..., Any]:
    text = "The lab's folder  [default: NITRO_WORKFLOW_LAB, else one for each user]"
    return click.option("--lab", "folder", type=click.Path(path_type=Path), help=text)(function)


def _json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")(function)


def _open(folder: Path | None, *, size: int = 0) -> Lab:
    from nitro_workflow.lab import Lab

    return Lab.open(folder, say=lambda text: click.secho(text, dim=True, err=True), size=size)


# -- walk and step ---------------------------------------------------------------------------------


@click.command()
@_lab_option
@_json_option
@click.option("--size", type=SIZE, default="16MiB", show_default=True, help="Size of the data set.")
@click.option("--csv", type=click.Path(path_type=Path), help="Your own records, same columns.")
@click.option("--verbose", is_flag=True, help="All of the evidence.")
@click.pass_context
def walk(
    ctx: click.Context,
    folder: Path | None,
    as_json: bool,
    size: int,
    csv: Path | None,
    verbose: bool,
) -> None:
    """Run the 17 steps, from key creation to attested decryption.

    Exit code: 0 when all are done; else that of the step that was not (1 refused, 3 input, 4
    service).
    """
    opened = _open(folder, size=size)
    opened.bench.folder.change_settings(csv=str(csv.absolute()) if csv else None)
    begun = time.monotonic()
    opened.up()
    if not as_json:
        _heading(opened)
    part, done, code = "", 0, 0
    for result in opened.walk():
        if as_json:
            click.echo(json.dumps(result.to_json(), ensure_ascii=False))
        else:
            part = show_part(result.step, part)
            show_step(result, everything=verbose)
        done += result.status == "done"
        code = 0 if result.status == "done" else opened.last_exit_code
    if not as_json:
        _ending(opened, done, time.monotonic() - begun)
    ctx.exit(code)


@click.command()
@click.argument("number", metavar="STEP")
@_lab_option
@_json_option
def step(number: str, folder: Path | None, as_json: bool) -> None:
    """Run one step of the workflow (P1 … P8, D1 … D9), after those it needs."""
    opened = _open(folder)
    result = opened.run(number)
    if as_json:
        click.echo(json.dumps(result.to_json(), ensure_ascii=False))
        return
    _heading(opened)
    show_step(result, everything=True)


def _heading(opened: Lab) -> None:
    trust = opened.bench.cloud.trust()
    click.echo(f"Lab         {_short_path(opened.path)}")
    click.echo(
        f"Trust root  {trust.root_name}, SHA-256 {trust.root_sha256[:16]}… "
        "(this lab's own: AWS trusts no document of it)"
    )
    _warn_without_sandbox(opened)


def _warn_without_sandbox(opened: Lab) -> None:
    launched = opened.bench.result("P8")
    if launched is not None and launched.evidence.get("sandboxed") is False:
        click.secho("NOT SANDBOXED: parent and enclave are plain processes", fg="red", bold=True)


def _ending(opened: Lab, done: int, seconds: float) -> None:
    click.secho(f"\n{done} of 17 steps done in {seconds:.1f} s.", bold=True)
    if done == 17:
        click.echo(
            "`nitro-workflow trace` shows who sent what to whom, `down` stops the processes."
        )
    _heading(opened)


def _short_path(path: Path) -> str:
    home = str(Path.home())
    return str(path).replace(home, "~", 1) if str(path).startswith(home + os.sep) else str(path)


# -- status, trace, down ---------------------------------------------------------------------------


@click.command()
@_lab_option
@_json_option
def status(folder: Path | None, as_json: bool) -> None:
    """Show the lab: processes, trust root, steps done. Starts nothing.

    A step is "ended" when the enclave that it was done with no longer runs.
    """
    from nitro_workflow.lab import STEPS

    opened = _open(folder)
    processes = opened.pair.status()
    running = _enclaves(opened) if processes["hypervisor"] != "stopped" else []
    states = _states(opened, {str(one["EnclaveID"]) for one in running})
    if as_json:
        steps = {number: state for number, (state, _) in states.items()}
        click.echo(json.dumps({"lab": str(opened.path), "processes": processes, "steps": steps}))
        return
    click.echo(f"Lab         {_short_path(opened.path)}")
    for name, state in processes.items():
        click.echo(f"{name:<11} {state}")
    if processes["hypervisor"] != "stopped":
        found = [f"{one['EnclaveID']}, {one['State'].lower()}" for one in running]
        click.echo(f"{'enclave':<11} {'; '.join(found) or 'none'}")
    if (opened.path / "hypervisor" / "root.pem").exists():
        trust = opened.bench.cloud.trust()
        shown = f"{trust.root_name}, SHA-256 {trust.root_sha256[:16]}…"
        click.echo(f"Trust root  {shown} (made by this lab)")
    _warn_without_sandbox(opened)
    for one in STEPS:
        state, when = states[one.number]
        click.echo(f"  {one.number}  {state:<12} {when:<21} {one.title}")


def _states(opened: Lab, running: set[str]) -> dict[str, tuple[str, str]]:
    """Return each step's state and time; from P8 on a record speaks of an enclave, maybe gone."""
    from nitro_workflow.lab import STEPS

    launched = opened.bench.result("P8")
    alive = launched is not None and launched.produced.get("enclave_id") in running
    states: dict[str, tuple[str, str]] = {}
    for one in STEPS:
        result = opened.bench.result(one.number)
        needs_enclave = one.number == "P8" or one.number.startswith("D")
        state = _state(result, opened.rests(one))
        gone = state == "done" and needs_enclave and not alive
        states[one.number] = ("ended" if gone else state, result.at[:19] if result else "")
    return states


def _enclaves(opened: Lab) -> list[dict[str, Any]]:
    """Ask the hypervisor: a step's record outlives its enclave."""
    from nitro_workflow.errors import HostError

    try:
        return opened.bench.host.describe_enclaves()
    except HostError:
        return []


def _state(result: StepResult | None, rests: bool) -> str:
    if result is None:
        return "not yet"
    return "done" if rests else "out of date"


@click.command()
@_lab_option
@_json_option
@click.option("--job", default="", help="Only this job's events, and those of no job.")
def trace(folder: Path | None, as_json: bool, job: str) -> None:
    """Show who sent what to whom, and who could read it."""
    from nitro_workflow.lab import collect

    events = collect(_open(folder).bench, job=job)
    if not events:
        raise LabError(
            "nothing was sent yet",
            expected="the trace of a walk",
            where="trace",
            next="run `nitro-workflow walk`",
        )
    for event in events:
        if as_json:
            click.echo(json.dumps(event.to_json(), ensure_ascii=False))
            continue
        lane = f"{event.source} → {event.target}"
        readers = ", ".join(event.visible_to)
        click.echo(
            f"{event.seq:>4} {event.at[11:23]} {event.step:<3} {lane:<22} {event.size:>10} bytes  ",
            nl=False,
        )
        aside = f"[readable by {readers}; told by {event.told_by}]"
        click.echo(f"{event.what}  {click.style(aside, dim=True)}")


@click.command()
@_lab_option
@click.option("--new-port", is_flag=True, help="Let the cloud take another port at its next start.")
def down(folder: Path | None, new_port: bool) -> None:
    """Stop the lab's background processes; what the lab knows stays in its folder."""
    stopped = _open(folder).pair.down(new_port=new_port)
    click.echo(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing was running.")


# -- lab -------------------------------------------------------------------------------------------


@click.command(context_settings={"ignore_unknown_options": True})
@_lab_option
@click.option("--notebooks", type=click.Path(path_type=Path), help="Folder of the notebooks.")
@click.argument("jupyter_arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def lab(
    ctx: click.Context,
    folder: Path | None,
    notebooks: Path | None,
    jupyter_arguments: tuple[str, ...],
) -> None:
    """Start JupyterLab with the first notebook open; stop the lab's processes when it ends.

    Further arguments go to JupyterLab: `nitro-workflow lab -- --no-browser --port 8889`.
    """
    require("jupyterlab")
    opened = _open(folder)
    first = first_notebook(notebooks, opened.path)
    environment = {**os.environ, "NITRO_WORKFLOW_LAB": str(opened.path)}
    # The argument opens a browser there; the default address is for who copies what is printed.
    address = f"--LabApp.default_url=/lab/tree/{first.name}"
    command = [sys.executable, "-m", "jupyterlab", str(first), address, *jupyter_arguments]
    try:
        ctx.exit(_run_until_end(command, environment, first.parent))
    finally:
        opened.down()


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
