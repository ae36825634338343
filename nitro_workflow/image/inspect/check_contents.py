"""The validator's rules for what the sections hold. See `check`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from nitro_workflow.errors import EncodingError, ImageError, ImageRefused
from nitro_workflow.image.format import (
    IDENTITY_KEYS,
    MAX_COMMAND_LINE,
    MAX_METADATA_SECTION,
    Image,
    Section,
    SectionKind,
    is_stand_in_kernel,
    kernel_architecture,
    missing_keys,
    parse_json,
)
from nitro_workflow.image.inspect.check_report import ImageFinding, Severity
from nitro_workflow.image.inspect.measure import Measurements
from nitro_workflow.image.ramdisk import ApplicationRamdisk, ramdisk_entries

_README: Final = "README of aws-nitro-enclaves-image-format"
_CLI: Final = "nitro-cli, build-enclave"
_INIT: Final = "init/init.c of aws-nitro-enclaves-sdk-bootstrap"
_READER: Final = "EifReader, src/utils/eif_reader.rs"
LINUX_COMMAND_LINE: Final = 2048  # bytes, COMMAND_LINE_SIZE of Linux on both architectures


def check_kernel(image: Image) -> Iterator[ImageFinding]:
    """Judge the kernel: a boot image of the header's architecture, not a stand-in."""
    for section in image.of_kind(SectionKind.KERNEL):
        start = image.source.read_at(section.data_offset, min(section.size, 0x300))
        found = kernel_architecture(start)
        wanted = image.header.architecture
        if is_stand_in_kernel(start):
            yield _at(section, "kernel-stand-in", "warning", "a stand-in that does not boot",
                      "AWS's kernel, by --blobs", _CLI)  # fmt: skip
        elif found is None:
            yield _at(section, "kernel-format", "warning", "neither a bzImage nor an arm64 Image",
                      f"a kernel for {wanted}", _CLI)  # fmt: skip
        elif found != wanted:
            yield _at(section, "kernel-architecture", "error", f"a kernel for {found}",
                      f"one for {wanted}, as the header's flags say", _README)  # fmt: skip


def check_cmdline(image: Image) -> Iterator[ImageFinding]:
    """Judge the command line: text, of a length that Linux takes, trimmed, without NUL."""
    for section in image.of_kind(SectionKind.CMDLINE):
        if section.size > MAX_COMMAND_LINE:
            yield _at(section, "cmdline-length", "error", f"{section.size} bytes",
                      f"at most {MAX_COMMAND_LINE}", "limit of this package")  # fmt: skip
            continue
        line = image.source.read_at(section.data_offset, section.size)
        if len(line) >= LINUX_COMMAND_LINE:
            yield _at(section, "cmdline-length", "warning", f"{len(line)} bytes",
                      f"under {LINUX_COMMAND_LINE}", "COMMAND_LINE_SIZE of Linux")  # fmt: skip
        if b"\0" in line:
            yield _at(section, "cmdline-nul", "error", f"NUL at byte {line.index(0)}",
                      "text without NUL", "EifBuilder::new, CString")  # fmt: skip
        if line != line.strip():
            yield _at(section, "cmdline-space", "note", "white space around it",
                      "none: it is measured", "nitro-cli trims it, eif_build does not")  # fmt: skip
        if not line.isascii():
            yield _at(section, "cmdline-text", "warning", "bytes that are not ASCII", "ASCII",
                      "Linux, Documentation/admin-guide/kernel-parameters.rst")  # fmt: skip


def check_metadata(image: Image) -> Iterator[ImageFinding]:
    """Judge the metadata: JSON with the keys that AWS's reader asks for."""
    for section in image.of_kind(SectionKind.METADATA):
        if section.size > MAX_METADATA_SECTION:
            yield _at(section, "metadata-size", "error", f"{section.size} bytes",
                      f"at most {MAX_METADATA_SECTION}", "limit of this package")  # fmt: skip
            continue
        data = image.source.read_at(section.data_offset, section.size)
        try:
            value, repeated, inner = parse_json(data)
        except ValueError as error:
            yield _at(section, "metadata-json", "error", f"not JSON: {error}", "a JSON object",
                      _READER)  # fmt: skip
            continue
        for severity, keys in _severities(repeated, inner):
            yield _at(section, "metadata-duplicate", severity,
                      f"{', '.join(keys)} more than once", "once", _READER)  # fmt: skip
        yield from _check_keys(section, value)


