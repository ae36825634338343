"""`nitro-workflow image`: build, describe, measure, check, sign, verify and compare images."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from nitro_workflow.cli.image_ask import (
    STAND_IN,
    Progress,
    ask_boot,
    ask_key,
    ask_rootfs,
    ask_time,
    read_file,
)
from nitro_workflow.errors import ImageError, ImageRefused, UsageError
from nitro_workflow.image import (
    BuiltImage,
    build_from_parts,
    build_image,
    certificate_der,
    check_image,
    describe_contents,
    describe_image,
    diff_images,
    measure_file,
    open_image,
    pcr_of,
    ramdisk_entries,
    sign_image,
    unpack_ramdisk,
    verify_signature,
)
from nitro_workflow.image.boot import host_architecture
from nitro_workflow.image.eif import ARCHITECTURES
from nitro_workflow.image.extract import extract_section
from nitro_workflow.image.metadata import (
    BUILD_TOOL,
    BuildInfo,
    Identity,
    kernel_identity,
    parse_custom_metadata,
    rfc3339,
)

__all__ = ["image"]

_Command = TypeVar("_Command", bound=Callable[..., Any])
_FILE = click.Path(path_type=Path)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")


def _line(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False))


def _rows(*rows: tuple[str, str]) -> None:
    for name, text in rows:
        # Names come from the image's maker: control characters must not reach the terminal.
        shown = text.encode("utf-8", "backslashreplace").decode()
        click.echo(f"{name:<12}{''.join(c if c.isprintable() else repr(c)[1:-1] for c in shown)}")


def _signing(command: _Command) -> _Command:
    for option in (
        click.option("--signing-certificate", "certificate", type=_FILE, help="Certificate, PEM."),
        click.option(
            "--private-key", "key", metavar="FILE|ARN", help="EC key, PEM, or a KMS key ARN."
        ),
        click.option("--kms-endpoint", metavar="URL", help="KMS endpoint (else AWS_ENDPOINT_URL)."),
    ):
        command = option(command)
    return command


@click.group()
def image() -> None:
    """Build, measure, check, sign and compare enclave images (EIF)."""


@image.command()
@click.option("--rootfs", type=_FILE, help="A folder that is the root filesystem.")
@click.option("--image", "container", type=_FILE, help="An OCI layout or a docker save archive.")
@click.option("--dockerfile", type=_FILE, help="A folder with a Dockerfile.")
@click.option("--output", "-o", type=_FILE, required=True, help="The image to write.")
@click.option("--command", "words", multiple=True, help="The command, one word each time.")
@click.option("--env", "environment", multiple=True, metavar="NAME=VALUE", help="A variable.")
@click.option("--join-entrypoint", is_flag=True, help="Run Entrypoint with Cmd, as Docker does.")
@click.option("--arch", "architecture", type=click.Choice(sorted(ARCHITECTURES)))
@click.option("--blobs", type=_FILE, help="A folder with AWS's boot parts.")
@click.option("--kernel", type=_FILE, help="Kernel (with --ramdisk: build from parts).")
@click.option("--kernel-config", "--kernel_config", type=_FILE, help="The kernel's .config.")
@click.option("--init", type=_FILE, help="The bootstrap's init.")
@click.option("--nsm", type=_FILE, help="The bootstrap's nsm.ko.")
@click.option("--cmdline", help="The kernel's command line.")
@click.option("--ramdisk", "ramdisks", type=_FILE, multiple=True, help="A ramdisk, as it is.")
@click.option("--name", help="ImageName.")
@click.option("--version", help="ImageVersion.")
@click.option("--metadata", type=_FILE, help="JSON for CustomMetadata.")
@click.option("--build-time", help="BuildTime (else SOURCE_DATE_EPOCH, else now).")
@click.option("--build-tool", default=BUILD_TOOL, show_default=True, help="BuildTool.")
@click.option("--build-tool-version", help="BuildToolVersion.")
@click.option("--img-os", help="OperatingSystem.")
@click.option("--img-kernel", help="KernelVersion.")
@_signing
@_as_json
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
    _print_built(built, as_json=asked["as_json"])


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


def _print_built(built: BuiltImage, *, as_json: bool) -> None:
    if as_json:
        _line(built.to_json())
        return
    _rows(
        ("Image", f"{built.path} ({built.size} bytes, {built.architecture})"),
        *built.measurements.hex().items(),
        ("Signed", "yes" if built.is_signed else "no"),
        *(("Note", note) for note in built.notes),
        *((("Note", STAND_IN),) if built.is_stand_in else ()),
    )


@image.command()
@click.argument("file", type=_FILE)
@click.option("--contents", is_flag=True, help="Also sections, kernel and command line.")
@_as_json
def describe(file: Path, contents: bool, as_json: bool) -> None:
    """Print what `nitro-cli describe-eif` prints, key for key."""
    with Progress("Measuring") as progress:
        info = describe_image(file, progress)
    if contents:
        with open_image(file) as opened:
            info["Contents"] = describe_contents(opened)
    click.echo(json.dumps(info, ensure_ascii=False, indent=None if as_json else 2))


@image.command()
@click.argument("file", type=_FILE)
@_as_json
def measure(file: Path, as_json: bool) -> None:
    """Print the PCRs and the CRC of an image."""
    with Progress("Measuring") as progress:
        measured = measure_file(file, progress)
    if as_json:
        _line({"Measurements": measured.to_json(), "CRC32": f"{measured.crc32:08x}"})
    else:
        _rows(*measured.hex().items(), ("CRC32", f"{measured.crc32:08x}"))


@image.command()
@click.argument("file", type=_FILE)
@click.option("--at", help="Judge the certificate's validity at this time (else now).")
@_as_json
@click.pass_context
def check(ctx: click.Context, file: Path, at: str | None, as_json: bool) -> None:
    """List every deviation from the format; exit 1 if one is an error."""
    with Progress("Checking") as progress:
        report = check_image(file, at=_now(at), progress=progress)
    for finding in report.findings:
        if as_json:
            _line(finding.to_json())
        else:
            text = f"{finding.rule} at byte {finding.offset}: {finding.found}"
            _rows((finding.severity, f"{text}; expected {finding.expected} [{finding.clause}]"))
    if not as_json:
        errors = sum(finding.severity == "error" for finding in report.findings)
        _rows(("Result", f"{errors} errors, {len(report.findings) - errors} warnings and notes"))
    ctx.exit(0 if report.ok else 1)


def _now(at: str | None) -> Any:
    from datetime import UTC, datetime

    return datetime.now(UTC) if at is None else ask_time(at)


@image.command()
@click.argument("file", type=_FILE)
@click.option("--output", "-o", type=_FILE, help="Write here (else in its place).")
@_signing
@_as_json
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
    _print_built(sign_image(file, signing, output), as_json=as_json)


@image.command()
@click.argument("file", type=_FILE)
@click.option("--certificate", "certificate", type=_FILE, help="Only if signed by this one (PEM).")
@click.option("--pcr8", help="Only if PCR8 is this (hex).")
@click.option("--at", help="The time to judge the certificate at (else now).")
@_as_json
def verify(
    file: Path, certificate: Path | None, pcr8: str | None, at: str | None, as_json: bool
) -> None:
    """Check an image's signature as nitro-cli does before a run; exit 1 if it does not hold."""
    with Progress("Measuring") as progress, open_image(file) as opened:
        measured = measure_file(file, progress)
        verified = verify_signature(opened, measured, at=_now(at))
    wanted = [pcr8.lower()] if pcr8 else []
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
        _line({"verified": True, "PCR8": verified.pcr8.hex(), "subject": subject, "until": until})
    else:
        _rows(("Signature", "holds"), ("Signer", subject), ("Until", until))
        _rows(("PCR8", verified.pcr8.hex()))


