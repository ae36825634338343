"""`status`, `trace`, `down` and `reset`: what there is of a lab, and its end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nitro_workflow.cli.lab_options import (
    json_option,
    lab_option,
    open_lab,
    short_path,
    warn_without_sandbox,
)
from nitro_workflow.errors import LabError, UsageError

if TYPE_CHECKING:
    from nitro_workflow.lab import Lab, LabProcess, StepResult

__all__ = ["down", "reset", "status", "trace"]


@click.command()
@lab_option
@json_option
def status(folder: Path | None, as_json: bool) -> None:
    """Show the lab: processes, trust root, steps done. Starts nothing.

    A step is "ended" when the enclave that it was done with no longer runs.
    """
    from nitro_workflow.lab import STEPS

    _require_lab(folder)
    opened = open_lab(folder, make=False)
    processes = opened.pair.status()
    instances = _running(opened)
    running = [enclave for one in instances for enclave in one["Enclaves"]]
    states = _states(opened, {str(one["EnclaveID"]) for one in running})
    if as_json:
        steps = {number: state for number, (state, _) in states.items()}
        found = {"lab": str(opened.path), "processes": processes, "steps": steps}
        enclaves = [one["EnclaveID"] for one in running]
        ids = [one["InstanceId"] for one in instances]
        click.echo(json.dumps({**found, "instances": ids, "enclaves": enclaves}))
        return
    click.echo(f"Lab         {short_path(opened.path)}")
    for name, state in processes.items():
        click.echo(f"{name:<11} {state}")
    if processes.get("hypervisor") != "stopped":
        _show_running(opened, instances, running)
    if (opened.path / "hypervisor" / "root.pem").exists():
        trust = opened.bench.cloud.trust()
        shown = f"{trust.root_name}, SHA-256 {trust.root_sha256[:16]}…"
        click.echo(f"Trust root  {shown} (made by this lab)")
    warn_without_sandbox(opened)
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


def _running(opened: Lab) -> list[dict[str, Any]]:
    """Ask the hypervisor, where one runs, for instances and enclaves: records outlive them."""
    from nitro_workflow.errors import HostError

    try:
        found = opened.bench.host.describe_instances()
    except HostError:
        return []
    return [one for one in found if one["State"] != "stopped"]


def _show_running(
    opened: Lab, instances: list[dict[str, Any]], running: list[dict[str, Any]]
) -> None:
    launched = opened.bench.result("P8")
    known = launched.produced if launched else {}
    for label, name, ids in (
        ("instance", "instance_id", [(one["InstanceId"], one["State"]) for one in instances]),
        ("enclave", "enclave_id", [(one["EnclaveID"], one["State"]) for one in running]),
    ):
        found = [
            f"{one}, {state.lower()}" + ("" if one == known.get(name) else ", not of step P8")
            for one, state in ids
        ]
        click.echo(f"{label:<11} {'; '.join(found) or 'none'}")
    for one in instances:
        if one.get("EndedFor"):
            click.echo(f"{'':<11} {one['InstanceId']} was ended: more than its {one['EndedFor']}")
    click.echo(f"{'limits':<11} {_limits(opened)}")


def _limits(opened: Lab) -> str:
    """Return what holds the limits of what runs."""
    from nitro_workflow.errors import HostError

    try:
        return opened.bench.host.limits()
    except HostError:
        return "unknown: the hypervisor does not answer"


def _require_lab(folder: Path | None) -> None:
    """Say of a folder that is not a lab what still runs for it; nothing is made."""
    if left := _orphans(folder):
        names = ", ".join(f"{one.name} (pid {one.pid})" for one in left)
        raise LabError(
            f"the lab's folder is gone; {names} still run for it",
            expected="the folder of a lab",
            where=str(_path_of(folder)),
            next="`nitro-workflow down` ends them",
        )


def _path_of(folder: Path | None) -> Path:
    from nitro_workflow.lab import default_folder

    return (folder or default_folder()).expanduser().resolve()


def _orphans(folder: Path | None) -> list[LabProcess]:
    """Return what runs for a lab whose folder has gone."""
    from nitro_workflow.lab import find_processes

    path = _path_of(folder)
    return [] if (path / "lab.json").exists() else find_processes(path)


def _state(result: StepResult | None, rests: bool) -> str:
    if result is None:
        return "not yet"
    return "done" if rests else "out of date"


@click.command()
@lab_option
@json_option
@click.option("--job", default="", help="Only this job's events, and those of no job.")
def trace(folder: Path | None, as_json: bool, job: str) -> None:
    """Show who sent what to whom, and who could read it."""
    from nitro_workflow.lab import collect

    events = collect(open_lab(folder, make=False).bench, job=job)
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
@lab_option
@click.option("--new-port", is_flag=True, help="Let the cloud take another port at its next start.")
def down(folder: Path | None, new_port: bool) -> None:
    """Stop the lab's background processes; what the lab knows stays in its folder."""
    if left := _orphans(folder):
        from nitro_workflow.lab import end_orphan

        for one in left:
            end_orphan(one)
        stopped = [one.name for one in left]
    elif not (_path_of(folder) / "lab.json").exists():
        stopped = []
    else:
        opened = open_lab(folder, make=False)
        stopped = opened.pair.down(new_port=new_port)
        _tell_of_a_service(opened)
    click.echo(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing was running.")


def _tell_of_a_service(opened: Lab) -> None:
    """Name what `down` leaves alone: what a person runs in a terminal of their own."""
    for name, state in opened.pair.status().items():
        if state.endswith("started by hand"):
            click.echo(f"{name} {state}: end it in its own terminal", err=True)


@click.command()
@lab_option
@click.option(
    "--from", "begin", default="P1", show_default=True, metavar="STEP", help="First step."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def reset(ctx: click.Context, folder: Path | None, begin: str, yes: bool) -> None:
    """Start over: end the processes and empty the lab, or go back to a step.

    From P1 all is removed: keys, data, images, records. From a later step its record and those
    after it are dropped, and the next walk or step makes them again.
    """
    from nitro_workflow.lab import STEPS, find_step

    opened = open_lab(folder, make=False)
    number = find_step(begin).number
    first = number == STEPS[0].number
    what = "all that it holds" if first else f"the records of {number} and of the steps after it"
    if not (yes or _agreed(f"Remove {what} in {short_path(opened.path)}?")):
        click.echo("Nothing was removed.")
        ctx.exit(1)
    opened.reset(number)
    again = "walk` starts over" if first else f"walk --from {number}` makes them again"
    click.echo(f"Removed {what}. `nitro-workflow {again}.")


def _agreed(question: str) -> bool:
    """Ask; where nobody answers, say how to do without."""
    try:
        return click.confirm(question)
    except (click.Abort, OSError) as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise
        raise UsageError(
            "no answer: standard input has ended",
            expected="y or n",
            where="reset",
            next="`--yes` removes without asking",
        ) from error
