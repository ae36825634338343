"""`nitro-workflow confirm`: D4 is completed when AWS's record of it has come."""

from __future__ import annotations

import json
from pathlib import Path

import click

from nitro_workflow.cli.lab_options import json_option, lab_option, open_lab

__all__ = ["confirm"]


@click.command()
@lab_option
@json_option
@click.pass_context
def confirm(ctx: click.Context, folder: Path | None, as_json: bool) -> None:
    """Look for CloudTrail's records of the decryption, and complete D4 with them.

    They come some minutes after the walk. Exit code: 0 where all have come, 1 where one is awaited
    or contradicts what the receipt says.
    """
    from nitro_workflow.cloud import cloud_errors
    from nitro_workflow.lab import confirm as look

    opened = open_lab(folder, make=False)
    opened.up()
    with cloud_errors("confirm"):
        found = look(opened.bench)
    for one in found:
        if as_json:
            click.echo(json.dumps(one.to_json()))
        elif one.pending:
            click.echo(f"? {one.form}: no record of request {one.request_id} yet: {one.known}")
        else:
            told = one.to_json()
            click.secho(f"✓ {one.form}: allowed, event {told['event_id']}", fg="green")
            click.echo(f"  {told['event_time']}  {told['caller']}")
    if any(one.pending for one in found) and not as_json:
        click.echo("CloudTrail's records take some minutes: ask again later.")
    ctx.exit(1 if any(one.pending for one in found) else 0)
