"""`nitro-workflow image blobs`: boot parts that boot, from a distribution's kernel."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nitro_workflow.cli.image_show import FILE, as_json_option
from nitro_workflow.errors import ImageError

if TYPE_CHECKING:
    from nitro_workflow.host import MadeBlobs

__all__ = ["blobs"]


@click.command()
@click.argument("folder", type=FILE)
@click.option("--kernel", type=FILE, help="A kernel's .deb, or a folder it was unpacked to.")
@as_json_option
def blobs(folder: Path, kernel: Path | None, as_json: bool) -> None:
    """Make boot parts with AWS's names in FOLDER: bzImage, its config, cmdline, init, nsm.ko.

    The kernel is Debian's, fetched by apt's own tools without installing anything; the init is this
    package's, compiled here. `image build --blobs FOLDER` and NITRO_CLI_BLOBS take the folder, as
    they take AWS's own. Its lock holds the digests: made again, the parts are the same or refused.
    """
    from nitro_workflow.host import blobs_from_debian

    def tell(text: str) -> None:
        click.secho(text, dim=True, err=True)

    made = blobs_from_debian(folder, tell) if kernel is None else _from_package(folder, kernel)
    if as_json:
        click.echo(json.dumps({"sha256": dict(made.digests), "origin": dict(made.origin)}))
        return
    for name, value in made.origin.items():
        click.echo(f"{name:<16}{value}")
    for name, digest in made.digests.items():
        click.echo(f"{name:<16}{digest}")
    click.echo("as the lock has them" if made.was_locked else f"locked in {folder}")


def _from_package(folder: Path, kernel: Path) -> MadeBlobs:
    from nitro_workflow.host import make_blobs

    if kernel.is_dir():
        return make_blobs(folder, kernel, {"package": kernel.name})
    with tempfile.TemporaryDirectory() as work:
        try:
            digest = hashlib.sha256(kernel.read_bytes()).hexdigest()
            subprocess.run(
                ["dpkg-deb", "--extract", str(kernel), work], check=True, capture_output=True
            )
        except (OSError, subprocess.CalledProcessError) as error:
            raise ImageError(
                f"{type(error).__name__}",
                expected="a Debian package of a kernel, and dpkg-deb",
                where=str(kernel),
                next="give linux-image-*-cloud-amd64_*.deb, or a folder it was unpacked to",
            ) from error
        return make_blobs(folder, Path(work), {"package": kernel.name, "sha256": digest})
