"""The header of a packet of virtio's socket device.

[src: virtio 1.2, 5.10.6]
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nitro_workflow.host.qemu.guest_memory import guest_fault

if TYPE_CHECKING:
    from nitro_workflow.host.qemu.virtqueue import Chain

__all__ = [
    "ANY_SHUTDOWN",
    "HEADER_SIZE",
    "STREAM",
    "Header",
    "Operation",
    "Shutdown",
    "buffers_after_header",
    "cut",
    "split_packet",
]

_HEADER: Final = struct.Struct("<QQIIIHHIII")
HEADER_SIZE: Final = _HEADER.size
"""44 bytes: CIDs, ports, size, type, operation, flags, credit."""

STREAM: Final = 1
"""The only type here: Nitro has no SEQPACKET."""


class Operation(enum.IntEnum):
    """What a packet says."""

    REQUEST = 1
    RESPONSE = 2
    RESET = 3
    SHUTDOWN = 4
    DATA = 5
    CREDIT_UPDATE = 6
    CREDIT_REQUEST = 7


class Shutdown(enum.IntFlag):
    """Flags of `Operation.SHUTDOWN`: what its sender will not do any more."""

    RECEIVE = 1
    SEND = 2


ANY_SHUTDOWN: Final = Shutdown.RECEIVE | Shutdown.SEND


@dataclass(frozen=True, slots=True)
class Header:
    """One header; ``operation`` may be any number, ``size`` is what it claims.

    ``room`` is the sender's whole buffer for this connection, ``forwarded`` how much of what it
    received it has passed on, modulo 2³².
    """

    source_cid: int
    target_cid: int
    source_port: int
    target_port: int
    size: int
    type: int
    operation: int
    flags: int = 0
    room: int = 0
    forwarded: int = 0

    @classmethod
    def unpack(cls, data: bytes) -> Header:
        """Return the header in the first 44 bytes."""
        return cls(*_HEADER.unpack_from(data))

    def pack(self) -> bytes:
        """Return 44 bytes."""
        return _HEADER.pack(
            self.source_cid, self.target_cid, self.source_port, self.target_port, self.size,
            self.type, self.operation, self.flags, self.room, self.forwarded & 0xFFFFFFFF,
        )  # fmt: skip

    def answer(self, operation: Operation) -> Header:
        """Return a packet back to the sender, that says nothing of room."""
        return Header(
            self.target_cid, self.source_cid, self.target_port, self.source_port, 0, self.type,
            operation,
        )  # fmt: skip


def split_packet(chain: Chain) -> tuple[bytes, list[memoryview]]:
    """Return the header of a packet, and the buffers after it; raises `HostError` without one."""
    head, rest = bytearray(), []
    for buffer in chain.readable:
        need = HEADER_SIZE - len(head)
        head += buffer[:need]
        if len(buffer) > need:
            rest.append(buffer[need:])
    if len(head) < HEADER_SIZE:
        raise guest_fault(f"a packet of {len(head)} bytes", "vsock")
    return bytes(head), rest


def buffers_after_header(chain: Chain, limit: int) -> list[memoryview]:
    """Return where the data goes, at most ``limit`` bytes of it."""
    skip, found = HEADER_SIZE, []
    for buffer in chain.writable:
        found.append(buffer[skip:])
        skip = max(skip - len(buffer), 0)
    return cut([it for it in found if len(it)], limit)


def cut(buffers: list[memoryview], size: int) -> list[memoryview]:
    """Return the first ``size`` bytes of ``buffers``."""
    kept: list[memoryview] = []
    for buffer in buffers:
        if not size:
            break
        kept.append(buffer[:size])
        size -= len(kept[-1])
    return kept