@image.command()
@click.argument("a", type=_FILE)
@click.argument("b", type=_FILE)
@_as_json
@click.pass_context
def diff(ctx: click.Context, a: Path, b: Path, as_json: bool) -> None:
    """Compare two images, files included, and what a key policy sees; exit 1 if they differ."""
    with Progress("Comparing") as progress:
        found = diff_images(a, b, progress)
    if as_json:
        _line(found.to_json())
    else:
        for pcr in found.pcrs:
            same = f"= {pcr.a or 'not signed'}"
            _rows((pcr.name, same if pcr.equal else f"A {pcr.a or 'not signed'}"))
            if not pcr.equal:
                _rows(("", f"B {pcr.b or 'not signed'}"))
        _rows(*(("Header", text) for text in found.header))
        for section in found.sections:
            sizes = f"{section.size_a} → {section.size_b} bytes"
            into = ", ".join(section.pcrs) or "not measured"
            _rows(("Section", f"{section.name} {section.change}: {sizes} ({into})"))
        for file in found.files:
            _rows((f"Ramdisk {file.ramdisk}", f"{file.change} {file.path}: {', '.join(file.what)}"))
        _rows(*(("Metadata", text) for text in found.metadata))
        _rows(*(("Policy", text) for text in found.meaning))
    ctx.exit(0 if found.identical else 1)


