"""What the processes of a sandbox hold, seen from outside: /proc is all it takes.

Memory is counted twice over where it must be quick, and exactly where that looks like too much:
what forked processes share counts once, a memfd once, wherever it is open or mapped.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nitro_workflow.system_errors import gone_is_nothing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Usage", "processes_below", "use_of"]

KIB: Final = 1024
BLOCK: Final = 512  # bytes of `st_blocks`
MOST: Final = 4096  # processes that are looked at; the limit is far below

LOOKS: Final = 8  # at a process whose threads end meanwhile

_END: Final = "0-0 ---p 0 00:00 0"  # as if another mapping came

_File = tuple[int, int]  # device and inode


@dataclass(frozen=True, slots=True)
class Usage:
    """``memory`` in bytes; ``deleted``: bytes of open files without a name, by device."""

    memory: int
    processes: int
    deleted: dict[int, int]


def use_of(outer: int, root: int | None, *, enough: int, apart: int | None = None) -> Usage:
    """Return what runs below process ``outer`` and lies in the tmpfs of descriptor ``root``.

    Counted exactly only where a quick look gives more than ``enough`` bytes. ``apart`` is a process
    that is not the sandbox's. Raises OSError where there is no descriptor left to look with.
    """
    pids = [pid for pid in processes_below(outer) if pid != apart]
    tmpfs = os.fstat(root).st_dev if root is not None else -1
    files = _shared_memory(pids) | _open_files(pids)
    kept = sum(size for (device, _), size in files.items() if device == _memfd_device())
    kept += _used(root)
    memory = kept + sum(map(_resident, pids))
    if memory > enough:
        memory = kept + sum(_exact(pid, tmpfs, files) for pid in pids)
    deleted: dict[int, int] = {}
    for (device, _), size in files.items():
        deleted[device] = deleted.get(device, 0) + size
    return Usage(memory, len(pids), deleted)


def processes_below(outer: int) -> list[int]:
    """Return the pids of all descendants."""
    found: list[int] = []
    new = [outer]
    while new and len(found) < MOST:
        children = _children(new.pop()).difference(found)
        found += children
        new += children
    return found


def _children(pid: int) -> set[int]:
    """Return the pids of a process's children, which each of its threads has some of.

    A thread that ends gives its own to another, perhaps to one that was looked at before: while
    threads come and go, all are looked at again.
    """
    found: set[int] = set()
    tasks = _tasks(pid)
    for _ in range(LOOKS):
        for task in tasks:
            with gone_is_nothing():
                text = Path(f"/proc/{pid}/task/{task}/children").read_text("ascii")
                found.update(map(int, text.split()))
        before, tasks = tasks, _tasks(pid)
        if tasks == before:
            break
    return found


def _tasks(pid: int) -> list[str]:
    with gone_is_nothing():
        return [task.name for task in Path(f"/proc/{pid}/task").iterdir()]
    return []


def _used(root: int | None) -> int:
    if root is None:
        return 0
    found = os.statvfs(root)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


def _resident(pid: int) -> int:
    """Return the bytes that a process has in memory or swap, without files' pages."""
    fields = _fields(f"/proc/{pid}/status", ("RssAnon:", "RssShmem:", "VmSwap:"))
    return KIB * sum(fields)


def _fields(path: str, names: tuple[str, ...]) -> Iterator[int]:
    for line in _lines(path):
        if line.startswith(names):
            yield int(line.split()[1])


def _open_files(pids: Iterable[int]) -> dict[_File, int]:
    """Return the allocated bytes of files that are open and have no name, memfds among them."""
    found: dict[_File, int] = {}
    for pid in pids:
        with gone_is_nothing():
            for path in Path(f"/proc/{pid}/fd").iterdir():
                with gone_is_nothing():
                    it = path.stat()
                    if stat.S_ISREG(it.st_mode) and it.st_nlink == 0:
                        found[it.st_dev, it.st_ino] = it.st_blocks * BLOCK
    return found


def _shared_memory(pids: Iterable[int]) -> dict[_File, int]:
    """Return the bytes of memory without a name that is mapped, whether or not it was touched.

    Pages that a process has let go (MADV_DONTNEED), or has from a fork, are in no count of its own.
    """
    device = _memfd_device()
    words = f" {os.major(device):02x}:{os.minor(device):02x} "
    found: dict[_File, int] = {}
    for pid in pids:
        for line in _lines(f"/proc/{pid}/maps"):
            if words in line:
                mapping = line.split()
                file = device, int(mapping[4])
                found[file] = max(found.get(file, 0), _size_behind(pid, mapping))
    return found


def _size_behind(pid: int, mapping: list[str]) -> int:
    """Return the allocated bytes of a mapping's file; its extent where only root may look."""
    first, end = (int(part, 16) for part in mapping[0].split("-"))
    with gone_is_nothing():
        return Path(f"/proc/{pid}/map_files/{first:x}-{end:x}").stat().st_blocks * BLOCK
    return int(mapping[2], 16) + end - first


@cache
def _memfd_device() -> int:
    """Return the device of every memfd and of all shared anonymous memory of this machine."""
    descriptor = os.memfd_create("device")
    try:
        return os.fstat(descriptor).st_dev
    finally:
        os.close(descriptor)


def _exact(pid: int, tmpfs: int, counted: dict[_File, int]) -> int:
    """Return a process's share of memory, less what lies in the tmpfs or a counted memfd.

    [src: Linux, Documentation/filesystems/proc, smaps]
    """
    size, mapping = 0, {"Pss:": 0, "Anonymous:": 0, "SwapPss:": 0}
    is_memory = False
    for line in [*_lines(f"/proc/{pid}/smaps"), _END]:
        words = line.split()
        if words[0] in mapping:
            mapping[words[0]] = int(words[1])
        elif "-" in words[0]:  # the next mapping begins
            share, changed = mapping["Pss:"], mapping["Anonymous:"]
            size += (share if is_memory else min(share, changed)) + mapping["SwapPss:"]
            mapping = dict.fromkeys(mapping, 0)
            is_memory = _is_memory(words, tmpfs, counted)
    return size * KIB


def _is_memory(words: list[str], tmpfs: int, counted: dict[_File, int]) -> bool:
    """Tell whether all of a mapping is memory, and not counted yet; else what it changed of it is.

    ``words`` are ``addresses, permissions, offset, device, inode, name``.
    """
    major, minor = (int(part, 16) for part in words[3].split(":"))
    file = os.makedev(major, minor), int(words[4])
    if file[0] == tmpfs:
        return False
    return file[1] == 0 or (file[0] == _memfd_device() and file not in counted)


def _lines(path: str) -> list[str]:
    with gone_is_nothing():
        return Path(path).read_text("utf-8", "replace").splitlines()
    return []
