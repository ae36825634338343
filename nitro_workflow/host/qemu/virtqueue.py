"""One split virtqueue, from the device's side.

[src: virtio 1.2, 2.7]

The guest writes the rings while this reads them: each number is read once, checked, and used as it
was read. What cannot be is a `HostError`, never an endless loop: an index outside, a chain that
loops or is too long, more chains than the ring has.
"""

from __future__ import annotations

import contextlib
import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nitro_workflow.host.qemu.guest_memory import guest_fault

if TYPE_CHECKING:
    from nitro_workflow.host.qemu.guest_memory import GuestMemory

__all__ = ["Chain", "Virtqueue"]

LARGEST_RING: Final = 1024  # descriptors; QEMU's vsock has 128
CHAIN_BYTES: Final = 1 << 20  # of one chain: sixteen times the largest vsock packet of Linux

_NEXT, _WRITE, _INDIRECT = 1, 2, 4
_NO_INTERRUPT: Final = 1
_DESCRIPTOR: Final = struct.Struct("<QIHH")  # address, length, flags, next
# "=": the machine's own store, so that the guest never sees half of an index.
_INDEX: Final = struct.Struct("=H")
_USED: Final = struct.Struct("=II")  # head, bytes written
_ONE: Final = (1).to_bytes(8, "little")


@dataclass(frozen=True, slots=True)
class Chain:
    """Buffers that the guest offered together: first those to read, then those to write."""

    head: int
    readable: tuple[memoryview, ...]
    writable: tuple[memoryview, ...]

    @property
    def room(self) -> int:
        """Bytes that can be written."""
        return sum(map(len, self.writable))

    def write(self, data: bytes) -> int:
        """Write ``data`` from the start; returns how many bytes had room."""
        done = 0
        for buffer in self.writable:
            piece = data[done : done + len(buffer)]
            buffer[: len(piece)] = piece
            done += len(piece)
            if done == len(data):
                break
        return done


class Virtqueue:
    """The ring numbered ``number`` of a device; QEMU's addresses, guest's content."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.size = 0
        self.enabled = False
        self.next = 0  # index of the next available chain, as it counts in the ring: 16 bits
        self.kick: int | None = None
        self.call: int | None = None
        self._used = 0
        self._tables = (0, 0, 0)  # descriptors, used, available

    @property
    def ready(self) -> bool:
        """Whether it may be used."""
        return self.enabled and bool(self.size) and self._tables != (0, 0, 0)

    def set_size(self, size: int) -> None:
        """Take the number of descriptors, a power of two; raises `HostError`."""
        if not 1 <= size <= LARGEST_RING or size & (size - 1):
            raise guest_fault(f"a ring of {size}", self._name)
        self.size = size

    def set_addresses(self, descriptors: int, used: int, available: int) -> None:
        """Take QEMU's addresses of the three tables."""
        self._tables = (descriptors, used, available)

    def set_base(self, index: int) -> None:
        """Continue at ``index``, in both rings."""
        self.next = self._used = index & 0xFFFF

    def pop(self, memory: GuestMemory) -> Chain | None:
        """Return the next chain that the guest made available, None where there is none."""
        table = memory.at_qemu(self._tables[2], 4 + 2 * self.size)
        (index,) = _INDEX.unpack_from(table, 2)
        waiting = (index - self.next) & 0xFFFF
        if not waiting:
            return None
        if waiting > self.size:
            raise guest_fault(f"{waiting} chains in a ring of {self.size}", self._name)
        (head,) = _INDEX.unpack_from(table, 4 + 2 * (self.next % self.size))
        self.next = (self.next + 1) & 0xFFFF
        return self._chain(memory, head)

    def put_back(self) -> None:
        """Offer the chain that was popped last again."""
        self.next = (self.next - 1) & 0xFFFF

    def push(self, memory: GuestMemory, head: int, written: int) -> None:
        """Give a chain back, with the number of bytes written to it."""
        table = memory.at_qemu(self._tables[1], 4 + 8 * self.size)
        _USED.pack_into(table, 4 + 8 * (self._used % self.size), head, written)
        self._used = (self._used + 1) & 0xFFFF
        _INDEX.pack_into(table, 2, self._used)

    def notify(self, memory: GuestMemory) -> None:
        """Tell the guest that chains were given back, unless it asks not to be told."""
        table = memory.at_qemu(self._tables[2], 2)
        if self.call is not None and not _INDEX.unpack_from(table)[0] & _NO_INTERRUPT:
            with contextlib.suppress(BlockingIOError):
                os.write(self.call, _ONE)

    def close(self) -> None:
        """Close its descriptors."""
        for descriptor in (self.kick, self.call):
            if descriptor is not None:
                os.close(descriptor)
        self.kick = self.call = None

    @property
    def _name(self) -> str:
        return f"virtqueue {self.number}"

    def _chain(self, memory: GuestMemory, head: int) -> Chain:
        table = memory.at_qemu(self._tables[0], _DESCRIPTOR.size * self.size)
        readable: list[memoryview] = []
        writable: list[memoryview] = []
        index, more, size = head, True, 0
        while more:
            if index >= self.size or len(readable) + len(writable) >= self.size:
                raise guest_fault(f"a chain from {head} to {index}, or in a circle", self._name)
            address, length, flags, index = _DESCRIPTOR.unpack_from(table, 16 * index)
            size += length
            if flags & _INDIRECT or size > CHAIN_BYTES or (writable and not flags & _WRITE):
                raise guest_fault(f"a chain of {size} bytes, flags {flags:#x}", self._name)
            buffers = writable if flags & _WRITE else readable
            buffers.append(memory.at_guest(address, length))
            more = bool(flags & _NEXT)
        return Chain(head, tuple(readable), tuple(writable))
