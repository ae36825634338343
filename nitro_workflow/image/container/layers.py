"""Layers put on each other: whiteouts, opaque folders, hard links, devices; in memory, not on disk.

OCI Image Format Specification 1.1, layer.md. The entries of a layer count in their order. Its
whiteouts speak of the layers below it only, whatever their place in the archive, and of what has
that very path: a link on the way is not followed. The parents of an entry are, inside the tree, as
in a chroot; there is no outside. Absolute names mean the image's root (kaniko writes them).
"""

from __future__ import annotations

import contextlib
import os
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import IO, Any, Final

from nitro_workflow.errors import ImageError
from nitro_workflow.image.container.blobs import BlobStore, copy_layer
from nitro_workflow.image.container.folder_tree import Tree
from nitro_workflow.image.container.tar_archive import PIECE, open_tar, tar_members
from nitro_workflow.image.container.union_tree import UnionTree
from nitro_workflow.image.format import MAX_UNPACKED
from nitro_workflow.image.ramdisk import Node, safe_path, symlink_node

_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"
_AUFS: Final = ".wh..wh."  # other marks of aufs, which mean nothing to others
_XATTR: Final = ("SCHILY.xattr.", "LIBARCHIVE.xattr.")
_TYPES: Final = {
    tarfile.CHRTYPE: stat.S_IFCHR,
    tarfile.BLKTYPE: stat.S_IFBLK,
    tarfile.FIFOTYPE: stat.S_IFIFO,
}


@dataclass(frozen=True, slots=True)
class LayerSource:
    """A layer in a store: its file, the digest of that file if known, and of the tar in it."""

    name: str
    digest: str | None
    diff_id: Any  # as the configuration has it; checked with the layer


def tree_from_layers(
    store: BlobStore, layers: list[LayerSource], stack: contextlib.ExitStack
) -> Tree:
    """Return the tree that the layers make, bottom first. Raises `ImageError`.

    Layers are unpacked to unnamed temporary files that live as long as ``stack``.
    """
    union = LayerStack()
    for layer in layers:
        file: IO[bytes] = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        copy_layer(store, layer.name, layer.digest, layer.diff_id, file)
        union.apply(file, layer.name)
    return Tree(tuple(union.tree.nodes()), tuple(union.notes))


