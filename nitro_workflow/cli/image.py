"""`nitro-workflow image`: build, describe, measure, check, sign, verify and compare images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from nitro_workflow.cli.image_ask import Progress, ask_moment, read_file
from nitro_workflow.cli.image_blobs import blobs
from nitro_workflow.cli.image_launch import launch_options, show_launch
from nitro_workflow.cli.image_make import build, sign, verify
from nitro_workflow.cli.image_show import FILE, as_json_option, line, note_flags, rows
from nitro_workflow.errors import ImageError, UsageError
from nitro_workflow.image import (
    Measurements,
    certificate_der,
    check_image,
    describe_contents,
    describe_image,
    diff_images,
    extract_section,
    measure_image,
    measure_part_files,
    open_image,
    pcr_of,
    ramdisk_entries,
    unpack_ramdisk,
)

__all__ = ["image"]


@click.group()
def image() -> None:
    """Build, measure, check, sign and compare enclave images (EIF)."""


for _command in (blobs, build, sign, verify):
    image.add_command(_command)


@image.command()
@click.argument("file", type=FILE)
@click.option("--contents", is_flag=True, help="Also sections, kernel and command line.")
@as_json_option
def describe(file: Path, contents: bool, as_json: bool) -> None:
    """Print what `nitro-cli describe-eif` prints, key for key."""
    with Progress("Measuring") as progress:
        info = describe_image(file, progress)
    with open_image(file) as opened:
        note_flags(opened)
        if contents:
            info["Contents"] = describe_contents(opened)
    click.echo(json.dumps(info, ensure_ascii=False, indent=None if as_json else 2))


@image.command()
@click.argument("file", type=FILE, required=False)
@click.option("--kernel", type=FILE, help="Without FILE: measure parts.")
@click.option("--cmdline", help="The kernel's command line.")
@click.option("--ramdisk", "ramdisks", type=FILE, multiple=True, help="A ramdisk.")
@click.option("--signing-certificate", "certificate", type=FILE, help="Certificate, PEM.")
@as_json_option
def measure(file: Path | None, certificate: Path | None, as_json: bool, **parts: Any) -> None:
    """Print the PCRs and the CRC of an image, or the PCRs of parts."""
    given = [name for name, value in parts.items() if value]
    if (file is None) == (not given):
        raise UsageError("no image and no parts, or both", expected="FILE, or --kernel and so on")
    with Progress("Measuring") as progress:
        if file is not None:
            with open_image(file) as opened:
                note_flags(opened)
                measured = measure_image(opened, progress)
            more = {"CRC32": f"{measured.crc32:08x}"}
        else:
            measured, more = _measure_parts(parts, certificate), {}
    if as_json:
        line({"Measurements": measured.to_json(), **more})
    else:
        rows(*measured.hex().items(), *more.items())


def _measure_parts(parts: dict[str, Any], certificate: Path | None) -> Measurements:
    if parts["kernel"] is None or parts["cmdline"] is None:
        raise UsageError("parts without --kernel and --cmdline", expected="both")
    pem = read_file(certificate, "a certificate in PEM") if certificate else None
    return measure_part_files(
        parts["kernel"],
        parts["cmdline"].encode("utf-8", "surrogateescape"),
        parts["ramdisks"],
        None if pem is None else certificate_der(pem),
    )


@image.command()
@click.argument("file", type=FILE)
@click.option("--at", help="Judge the certificate's validity at this time (else now).")
@launch_options
@as_json_option
@click.pass_context
def check(ctx: click.Context, /, file: Path, at: str | None, as_json: bool, **launch: Any) -> None:
    """List every deviation from the format; exit 1 if one is an error.

    With --launch also whatever would make run-enclave fail on this machine, with its E-code.
    """
    hinders = show_launch(file, ask_moment(at), as_json=as_json, **launch)
    with Progress("Checking") as progress:
        report = check_image(file, at=ask_moment(at), progress=progress)
    for finding in report.findings:
        if as_json:
            line(finding.to_json())
        else:
            text = f"{finding.rule} at byte {finding.offset}: {finding.found}"
            rows((finding.severity, f"{text}; expected {finding.expected} [{finding.clause}]"))
    if not as_json:
        errors = sum(finding.severity == "error" for finding in report.findings)
        others = len(report.findings) - errors
        plural = "" if errors == 1 else "s"
        rows(("Result", f"{errors} error{plural}; warnings and notes: {others}"))
    ctx.exit(0 if report.ok and not hinders else 1)


@image.command()
@click.argument("a", type=FILE)
@click.argument("b", type=FILE)
@as_json_option
@click.pass_context
def diff(ctx: click.Context, a: Path, b: Path, as_json: bool) -> None:
    """Compare two images, files included, and what a key policy sees; exit 1 if they differ."""
    with Progress("Comparing") as progress:
        found = diff_images(a, b, progress)
    if as_json:
        line(found.to_json())
    else:
        for pcr in found.pcrs:
            same = f"= {pcr.a or 'not signed'}"
            rows((pcr.name, same if pcr.equal else f"A {pcr.a or 'not signed'}"))
            if not pcr.equal:
                rows(("", f"B {pcr.b or 'not signed'}"))
        rows(*(("Header", text) for text in found.header))
        for section in found.sections:
            sizes = f"{section.size_a} → {section.size_b} bytes"
            into = ", ".join(section.pcrs) or "not measured"
            rows(("Section", f"{section.name} {section.change}: {sizes} ({into})"))
        for file in found.files:
            rows((f"Ramdisk {file.ramdisk}", f"{file.change} {file.path}: {', '.join(file.what)}"))
        rows(*(("Metadata", text) for text in found.metadata))
        rows(*(("Policy", text) for text in found.meaning))
    ctx.exit(0 if found.identical else 1)


@image.command("ls")
@click.argument("file", type=FILE)
@click.option("--ramdisk", "indexes", type=int, multiple=True, help="Only this one (0, 1, ...).")
@click.option("--digests", is_flag=True, help="Also each file's SHA-256.")
@as_json_option
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
    rows((f"ramdisk {row['ramdisk']}", text))


@image.command()
@click.argument("file", type=FILE)
@click.argument("target", type=FILE)
@click.option("--ramdisk", type=int, help="Unpack this ramdisk into TARGET, a new folder.")
@click.option("--section", type=int, help="Write this section's bytes to TARGET, a file.")
@as_json_option
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
        line(report)
    else:
        rows(*((name.replace("_", " ").capitalize(), str(value)) for name, value in report.items()))


@image.command()
@click.option("--signing-certificate", "certificate", type=FILE, help="Print PCR8 of this (PEM).")
@click.option("--input", "data", type=FILE, help="Print the PCR of this file.")
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

    from nitro_workflow.image import extend
    from nitro_workflow.regular_file import open_finite

    try:
        with open_finite(path) as file:
            return extend(hashlib.file_digest(file, "sha384").digest()).hex()
    except OSError as error:
        raise ImageError(
            error.strerror or str(error), expected="a readable file", where=str(path)
        ) from error
