"""`nitro-workflow image build`, ``sign`` and ``verify``."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from nitro_workflow.cli.image_ask import (
    Progress,
    ask_boot,
    ask_key,
    ask_moment,
    ask_rootfs,
    ask_time,
    read_file,
)
from nitro_workflow.cli.image_show import FILE, as_json_option, line, print_built, rows
from nitro_workflow.errors import ImageRefused, UsageError
from nitro_workflow.image import (
    ARCHITECTURES,
    BUILD_TOOL,
    BuildInfo,
    BuiltImage,
    Identity,
    build_from_parts,
    build_image,
    certificate_der,
    host_architecture,
    kernel_identity,
    measure_file,
    open_image,
    parse_custom_metadata,
    pcr_of,
    rfc3339,
    sign_image,
    verify_signature,
)

__all__ = ["build", "sign", "verify"]

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _signing(command: _Command) -> _Command:
    for option in (
        click.option("--signing-certificate", "certificate", type=FILE, help="Certificate, PEM."),
        click.option(
            "--private-key", "key", metavar="FILE|ARN", help="EC key, PEM, or a KMS key ARN."
        ),
        click.option("--kms-endpoint", metavar="URL", help="KMS endpoint (else AWS_ENDPOINT_URL)."),
    ):
        command = option(command)
    return command


@click.command()
@click.option("--rootfs", type=FILE, help="A folder that is the root filesystem.")
@click.option(
    "--image", "container", type=FILE, help="An OCI layout, skopeo's dir:, a docker save archive."
)
@click.option("--tag", help="With --image: the one of this name, where there are several.")
@click.option("--digest", help="With --image: the one whose digest begins so.")
@click.option("--dockerfile", type=FILE, help="A folder with a Dockerfile.")
@click.option("--output", "-o", type=FILE, required=True, help="The image to write.")
@click.option("--command", "words", multiple=True, help="The command, one word each time.")
@click.option("--env", "environment", multiple=True, metavar="NAME=VALUE", help="A variable.")
@click.option("--join-entrypoint", is_flag=True, help="Run Entrypoint with Cmd, as Docker does.")
@click.option("--arch", "architecture", type=click.Choice(sorted(ARCHITECTURES)))
@click.option("--blobs", type=FILE, help="A folder with AWS's boot parts.")
@click.option("--kernel", type=FILE, help="Kernel (with --ramdisk: build from parts).")
@click.option("--kernel-config", "--kernel_config", type=FILE, help="The kernel's .config.")
@click.option("--init", type=FILE, help="The bootstrap's init.")
@click.option("--nsm", type=FILE, help="The bootstrap's nsm.ko.")
@click.option("--cmdline", help="The kernel's command line.")
@click.option("--ramdisk", "ramdisks", type=FILE, multiple=True, help="A ramdisk, as it is.")
@click.option("--name", help="ImageName.")
@click.option("--version", help="ImageVersion.")
@click.option("--metadata", type=FILE, help="JSON for CustomMetadata.")
@click.option("--build-time", help="BuildTime (else SOURCE_DATE_EPOCH, else now).")
@click.option("--build-tool", default=BUILD_TOOL, show_default=True, help="BuildTool.")
@click.option("--build-tool-version", help="BuildToolVersion.")
@click.option("--img-os", help="OperatingSystem.")
@click.option("--img-kernel", help="KernelVersion.")
@_signing
@as_json_option
def build(**asked: Any) -> None:
    """Build an image and print what it measures to.

    From a root filesystem (--rootfs, --image or --dockerfile), with AWS's boot parts (--blobs, or
    --kernel --init --nsm) or a stand-in that does not boot; or from parts as eif_build does
    (--kernel --cmdline --ramdisk ...). SOURCE_DATE_EPOCH makes the bytes repeat.
    """
    custom = None
    if asked["metadata"] is not None:
        custom = parse_custom_metadata(read_file(asked["metadata"], "JSON"), str(asked["metadata"]))
    with Progress("Building") as progress:
        make = _build_parts if asked["ramdisks"] else _build_rootfs
        built = make(asked, custom, progress)
    print_built(built, as_json=asked["as_json"])


def _build_info(asked: dict[str, Any], system: str, kernel: str) -> BuildInfo:
    moment = rfc3339(ask_time(asked["build_time"]))
    given = (
        {"build_tool_version": asked["build_tool_version"]} if asked["build_tool_version"] else {}
    )
    return BuildInfo(
        build_time=moment,
        build_tool=asked["build_tool"],
        operating_system=asked["img_os"] or system,
        kernel_version=asked["img_kernel"] or kernel,
        **given,
    )


def _build_parts(asked: dict[str, Any], custom: Any, progress: Progress) -> BuiltImage:
    if asked["kernel"] is None or asked["cmdline"] is None:
        raise UsageError("--ramdisk without --kernel and --cmdline", expected="all three")
    others = [name for name in ("rootfs", "container", "dockerfile", "blobs") if asked[name]]
    if others:
        raise UsageError(f"--ramdisk with --{others[0]}", expected="parts or a root filesystem")
    system, kernel = "OS", "kernel"  # eif_build's own defaults
    if asked["kernel_config"] is not None:
        system, kernel = kernel_identity(read_file(asked["kernel_config"], "a kernel's .config"))
    info = _build_info(asked, system, kernel)
    name = asked["name"] or asked["kernel"].name
    return build_from_parts(
        kernel=asked["kernel"],
        command_line=asked["cmdline"].encode("utf-8", "surrogateescape"),
        ramdisks=asked["ramdisks"],
        identity=Identity(name, asked["version"] or "1.0", info, None, custom),
        output=asked["output"],
        architecture=asked["architecture"] or "x86_64",  # eif_build's default
        signing=ask_key(asked["certificate"], asked["key"], asked["kms_endpoint"]),
        progress=progress,
    )


def _build_rootfs(asked: dict[str, Any], custom: Any, progress: Progress) -> BuiltImage:
    signing = ask_key(asked["certificate"], asked["key"], asked["kms_endpoint"])
    with ask_rootfs(
        asked["rootfs"],
        asked["container"],
        asked["dockerfile"],
        architecture=asked["architecture"],
        command=asked["words"],
        environment=asked["environment"],
        join_entrypoint=asked["join_entrypoint"],
        tag=asked["tag"],
        digest=asked["digest"],
    ) as source:
        for note in source.notes:
            click.echo(f"Note: {note}.", err=True)
        architecture = asked["architecture"] or source.architecture or host_architecture()
        parts = {key: asked[key] for key in ("kernel", "init", "nsm", "kernel_config")}
        boot = ask_boot(architecture, asked["blobs"], parts, asked["cmdline"])
        return build_image(
            rootfs=source.tree,
            command=source.command,
            environment=source.environment,
            output=asked["output"],
            name=asked["name"] or source.name,
            version=asked["version"] or source.version,
            boot=boot,
            build_info=_build_info(asked, boot.operating_system, boot.kernel_version),
            architecture=architecture,
            signing=signing,
            custom_metadata=custom,
            docker_info=source.docker_info,
            progress=progress,
        )


@click.command()
@click.argument("file", type=FILE)
@click.option("--output", "-o", type=FILE, help="Write here (else in its place).")
@_signing
@as_json_option
def sign(
    file: Path,
    output: Path | None,
    certificate: Path | None,
    key: str | None,
    kms_endpoint: str | None,
    as_json: bool,
) -> None:
    """Sign an image, or sign it again: PCR8 changes, PCR0 to PCR2 stay."""
    signing = ask_key(certificate, key, kms_endpoint)
    if signing is None:
        raise UsageError("no key", expected="--signing-certificate and --private-key")
    print_built(sign_image(file, signing, output), as_json=as_json)


def _pcr(text: str) -> str:
    if not re.fullmatch(r"[0-9A-Fa-f]{96}", text):
        raise UsageError(repr(text)[:120], expected="96 hex digits", where="--pcr8")
    return text.lower()


@click.command()
@click.argument("file", type=FILE)
@click.option("--certificate", "certificate", type=FILE, help="Only if signed by this one (PEM).")
@click.option("--pcr8", help="Only if PCR8 is this (hex).")
@click.option("--at", help="The time to judge the certificate at (else now).")
@as_json_option
def verify(
    file: Path, certificate: Path | None, pcr8: str | None, at: str | None, as_json: bool
) -> None:
    """Check an image's signature as nitro-cli does before a run; exit 1 if it does not hold."""
    with Progress("Measuring") as progress, open_image(file) as opened:
        measured = measure_file(file, progress)
        verified = verify_signature(opened, measured, at=ask_moment(at))
    wanted = [_pcr(pcr8)] if pcr8 else []
    if certificate is not None:
        wanted.append(pcr_of(certificate_der(read_file(certificate, "a certificate"))).hex())
    if any(value != verified.pcr8.hex() for value in wanted):
        raise ImageRefused(
            f"PCR8 {verified.pcr8.hex()}",
            expected=f"PCR8 {wanted[-1]}",
            where="signing certificate",
            next="The image is signed by another key than expected: do not run it.",
        )
    subject = verified.certificate.subject.rfc4514_string()
    until = verified.not_after.isoformat()
    if as_json:
        line({"verified": True, "PCR8": verified.pcr8.hex(), "subject": subject, "until": until})
    else:
        rows(("Signature", "holds"), ("Signer", subject), ("Until", until))
        rows(("PCR8", verified.pcr8.hex()))
