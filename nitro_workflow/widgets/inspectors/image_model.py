"""An enclave image: the file to scale, its sections, what feeds which PCR, the files inside."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from nitro_workflow.errors import ImageError
from nitro_workflow.image import (
    HEADER,
    CheckReport,
    Image,
    Measurements,
    Readable,
    Section,
    SectionKind,
    check_image,
    describe_contents,
    open_image,
)
from nitro_workflow.widgets.drawing import Digest, Head, digest_of
from nitro_workflow.widgets.formats import size as in_bytes
from nitro_workflow.widgets.inspectors.charts import Chart
from nitro_workflow.widgets.inspectors.image_verdicts import (
    compared_head,
    image_head,
    measuring_head,
    unreadable_head,
)
from nitro_workflow.widgets.inspectors.images_compared import ImagesCompared
from nitro_workflow.widgets.inspectors.pcr_parts import part_name, pcrs_of
from nitro_workflow.widgets.inspectors.ramdisk_index import RamdiskIndex, index_of
from nitro_workflow.widgets.inspectors.section_map import Span, file_chart, tree_chart

__all__ = ["ImageModel", "RamdiskView", "SectionView", "make_image", "make_layout"]

_TINTS = {
    SectionKind.KERNEL: 1,
    SectionKind.CMDLINE: 2,
    SectionKind.METADATA: 6,
    SectionKind.SIGNATURE: 5,
}
_GROUPS = 8  # folders of a ramdisk that are drawn; the others are one
_LARGEST = 12  # files of a ramdisk that the static form names
_DEPTHS = (4, 3, 2, 1)
_TEXT = 4_000  # characters of a section that are shown at once


@dataclass(frozen=True, slots=True)
class SectionView:
    """One part of the file; ``offset`` is its data's, ``says`` what it is, ``text`` its content."""

    id: str
    name: str
    offset: int
    size: int
    pcrs: tuple[str, ...]
    says: str
    text: str
    tint: int


@dataclass(frozen=True, slots=True)
class RamdiskView:
    """What a ramdisk holds, in sums; its files are asked for."""

    number: int
    name: str
    files: int
    size: int
    chart: Chart
    groups: tuple[tuple[str, int, int], ...]
    largest: tuple[tuple[str, int], ...]
    problem: str


@dataclass(frozen=True, slots=True)
class ImageModel:
    """The whole view; ``compared`` is what another image has otherwise."""

    head: Head
    chart: Chart
    enlarged: str = ""
    picture: Digest | None = None
    pcrs: tuple[tuple[str, Digest], ...] = ()
    sections: tuple[SectionView, ...] = ()
    findings: tuple[tuple[str, str, str, str], ...] = ()
    ramdisks: tuple[RamdiskView, ...] = ()
    compared: ImagesCompared | None = None
    kind: Literal["image"] = "image"


def make_image(
    source: Readable, *, label: str = "", compared: ImagesCompared | None = None
) -> ImageModel:
    """Return the view of an image: a path, a descriptor or a file object.

    ``label`` says what the image is (``stand-in boot parts …``). What cannot be read is told as the
    verdict; raises nothing for the content of the file.
    """
    try:
        report = check_image(source)
        with open_image(source) as image:
            indices = [index_of(image, number) for number in range(len(image.ramdisks))]
            return _drawn(image, report, indices, label, compared)
    except ImageError as error:
        return _unreadable(error)


def make_layout(source: Readable) -> ImageModel:
    """Return what the headers of an image tell, in milliseconds: no verdict, PCRs or files."""
    try:
        with open_image(source) as image:
            return _layout(image)
    except ImageError as error:
        return _unreadable(error)


def _unreadable(error: ImageError) -> ImageModel:
    return ImageModel(unreadable_head(error), Chart(820, 4, "nothing to draw"))


def _layout(image: Image) -> ImageModel:
    sections = _sections(image)
    spans = [Span(one.id, one.name, one.offset, one.offset + one.size, one.tint, one.pcrs)
             for one in sections]  # fmt: skip
    chart, enlarged = file_chart(spans, image.source.size)
    return ImageModel(measuring_head(image), chart, enlarged, sections=sections)


