"""Write an image from its sections, measuring on the way: in AWS's layout, atomically.

Sections are contiguous, without padding; the header comes last, when sizes and CRC are known
(``write_to`` in src/utils/mod.rs of aws-nitro-enclaves-image-format). Equal parts give equal bytes.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.atomic import atomic_file, write_all
from nitro_workflow.errors import ImageError
from nitro_workflow.image.format import (
    ARCHITECTURES,
    CRC_OFFSET,
    CURRENT_VERSION,
    DEFAULT_CPUS,
    DEFAULT_MEMORY,
    HEADER,
    MAX_SECTIONS,
    SECTION_HEADER,
    EifHeader,
    FileSource,
    Image,
    Section,
    SectionKind,
    Source,
    certificate_der,
    open_source,
)
from nitro_workflow.image.inspect import Measurements, Meter, crc_of_header_and_body
from nitro_workflow.image.ramdisk import RamdiskLayout

if TYPE_CHECKING:
    from nitro_workflow.image.build.signing_key import SigningKey
    from nitro_workflow.image.format import Progress

_PIECE: Final = 512 * 1024  # bytes copied at a time


@dataclass(frozen=True, slots=True)
class Part:
    """One section to write: ``pieces`` yields exactly ``size`` bytes."""

    kind: SectionKind
    size: int
    pieces: Callable[[], Iterable[bytes]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image that was written: ``size`` in bytes, its measurements, notes for the user."""

    path: Path
    size: int
    measurements: Measurements
    architecture: str
    is_stand_in: bool = False
    is_signed: bool = False
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return nitro-cli's build-enclave object and, beside it, what this builder adds."""
        return {
            "Measurements": self.measurements.to_json(),
            "Image": str(self.path),
            "Size": self.size,
            "Architecture": self.architecture,
            "Bootable": not self.is_stand_in,
            "IsSigned": self.is_signed,
            "Notes": list(self.notes),
        }


def bytes_part(kind: SectionKind, data: bytes) -> Part:
    """Return a part whose data is in memory."""
    return Part(kind, len(data), lambda: (data,))


def file_part(kind: SectionKind, path: Path) -> Part:
    """Return a part whose data is a file's, read when it is written. Raises `ImageError`."""
    source = open_source(path)
    size = source.size
    source.close()
    return Part(kind, size, lambda: _file_pieces(path, size))


def _file_pieces(path: Path, size: int) -> Iterator[bytes]:
    source = FileSource(os.open(path, os.O_RDONLY | os.O_CLOEXEC), owned=True)
    try:
        yield from _pieces(source, 0, size)
    finally:
        source.close()


def section_part(image: Image, section: Section) -> Part:
    """Return a part that is another image's section; that image must stay open."""
    return Part(
        section.kind,
        section.size,
        lambda: _pieces(image.source, section.data_offset, section.size),
    )


def _pieces(source: Source, offset: int, size: int) -> Iterator[bytes]:
    for at in range(0, size, _PIECE):
        yield source.read_exactly(offset + at, min(_PIECE, size - at))


def ramdisk_part(layout: RamdiskLayout) -> Part:
    """Return a ramdisk that is made while it is written."""
    return Part(SectionKind.RAMDISK, layout.size, layout.pieces)


def measure_part_files(
    kernel: Path, command_line: bytes, ramdisks: Iterable[Path], certificate: bytes | None = None
) -> Measurements:
    """Measure parts that are files, without writing an image; ``crc32`` is 0.

    ``certificate`` is DER. Raises `ImageError`.
    """
    meter = Meter()
    try:
        for part in (
            file_part(SectionKind.KERNEL, kernel),
            bytes_part(SectionKind.CMDLINE, command_line),
            *(file_part(SectionKind.RAMDISK, path) for path in ramdisks),
        ):
            meter.begin(part.kind, b"")
            for piece in part.pieces():
                meter.feed(piece)
        return meter.finish(certificate, 0)
    finally:
        meter.close()


