"""`walk` and `step`: the workflow from a terminal."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from nitro_workflow.cli.aws import offer_teardown
from nitro_workflow.cli.aws_options import agree, aws_options, settings_of
from nitro_workflow.cli.json_walk import exit_code_of, print_results
from nitro_workflow.cli.lab_options import heading, json_option, lab_option, open_lab
from nitro_workflow.cli.step_text import show_part, show_step

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nitro_workflow.lab import Lab, StepResult

__all__ = ["step", "walk"]

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


@click.command()
@lab_option
@json_option
@click.option("--size", type=SIZE, default="16MiB", show_default=True, help="Size of the data set.")
@click.option("--csv", type=click.Path(path_type=Path), help="Your own records, same columns.")
@click.option(
    "--host",
    type=click.Choice(["sandbox", "qemu", "ec2", "nitro_cli"]),
    help="What runs enclaves: a sandbox, or QEMU, which boots the image; on AWS a parent on "
    "EC2, or this machine where it is one  [default: NITRO_WORKFLOW_HOST, else the lab's, else "
    "sandbox, or ec2 on AWS]",
)
@click.option("--cloud", type=click.Choice(["local", "aws"]), help="Where  [default: the lab's]")
@aws_options
@click.option("--yes", is_flag=True, help="Make what the plan for AWS shows; do not ask.")
@click.option(
    "--app",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Your own application: a folder with an application.toml.",
)
@click.option(
    "--from", "begin", default="P1", show_default=True, metavar="STEP", help="First step."
)
@click.option("--verbose", is_flag=True, help="All of the evidence.")
@click.pass_context
def walk(
    ctx: click.Context,
    /,
    folder: Path | None,
    as_json: bool,
    begin: str,
    verbose: bool,
    **options: Any,
) -> None:
    """Run the 17 steps, from key creation to attested decryption.

    Exit code: 0 when all are done; else that of the step that was not (1 refused, 3 input, 4
    service). With --json every line is one object, whatever fails: the start, too. With --cloud aws
    the plan is shown first, and nothing is made before a yes; Ctrl-C offers to remove what is made.
    """
    if as_json:
        ctx.exit(print_results(_steps(folder, begin, options), "walk"))
    begun = time.monotonic()
    opened = _begin(folder, options)
    heading(opened)
    part, done, code = "", 0, 0
    try:
        for result in opened.walk(begin):
            part = show_part(result.step, part)
            show_step(result, everything=verbose)
            done += result.status == "done"
            code = exit_code_of(result)
    except KeyboardInterrupt as stop:
        offer_teardown(opened, stop)
        raise
    _ending(opened, done, time.monotonic() - begun)
    ctx.exit(code)


def _begin(folder: Path | None, options: Mapping[str, Any]) -> Lab:
    from enclave_image.applications import read_declaration

    app, csv = options["app"], options["csv"]
    declared = read_declaration(app).folder if app else None  # said before anything is begun
    opened = open_lab(
        folder,
        size=options["size"],
        host=options["host"] or "",
        cloud=options["cloud"] or "",
        aws=settings_of(folder, options),
    )
    agree(opened, yes=options["yes"])
    opened.bench.folder.change_settings(
        csv=str(csv.absolute()) if csv else None, app=str(declared) if declared else None
    )
    opened.up()
    return opened


def _steps(folder: Path | None, begin: str, options: Mapping[str, Any]) -> Iterator[StepResult]:
    yield from _begin(folder, options).walk(begin)


@click.command()
@click.argument("number", metavar="STEP")
@lab_option
@json_option
@click.pass_context
def step(ctx: click.Context, number: str, folder: Path | None, as_json: bool) -> None:
    """Run one step of the workflow (P1 … P8, D1 … D9), after those it needs."""
    if as_json:
        ctx.exit(print_results(_only(number, folder), f"step {number}"))
    opened = open_lab(folder)
    result = opened.run(number)
    heading(opened)
    show_step(result, everything=True)


def _only(number: str, folder: Path | None) -> Iterator[StepResult]:
    yield open_lab(folder).attempt(number)


def _ending(opened: Lab, done: int, seconds: float) -> None:
    click.secho(f"\n{done} of 17 steps done in {seconds:.1f} s.", bold=True)
    if done == 17:
        click.echo(
            "`nitro-workflow trace` shows who sent what to whom, `down` stops the processes."
        )
    heading(opened)
