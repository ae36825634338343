"""The Enclave Image Format: header, sections, and an `Image` to read them from.

Layout (big-endian; README and ``src/defs/mod.rs`` of aws-nitro-enclaves-image-format)::

    0x000  magic ".eif"   version u16   flags u16   default_mem u64   default_cpus u64
    0x018  reserved u16   num_sections u16
    0x01c  section_offsets[32] u64      of each section's *header*
    0x11c  section_sizes[32] u64        of its data
    0x21c  unused u32     crc32 u32     over everything but these last four bytes
    0x224  sections: type u16, flags u16, size u64, then the data

Only the standard library is imported here: the sandbox's bootstrap reads images with this module.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, Self

from nitro_workflow.errors import ImageError
from nitro_workflow.image.format.byte_source import Readable, Source, open_source
from nitro_workflow.image.format.image_limits import (
    MAX_COMMAND_LINE,
    MAX_METADATA_SECTION,
    MAX_SECTIONS,
    MAX_SIGNATURE_SECTION,
    MIN_SECTIONS,
)
from nitro_workflow.image.format.strict_json import parse_json

MAGIC: Final = b".eif"
VERSIONS: Final = (2, 3, 4)  # 0 and 1 were never published, above 4 is undefined
CURRENT_VERSION: Final = 4
FLAG_AARCH64: Final = 0x1
DEFAULT_MEMORY: Final = 1024**3  # bytes; written by AWS's builder, read by nobody
DEFAULT_CPUS: Final = 2
HEADER: Final = struct.Struct(">4sHHQQHH32Q32QII")
SECTION_HEADER: Final = struct.Struct(">HHQ")
CRC_OFFSET: Final = HEADER.size - 4

ARCHITECTURES: Final = {"x86_64": 0, "aarch64": FLAG_AARCH64}


class SectionKind(IntEnum):
    """Section types; the numbers are the format's."""

    KERNEL = 1
    CMDLINE = 2
    RAMDISK = 3
    SIGNATURE = 4
    METADATA = 5


UNKNOWN_FLAGS: Final = (
    "an extension this package does not know; PCR0 may be computed otherwise"  # than is said here
)
_KINDS: Final = frozenset(kind.value for kind in SectionKind)


@dataclass(frozen=True, slots=True)
class EifHeader:
    """The 548 bytes at the start of an image; offsets and sizes in bytes, 32 of each."""

    version: int
    flags: int
    default_memory: int
    default_cpus: int
    reserved: int
    num_sections: int
    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
    unused: int
    crc32: int

    @property
    def architecture(self) -> str:
        """``"aarch64"`` or ``"x86_64"``, from bit 0 of the flags."""
        return "aarch64" if self.flags & FLAG_AARCH64 else "x86_64"

    @property
    def unknown_flags(self) -> int:
        """The flags beside bit 0: extensions of other builders (bottlerocket's sets bits 6, 9)."""
        return self.flags & ~FLAG_AARCH64

    def pack(self) -> bytes:
        """Return the 548 bytes."""
        return HEADER.pack(
            MAGIC,
            self.version,
            self.flags,
            self.default_memory,
            self.default_cpus,
            self.reserved,
            self.num_sections,
            *self.offsets,
            *self.sizes,
            self.unused,
            self.crc32,
        )


@dataclass(frozen=True, slots=True)
class Section:
    """One section: ``offset`` is that of its 12-byte header, ``size`` of its data, in bytes."""

    index: int
    kind: SectionKind
    flags: int
    offset: int
    size: int

    @property
    def data_offset(self) -> int:
        """Byte offset of the section's data in the file."""
        return self.offset + SECTION_HEADER.size

    @property
    def end(self) -> int:
        """Byte offset after the section's data."""
        return self.data_offset + self.size


def parse_header(data: bytes) -> EifHeader:
    """Read the first 548 bytes of an image; only length and magic are judged here.

    Raises `ImageError`.
    """
    if len(data) < HEADER.size:
        raise ImageError(
            f"{len(data)} bytes",
            expected=f"an EIF header of {HEADER.size} bytes",
            where="EIF header, byte 0",
            next="Check that the file was copied whole and is an enclave image.",
        )
    magic, *rest = HEADER.unpack_from(data)
    if magic != MAGIC:
        raise ImageError(
            f"magic {bytes(magic)!r}",
            expected=f"{MAGIC!r}",
            where="EIF header, byte 0",
            next="This file is not an enclave image; build one with `nitro-workflow image build`.",
        )
    version, flags, memory, cpus, reserved, count = rest[:6]
    return EifHeader(
        version=version,
        flags=flags,
        default_memory=memory,
        default_cpus=cpus,
        reserved=reserved,
        num_sections=count,
        offsets=tuple(rest[6:38]),
        sizes=tuple(rest[38:70]),
        unused=rest[70],
        crc32=rest[71],
    )