def _severities(
    outer: tuple[str, ...], inner: tuple[str, ...]
) -> Iterator[tuple[Severity, tuple[str, ...]]]:
    """AWS's reader refuses its own keys twice; inside the others' objects the last one wins."""
    if outer:
        yield "error", outer
    if inner:
        yield "warning", inner


def _check_keys(section: Section, value: Any) -> Iterator[ImageFinding]:
    if not isinstance(value, dict):
        yield _at(section, "metadata-json", "error", f"JSON {type(value).__name__}", "an object",
                  _READER)  # fmt: skip
        return
    missing = missing_keys(value)
    if missing:
        yield _at(section, "metadata-keys", "error", f"without {', '.join(missing)}",
                  "the keys of EifIdentityInfo", f"{_READER}: it refuses the image")  # fmt: skip
    custom = value.get("CustomMetadata")
    if custom is not None and not isinstance(custom, dict):
        yield _at(section, "metadata-custom", "warning",
                  f"CustomMetadata is {type(custom).__name__}", "an object or null",
                  "nitro-cli describe-eif cannot print it")  # fmt: skip
    more = sorted(set(value) - IDENTITY_KEYS)
    if more:
        yield _at(section, "metadata-more", "note", f"also {', '.join(more)}", "five keys",
                  "EifIdentityInfo, src/defs/mod.rs")  # fmt: skip


def check_ramdisks(image: Image) -> Iterator[ImageFinding]:
    """Judge the ramdisks: readable archives, the bootstrap first, an application after it."""
    for index, section in enumerate(image.ramdisks):
        if section.size == 0:
            yield _at(section, "ramdisk-empty", "warning", "an empty ramdisk", "a cpio archive",
                      "Linux, buffer-format.rst")  # fmt: skip
            continue
        try:
            found = ApplicationRamdisk.read(ramdisk_entries(image, index))
        except ImageError as error:
            yield _at(section, "ramdisk-archive", "warning", f"{error.where}: {error.found}",
                      error.expected, "Linux, buffer-format.rst")  # fmt: skip
            continue
        wanted = ("init",) if index == 0 else ("cmd", "env", "rootfs") if index == 1 else ()
        missing = [name for name in wanted if name not in found.files]
        if missing:
            yield _at(section, "ramdisk-content", "note",
                      f"ramdisk {index} without {', '.join(missing)}", ", ".join(wanted),
                      _CLI)  # fmt: skip
        if index == 1 and (problem := found.command_problem()):
            yield _at(section, "ramdisk-command", "warning", problem,
                      "a program that can start: this ends at once, E36", _INIT)  # fmt: skip
    if len(image.ramdisks) == 1:
        yield _at(image.ramdisks[0], "ramdisk-only-one", "note", "no application ramdisk",
                  "two: bootstrap and application; PCR2 is that of nothing", _CLI)  # fmt: skip


def check_signature(
    image: Image, measured: Measurements | None, at: datetime | None
) -> Iterator[ImageFinding]:
    """Judge the signature section as `verify_signature` does, and its certificate's validity."""
    for section in image.of_kind(SectionKind.SIGNATURE)[-1:]:
        try:
            _verify(image, measured, at)
        except ImageRefused as error:
            validity = error.where.endswith("validity")
            rule = "signature-validity" if validity else "signature-holds"
            clause = "PcrSignatureChecker::verify, src/utils/mod.rs (E59)"
            yield _at(section, rule, "error", error.found, error.expected, clause)
        except (ImageError, EncodingError) as error:
            found = f"{error.where}: {error.found}"
            yield _at(section, "signature-shape", "error", found, error.expected,
                      "PcrSignature, src/defs/mod.rs")  # fmt: skip


def _verify(image: Image, measured: Measurements | None, at: datetime | None) -> None:
    from nitro_workflow.image.format import parse_signature_section
    from nitro_workflow.image.inspect.image_signature import load_certificate, verify_signature

    parsed = parse_signature_section(image.signature_section or b"")
    certificate = load_certificate(parsed.certificate_pem)
    if measured is not None:
        verify_signature(image, measured, at=at or certificate.not_valid_before_utc)


def _at(
    section: Section, rule: str, severity: Severity, found: str, expected: str, clause: str
) -> ImageFinding:
    return ImageFinding(rule, severity, section.offset, found, expected, clause)
