"""Put an image together, measuring while it is written: sections in AWS's order, atomically.

Kernel, cmdline, metadata, ramdisks, signature; contiguous, no padding (``write_to`` in
src/utils/mod.rs of aws-nitro-enclaves-image-format). Equal parts and build time give equal bytes.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import ImageError
from nitro_workflow.image.atomic import atomic_file, write_all
from nitro_workflow.image.boot import BootParts
from nitro_workflow.image.eif import (
    ARCHITECTURES,
    CRC_OFFSET,
    CURRENT_VERSION,
    DEFAULT_CPUS,
    DEFAULT_MEMORY,
    HEADER,
    SECTION_HEADER,
    EifHeader,
    SectionKind,
)
from nitro_workflow.image.limits import MAX_SECTIONS
from nitro_workflow.image.measure import Measurements, Meter, crc_of_header_and_body
from nitro_workflow.image.metadata import BuildInfo, Identity, rfc3339
from nitro_workflow.image.rootfs import Tree, tree_from_folder
from nitro_workflow.image.signature_section import certificate_der
from nitro_workflow.image.source import FileSource
from nitro_workflow.image.tree import RamdiskLayout, bootstrap_nodes, customer_nodes

if TYPE_CHECKING:
    from nitro_workflow.image.signature import SigningKey

    Progress = Callable[[int, int], None]

_PIECE: Final = 512 * 1024


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
    from nitro_workflow.image.source import open_source

    source = open_source(path)
    size = source.size
    source.close()
    return Part(kind, size, lambda: _file_pieces(path, size))


def _file_pieces(path: Path, size: int) -> Iterator[bytes]:
    source = FileSource(os.open(path, os.O_RDONLY | os.O_CLOEXEC), owned=True)
    try:
        for position in range(0, size, _PIECE):
            yield source.read_exactly(position, min(_PIECE, size - position))
    finally:
        source.close()


def ramdisk_part(layout: RamdiskLayout) -> Part:
    """Return a ramdisk that is made while it is written."""
    return Part(SectionKind.RAMDISK, layout.size, layout.pieces)


def build_image(
    *,
    rootfs: Path | Tree,
    command: Sequence[str],
    environment: Mapping[str, str],
    output: Path,
    name: str,
    version: str,
    boot: BootParts,
    build_time: datetime,
    architecture: str | None = None,
    signing: SigningKey | None = None,
    custom_metadata: Mapping[str, Any] | None = None,
    docker_info: Any = None,
    progress: Progress | None = None,
) -> BuiltImage:
    """Build an image from a root filesystem (a folder, or a tree from `rootfs_from`).

    The first ramdisk holds the bootstrap, the second ``cmd``, ``env`` and ``rootfs/``, as
    nitro-cli lays them out. ``progress(done, total)`` gets bytes. Raises `ImageError`.
    """
    if architecture not in (None, boot.architecture):
        raise ImageError(
            f"boot parts for {boot.architecture}",
            expected=f"boot parts for {architecture}",
            where="boot parts",
            next="Give the boot parts of the image's architecture.",
        )
    tree = rootfs if isinstance(rootfs, Tree) else tree_from_folder(rootfs)
    if not command:
        raise ImageError(
            "no command",
            expected="the program the enclave runs, and its arguments",
            where="command",
            next="Give a command; an image's own is used when it has Cmd or Entrypoint.",
        )
    lines = [f"{key}={value}" for key, value in environment.items()]
    build = BuildInfo(
        rfc3339(build_time),
        operating_system=boot.operating_system,
        kernel_version=boot.kernel_version,
    )
    identity = Identity(name, version, build, docker_info, custom_metadata)
    parts = [
        bytes_part(SectionKind.KERNEL, boot.kernel),
        bytes_part(SectionKind.CMDLINE, boot.command_line),
        bytes_part(SectionKind.METADATA, identity.pack()),
        ramdisk_part(RamdiskLayout(bootstrap_nodes(boot.init, boot.nsm_module))),
        ramdisk_part(RamdiskLayout(customer_nodes(tree.nodes, command, lines))),
    ]
    return write_image(
        parts,
        output=output,
        architecture=boot.architecture,
        signing=signing,
        is_stand_in=boot.is_stand_in,
        notes=tree.notes,
        progress=progress,
    )


def write_image(
    parts: Sequence[Part],
    *,
    output: Path,
    architecture: str,
    signing: SigningKey | None = None,
    version: int = CURRENT_VERSION,
    is_stand_in: bool = False,
    notes: tuple[str, ...] = (),
    progress: Progress | None = None,
) -> BuiltImage:
    """Write an image from its parts, in the order given, and measure it on the way.

    Raises `ImageError`; the output is then as it was before.
    """
    if len(parts) + (signing is not None) > MAX_SECTIONS:
        raise ImageError(
            f"{len(parts)} sections",
            expected=f"at most {MAX_SECTIONS}, the signature included",
            where="parts",
            next="Put several ramdisks into one.",
        )
    with atomic_file(output) as fd:
        writer = _Writer(fd, sum(part.size for part in parts), progress)
        try:
            for part in parts:
                writer.section(part)
            if signing is not None:
                writer.sign(signing)
            size, measured = writer.finish(ARCHITECTURES[architecture], version)
        finally:
            writer.meter.close()
    return BuiltImage(output, size, measured, architecture, is_stand_in, signing is not None, notes)


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
        from nitro_workflow.image.signature import build_signature_section

        data = build_signature_section(key, self.meter.peek())
        self._certificate = certificate_der(key.certificate_pem)
        self.section(bytes_part(SectionKind.SIGNATURE, data))

    def finish(self, flags: int, version: int) -> tuple[int, Measurements]:
        unused = (0,) * (MAX_SECTIONS - len(self._sections))
        header = EifHeader(
            version=version,
            flags=flags,
            default_memory=DEFAULT_MEMORY,
            default_cpus=DEFAULT_CPUS,
            reserved=0,
            num_sections=len(self._sections),
            offsets=tuple(offset for offset, _ in self._sections) + unused,
            sizes=tuple(size for _, size in self._sections) + unused,
            unused=0,
            crc32=0,
        ).pack()[:CRC_OFFSET]
        body = self._position - HEADER.size
        crc = crc_of_header_and_body(header, self.meter.crc, body)
        os.pwrite(self._fd, header + struct.pack(">I", crc), 0)
        return self._position, self.meter.finish(self._certificate, crc)
