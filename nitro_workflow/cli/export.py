"""`nitro-workflow export`: what an operator carries into production from the lab."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from nitro_workflow.cli.lab_options import lab_option, open_lab
from nitro_workflow.cli.policy_files import FILE, read_file

__all__ = ["export"]

NAME = "enclave-app"


@click.command()
@click.argument("target", type=click.Path(path_type=Path), metavar="DIR")
@lab_option
@click.option("--name", default=NAME, show_default=True, help="What all names begin with.")
@click.option("--region", default="", help="Region of AWS  [default: the lab's]")
@click.option("--data-account", default="", help="Id of the data owner's account.")
@click.option("--compute-account", default="", help="Id of the parent instance's account.")
@click.option(
    "--pcrs",
    multiple=True,
    type=FILE,
    help="Measurements of an image that may decrypt, as nitro-cli prints them; old and new "
    "together.  [default: the lab's image]",
)
@click.option(
    "--architecture",
    type=click.Choice(["x86_64", "arm64"]),
    help="Of the image and its parent  [default: this machine's]",
)
def export(
    target: Path,
    folder: Path | None,
    name: str,
    region: str,
    data_account: str,
    compute_account: str,
    pcrs: Sequence[Path],
    architecture: str | None,
) -> None:
    """Write what an operator carries into production to DIR, a new or empty folder.

    Policies, CloudFormation and Terraform of the whole set-up, the parent's configuration, alarms,
    a job for CI and a runbook. Nothing is asked of AWS, nothing in it is secret, and our own
    analysis has found nothing in it.
    """
    from nitro_workflow.cloud import cloud_errors
    from nitro_workflow.lab import export_facts, exported_files, refuse_findings, write_folder
    from nitro_workflow.policy import parse_measurements

    measured = {str(path): parse_measurements(read_file(path), where=str(path)) for path in pcrs}
    opened = open_lab(folder, make=False)
    with cloud_errors("export"):
        facts = export_facts(
            opened.bench,
            name=name,
            region=region,
            data_account=data_account,
            compute_account=compute_account,
            measured=measured,
            machine=architecture or "",
        )
    refuse_findings(facts)
    files = exported_files(facts)
    write_folder(target, files)
    click.echo(f"{len(files)} files in {target}; begin with README.md there")
    for warning in facts.warnings:
        click.secho(warning.replace("**", "").replace("`", ""), fg="yellow", err=True)
