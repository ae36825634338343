"""A machine with a guest, without QEMU: speaks vhost-user and virtqueues to a device of ours.

It can lie in every number. One thread does both sides: `turn` lets the device work until it rests.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import socket
import struct
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from nitro_workflow.errors import VsockError
from nitro_workflow.host.qemu.device_loop import DeviceLoop
from nitro_workflow.host.qemu.vhost_user import VhostUserDevice
from nitro_workflow.host.qemu.vsock_packets import HEADER_SIZE, Header, Operation

MEMORY = 8 << 20
QEMU_BASE = 0x7F00_0000_0000
GUEST_BASE = 0x4000_0000
GUEST_CID = 16
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW
NEXT, WRITE = 1, 2

Make = Callable[[socket.socket, DeviceLoop], VhostUserDevice]


class FakeRing:
    """The driver's side of one ring, at ``offset`` of the memory."""

    def __init__(self, machine: FakeMachine, number: int, size: int, offset: int) -> None:
        self.machine, self.number, self.size, self.offset = machine, number, size, offset
        self.available = self.seen = 0
        self.kick, self.call = os.eventfd(0, os.EFD_NONBLOCK), os.eventfd(0, os.EFD_NONBLOCK)

    @property
    def tables(self) -> tuple[int, int, int]:
        """Offsets of descriptors, used and available."""
        return self.offset, self.offset + 16 * self.size, self.offset + 32 * self.size

    def describe(self, index: int, address: int, size: int, flags: int = 0, after: int = 0) -> None:
        struct.pack_into(
            "<QIHH", self.machine.memory, self.offset + 16 * index, address, size, flags, after
        )

    def offer(self, head: int, *, index: int | None = None) -> None:
        """Make a chain available; ``index`` is what the ring then claims."""
        place = self.tables[2]
        struct.pack_into(
            "<H", self.machine.memory, place + 4 + 2 * (self.available % self.size), head
        )
        self.available = (self.available + 1) & 0xFFFF
        claimed = self.available if index is None else index
        struct.pack_into("<H", self.machine.memory, place + 2, claimed)

    def ring(self) -> None:
        os.write(self.kick, struct.pack("<Q", 1))
        self.machine.turn()

    def used(self) -> list[tuple[int, int]]:
        """Return what was given back since the last call: heads and bytes written."""
        place, found = self.tables[1], []
        (index,) = struct.unpack_from("<H", self.machine.memory, place + 2)
        while self.seen != index:
            row = place + 4 + 8 * (self.seen % self.size)
            found.append(struct.unpack_from("<II", self.machine.memory, row))
            self.seen = (self.seen + 1) & 0xFFFF
        return found

    def has_used(self) -> bool:
        (index,) = struct.unpack_from("<H", self.machine.memory, self.tables[1] + 2)
        return index != self.seen

    def was_told(self) -> bool:
        try:
            return bool(os.read(self.call, 8))
        except BlockingIOError:
            return False


class FakeMachine:
    """QEMU's side: memory, the messages, one ring for each of the device's."""

    def __init__(self, make: Make, *, rings: int, size: int = 128, set_up: bool = True) -> None:
        self.file = os.memfd_create("guest", os.MFD_ALLOW_SEALING)
        os.ftruncate(self.file, MEMORY)
        fcntl.fcntl(self.file, fcntl.F_ADD_SEALS, SEALS)
        self.memory = mmap.mmap(self.file, MEMORY)
        self.sock, theirs = socket.socketpair()
        self.sock.settimeout(60)
        self.loop = DeviceLoop()
        self.device = make(theirs, self.loop)
        self.rings = [FakeRing(self, number, size, number * 64 * size) for number in range(rings)]
        self.data = 1 << 20  # where buffers begin
        if set_up:
            self.set_up()

    def close(self) -> None:
        self.device.close()
        self.sock.close()
        os.close(self.file)
        for ring in self.rings:
            os.close(ring.kick)
            os.close(ring.call)
        self.loop.close()

    def turn(self, seconds: float = 0) -> None:
        """Let the device do what it can; raises what it raises."""
        for number in range(50):
            self.loop.turn(seconds if not number else 0)
            while self.device.busy:
                self.device.serve()

    def until(self, ready: Callable[[], bool], seconds: float = 60) -> None:
        """Let the device work until ``ready``; fails after ``seconds``."""
        deadline = time.monotonic() + seconds
        while not ready():
            assert time.monotonic() < deadline
            self.turn(0.02)

    def say(
        self, request: int, body: bytes = b"", *descriptors: int, size: int | None = None
    ) -> None:
        head = struct.pack("<III", request, 1, len(body) if size is None else size)
        socket.send_fds(self.sock, [head + body], list(descriptors))
        self.turn()

    def ask(self, request: int, body: bytes = b"") -> bytes:
        self.say(request, body)
        answered, flags, size = struct.unpack("<III", self.sock.recv(12, socket.MSG_WAITALL))
        assert (answered, flags) == (request, 5)
        return self.sock.recv(size, socket.MSG_WAITALL)

    def set_up(self) -> None:
        (features,) = struct.unpack("<Q", self.ask(1))
        self.say(2, struct.pack("<Q", features))
        (protocol,) = struct.unpack("<Q", self.ask(15))
        self.say(16, struct.pack("<Q", protocol))
        self.say(5, memory_table((GUEST_BASE, MEMORY, QEMU_BASE, 0)), self.file)
        for ring in self.rings:
            tables = (QEMU_BASE + it for it in ring.tables)
            self.say(8, struct.pack("<II", ring.number, ring.size))
            self.say(10, struct.pack("<II", ring.number, 0))
            self.say(9, struct.pack("<IIQQQQ", ring.number, 0, *tables, 0))
            self.say(12, struct.pack("<Q", ring.number), ring.kick)
            self.say(13, struct.pack("<Q", ring.number), ring.call)
            self.say(18, struct.pack("<II", ring.number, 1))

    def put(self, offset: int, data: bytes) -> int:
        """Write into the buffers' part of the memory; returns the guest's address of it."""
        self.memory[self.data + offset : self.data + offset + len(data)] = data
        return GUEST_BASE + self.data + offset

    def take(self, offset: int, size: int) -> bytes:
        return self.memory[self.data + offset : self.data + offset + size]


