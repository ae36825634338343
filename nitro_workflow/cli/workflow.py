"""`walk` and `step`: the workflow from a terminal."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from nitro_workflow.cli.lab_options import heading, json_option, lab_option, open_lab
from nitro_workflow.cli.step_text import show_part, show_step
from nitro_workflow.errors import LabError, NitroWorkflowError

if TYPE_CHECKING:
    from nitro_workflow.lab import Lab

__all__ = ["step", "walk"]

UNITS: Final = {"": 1, "B": 1, "KIB": 1024, "MIB": 1024**2, "GIB": 1024**3}
INTERRUPTED: Final = 130  # as a shell reports a program that SIGINT ended
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


@click.command()
@lab_option
@json_option
@click.option("--size", type=SIZE, default="16MiB", show_default=True, help="Size of the data set.")
@click.option("--csv", type=click.Path(path_type=Path), help="Your own records, same columns.")
@click.option(
    "--from", "begin", default="P1", show_default=True, metavar="STEP", help="First step."
)
@click.option("--verbose", is_flag=True, help="All of the evidence.")
@click.pass_context
def walk(
    ctx: click.Context,
    folder: Path | None,
    as_json: bool,
    size: int,
    csv: Path | None,
    begin: str,
    verbose: bool,
) -> None:
    """Run the 17 steps, from key creation to attested decryption.

    Exit code: 0 when all are done; else that of the step that was not (1 refused, 3 input, 4
    service). With --json every line is one object, whatever fails: the start, too.
    """
    if as_json:
        ctx.exit(_walk_as_json(folder, size, csv, begin))
    begun = time.monotonic()
    opened = _begin(folder, size, csv)
    heading(opened)
    part, done, code = "", 0, 0
    for result in opened.walk(begin):
        part = show_part(result.step, part)
        show_step(result, everything=verbose)
        done += result.status == "done"
        code = 0 if result.status == "done" else opened.last_exit_code
    _ending(opened, done, time.monotonic() - begun)
    ctx.exit(code)


def _begin(folder: Path | None, size: int, csv: Path | None) -> Lab:
    opened = open_lab(folder, size=size)
    opened.bench.folder.change_settings(csv=str(csv.absolute()) if csv else None)
    opened.up()
    return opened


def _walk_as_json(folder: Path | None, size: int, csv: Path | None, begin: str) -> int:
    """Print one object a line; what ended the walk is the last one. Return the exit code."""
    begun = time.monotonic()
    step = ""
    try:
        opened = _begin(folder, size, csv)
        for result in opened.walk(begin):
            step = result.step
            _print_json(result.to_json())
    except NitroWorkflowError as error:
        _print_json(_ended(error, "the start" if not step else f"after {step}", begun))
        return error.exit_code
    except KeyboardInterrupt:
        title = f"after {step}" if step else "the start"
        _print_json(_ended(_interruption(title), title, begun))
        return INTERRUPTED
    return opened.last_exit_code


def _interruption(where: str) -> LabError:
    return LabError(
        "interrupted",
        expected="the end of the walk",
        where=where,
        next="run `nitro-workflow walk` again: what was left is adopted or ended",
        code="Interrupted",
    )


def _ended(error: NitroWorkflowError, title: str, begun: float) -> dict[str, Any]:
    """Return the line of a walk that ended outside its steps; ``step`` is empty."""
    return {
        "step": "",
        "party": "",
        "title": title,
        "status": "failed",
        "seconds": round(time.monotonic() - begun, 3),
        "evidence": {},
        "error": error.to_json(),
    }


def _print_json(record: dict[str, Any]) -> None:
    click.echo(json.dumps(record, ensure_ascii=False))


@click.command()
@click.argument("number", metavar="STEP")
@lab_option
@json_option
def step(number: str, folder: Path | None, as_json: bool) -> None:
    """Run one step of the workflow (P1 … P8, D1 … D9), after those it needs."""
    opened = open_lab(folder)
    result = opened.run(number)
    if as_json:
        _print_json(result.to_json())
        return
    heading(opened)
    show_step(result, everything=True)


def _ending(opened: Lab, done: int, seconds: float) -> None:
    click.secho(f"\n{done} of 17 steps done in {seconds:.1f} s.", bold=True)
    if done == 17:
        click.echo(
            "`nitro-workflow trace` shows who sent what to whom, `down` stops the processes."
        )
    heading(opened)
