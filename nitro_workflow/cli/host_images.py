"""nitro-cli's commands that need no instance: build, describe and sign images, PCRs, E-codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import click

from nitro_workflow.cli.host_arguments import existing
from nitro_workflow.cli.host_errors import HELP_PAGE, exactly_one
from nitro_workflow.errors import HostError

__all__ = ["IMAGE_COMMANDS"]


@click.command("describe-eif")
@click.option("--eif-path", type=click.Path(path_type=Path), required=True)
def describe_eif(eif_path: Path) -> None:
    """Show what is in an image and what it measures to."""
    from nitro_workflow.image import describe_image

    _print(describe_image(existing(eif_path)))


@click.command("build-enclave")
@click.option(
    "--docker-uri", required=True, help="Name in Docker, oci:FOLDER or docker-archive:FILE."
)
@click.option("--output-file", type=click.Path(path_type=Path), required=True)
@click.option("--docker-dir", type=click.Path(path_type=Path), help="A folder with a Dockerfile.")
@click.option("--signing-certificate", type=click.Path(path_type=Path))
@click.option("--private-key")
@click.option("--name")
@click.option("--version")
@click.option("--metadata", type=click.Path(path_type=Path))
def build_enclave(**options: Any) -> None:
    """Build an image; this machine's lab builds its own in step P6."""
    from nitro_workflow.cli.host_build import build

    click.echo("Start building the Enclave Image...", err=True)
    measurements = build(options)
    click.echo("Enclave Image successfully created.", err=True)
    _print({"Measurements": measurements})


@click.command("sign-eif")
@click.option("--eif-path", type=click.Path(path_type=Path), required=True)
@click.option("--signing-certificate", type=click.Path(path_type=Path), required=True)
@click.option("--private-key", required=True, help="PEM file of an EC key.")
def sign_eif(eif_path: Path, signing_certificate: Path, private_key: str) -> None:
    """Sign an image, or replace its signature."""
    from nitro_workflow.cli.host_build import sign

    _print(sign(existing(eif_path), signing_certificate, private_key))


@click.command("pcr")
@click.option("--signing-certificate", type=click.Path(path_type=Path))
@click.option("--input", "source", type=click.Path(path_type=Path))
def pcr(signing_certificate: Path | None, source: Path | None) -> None:
    """Compute PCR8 of a certificate, or the PCR of a file's bytes."""
    from nitro_workflow.image import certificate_der, pcr_of

    exactly_one(("--signing-certificate", signing_certificate), ("--input", source))
    if signing_certificate is not None:
        der = certificate_der(existing(signing_certificate).read_bytes())
        _print({"PCR8": pcr_of(der).hex()})
    elif source is not None:
        _print({"PCR": pcr_of(existing(source).read_bytes()).hex()})


@click.command("explain")
@click.option("--error-code", required=True, metavar="Enn")
def explain(error_code: str) -> None:
    """Say what an error code means."""
    from nitro_workflow.host import MEANINGS

    code = error_code.upper()
    if code not in MEANINGS:
        expected = f"{min(MEANINGS)} to {max(MEANINGS)}"
        raise HostError(f"No such error code: {error_code:.20}", expected=expected, code="E03")
    click.echo(f"{code}: {MEANINGS[code]}\n\nFor more details, please visit {HELP_PAGE}#{code}")


IMAGE_COMMANDS: Final = (build_enclave, describe_eif, explain, pcr, sign_eif)


def _print(value: Any) -> None:
    click.echo(json.dumps(value, indent=2))
