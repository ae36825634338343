"""What a ramdisk holds: its entries one after the other, each with a reader for its data.

Only the standard library is imported here: the sandbox's bootstrap reads images with this module.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from nitro_workflow.errors import ImageError
from nitro_workflow.image.format import MAX_NAME, MAX_PATH
from nitro_workflow.image.ramdisk.cpio import CpioHeader, kind_of, read_headers
from nitro_workflow.image.ramdisk.ramdisk_stream import WINDOW, open_stream

if TYPE_CHECKING:
    from nitro_workflow.image.format import Image
    from nitro_workflow.image.ramdisk.cpio import Stream

_SPECIAL: Final = frozenset({"character", "block"})


@dataclass(frozen=True, slots=True)
class RamdiskEntry:
    """One file, folder, link or device of a ramdisk.

    ``path`` is relative, without ``.``, ``..`` or empty parts; bytes that are not UTF-8 are kept as
    lone surrogates (PEP 383), as `os.fsdecode` does. ``data`` and ``sha256`` work only while this
    entry is the newest of the iteration, and ``data`` once: an entry is not held in memory.
    """

    path: str
    mode: int
    uid: int
    gid: int
    size: int
    kind: str
    target: str | None  # of a symlink
    link_of: str | None  # path of the first name of the same file (hard link)
    device: tuple[int, int] | None  # major, minor
    offset: int  # of the entry in the unpacked ramdisk, bytes
    _stream: Stream = field(repr=False, compare=False)

    def data(self) -> Iterator[bytes]:
        """Yield the content in pieces of up to 1 MiB."""
        left = self.size
        while left > 0:
            piece = self._stream.take(min(left, WINDOW))
            left -= len(piece)
            yield piece

    def sha256(self) -> str:
        """Return the content's SHA-256, 64 hex digits."""
        digest = hashlib.sha256()
        for piece in self.data():
            digest.update(piece)
        return digest.hexdigest()


def ramdisk_entries(image: Image, index: int) -> Iterator[RamdiskEntry]:
    """Yield the entries of ramdisk ``index`` (0 is the bootstrap) in the order of the archive.

    Raises `ImageError` for a ramdisk that is not there, is damaged, or names paths outside itself.
    """
    sections = image.ramdisks
    if not 0 <= index < len(sections):
        raise ImageError(
            f"ramdisk {index}",
            expected=f"0 to {len(sections) - 1}" if sections else "an image with ramdisks",
            where="image",
            next="`nitro-workflow image describe --contents` lists what the image holds.",
        )
    section = sections[index]
    return stream_entries(open_stream(image.source, section.data_offset, section.size))


def stream_entries(stream: Stream) -> Iterator[RamdiskEntry]:
    """Yield the entries of an unpacked ramdisk. Raises `ImageError`."""
    first_names: dict[tuple[int, int, int], str] = {}
    for header in read_headers(stream):
        path = safe_path(header.name, header.offset)
        kind = kind_of(header.mode)
        link_of = None
        if kind == "file" and header.links > 1:
            link_of = first_names.setdefault(header.identity, path)
        yield RamdiskEntry(
            path=path,
            mode=header.mode & 0o7777,
            uid=header.uid,
            gid=header.gid,
            size=header.size if kind == "file" else 0,
            kind=kind,
            target=_target(stream, header) if kind == "symlink" else None,
            link_of=None if link_of == path else link_of,
            device=header.special if kind in _SPECIAL else None,
            offset=header.offset,
            _stream=stream,
        )


def _target(stream: Stream, header: CpioHeader) -> str:
    if not 1 <= header.size < MAX_PATH:
        raise bad_path(header.name, header.offset, f"a link target of {header.size} bytes")
    raw = stream.take(header.size)
    target = raw.rstrip(b"\0")  # some writers add a NUL
    if not target or b"\0" in target:
        raise bad_path(header.name, header.offset, f"the link target {raw!r}")
    return target.decode("utf-8", "surrogateescape")


def safe_path(name: bytes, offset: int = 0) -> str:
    """Return a name of an archive as a relative path; the archive's root is ``"."``.

    Raises `ImageError` for absolute names, ``..``, and parts or paths that Linux does not allow.
    """
    if name.startswith(b"/"):
        raise bad_path(name, offset, "an absolute path")
    parts = [part for part in name.split(b"/") if part not in (b"", b".")]
    if b".." in parts:
        raise bad_path(name, offset, "a path that leaves the archive")
    if b"\0" in name:
        raise bad_path(name, offset, "a NUL byte")
    if len(name) >= MAX_PATH or any(len(part) > MAX_NAME for part in parts):
        raise bad_path(name[:80], offset, f"longer than {MAX_NAME} a part or {MAX_PATH} in all")
    return b"/".join(parts).decode("utf-8", "surrogateescape") or "."


def bad_path(name: bytes, offset: int, found: str) -> ImageError:
    """Return the error for an entry whose name or target cannot be used."""
    return ImageError(
        f"{found}: {name!r}",
        expected="a path inside the archive",
        where=f"entry at byte {offset}",
        next="Such an archive is made by hand to write elsewhere: do not trust where it came from.",
    )
