"""The parent's side of QEMU's vsock device: it answers the heartbeat, and nothing else.

A vhost-user back end, as QEMU's docs/interop/vhost-user.rst has it, over guest memory that QEMU
hands in as descriptors. Whatever the guest connects to gives each byte back, which is what nitro-cli
does with the 0xB7 that an enclave sends to CID 3, port 9000, when it is up.
"""

from __future__ import annotations

import mmap
import os
import select
import socket
import struct
import threading
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Parent"]

GET_FEATURES, GET_PROTOCOL_FEATURES, GET_CONFIG = 1, 15, 24
SET_MEM_TABLE, SET_VRING_NUM, SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE = 5, 8, 9, 10, 11
SET_VRING_KICK, SET_VRING_CALL = 12, 13
FEATURES = 1 << 32 | 1 << 30  # virtio 1, protocol features
PROTOCOL_FEATURES = 1 << 9  # the device's configuration is ours to give
PACKET = struct.Struct("<QQIIIHHIII")  # CIDs, ports, size, type, operation, flags, credit
REQUEST, RESPONSE, RESET, SHUTDOWN, DATA = 1, 2, 3, 4, 5
CREDIT = 1 << 18  # bytes
GUEST_CID = 4


@dataclass
class Region:
    """A piece of the guest's memory: where the guest has it, where QEMU has it, where we do."""

    guest: int
    size: int
    qemu: int
    memory: memoryview


@dataclass
class Ring:
    """A virtqueue; the addresses are QEMU's."""

    size: int = 0
    descriptors: int = 0
    used: int = 0
    available: int = 0
    taken: int = 0
    kick: int = -1
    call: int = -1


class Parent(threading.Thread):
    """Serves one QEMU that connects to the socket at ``path``; ends when QEMU does."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._regions: list[Region] = []
        self._rings = [Ring(), Ring()]  # to the guest, from the guest
        self._received = 0

    def run(self) -> None:
        with self._listener, self._listener.accept()[0] as qemu:
            while True:
                kick = self._rings[1].kick
                ready = select.select([qemu, kick] if kick >= 0 else [qemu], [], [])[0]
                if kick in ready:
                    os.read(kick, 8)
                    self._take_packets()
                if qemu in ready and not self._take_message(qemu):
                    return

    def _take_message(self, qemu: socket.socket) -> bool:
        head, descriptors, _, _ = socket.recv_fds(qemu, 12, 8)
        if len(head) < 12:
            return False
        request, _, size = struct.unpack("<III", head)
        body = qemu.recv(size, socket.MSG_WAITALL) if size else b""
        answer = self._answer(request, body, descriptors)
        if answer:
            qemu.sendall(struct.pack("<III", request, 1 | 4, len(answer)) + answer)
        return True

    def _answer(self, request: int, body: bytes, descriptors: list[int]) -> bytes:
        if request == GET_FEATURES:
            return struct.pack("<Q", FEATURES)
        if request == GET_PROTOCOL_FEATURES:
            return struct.pack("<Q", PROTOCOL_FEATURES)
        if request == GET_CONFIG:
            offset, size, _ = struct.unpack_from("<III", body)
            return body[:12] + struct.pack("<Q", GUEST_CID)[offset : offset + size]
        if request == SET_MEM_TABLE:
            self._map(body, descriptors)
            return b""
        if not SET_VRING_NUM <= request <= SET_VRING_CALL:
            return b""
        index, value = body[0], body[4:]
        ring = self._rings[index]
        if request == SET_VRING_NUM:
            (ring.size,) = struct.unpack("<I", value)
        elif request == SET_VRING_ADDR:
            addresses = struct.unpack_from("<QQQ", value, 4)
            ring.descriptors, ring.used, ring.available = addresses
        elif request == SET_VRING_BASE:
            (ring.taken,) = struct.unpack("<I", value)
        elif request == GET_VRING_BASE:
            ring.kick = -1
            return struct.pack("<II", index, ring.taken)
        elif request == SET_VRING_KICK:
            ring.kick = descriptors[0]
        else:
            ring.call = descriptors[0]
        return b""

    def _map(self, body: bytes, descriptors: list[int]) -> None:
        for number, descriptor in enumerate(descriptors):
            guest, size, qemu, offset = struct.unpack_from("<QQQQ", body, 8 + 32 * number)
            memory = memoryview(mmap.mmap(descriptor, size + offset))[offset:]
            self._regions.append(Region(guest, size, qemu, memory))
            os.close(descriptor)

    def _memory(self, address: int, size: int, *, of: str = "qemu") -> memoryview:
        for region in self._regions:
            start = address - getattr(region, of)
            if 0 <= start <= region.size - size:
                return region.memory[start : start + size]
        raise ValueError(f"no memory at {address:#x}")

    def _next(self, ring: Ring) -> tuple[int, list[memoryview]] | None:
        """Return the next chain of buffers that the guest made available."""
        table = self._memory(ring.available, 4 + 2 * ring.size)
        if struct.unpack_from("<H", table, 2)[0] == ring.taken & 0xFFFF:
            return None
        (head,) = struct.unpack_from("<H", table, 4 + 2 * (ring.taken % ring.size))
        index, more, buffers = head, True, []
        while more:
            row = self._memory(ring.descriptors + 16 * index, 16)
            address, size, flags, index = struct.unpack("<QIHH", row)
            buffers.append(self._memory(address, size, of="guest"))
            more = bool(flags & 1)
        return head, buffers

    def _give_back(self, ring: Ring, head: int, written: int) -> None:
        table = self._memory(ring.used, 4 + 8 * ring.size)
        struct.pack_into("<II", table, 4 + 8 * (ring.taken % ring.size), head, written)
        ring.taken = ring.taken + 1 & 0xFFFF
        struct.pack_into("<H", table, 2, ring.taken)
        os.write(ring.call, struct.pack("<Q", 1))

    def _take_packets(self) -> None:
        while found := self._next(self._rings[1]):
            head, buffers = found
            packet = b"".join(buffers)
            self._give_back(self._rings[1], head, 0)
            self._echo(packet)

    def _echo(self, packet: bytes) -> None:
        guest, parent, from_port, to_port, size, kind, operation, *_ = PACKET.unpack_from(packet)
        answers = {REQUEST: RESPONSE, DATA: DATA, SHUTDOWN: RESET}
        if operation not in answers:
            return
        data = packet[PACKET.size : PACKET.size + size] if operation == DATA else b""
        self._received += len(data)
        header = PACKET.pack(
            parent, guest, to_port, from_port, len(data), kind, answers[operation], 0, CREDIT,
            self._received,
        )  # fmt: skip
        found = self._next(self._rings[0])
        if found is None:
            raise BufferError("the guest has no buffer left to receive into")
        head, buffers = found
        rest = header + data
        for buffer in buffers:
            piece, rest = rest[: len(buffer)], rest[len(buffer) :]
            buffer[: len(piece)] = piece
        self._give_back(self._rings[0], head, len(header) + len(data))
