"""What the command line of `nitro-workflow image` prints: for a person, and for a program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from nitro_workflow.cli.image_ask import STAND_IN
from nitro_workflow.image import UNKNOWN_FLAGS, BuiltImage, Image

__all__ = ["FILE", "as_json_option", "line", "note_flags", "print_built", "rows"]

FILE = click.Path(path_type=Path)
as_json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object a line."
)


def line(value: Any) -> None:
    """Print a value as one line of JSON; ASCII alone where a path in it is no Unicode."""
    text = json.dumps(value, ensure_ascii=False)
    click.echo(text if text.isascii() or _is_unicode(text) else json.dumps(value))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def rows(*pairs: tuple[str, str]) -> None:
    """Print names and texts for a person, one pair a line."""
    for name, text in pairs:
        # Names come from the image's maker: control characters must not reach the terminal.
        shown = text.encode("utf-8", "backslashreplace").decode()
        click.echo(f"{name:<12}{''.join(c if c.isprintable() else repr(c)[1:-1] for c in shown)}")


def note_flags(image: Image) -> None:
    """Say on standard error that an image has flags of an extension."""
    if image.header.unknown_flags:
        click.echo(f"Note: header flags 0x{image.header.flags:04x}: {UNKNOWN_FLAGS}.", err=True)


def print_built(built: BuiltImage, *, as_json: bool) -> None:
    """Print what was built or signed: the measurements, and what a person should know."""
    if as_json:
        line(built.to_json())
        return
    rows(
        ("Image", f"{built.path} ({built.size} bytes, {built.architecture})"),
        *built.measurements.hex().items(),
        ("Signed", "yes" if built.is_signed else "no"),
        *(("Note", note) for note in built.notes),
        *((("Note", STAND_IN),) if built.is_stand_in else ()),
    )
