"""How a step looks in a terminal: its line, its evidence, and why it was refused."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from nitro_workflow.lab import StepResult

__all__ = ["show_part", "show_step"]

WIDTH: Final = 96  # characters of a line of evidence: a PCR; and of a step's own line
ONLY_JSON: Final = frozenset({"decision_record"})  # deep, and said in words beside it


def show_part(number: str, part: str) -> str:
    """Print the heading of the step's part where it is not ``part``; return the step's own."""
    from nitro_workflow.lab import find_step

    new = find_step(number).part
    if new != part:
        click.secho(f"\n{new}", bold=True)
    return new


def show_step(result: StepResult, *, everything: bool = False) -> None:
    """Print a step's line, its key facts (or everything that is for people), notes and error."""
    from nitro_workflow.lab import key_facts

    good = result.status == "done"
    mark = click.style("✓", fg="green") if good else click.style("✗", fg="red", bold=True)
    title = click.style(f"{result.title:<55}", bold=True)
    wide = shutil.get_terminal_size((WIDTH, 24)).columns >= WIDTH
    party = f"{result.party:<21} " if wide else ""
    click.echo(f"  {mark} {result.step}  {party}{title} {result.seconds:6.2f} s")
    if not wide:
        _show_value("party", result.party, everything=everything)
    facts = result.evidence.items() if everything else key_facts(result)
    for label, value in facts:
        if label == "groups" and not everything:
            _show_groups(value)
        else:
            _show_value(label, value, everything=everything)
    for note in result.notes:
        click.secho(f"        note: {note}", dim=True)
    if result.error is not None:
        _show_error(result.error)


def _show_groups(groups: list[Mapping[str, Any]]) -> None:
    """Show the opened result as a table: one row a group."""
    measures = (
        [name for name, value in groups[0].items() if isinstance(value, dict)] if groups else []
    )
    head = "".join(f"{f'mean {name}':>16}" for name in measures)
    click.secho(f"{' ' * 8}{'group':<14}{'count':>10}{head}", fg="cyan")
    for group in groups:
        name = next(str(value) for value in group.values() if isinstance(value, str))
        means = "".join(f"{group[one]['mean']:>16}" for one in measures)
        click.echo(f"{' ' * 8}{name:<14}{group['count']:>10}{means}")


def _show_value(key: str, value: Any, *, everything: bool, indent: int = 8) -> None:
    label = click.style(f"{' ' * indent}{key.replace('_', ' '):<22}", fg="cyan")
    nested = isinstance(value, dict) and any(isinstance(one, dict | list) for one in value.values())
    if key == "same_as_inspected":
        click.echo(f"{label} {value} files of the ramdisk")
    elif key in ONLY_JSON:
        click.echo(f"{label} --json has it in full")
    elif isinstance(value, str) and "\n" in value:
        click.echo(label)
        click.echo(textwrap.indent(value.rstrip(), " " * (indent + 2)))
    elif isinstance(value, dict) and "Statement" in value:
        click.echo(label)
        click.echo(textwrap.indent(json.dumps(value, indent=2), " " * (indent + 2)))
    elif nested or (isinstance(value, dict) and len(_one_line(value)) > WIDTH):
        click.echo(label)
        for name, inner in value.items():
            _show_value(str(name), inner, everything=everything, indent=indent + 2)
    elif isinstance(value, list) and len(value) > 1 and (everything or isinstance(value[0], dict)):
        click.echo(label)
        for line in value:
            click.echo(f"{' ' * (indent + 2)}{_one_line(line)}")
    else:
        text = _one_line(value)
        click.echo(
            f"{label} {text if everything or len(text) <= WIDTH else text[: WIDTH - 1] + '…'}"
        )


def _one_line(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_one_line(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(_one_line, value))
    return str(value)


def _show_error(error: Mapping[str, str]) -> None:
    for name in ("code", "found", "expected", "where", "next"):
        if error.get(name):
            click.echo(f"         {click.style(f'{name:<9}', fg='red')} {error[name]}")
