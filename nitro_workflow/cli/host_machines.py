"""`host up|down|status`: the instance that nitro-cli's enclaves run on, with no lab around it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nitro_workflow.cli.lab_options import host_folder_option, host_option, json_option, short_path

if TYPE_CHECKING:
    from nitro_workflow.lab import OwnInstance

__all__ = ["host"]


@click.group()
def host() -> None:
    """Start, stop and see the instance that your own enclaves run on."""


@host.command()
@host_folder_option
@host_option
@json_option
def up(folder: Path | None, host: str | None, as_json: bool) -> None:
    """Start the instance: its role, metadata service, KMS and the vsock proxy to it.

    nitro-cli run-enclave does it on first need. After four idle hours all of it stops by itself.
    """
    from nitro_workflow.lab import OwnInstance

    def tell(text: str) -> None:
        click.secho(text, dim=True, err=True)

    own = OwnInstance.open(folder, host=host or "", say=tell)
    own.up()
    _show(own, as_json)


@host.command()
@host_folder_option
def down(folder: Path | None) -> None:
    """Stop the instance, its enclaves and the processes behind it; the folder stays."""
    from nitro_workflow.lab import OwnInstance

    own = OwnInstance.find(folder)
    stopped = own.down() if own else []
    click.echo(f"Stopped: {', '.join(stopped)}" if stopped else "Nothing ran.")


@host.command()
@host_folder_option
@json_option
def status(folder: Path | None, as_json: bool) -> None:
    """Show instance, role, credentials, KMS, vsock and enclaves. Starts nothing."""
    from nitro_workflow.lab import OwnInstance

    own = OwnInstance.find(folder)
    if own is None:
        click.echo("{}" if as_json else "No host yet: `nitro-workflow host up` makes one.")
        return
    _show(own, as_json)


@host.command()
@host_folder_option
@click.option("--print-secrets", is_flag=True, required=True, help="Say that you want them.")
def credentials(folder: Path | None, print_secrets: bool) -> None:
    """Print the instance role's keys as an SDK's credential_process expects them."""
    from nitro_workflow.lab import OwnInstance

    del print_secrets  # required, so that nobody prints secrets by mistake
    click.echo(json.dumps(OwnInstance.open(folder).credentials()))


@host.command("install-qemu")
@json_option
def install_qemu(as_json: bool) -> None:
    """Fetch QEMU and a kernel into your cache, on Debian, for `--host qemu`.

    By apt's tools and Debian's signed lists, from the mirror of this system's sources, which stay
    as they are; nothing is installed, and root is not needed. A QEMU of the system from 10.2 on is
    used as it is. Elsewhere it says what to install.
    """
    from nitro_workflow import host as hosts

    def tell(text: str) -> None:
        click.secho(text, dim=True, err=True)

    record = hosts.install_qemu(tell)
    if as_json:
        click.echo(json.dumps(record))
        return
    packages = record.get("packages", [])
    kernel = record["kernel"]
    fetched = f"{record['qemu']}, {len(packages)} packages" if packages else "this system's own"
    click.echo(f"{'QEMU':<12}{fetched}")
    click.echo(f"{'Kernel':<12}{kernel['package']} {kernel['version']}, SHA-256 {kernel['sha256']}")
    click.echo(f"{'Compiler':<12}{kernel['compiler']}")
    for name, digest in record["blobs"].items():
        click.echo(f"{name:<16}{digest}")
    click.echo("\n`nitro-workflow walk --host qemu` runs the workflow on it.")


@host.command()
@host_folder_option
def root(folder: Path | None) -> None:
    """Print the root certificate under which its enclaves' documents verify, PEM.

    It is this host's own, and another after each start: nobody else trusts it.
    """
    import ssl

    from nitro_workflow.lab import OwnInstance

    own = OwnInstance.open(folder)
    own.up()
    click.echo(ssl.DER_cert_to_PEM_cert(own.host.attestation_root()), nl=False)


def _show(own: OwnInstance, as_json: bool) -> None:
    facts = own.facts()
    if as_json:
        click.echo(json.dumps(facts))
        return
    rows = {
        "Host": f"{short_path(own.folder.path)}, {facts['host']}",
        "Instance": facts["instance"] or "none runs; nitro-cli run-enclave starts one",
        "Role": facts["role"],
        "Credentials": facts["credentials"],
        "Metadata": facts["metadata"],
        "KMS": facts["kms"],
        "CA": facts["ca"],
        "Proxy": facts["proxy"],
        "Pool": facts["pool"],
        "Limits": facts["limits"],
        "Last ended": facts["ended"],
    }
    for name, value in rows.items():
        if value:
            click.echo(f"{name:<12}{value}")
    for one in facts["enclaves"]:
        mode = "debug" if one["Flags"] == "DEBUG_MODE" else "production"
        click.echo(
            f"{'Enclave':<12}{one['EnclaveID']}, CID {one['EnclaveCID']}, "
            f"{one['State'].lower()}, {mode}, named {one['EnclaveName']}"
        )
    if facts["instance"]:
        click.echo(f"\nFor SDKs of the instance's programs:\n{facts['environment']}")