def write_image(
    parts: Sequence[Part],
    *,
    output: Path,
    architecture: str,
    signing: SigningKey | None = None,
    version: int = CURRENT_VERSION,
    header: EifHeader | None = None,
    is_stand_in: bool = False,
    notes: tuple[str, ...] = (),
    progress: Progress | None = None,
) -> BuiltImage:
    """Write an image from its parts, in the order given, and measure it on the way.

    ``header`` gives what the header has besides the table and the CRC (that of the image that is
    signed again, say); ``architecture`` and ``version`` then come from it. Raises `ImageError`; the
    output is then as it was before.
    """
    header = header or _new_header(architecture, version)
    if len(parts) + (signing is not None) > MAX_SECTIONS:
        raise ImageError(
            f"{len(parts)} sections",
            expected=f"at most {MAX_SECTIONS}, the signature included",
            where="parts",
            next="Put several ramdisks into one.",
        )
    with atomic_file(output, failure=ImageError) as fd:
        writer = _Writer(fd, sum(part.size for part in parts), progress)
        try:
            for part in parts:
                writer.section(part)
            if signing is not None:
                writer.sign(signing)
            size, measured = writer.finish(header)
        finally:
            writer.meter.close()
    signed = signing is not None or any(part.kind is SectionKind.SIGNATURE for part in parts)
    return BuiltImage(output, size, measured, header.architecture, is_stand_in, signed, notes)


class _Writer:
    """Writes sections one after the other; the header comes last, when everything is known."""

    def __init__(self, fd: int, total: int, progress: Progress | None) -> None:
        self._fd = fd
        self._total = total
        self._progress = progress
        self._sections: list[tuple[int, int]] = []  # offset of the header, size of the data
        self._position = HEADER.size
        self._certificate: bytes | None = None
        self.meter = Meter()
        os.lseek(fd, HEADER.size, os.SEEK_SET)

    def section(self, part: Part) -> None:
        header = SECTION_HEADER.pack(part.kind, 0, part.size)
        self._sections.append((self._position, part.size))
        self._position += len(header) + part.size
        write_all(self._fd, header)
        self.meter.begin(part.kind, header)
        done = 0
        for piece in part.pieces():
            self.meter.feed(piece)
            write_all(self._fd, piece)
            done += len(piece)
            if self._progress is not None:
                self._progress(min(self._position - part.size + done, self._total), self._total)
        if done != part.size:
            raise ImageError(
                f"{done} bytes",
                expected=f"{part.size} bytes, as when the build began",
                where=f"{part.kind.name.lower()} part",
                next="Something changes the part while it is read: build from a copy.",
            )

    def sign(self, key: SigningKey) -> None:
        from nitro_workflow.image.build.signing_key import build_signature_section  # cryptography

        data = build_signature_section(key, self.meter.peek())
        self._certificate = certificate_der(key.certificate_pem)
        self.section(bytes_part(SectionKind.SIGNATURE, data))

    def finish(self, template: EifHeader) -> tuple[int, Measurements]:
        unused = (0,) * (MAX_SECTIONS - len(self._sections))
        header = replace(
            template,
            num_sections=len(self._sections),
            offsets=tuple(offset for offset, _ in self._sections) + unused,
            sizes=tuple(size for _, size in self._sections) + unused,
        ).pack()[:CRC_OFFSET]
        crc = crc_of_header_and_body(header, self.meter.crc, self._position - HEADER.size)
        os.pwrite(self._fd, header + struct.pack(">I", crc), 0)
        return self._position, self.meter.finish(self._certificate, crc)


def _new_header(architecture: str, version: int) -> EifHeader:
    return EifHeader(
        version=version,
        flags=ARCHITECTURES[architecture],
        default_memory=DEFAULT_MEMORY,
        default_cpus=DEFAULT_CPUS,
        reserved=0,
        num_sections=0,
        offsets=(),
        sizes=(),
        unused=0,
        crc32=0,
    )