def walk_sections(source: Source) -> Iterator[Section]:
    """Yield the sections in file order, by their own headers, as AWS's reader walks them.

    Raises `ImageError` where a header is cut, its type is unknown, or its data would pass the end
    of the file. More sections than the format allows are refused before they are walked.
    """
    position, index = HEADER.size, 0
    while position < source.size:
        header = source.read_at(position, SECTION_HEADER.size)
        if len(header) < SECTION_HEADER.size:
            raise _cut(index, position, f"{len(header)} bytes of a section header", "12 bytes")
        if index == MAX_SECTIONS:
            raise _cut(index, position, "a 33rd section", f"at most {MAX_SECTIONS}")
        kind, flags, size = SECTION_HEADER.unpack(header)
        if kind not in _KINDS:
            raise _cut(index, position, f"section type {kind}", "1 to 5")
        section = Section(index, SectionKind(kind), flags, position, size)
        if section.end > source.size:
            left = source.size - section.data_offset
            raise _cut(index, position, f"{left} bytes left in the file", f"{size} bytes of data")
        yield section
        position, index = section.end, index + 1


def _cut(index: int, position: int, found: str, expected: str) -> ImageError:
    return ImageError(
        found,
        expected=expected,
        where=f"section {index}, byte {position}",
        next="The image is cut or damaged: copy or build it again.",
    )


class Image:
    """An opened image: header, sections, and readers for what they hold.

    Made by `open_image`; a context manager. What is judged at opening is what reading needs:
    magic, version, and as many whole sections as the header announces. `check_image` judges the
    rest.
    """

    __slots__ = ("header", "sections", "source")

    def __init__(self, source: Source, header: EifHeader, sections: tuple[Section, ...]) -> None:
        self.source = source
        self.header = header
        self.sections = sections

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, if `open_image` opened it."""
        self.source.close()

    def of_kind(self, kind: SectionKind) -> tuple[Section, ...]:
        """Return the sections of one kind, in file order."""
        return tuple(section for section in self.sections if section.kind is kind)

    @property
    def ramdisks(self) -> tuple[Section, ...]:
        """The ramdisk sections: 0 is the bootstrap, the others are the customer's."""
        return self.of_kind(SectionKind.RAMDISK)

    @property
    def command_line(self) -> bytes:
        """The kernel's command line as stored (no NUL); empty when there is no such section."""
        return self._small(SectionKind.CMDLINE, MAX_COMMAND_LINE)

    @property
    def signature_section(self) -> bytes | None:
        """The signature section's data, or None when the image is not signed."""
        found = self.of_kind(SectionKind.SIGNATURE)
        return self._small(SectionKind.SIGNATURE, MAX_SIGNATURE_SECTION) if found else None

    @property
    def metadata(self) -> dict[str, Any] | None:
        """The metadata section as JSON, or None when there is none (versions 2 and 3).

        Raises `ImageError` when it is not a JSON object, or has a key of its own twice.
        """
        found = self.of_kind(SectionKind.METADATA)
        if not found:
            return None
        where = f"metadata section, byte {found[-1].data_offset}"
        try:
            value, repeated, _ = parse_json(self._small(SectionKind.METADATA, MAX_METADATA_SECTION))
        except ValueError as error:
            raise ImageError(
                f"not JSON: {error}", expected="a JSON object", where=where, next=_METADATA_NEXT
            ) from error
        if not isinstance(value, dict) or repeated:
            raise ImageError(
                f"JSON {type(value).__name__} {'with keys twice' if repeated else ''}".strip(),
                expected="a JSON object",
                where=where,
                next=_METADATA_NEXT,
            )
        return value

    def _small(self, kind: SectionKind, limit: int) -> bytes:
        found = self.of_kind(kind)
        if not found:
            return b""
        section = found[-1]  # AWS's reader lets a later section of a kind win
        if section.size > limit:
            raise ImageError(
                f"{section.size} bytes",
                expected=f"at most {limit} bytes",
                where=f"{kind.name.lower()} section, byte {section.offset}",
                next="No builder writes a section of this size; look at it with `image check`.",
            )
        return self.source.read_exactly(section.data_offset, section.size)


_METADATA_NEXT: Final = "PCRs can still be measured; the metadata is not part of them."


def open_image(source: Readable) -> Image:
    """Open an image given as a path, a file descriptor or a binary file object.

    A descriptor or file object is neither moved nor closed. Raises `ImageError`.
    """
    opened = open_source(source)
    try:
        header = parse_header(opened.read_at(0, HEADER.size))
        _check_counts(header)
        sections = tuple(walk_sections(opened))
        _check_number(header, sections, opened.size)
    except ImageError:
        opened.close()
        raise
    return Image(opened, header, sections)


def _check_number(header: EifHeader, sections: tuple[Section, ...], size: int) -> None:
    if len(sections) != header.num_sections:
        raise ImageError(
            f"{len(sections)} sections",
            expected=f"the {header.num_sections} that the header announces",
            where=f"end of file, byte {size}",
            next="The image is cut or something was appended: copy or build it again.",
        )


def _check_counts(header: EifHeader) -> None:
    if header.version not in VERSIONS:
        raise ImageError(
            f"version {header.version}",
            expected="2, 3 or 4",
            where="EIF header, byte 4",
            next="This package reads what nitro-cli has published; newer formats need a newer one.",
        )
    if not MIN_SECTIONS <= header.num_sections <= MAX_SECTIONS:
        raise ImageError(
            f"{header.num_sections} sections",
            expected=f"{MIN_SECTIONS} to {MAX_SECTIONS}",
            where="EIF header, byte 26",
            next="The header is damaged: copy or build the image again.",
        )
