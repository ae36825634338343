"""The "newc" cpio format of Linux initramfs: headers to bytes and back, and a bounded reader.

An entry is 110 bytes of ASCII (magic ``070701``, then 13 numbers of 8 hex digits), the name with
its NUL, padding to 4, the data, padding to 4; the archive ends with the name ``TRAILER!!!``
(Documentation/driver-api/early-userspace/buffer-format.rst of Linux). Several archives may follow
each other, with zero bytes between them. Only the standard library is imported here.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from nitro_workflow.errors import ImageError
from nitro_workflow.image.format import MAX_ENTRIES, MAX_PATH

MAGIC: Final = b"070701"
MAGIC_CRC: Final = b"070702"
TRAILER: Final = b"TRAILER!!!"
HEADER_SIZE: Final = 110
_ALIGN: Final = (b"", b"\0\0\0", b"\0\0", b"\0")  # by size modulo 4


class Stream(Protocol):
    """Bytes in order, with the position of the next one."""

    position: int

    def take(self, count: int) -> bytes:
        """Return exactly ``count`` bytes; raises `ImageError` when the ramdisk ends before."""

    def peek(self, count: int) -> bytes:
        """Return up to ``count`` bytes without taking them."""

    def skip(self, count: int) -> None:
        """Pass over ``count`` bytes; raises `ImageError` when the ramdisk ends before."""


@dataclass(frozen=True, slots=True)
class CpioHeader:
    """One entry's header; ``offset`` and ``data_offset`` are bytes in the (unpacked) ramdisk."""

    name: bytes
    inode: int
    mode: int
    uid: int
    gid: int
    links: int
    mtime: int
    size: int
    device: tuple[int, int]  # of the file system it came from: with the inode, who links to whom
    special: tuple[int, int]  # of a device node: major, minor
    offset: int
    data_offset: int

    @property
    def identity(self) -> tuple[int, int, int]:
        """Entries with more than one link and the same identity are one file."""
        return (self.inode, *self.device)


def pack_entry(
    name: bytes,
    mode: int,
    size: int,
    *,
    inode: int,
    uid: int = 0,
    gid: int = 0,
    links: int = 1,
    special: tuple[int, int] = (0, 0),
) -> bytes:
    """Return an entry's header, name and padding; mtime and device are 0, to be reproducible."""
    length = len(name) + 1
    header = b"070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X" % (
        inode, mode, uid, gid, links, 0, size, 0, 0, *special, length, 0,
    )  # fmt: skip
    return b"".join((header, name, b"\0", _ALIGN[(HEADER_SIZE + length) & 3]))


def pack_trailer() -> bytes:
    """Return the entry that ends an archive, 124 bytes."""
    return pack_entry(TRAILER, 0, 0, inode=0)


def padding(size: int) -> bytes:
    """Return the zero bytes that follow ``size`` bytes of data."""
    return _ALIGN[size & 3]


def read_headers(stream: Stream) -> Iterator[CpioHeader]:
    """Yield the entries up to the end of the last archive, trailers left out.

    The caller may take an entry's data from the stream while it is the current one; what is left of
    it is passed over. Raises `ImageError`, with the byte where the archive goes wrong.
    """
    count = 0
    while _at_archive(stream):
        while True:
            header = _read_header(stream)
            end = header.data_offset + header.size
            if header.name == TRAILER:
                stream.skip(end + (-end & 3) - stream.position)
                break
            count += 1
            if count > MAX_ENTRIES:
                raise _bad(header.offset, f"more than {MAX_ENTRIES} entries", "fewer")
            yield header
            stream.skip(end - stream.position)
            # The very last entry's padding may be missing: Linux does not ask for it.
            stream.skip(min(-end & 3, len(stream.peek(3))))


def _at_archive(stream: Stream) -> bool:
    """Pass over zero bytes, then tell whether another archive starts there."""
    while (ahead := stream.peek(4096)) and not ahead.strip(b"\0"):
        stream.skip(len(ahead))
    if not ahead:
        return False
    zeros = len(ahead) - len(ahead.lstrip(b"\0"))
    stream.skip(zeros)
    if stream.position & 3:
        raise _bad(stream.position, "an archive that is not 4-aligned", "as Linux asks for")
    return True


def _read_header(stream: Stream) -> CpioHeader:
    offset = stream.position
    raw = stream.take(HEADER_SIZE)
    if raw[:6] not in (MAGIC, MAGIC_CRC):
        raise _bad(offset, f"magic {raw[:6]!r}", "'070701', a newc cpio entry")
    digits = raw[6:]
    try:
        numbers = bytes.fromhex(digits.decode("ascii"))
    except ValueError as error:
        raise _bad(offset + 6, "a header with other than hex digits", "13 × 8 digits") from error
    if len(numbers) != 52:  # fromhex passes over spaces
        raise _bad(offset + 6, "a header with other than hex digits", "13 × 8 digits")
    field = [int.from_bytes(numbers[at : at + 4], "big") for at in range(0, 52, 4)]
    return CpioHeader(
        name=_read_name(stream, offset, field[11]),
        inode=field[0],
        mode=field[1],
        uid=field[2],
        gid=field[3],
        links=field[4],
        mtime=field[5],
        size=field[6],
        device=(field[7], field[8]),
        special=(field[9], field[10]),
        offset=offset,
        data_offset=stream.position,
    )


def _read_name(stream: Stream, offset: int, length: int) -> bytes:
    if not 1 <= length <= MAX_PATH:
        raise _bad(offset + 94, f"a name of {length} bytes", f"1 to {MAX_PATH}, NUL included")
    raw = stream.take(length)
    name = raw[:-1]
    if raw[-1:] != b"\0" or b"\0" in name:
        raise _bad(offset + HEADER_SIZE, f"the name {raw!r}", "one NUL, at its end")
    stream.skip(-(HEADER_SIZE + length) & 3)
    return name


def kind_of(mode: int) -> str:
    """Return the kind in a word: ``file``, ``directory``, ``symlink``, ``character`` and so on."""
    return _KINDS.get(stat.S_IFMT(mode), "unknown")


_KINDS: Final = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFCHR: "character",
    stat.S_IFBLK: "block",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
}


def _bad(offset: int, found: str, expected: str) -> ImageError:
    return ImageError(
        found,
        expected=expected,
        where=f"ramdisk, byte {offset}",
        next="The ramdisk is damaged or not a newc cpio archive: build the image again.",
    )
