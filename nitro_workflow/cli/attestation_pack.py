"""`nitro-workflow attestation pack DIR`: documents to test other people's verifiers with."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path

import click

from nitro_workflow.atomic import write_atomic
from nitro_workflow.attestation import PUBLISHED_AT, build_pack, pack_files
from nitro_workflow.cli.attestation_ask import moment_of
from nitro_workflow.errors import UsageError

__all__ = ["pack"]


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--at",
    default=PUBLISHED_AT.isoformat().replace("+00:00", "Z"),
    show_default=True,
    metavar="TIME",
    help="When the documents are to be checked: now, or a time as the default.",
)
@click.option(
    "--own-root", is_flag=True, help="A root made for this pack; its key is kept nowhere."
)
def pack(folder: Path, at: str, *, own_root: bool) -> None:
    """Write documents that every verifier must refuse, and some that it must take.

    DIR is made, or is an empty folder: documents, roots, manifest.json and a README. Each document
    has one defect, named with the clause that forbids it. The published root's private key goes
    with them: the same DIR for everyone, byte for byte, and nothing to trust.
    """
    moment = moment_of(at)()
    if not isinstance(moment, datetime):
        raise UsageError(
            "--at document",
            expected="now, or a time: these documents are yet to be made",
            where="--at",
        )
    documents = build_pack(moment, own_root=own_root)
    _write(folder, pack_files(documents, own_root=own_root))
    count = Counter(document.row.verdict for document in documents)
    click.echo(
        f"{len(documents)} documents in {folder}: {count['refuse']} to refuse, {count['accept']} to"
        f" accept, {count['may']} that nothing decides. Begin with README.md."
    )


def _write(folder: Path, files: dict[str, bytes]) -> None:
    try:
        if folder.exists() and any(folder.iterdir()):
            raise UsageError(
                f"{folder}, which holds something",
                expected="a folder to make, or an empty one",
                where="DIR",
                next="Name another: an old document among these would be judged with them.",
            )
        for name in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            error.strerror or str(error), expected="a folder that can be made", where=str(folder)
        ) from error
    for name, data in files.items():
        write_atomic(folder / name, data, failure=UsageError)