def memory_table(*regions: tuple[int, int, int, int]) -> bytes:
    return struct.pack("<II", len(regions), 0) + b"".join(
        struct.pack("<QQQQ", *it) for it in regions
    )


class FakeVsock(FakeMachine):
    """A guest's vsock driver: keeps the device's ring filled, and counts its own credit."""

    PACKET = 4096

    def __init__(self, make: Make, *, size: int = 128, buffers: int | None = None) -> None:
        super().__init__(make, rings=2, size=size)
        self.buffers = size if buffers is None else buffers
        self.got: list[tuple[Header, bytes]] = []
        self.sent = 0
        for index in range(self.buffers):
            self._offer(index)
        self.rings[0].ring()

    def _offer(self, index: int) -> None:
        address = GUEST_BASE + self.data + self.PACKET * index
        self.rings[0].describe(index, address, self.PACKET, WRITE)
        self.rings[0].offer(index)

    def receive(self, seconds: float = 0) -> list[tuple[Header, bytes]]:
        """Return the packets that came, and offer their buffers again."""
        if not self.rings[0].has_used():
            self.turn(seconds)
        found = []
        for index, size in self.rings[0].used():
            data = self.take(self.PACKET * index, size)
            found.append((Header.unpack(data), data[HEADER_SIZE:]))
            self._offer(index)
        if found:
            self.rings[0].ring()
        self.got += found
        return found

    def all(self) -> list[tuple[Header, bytes]]:
        """Receive until nothing comes any more."""
        found: list[tuple[Header, bytes]] = []
        while more := self.receive(0.02):
            found += more
        return found

    def send(self, operation: int, port: int, to: int, data: bytes = b"", **fields: int) -> None:
        """Send one packet from a port of the guest's to one of the parent's."""
        values = {
            "source_cid": GUEST_CID, "target_cid": 3, "source_port": port, "target_port": to,
            "size": len(data), "type": 1, "operation": operation, "room": 1 << 18, "forwarded": 0,
        } | fields  # fmt: skip
        self.raw(Header(**values).pack() + data)

    def raw(self, packet: bytes) -> None:
        index = self.sent % self.rings[1].size
        self.sent += 1
        address = self.put((2 << 20) + index % 16 * (64 << 10), packet)
        self.rings[1].describe(index, address, len(packet))
        self.rings[1].offer(index)
        self.rings[1].ring()

    def said(self, operation: Operation) -> list[Header]:
        return [header for header, _ in self.got if header.operation == operation]


class FakeParent:
    """The parent's folder, in a folder of the test's: listeners by port, and the way in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.listeners: dict[int, socket.socket] = {}

    def listen(self) -> socket.socket:
        return self._bind("v.sock")

    def serve(self, port: int) -> socket.socket:
        self.listeners[port] = self._bind(f"v.sock_{port}")
        return self.listeners[port]

    def dial(self, port: int, name: bytes) -> socket.socket:
        path = self.folder / f"v.sock_{port}"
        if not path.exists():
            raise VsockError("nobody listens")
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(name)
        sock.settimeout(10)  # as `ParentSide` does: a full queue is an answer, not a wait
        try:
            sock.connect(str(path))
        except OSError:
            sock.close()
            raise
        return sock

    def connect(self, line: bytes) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(60)
        sock.connect(str(self.folder / "v.sock"))
        sock.sendall(line)
        return sock

    def _bind(self, name: str) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(self.folder / name))
        sock.listen(64)
        sock.settimeout(60)
        return sock

    def close(self) -> None:
        close_all(self.listeners.values())


def close_all(socks: Iterable[socket.socket]) -> None:
    for sock in socks:
        sock.close()