def _drawn(
    image: Image,
    report: CheckReport,
    indices: Sequence[RamdiskIndex],
    label: str,
    compared: ImagesCompared | None,
) -> ImageModel:
    measured = report.measurements
    return replace(
        _layout(image),
        head=compared_head(compared) if compared else image_head(image, report, label),
        picture=digest_of(measured.pcr0) if measured else None,
        pcrs=_pcrs(measured),
        findings=tuple(
            (one.severity, f"{one.rule} at byte {one.offset:,}", one.found, one.expected)
            for one in report.findings
        ),
        ramdisks=tuple(_ramdisk(image, index) for index in indices),
        compared=compared,
    )


def _pcrs(measured: Measurements | None) -> tuple[tuple[str, Digest], ...]:
    values = measured.hex() if measured else {}
    return tuple((name, digest_of(value)) for name, value in values.items())


def _sections(image: Image) -> tuple[SectionView, ...]:
    says = "not measured, but checked: CRC-32"
    header = SectionView("header", "header", 0, HEADER.size, (), says, _header_text(image), 6)
    return (header, *(_section(image, section) for section in image.sections))


def _section(image: Image, section: Section) -> SectionView:
    boot = section in image.ramdisks[:1]
    tint = _TINTS.get(section.kind, 4 if boot else 3)
    return SectionView(
        f"section-{section.index}", part_name(image, section), section.data_offset, section.size,
        pcrs_of(image, section), _says(section, boot=boot), _content(image, section), tint,
    )  # fmt: skip


def _says(section: Section, *, boot: bool) -> str:
    says = {
        SectionKind.KERNEL: "boots first",
        SectionKind.CMDLINE: "read by the kernel",
        SectionKind.METADATA: "nobody measures it: do not rely on it",
        SectionKind.SIGNATURE: "the certificate is measured, and signs PCR0",
        SectionKind.RAMDISK: "starts the application" if boot else "your code and all it needs",
    }
    return says[section.kind]


def _header_text(image: Image) -> str:
    header = image.header
    memory = in_bytes(header.default_memory)
    return (
        f"magic .eif, version {header.version}, flags {header.flags:#06x} ({header.architecture})\n"
        f"default memory {memory}, default CPUs {header.default_cpus}: nobody reads them\n"
        f"{header.num_sections} sections; CRC-32 {header.crc32:#010x}, over all but these 4 bytes"
    )


def _content(image: Image, section: Section) -> str:
    try:
        if section.kind is SectionKind.CMDLINE:
            return image.command_line.decode("utf-8", "backslashreplace")
        if section.kind is SectionKind.METADATA:
            return _cut(json.dumps(image.metadata, indent=2, ensure_ascii=False))
        if section.kind is SectionKind.KERNEL:
            about = describe_contents(image)
            stand_in = "a stand-in: measured, never booted"
            return str(about["KernelVersionString"] or "") if about["Bootable"] else stand_in
    except ImageError as error:
        return f"cannot be read: {error.found}"
    return ""


def _cut(text: str) -> str:
    more = len(text) - _TEXT
    return f"{text[:_TEXT]}\n… and {more:,} more characters" if more > 0 else text


def _ramdisk(image: Image, index: RamdiskIndex) -> RamdiskView:
    name = part_name(image, image.ramdisks[index.number])
    groups = _groups(index)
    return RamdiskView(
        index.number, name, index.files, index.size, tree_chart(groups, name), groups,
        tuple((row.path, row.size) for row in index.largest(_LARGEST) if row.size), index.problem,
    )  # fmt: skip


def _groups(index: RamdiskIndex) -> tuple[tuple[str, int, int], ...]:
    """Return the folders that say most: as deep as a few of them still are most of the bytes."""
    for depth in _DEPTHS:
        found = index.top(depth)
        head = found[:_GROUPS]
        if sum(size for *_, size in head) >= 0.9 * index.size:
            break
    rest = found[_GROUPS:]
    if rest:
        head = [*head, ("the rest", sum(n for _, n, _ in rest), sum(size for *_, size in rest))]
    return tuple(head)
