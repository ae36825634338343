"""`nitro-workflow inspect [FILE…]`: what is this, and should I believe it."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path

import click

from nitro_workflow.attestation import At
from nitro_workflow.errors import UsageError
from nitro_workflow.widgets import (
    MAX_RECOGNISED_BYTES,
    Ask,
    Recognised,
    View,
    found_in,
    recognise,
    to_json,
    view_of,
)

__all__ = ["inspect"]


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option(
    "--at",
    default="now",
    show_default=True,
    metavar="TIME",
    help="When to judge certificates: now, document (its own time), or an ISO time.",
)
@click.option("--root", metavar="FILE", help="Trust this root, PEM or DER, instead of AWS's.")
@click.option("--html", metavar="OUT", help="Write one page to send to a colleague.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object a line, for each thing."
)
@click.option("--port", default=0, show_default="any", help="Port of the drop page.")
def inspect(
    files: tuple[str, ...], at: str, root: str | None, html: str | None, as_json: bool, port: int
) -> None:
    """Say what something is, and show it; without FILE, serve a page to drop files on.

    A FILE is an attestation document, certificate, enclave image, CMS envelope, KMS ciphertext,
    Encryption SDK message, key policy, CloudTrail record, nitro-cli's JSON, NSM message or
    container image: raw, hex, base64, in JSON, PEM or gzip, or within a line of a log. `-` is
    standard input, and a folder stands for the files in it.

    Exit codes: 0 all was read; 2 the call does not make sense; 3 a FILE cannot be read.
    """
    trusted = found_in(Path(root))[0].data if root else None
    ask = Ask(_time(at), trusted)
    if not files:
        _serve(ask, port)
        return
    found = [one for name in files for one in _found(name)]
    views = [view_of(one, ask) for one in found]
    if html is not None:
        _write(views, Path(html), files)
    elif as_json:
        for one, view in zip(found, views, strict=True):
            click.echo(json.dumps(_as_json(one, view)))
    else:
        click.echo("\n\n".join(view.text for view in views))


def _found(name: str) -> list[Recognised]:
    if name != "-":
        return found_in(Path(name))
    data = sys.stdin.buffer.read(MAX_RECOGNISED_BYTES)
    return [recognise(data, name="standard input")]


def _time(text: str) -> At | None:
    if text == "now":
        return None
    if text == "document":
        return "document"
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        given = None
    if given is None or given.tzinfo is None:
        raise UsageError(
            repr(text)[:100],
            expected="now, document, or a time with its zone as 2026-01-31T12:00:00Z",
            where="--at",
        )
    return given


def _as_json(found: Recognised, view: View) -> dict[str, object]:
    size = found.size if found.value is None else None  # a value of JSON has no bytes of its own
    recognised = {"kind": found.kind, "why": found.why, "path": found.path, "size": size}
    return {"file": found.name, "recognised": recognised, **to_json(view.model)}


def _write(views: list[View], out: Path, files: tuple[str, ...]) -> None:
    from nitro_workflow.atomic import write_atomic
    from nitro_workflow.widgets import saved_page

    title = ", ".join(Path(name).name for name in files[:3])
    write_atomic(out, saved_page(views, title=title).encode())
    click.echo(f"{out}: {len(views)} view{'s' if len(views) != 1 else ''}")


def _serve(ask: Ask, port: int) -> None:
    from nitro_workflow.widgets import drop_server

    address, serve, stop = drop_server(ask, port=port)
    click.echo(f"Drop files on {address}\nOnly this machine reaches it. Ctrl-C ends it.")
    sys.stdout.flush()
    try:
        serve()
    except KeyboardInterrupt:
        stop()
