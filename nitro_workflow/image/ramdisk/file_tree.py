"""A file tree in memory: what goes into a ramdisk, whatever it came from, without its content."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

from nitro_workflow.errors import ImageError
from nitro_workflow.image.format import MAX_ENTRIES
from nitro_workflow.image.ramdisk import cpio

Content: TypeAlias = "Callable[[], Iterator[bytes]]"

MAX_FILE: Final = (1 << 32) - 1  # bytes of one file: newc has 8 hex digits
BATCH: Final = 512 * 1024  # bytes put together before they are handed on

# What nitro-cli's template adds below rootfs/, in its order (enclave_build/src/yaml_generator.rs).
MOUNT_POINTS: Final = (b"dev", b"run", b"sys", b"var", b"proc", b"tmp")
ROOT: Final = b"rootfs"


@dataclass(frozen=True, slots=True)
class Node:
    """One entry: ``mode`` with its type bits, ``path`` relative, ``size`` in bytes.

    ``content`` yields exactly ``size`` bytes each time it is called (a symlink's is its target).
    Nodes with the same ``inode`` that is not None are one file with several names.
    """

    path: bytes
    mode: int
    size: int = 0
    content: Content | None = None
    uid: int = 0
    gid: int = 0
    device: tuple[int, int] = (0, 0)
    inode: object = None


def file_node(path: bytes, data: bytes, mode: int = 0o644) -> Node:
    """Return a regular file with its content in memory."""
    return Node(path, stat.S_IFREG | mode, len(data), partial(_once, data))


def folder_node(path: bytes, mode: int = 0o755) -> Node:
    """Return a folder."""
    return Node(path, stat.S_IFDIR | mode)


def symlink_node(path: bytes, target: bytes, uid: int = 0, gid: int = 0) -> Node:
    """Return a symlink, mode 0777 as Linux gives it."""
    content = partial(_once, target)
    return Node(path, stat.S_IFLNK | 0o777, len(target), content, uid, gid)


def _once(data: bytes) -> Iterator[bytes]:
    yield data


def bootstrap_nodes(init: bytes, nsm_module: bytes) -> list[Node]:
    """Return the first ramdisk of nitro-cli: ``dev/``, ``init`` and ``nsm.ko``."""
    return [
        folder_node(b"dev"),
        file_node(b"init", init, 0o755),
        file_node(b"nsm.ko", nsm_module, 0o755),
    ]


def customer_nodes(
    rootfs: Iterable[Node], command: Iterable[str], environment: Iterable[str]
) -> list[Node]:
    """Return the second ramdisk of nitro-cli: ``cmd``, ``env`` and the tree below ``rootfs/``.

    ``command`` and ``environment`` ("NAME=value") are one line each, as init reads them. Raises
    `ImageError` for a line that cannot be one.
    """
    nodes = {node.path: node for node in rootfs}
    for path in MOUNT_POINTS:
        nodes.setdefault(path, folder_node(path))
    moved = [_below(ROOT, node) for node in nodes.values()]
    cmd = file_node(b"cmd", _lines(command, "command"))
    env = file_node(b"env", _lines(environment, "environment"))
    return sorted([cmd, env, folder_node(ROOT), *moved], key=lambda node: node.path)


def _below(prefix: bytes, node: Node) -> Node:
    return Node(
        prefix + b"/" + node.path, node.mode, node.size, node.content,
        node.uid, node.gid, node.device, node.inode,
    )  # fmt: skip


def _lines(lines: Iterable[str], what: str) -> bytes:
    rows = list(lines)
    for row in rows:
        if "\n" in row or "\0" in row:
            raise ImageError(
                f"{what} {row!r}",
                expected="text of one line: init reads one argument or variable a line",
                where=what,
                next="Put it into a script or a file of the root filesystem.",
            )
    return "".join(f"{row}\n" for row in rows).encode("utf-8", "surrogateescape")


class RamdiskLayout:
    """A tree as newc cpio: its size before a byte is made, then its bytes in batches.

    Order is the nodes' own; inode numbers are 1, 2, …; times and devices are 0. A file with several
    names has its content with the first of them.
    """

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._nodes = list(nodes)
        if len(self._nodes) > MAX_ENTRIES:
            raise ImageError(
                f"{len(self._nodes)} entries",
                expected=f"at most {MAX_ENTRIES}",
                where="root filesystem",
                next="Leave out what the application does not need.",
            )
        if any(node.path == cpio.TRAILER for node in self._nodes):
            raise ImageError(
                "an entry named TRAILER!!!",
                expected="another name: this one ends a cpio archive",
                where="root filesystem",
                next="Rename the file; Linux would not see what comes after it.",
            )
        for node in self._nodes:
            if node.size > MAX_FILE:
                raise ImageError(
                    f"{node.size} bytes",
                    expected=f"at most {MAX_FILE}, what newc cpio can say",
                    where=node.path.decode("utf-8", "backslashreplace"),
                    next="Split the file, or fetch it in the enclave.",
                )
        self._links = self._count_links()
        self.size = self._measure()

    def _count_links(self) -> dict[object, int]:
        links: dict[object, int] = {}
        for node in self._nodes:
            if node.inode is not None:
                links[node.inode] = links.get(node.inode, 0) + 1
        return links

    def _measure(self) -> int:
        size = len(cpio.pack_trailer())
        seen: set[object] = set()
        for node in self._nodes:
            head = cpio.HEADER_SIZE + len(node.path) + 1
            size += head + (-head & 3)
            if node.inode is None or node.inode not in seen:
                size += node.size + (-node.size & 3)
                seen.add(node.inode)
        return size

    def pieces(self) -> Iterator[bytes]:
        """Yield the archive in pieces of about 512 KiB. Raises `ImageError` if content changed."""
        batch: list[bytes] = []
        held = 0
        for piece in self._entries():
            batch.append(piece)
            held += len(piece)
            if held >= BATCH:
                yield b"".join(batch)
                batch, held = [], 0
        yield b"".join((*batch, cpio.pack_trailer()))

    def _entries(self) -> Iterator[bytes]:
        numbers: dict[object, int] = {}
        for number, node in enumerate(self._nodes, 1):
            inode, links, repeated = number, 1, False
            if node.inode is not None:
                repeated = node.inode in numbers
                inode = numbers.setdefault(node.inode, number)
                links = self._links[node.inode]
            elif stat.S_ISDIR(node.mode):
                links = 2
            size = 0 if repeated else node.size
            yield cpio.pack_entry(
                node.path, node.mode, size, inode=inode, uid=node.uid, gid=node.gid,
                links=links, special=node.device,
            )  # fmt: skip
            if size and node.content is not None:
                yield from _exactly(node, size)
                yield cpio.padding(size)


def _exactly(node: Node, size: int) -> Iterator[bytes]:
    done = 0
    for piece in node.content() if node.content else ():
        done += len(piece)
        yield piece
    if done != size:
        raise ImageError(
            f"{done} bytes",
            expected=f"{size} bytes, as when the build began",
            where=node.path.decode("utf-8", "backslashreplace"),
            next="Something changes the root filesystem while it is read: build from a copy.",
        )