class LayerStack:
    """The tree so far, and notes on what of the layers a ramdisk cannot hold."""

    def __init__(self) -> None:
        self.tree = UnionTree()
        self.notes: list[str] = []
        self._bytes = 0

    def apply(self, file: IO[bytes], where: str) -> None:
        """Put a layer, an uncompressed tar, on the tree. Raises `ImageError`."""
        self.tree.begin_layer()
        try:
            for member in _members(file, f"layer {where}"):
                if not self._whiteout(member):
                    self._add(file, member)
        except (tarfile.TarError, ValueError, OverflowError, OSError) as error:
            raise ImageError(
                f"not a tar file: {error}",
                expected="a layer as tar",
                where=where,
                next="Save the image again with its own tool.",
            ) from error

    def _whiteout(self, member: tarfile.TarInfo) -> bool:
        """Apply a whiteout; say whether the entry is one, or another mark that makes no file."""
        folder, _, name = _path(member.name).rpartition("/")
        if name == _OPAQUE:
            self.tree.clear_below(folder)
        elif name.startswith(_WHITEOUT) and not name.startswith(_AUFS):
            hidden = name.removeprefix(_WHITEOUT)
            if hidden in ("", ".", ".."):
                raise _bad(member, "a whiteout of nothing", ".wh. and a name")
            self.tree.remove_below(f"{folder}/{hidden}" if folder else hidden)
        return name.startswith(_WHITEOUT)

    def _add(self, file: IO[bytes], member: tarfile.TarInfo) -> None:
        path = _path(member.name)
        if path == ".":
            return
        if any(key.startswith(_XATTR) for key in member.pax_headers):
            names = [key.split(".", 2)[2] for key in member.pax_headers if key.startswith(_XATTR)]
            self.notes.append(f"attributes dropped: {path} has {', '.join(names)}")
        if member.islnk():
            self.tree.link(path, _path(member.linkname))
            return
        node = self._node(file, member, os.fsencode(path))
        if node is None:
            self.notes.append(f"left out: {path} is of tar type {member.type!r}")
            return
        self._bytes += node.size
        if self._bytes > MAX_UNPACKED:
            raise _bad(member, f"more than {MAX_UNPACKED} bytes of content", "at most MAX_UNPACKED")
        self.tree.put(path, node)

    def _node(self, file: IO[bytes], member: tarfile.TarInfo, path: bytes) -> Node | None:
        uid, gid = member.uid, member.gid
        if not (0 <= uid < 1 << 32 and 0 <= gid < 1 << 32):
            raise _bad(member, f"owner {uid}:{gid}", "numbers of 32 bits")
        mode = member.mode & 0o7777
        if member.isdir():
            return Node(path, stat.S_IFDIR | mode, uid=uid, gid=gid)
        if member.issym():
            target = member.linkname.encode("utf-8", "surrogateescape")
            if not 1 <= len(target) < 4096 or b"\0" in target:
                raise _bad(member, f"the link target {target[:80]!r}", "1 to 4095 bytes")
            return symlink_node(path, target, uid, gid)
        if member.type in _TYPES:
            device = (member.devmajor, member.devminor)
            if not all(0 <= number < 1 << 32 for number in device):
                raise _bad(member, f"device {device}", "numbers of 32 bits")
            return Node(path, _TYPES[member.type] | mode, uid=uid, gid=gid, device=device)
        if member.isreg():
            content = partial(_content, file.fileno(), _segments(member), member.size)
            return Node(path, stat.S_IFREG | mode, member.size, content, uid, gid)
        return None


def _members(file: IO[bytes], name: str) -> Iterator[tarfile.TarInfo]:
    if not file.seek(0, os.SEEK_END):
        return  # no entry at all: `tarfile` asks for an end's zero bytes, Go and GNU tar do not
    file.seek(0)
    with open_tar(file) as archive:
        for member in tar_members(archive, name):
            vars(archive)["members"].clear()  # tarfile keeps all it has seen
            yield member


def _path(name: str) -> str:
    return safe_path(name.encode("utf-8", "surrogateescape").lstrip(b"/"))


def _segments(member: tarfile.TarInfo) -> list[tuple[int, int, int]]:
    """Return (place in the file's content, place in the archive, bytes), holes left out."""
    sparse: list[tuple[int, int]] | None = getattr(member, "sparse", None)
    if sparse is None:
        return [(0, member.offset_data, member.size)] if member.size else []
    segments, place, end = [], member.offset_data, 0
    for offset, size in sparse:
        if offset < end or size < 0 or offset + size > member.size:
            raise _bad(member, "a sparse map out of order", "segments one after the other")
        if size:
            segments.append((offset, place, size))
        place += size
        end = offset + size
    return segments


def _content(fd: int, segments: list[tuple[int, int, int]], size: int) -> Iterator[bytes]:
    position = 0
    for offset, place, length in segments:
        yield from _zeros(offset - position)
        for at in range(place, place + length, PIECE):
            piece = os.pread(fd, min(PIECE, place + length - at), at)
            if not piece:
                return  # cut: the builder says so, since the size is short
            yield piece
        position = offset + length
    yield from _zeros(size - position)


def _zeros(count: int) -> Iterator[bytes]:
    while count > 0:
        yield bytes(min(count, PIECE))
        count -= PIECE


def _bad(member: tarfile.TarInfo, found: str, expected: str) -> ImageError:
    return ImageError(
        found,
        expected=expected,
        where=f"layer entry {member.name[:200]!r}, byte {member.offset}",
        next="No tool writes such an entry: treat the image as hostile.",
    )
