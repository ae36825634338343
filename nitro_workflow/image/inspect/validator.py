"""The strict validator: every deviation of an image, also those that AWS's reader lets pass.

The rules, by their ids, in the order they are looked at:

1. ``header-*``: length, magic, version, flags, reserved, default values, number of sections;
2. ``section-*``: each section's header, and what may follow the last one;
3. ``table-*``: the header's table of offsets and sizes against the sections' own headers;
4. ``layout-*``: how many sections of which type, in which order;
5. ``kernel-*``, ``cmdline-*``, ``metadata-*``, ``ramdisk-*``: what the sections hold;
6. ``signature-*``: shape, certificate, signature, what it is over, validity;
7. ``crc``.

AWS's reader walks the sections by their headers and looks at nothing of 1 to 4; the hypervisor and
QEMU (hw/core/eif.c) do. Where the two could disagree about what is in an image, that is an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Final

from nitro_workflow.errors import ImageError
from nitro_workflow.image.format import (
    CRC_OFFSET,
    DEFAULT_CPUS,
    DEFAULT_MEMORY,
    HEADER,
    MAGIC,
    MAX_SECTIONS,
    MIN_SECTIONS,
    SECTION_HEADER,
    UNKNOWN_FLAGS,
    VERSIONS,
    EifHeader,
    Image,
    Progress,
    Readable,
    Section,
    SectionKind,
    Source,
    open_source,
    parse_header,
    walk_sections,
)
from nitro_workflow.image.inspect.check_contents import (
    check_cmdline,
    check_kernel,
    check_metadata,
    check_ramdisks,
    check_signature,
)
from nitro_workflow.image.inspect.check_report import CheckReport, ImageFinding
from nitro_workflow.image.inspect.measure import Measurements, measure_image

_README: Final = "README of aws-nitro-enclaves-image-format"
_QEMU: Final = "QEMU hw/core/eif.c"
_BUILDER: Final = "EifBuilder, src/utils/mod.rs"
_OFFSETS_AT: Final = 0x1C
_SIZES_AT: Final = 0x11C
_ORDER: Final = (
    SectionKind.KERNEL,
    SectionKind.CMDLINE,
    SectionKind.METADATA,
    SectionKind.RAMDISK,
    SectionKind.SIGNATURE,
)


def check_image(
    source: Readable, *, at: datetime | None = None, progress: Progress | None = None
) -> CheckReport:
    """Return everything that is unusual or wrong about an image; never raises for its content.

    ``at`` is the time for the certificate's validity; without it that is not judged. Raises
    `ImageError` only where the file itself cannot be read.
    """
    opened = open_source(source)
    try:
        return _check(opened, at, progress)
    finally:
        opened.close()


def _check(source: Source, at: datetime | None, progress: Progress | None) -> CheckReport:
    raw = source.read_at(0, HEADER.size)
    if len(raw) < HEADER.size:
        found = ImageFinding(
            "header-length", "error", 0, f"{len(raw)} bytes", f"{HEADER.size} bytes", _README
        )
        return CheckReport((found,), None)
    findings: list[ImageFinding] = []
    header = parse_header(MAGIC + raw[4:])
    findings += _check_header(raw[:4], header)
    sections: list[Section] = []
    findings += _collect_sections(source, sections)
    findings += _check_sections(header, sections)
    findings += _check_table(header, sections, source.size)
    findings += _check_layout(header, sections)
    image = Image(source, header, tuple(sections))
    measured, trouble = _measure(image, progress)
    findings += trouble
    for check in (check_kernel, check_cmdline, check_metadata, check_ramdisks):
        findings += check(image)
    findings += check_signature(image, measured, at)
    if measured is not None and measured.crc32 != header.crc32:
        found_crc, wanted = f"0x{header.crc32:08x}", f"0x{measured.crc32:08x}"
        findings.append(ImageFinding("crc", "error", CRC_OFFSET, found_crc, wanted, _README))
    findings.sort(key=lambda finding: finding.offset)
    return CheckReport(tuple(findings), measured)


def _measure(
    image: Image, progress: Progress | None
) -> tuple[Measurements | None, list[ImageFinding]]:
    if image.sections and image.sections[-1].end == image.source.size:
        try:
            return measure_image(image, progress), []
        except ImageError:
            pass  # a signature section without a certificate: `check_signature` says so
    text = "not measured: the sections cannot be read to the end"
    return None, [ImageFinding("crc", "error", CRC_OFFSET, text, "a whole image", _README)]


def _check_header(magic: bytes, header: EifHeader) -> Iterator[ImageFinding]:
    if magic != MAGIC:
        yield ImageFinding("header-magic", "error", 0, repr(magic), repr(MAGIC), _README)
    if header.version not in VERSIONS:
        yield ImageFinding(
            "header-version", "error", 4, str(header.version), "2, 3 or 4", f"{_README}, history"
        )
    if header.unknown_flags:
        flags = f"0x{header.flags:04x}: {UNKNOWN_FLAGS}"
        yield ImageFinding("header-flags", "warning", 6, flags, "bit 0 alone", _README)
    rows = (
        ("header-memory", 8, header.default_memory, DEFAULT_MEMORY),
        ("header-cpus", 16, header.default_cpus, DEFAULT_CPUS),
    )
    for rule, offset, found, usual in rows:
        if found != usual:
            yield ImageFinding(
                rule, "note", offset, str(found), f"{usual}; nobody reads it", _BUILDER
            )
    zeros = (("header-reserved", 0x18, header.reserved), ("header-unused", 0x21C, header.unused))
    for rule, offset, found in zeros:
        if found:
            yield ImageFinding(rule, "warning", offset, str(found), "0", _BUILDER)
    if not MIN_SECTIONS <= header.num_sections <= MAX_SECTIONS:
        yield ImageFinding(
            "header-sections",
            "error",
            0x1A,
            f"{header.num_sections} sections",
            f"{MIN_SECTIONS} to {MAX_SECTIONS}",
            _README,
        )


def _collect_sections(source: Source, sections: list[Section]) -> Iterator[ImageFinding]:
    """Put the sections that can be walked into the list; say where the walk ended early."""
    try:
        for section in walk_sections(source):
            sections.append(section)  # noqa: PERF402 - what was walked before an error is kept
    except ImageError as error:
        offset = sections[-1].end if sections else HEADER.size
        yield ImageFinding("section-header", "error", offset, error.found, error.expected, _README)


def _check_sections(header: EifHeader, sections: list[Section]) -> Iterator[ImageFinding]:
    for section in sections:
        if section.flags:
            flags = f"flags 0x{section.flags:04x}"
            yield ImageFinding("section-flags", "error", section.offset + 2, flags, "0", _QEMU)
    if len(sections) != header.num_sections:
        yield ImageFinding(
            "section-count",
            "error",
            0x1A,
            f"{header.num_sections} announced",
            f"{len(sections)}, as there are",
            f"{_README}; AWS's reader does not look",
        )


def _check_table(header: EifHeader, sections: list[Section], size: int) -> Iterator[ImageFinding]:
    count = min(header.num_sections, MAX_SECTIONS)
    for index in range(MAX_SECTIONS):
        offset, length = header.offsets[index], header.sizes[index]
        if index >= count:
            for rule, place, value in (
                ("table-unused", _OFFSETS_AT, offset),
                ("table-unused", _SIZES_AT, length),
            ):
                if value:
                    yield ImageFinding(
                        rule, "warning", place + 8 * index, str(value), "0", _BUILDER
                    )
            continue
        yield from _check_row(index, offset, length, sections)
        if offset + SECTION_HEADER.size + length > size:
            end = offset + SECTION_HEADER.size + length
            yield ImageFinding(
                "table-range",
                "error",
                _OFFSETS_AT + 8 * index,
                f"section {index} would end at byte {end}",
                f"within the file of {size} bytes",
                _QEMU,
            )
    yield from _check_overlaps(header, count)


def _check_row(
    index: int, offset: int, length: int, sections: list[Section]
) -> Iterator[ImageFinding]:
    if index >= len(sections):
        return
    section = sections[index]
    if offset != section.offset:
        yield ImageFinding(
            "table-offset",
            "error",
            _OFFSETS_AT + 8 * index,
            f"section {index} at byte {offset}",
            f"byte {section.offset}, where it is",
            f"{_README}; AWS's reader does not look",
        )
    if length != section.size:
        stale = section.kind is SectionKind.SIGNATURE
        why = "; `nitro-cli sign-eif` on a signed image leaves it stale" if stale else ""
        yield ImageFinding(
            "table-size",
            "error",
            _SIZES_AT + 8 * index,
            f"section {index} of {length} bytes",
            f"{section.size}, as its own header says",
            f"{_QEMU}; AWS's reader does not look{why}",
        )


def _check_overlaps(header: EifHeader, count: int) -> Iterator[ImageFinding]:
    ranges = sorted(
        (
            header.offsets[index],
            header.offsets[index] + SECTION_HEADER.size + header.sizes[index],
            index,
        )
        for index in range(count)
    )
    for (_, end, first), (begin, _, second) in pairwise(ranges):
        if begin < end:
            yield ImageFinding(
                "table-overlap",
                "error",
                _OFFSETS_AT + 8 * second,
                f"section {second} begins at byte {begin}",
                f"byte {end} or later, after section {first}",
                f"{_README}: sections may not overlap",
            )
    if count and ranges[0][0] < HEADER.size:
        index = ranges[0][2]
        yield ImageFinding(
            "table-overlap",
            "error",
            _OFFSETS_AT + 8 * index,
            f"section {index} begins at byte {ranges[0][0]}",
            f"byte {HEADER.size} or later, after the header",
            _README,
        )


def _check_layout(header: EifHeader, sections: list[Section]) -> Iterator[ImageFinding]:
    places = {kind: [s.offset for s in sections if s.kind is kind] for kind in SectionKind}
    for kind, least, most in (
        (SectionKind.KERNEL, 1, 1),
        (SectionKind.CMDLINE, 1, 1),
        (SectionKind.RAMDISK, 1, MAX_SECTIONS),
        (SectionKind.SIGNATURE, 0, 1),
        (SectionKind.METADATA, 1 if header.version >= 4 else 0, 1),
    ):
        count = len(places[kind])
        if not least <= count <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            place = places[kind][-1] if count else HEADER.size
            name = kind.name.lower()
            yield ImageFinding(
                f"layout-{name}", "error", place, f"{count} {name} sections", wanted, _QEMU
            )
    for kind, since in ((SectionKind.SIGNATURE, 3), (SectionKind.METADATA, 4)):
        if places[kind] and header.version < since:
            yield ImageFinding(
                "layout-version",
                "warning",
                places[kind][0],
                f"a {kind.name.lower()} section in version {header.version}",
                f"version {since} or later",
                f"{_README}, history",
            )
    yield from _check_order(sections)


def _check_order(sections: list[Section]) -> Iterator[ImageFinding]:
    kinds = [section.kind for section in sections]
    if SectionKind.KERNEL in kinds and SectionKind.RAMDISK in kinds:
        kernel, ramdisk = kinds.index(SectionKind.KERNEL), kinds.index(SectionKind.RAMDISK)
        if ramdisk < kernel:
            yield ImageFinding(
                "layout-order",
                "error",
                sections[ramdisk].offset,
                "a ramdisk before the kernel",
                "all ramdisks after the kernel",
                _README,
            )
    if kinds != sorted(kinds, key=_ORDER.index):
        yield ImageFinding(
            "layout-unusual-order",
            "note",
            sections[0].offset,
            ", ".join(kind.name.lower() for kind in kinds),
            "kernel, cmdline, metadata, ramdisks, signature",
            f"{_BUILDER}; PCRs follow the order in the file",
        )