@image.command("ls")
@click.argument("file", type=_FILE)
@click.option("--ramdisk", "indexes", type=int, multiple=True, help="Only this one (0, 1, ...).")
@click.option("--digests", is_flag=True, help="Also each file's SHA-256.")
@_as_json
def list_files(file: Path, indexes: tuple[int, ...], digests: bool, as_json: bool) -> None:
    """List the files of the ramdisks: mode, owner, size, path."""
    with open_image(file) as opened:
        for index in indexes or range(len(opened.ramdisks)):
            for entry in ramdisk_entries(opened, index):
                row = {
                    "ramdisk": index,
                    "path": entry.path,
                    "kind": entry.kind,
                    "mode": f"{entry.mode:04o}",
                    "uid": entry.uid,
                    "gid": entry.gid,
                    "size": entry.size,
                    "target": entry.target or entry.link_of,
                    "device": entry.device,
                }
                if digests and entry.kind == "file":
                    row["sha256"] = entry.sha256()
                _show_entry(row, as_json=as_json)


def _show_entry(row: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(row))  # ASCII: names may be no Unicode
        return
    target = f" -> {row['target']}" if row["target"] else ""
    digest = f" {row['sha256']}" if "sha256" in row else ""
    owner = f"{row['uid']}:{row['gid']}"
    text = (
        f"{row['kind']:<9} {row['mode']} {owner:<9} {row['size']:>10}{digest} {row['path']}{target}"
    )
    _rows((f"ramdisk {row['ramdisk']}", text))


@image.command()
@click.argument("file", type=_FILE)
@click.argument("target", type=_FILE)
@click.option("--ramdisk", type=int, help="Unpack this ramdisk into TARGET, a new folder.")
@click.option("--section", type=int, help="Write this section's bytes to TARGET, a file.")
@_as_json
def extract(
    file: Path, target: Path, ramdisk: int | None, section: int | None, as_json: bool
) -> None:
    """Unpack a ramdisk into a folder, or write a section to a file."""
    if (ramdisk is None) == (section is None):
        raise UsageError("neither --ramdisk nor --section, or both", expected="one of them")
    with Progress("Extracting") as progress, open_image(file) as opened:
        if section is not None:
            size = extract_section(opened, section, target)
            report: dict[str, Any] = {"bytes": size}
        else:
            done = unpack_ramdisk(opened, ramdisk or 0, target, progress=progress)
            report = {"files": done.files, "folders": done.folders, "links": done.links}
            report |= {"bytes": done.content_bytes, "left_out": list(done.left_out)}
    if as_json:
        _line(report)
    else:
        _rows(
            *((name.replace("_", " ").capitalize(), str(value)) for name, value in report.items())
        )


@image.command()
@click.option("--signing-certificate", "certificate", type=_FILE, help="Print PCR8 of this (PEM).")
@click.option("--input", "data", type=_FILE, help="Print the PCR of this file.")
def pcr(certificate: Path | None, data: Path | None) -> None:
    """Print one PCR, as `nitro-cli pcr` does."""
    if (certificate is None) == (data is None):
        raise UsageError("neither --signing-certificate nor --input, or both", expected="one")
    if certificate is not None:
        der = certificate_der(read_file(certificate, "a certificate in PEM"))
        value = {"PCR8": pcr_of(der).hex()}
    else:
        value = {"PCR": _pcr_of_file(data or Path())}
    click.echo(json.dumps(value, indent=2))


def _pcr_of_file(path: Path) -> str:
    import hashlib

    from nitro_workflow.image.measure import extend

    try:
        with path.open("rb") as file:
            return extend(hashlib.file_digest(file, "sha384").digest()).hex()
    except OSError as error:
        raise ImageError(
            error.strerror or str(error), expected="a readable file", where=str(path)
        ) from error
