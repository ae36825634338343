"""What the nitro-cli shim does for ``build-enclave`` and ``sign-eif``: hand over to `image`."""

from __future__ import annotations

import contextlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from nitro_workflow.cli.host_arguments import existing
from nitro_workflow.errors import HostError, ImageError, NitroWorkflowError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nitro_workflow.image import BootParts, PemSigningKey

__all__ = ["build", "sign"]

BLOBS: Final = Path("/usr/share/nitro_enclaves/blobs")
"""Where nitro-cli's package puts AWS's kernel and init, unless ``NITRO_CLI_BLOBS`` is set."""

METADATA_LIMIT: Final = 4096
"""Bytes of the custom metadata file. [src: image-format MAX_META_FILE_SIZE]"""


def build(options: Mapping[str, Any]) -> dict[str, str]:
    """Build as ``nitro-cli build-enclave``; return its ``Measurements``. Errors carry E-codes."""
    signing = _signing(options["signing_certificate"], options["private_key"])
    boot = _boot_parts()
    with contextlib.ExitStack() as stack:
        if options["docker_dir"] is not None:
            path = _dockerfile(options["docker_dir"], boot.architecture, stack)
        else:
            path = stack.enter_context(_archive(options["docker_uri"]))
        return _build(path, options, boot, signing)


def sign(eif: Path, certificate: Path, private_key: str) -> dict[str, Any]:
    """Sign an image in its place; return the measurements with PCR8. Errors carry E60."""
    from nitro_workflow.image import sign_image

    key = _signing(certificate, private_key)
    if key is None:
        raise HostError("Missing argument", expected="certificate and private key", code="E01")
    return {"Measurements": sign_image(eif, key).measurements.to_json()}


def _build(
    path: Path, options: Mapping[str, Any], boot: BootParts, signing: PemSigningKey | None
) -> dict[str, str]:
    from nitro_workflow.image import build_image, choose_command, open_container_image

    with open_container_image(path, boot.architecture) as container:
        choice = choose_command(container.config)
        for note in choice.notes:
            click.echo(note, err=True)
        try:
            built = build_image(
                rootfs=container.tree,
                command=choice.command,
                environment=choice.environment,
                output=options["output_file"],
                name=options["name"] or options["docker_uri"].split(":")[0],
                version=options["version"] or container.image_id.removeprefix("sha256:"),
                boot=boot,
                build_time=datetime.now(UTC),
                signing=signing,
                custom_metadata=_metadata(options["metadata"]),
                docker_info=container.docker_info,
            )
        except ImageError as error:
            raise _coded("E48", "EIF building error", error) from error
    return built.measurements.to_json()


def _dockerfile(folder: Path, architecture: str, stack: contextlib.ExitStack) -> Path:
    """Build the folder's Dockerfile; the archive lives as long as ``stack``."""
    from nitro_workflow.image import built_dockerfile

    try:
        return stack.enter_context(built_dockerfile(folder, architecture))
    except NitroWorkflowError as error:
        raise _coded("E49", "Docker image build error", error) from error


@contextlib.contextmanager
def _archive(uri: str) -> Iterator[Path]:
    """Give the OCI layout or archive behind ``uri``; a name is asked of docker or another tool."""
    for prefix in ("oci:", "dir:", "docker-archive:", "oci-archive:"):
        if uri.startswith(prefix):
            yield Path(uri.removeprefix(prefix))
            return
    if Path(uri).exists():
        yield Path(uri)
        return
    from nitro_workflow.image import saved_image

    with contextlib.ExitStack() as stack:
        try:
            saved = stack.enter_context(saved_image(uri.removeprefix("docker:")))
        except NitroWorkflowError as error:
            raise HostError(
                f"Docker image pull error: {error.found}",
                expected="a `docker save` file, an OCI layout, or a tool that has the image",
                next="--docker-uri docker-archive:FILE or oci:FOLDER",
                code="E50",
            ) from error
        yield saved


def _boot_parts() -> BootParts:
    from nitro_workflow.image import BootParts

    folder = Path(os.environ.get("NITRO_CLI_BLOBS", BLOBS))
    if os.environ.get("NITRO_WORKFLOW_HOST") == "qemu" and not folder.is_dir():
        from nitro_workflow.host import installed_blobs

        folder = installed_blobs()  # an image for a machine must boot
    if folder.is_dir():
        try:
            return BootParts.from_blobs(folder)
        except ImageError as error:
            raise _coded("E52", "Blobs path", error) from error
    click.echo(
        f"No {folder}: the image gets a stand-in for AWS's kernel and init. This machine's sandbox "
        "runs it; real hardware does not boot it, and its PCRs are not those of nitro-cli's build.",
        err=True,
    )
    return BootParts.stand_in()


def _signing(certificate: Path | None, private_key: str | None) -> PemSigningKey | None:
    from nitro_workflow.image import signing_key_from_pem

    if certificate is None and private_key is None:
        return None
    if certificate is None or private_key is None:
        raise HostError(
            "Missing argument",
            expected="--signing-certificate and --private-key together",
            code="E01",
        )
    if private_key.startswith("arn:"):
        raise HostError(
            "EIF signing error: a key in KMS",
            expected="a PEM file",
            next="`nitro-workflow image sign` takes a KMS key of the lab",
            code="E60",
        )
    try:
        pair = (existing(certificate), existing(Path(private_key)))
        return signing_key_from_pem(*(path.read_bytes() for path in pair))
    except HostError:
        raise
    except NitroWorkflowError as error:
        raise _coded("E60", "EIF signing error", error) from error


def _metadata(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            data = file.read(METADATA_LIMIT + 1)
        body = json.loads(data)
    except (OSError, ValueError) as error:
        text = f"EIF building error: {path.name} ({type(error).__name__})"
        raise HostError(text, expected="a JSON file", code="E48") from error
    if len(data) > METADATA_LIMIT or not isinstance(body, dict):
        text = f"EIF building error: {path.name}: {len(data)} bytes of {type(body).__name__}"
        expected = f"an object of at most {METADATA_LIMIT} bytes"
        raise HostError(text, expected=expected, code="E48")
    return body


def _coded(code: str, what: str, error: NitroWorkflowError) -> HostError:
    text = f"{what}: {error}"
    return HostError(text, expected=error.expected, next=error.next, code=code)
