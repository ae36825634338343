"""`notebooks`: a learner's own copies, how far they are, and one started over."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nitro_workflow.atomic import write_atomic
from nitro_workflow.cli.lab_options import json_option, lab_option, short_path
from nitro_workflow.cli.notebook_files import copy_again, copy_notebooks

if TYPE_CHECKING:
    from nitro_workflow.lab import LabFolder

__all__ = ["notebooks"]

FORMAT = 1


@click.group()
def notebooks() -> None:
    """Copy the course's notebooks, see how far you are, start one over."""


@notebooks.command()
@lab_option
@click.argument("directory", type=click.Path(path_type=Path), required=False)
def copy(folder: Path | None, directory: Path | None) -> None:
    """Copy the notebooks without outputs. What is there already stays as it is.

    DIRECTORY is by default the lab's own `notebooks` folder, which `nitro-workflow lab` opens.
    """
    copied = copy_notebooks(directory or _lab(folder).path / "notebooks")
    click.echo(f"{len(copied.made)} copied to {short_path(copied.folder)}")
    if copied.kept:
        click.echo(f"{len(copied.kept)} were there and stay: {', '.join(copied.kept)}")


@notebooks.command()
@lab_option
@json_option
@click.option("--export", type=click.Path(path_type=Path), help="Write a JSON file to hand in.")
def progress(folder: Path | None, export: Path | None, *, as_json: bool) -> None:
    """Show what you answered in each lesson: predictions, checks, tries."""
    from nitro_workflow.lessons import progress_of

    lab = _lab(folder)
    lessons = [one.to_json() for one in progress_of(lab.path)]
    if export is not None:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        record = {"format": FORMAT, "lab": lab.identity, "at": at, "lessons": lessons}
        write_atomic(export, json.dumps(record, indent=1, ensure_ascii=False).encode() + b"\n")
        click.echo(f"Written to {short_path(export)}.", err=True)
    elif as_json:
        for one in lessons:
            click.echo(json.dumps(one, ensure_ascii=False))
    else:
        click.echo("    lesson                predictions           checks")
        for one in lessons:
            click.echo(_line(one))


@notebooks.command()
@lab_option
@click.option("--notebooks", "directory", type=click.Path(path_type=Path), help="Their folder.")
@click.argument("number")
def reset(folder: Path | None, directory: Path | None, number: str) -> None:
    """Start notebook NUMBER over: a fresh copy, and its answers forgotten.

    Your own copy is kept beside it, under another name. The lab's steps stay as they are.
    """
    from nitro_workflow.lessons import forget_answers

    lab = _lab(folder)
    fresh, aside = copy_again(directory or lab.path / "notebooks", number)
    forget_answers(lab.path, number)
    click.echo(f"{fresh.name} is as it was; what you answered in it is forgotten.")
    if aside is not None:
        click.echo(f"Your own is kept as {aside.name}.")


def _lab(folder: Path | None) -> LabFolder:
    """Open the lab's folder; none of its processes is started."""
    from nitro_workflow.lab import LabFolder

    return LabFolder.open(folder)


def _line(one: dict[str, Any]) -> str:
    asked, checks = one["predictions"], one["checks"]
    predictions = f"{one['answered']} of {asked}, {one['came_true']} came true" if asked else "–"
    looked = f"{one['right']} of {checks} right, {one['tries']} tries" if checks else "–"
    return f"{one['lesson']}  {one['title']:<20}  {predictions:<20}  {looked}".rstrip()
