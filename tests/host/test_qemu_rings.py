"""A guest that lies in its descriptors, and a machine that lies in its messages."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nitro_workflow.errors import HostError
from nitro_workflow.host.qemu.vhost_user import VhostUserDevice
from nitro_workflow.host.qemu.virtqueue import Chain
from tests.host.fake_guest import (
    GUEST_BASE,
    MEMORY,
    NEXT,
    QEMU_BASE,
    WRITE,
    FakeMachine,
    memory_table,
)

INDIRECT = 4


class Collector(VhostUserDevice):
    """Takes every chain of its one ring, and writes what was read back, twice."""

    def __init__(self, sock: socket.socket, loop) -> None:
        super().__init__(sock, loop, queues=1, config=b"\x10\0\0\0\0\0\0\0")
        self.chains: list[Chain] = []

    def work(self) -> None:
        before = len(self.chains)
        while (chain := self.rings[0].pop(self.memory)) is not None:
            self.chains.append(chain)
            data = b"".join(chain.readable)
            self.rings[0].push(self.memory, chain.head, chain.write(data * 2))
        if len(self.chains) > before:
            self.rings[0].notify(self.memory)

    def stopped(self) -> None:
        self.chains.clear()


@pytest.fixture
def machine() -> Iterator[FakeMachine]:
    made = FakeMachine(Collector, rings=1, size=16)
    yield made
    made.close()


def test_chains_are_read_and_written(machine):
    [ring] = machine.rings
    for base in range(0, 64, 2):  # four times around the ring
        first, second = base % 16, base % 16 + 1
        ring.describe(first, machine.put(0, b"abc"), 3, NEXT, second)
        ring.describe(second, GUEST_BASE + machine.data + 100, 8, WRITE)
        ring.offer(first)
        ring.ring()
        assert ring.used() == [(first, 6)]
        assert machine.take(100, 6) == b"abcabc"
        assert ring.was_told()


def test_a_guest_that_asks_not_to_be_told_is_not(machine):
    [ring] = machine.rings
    struct.pack_into("<H", machine.memory, ring.tables[2], 1)
    ring.describe(0, machine.put(0, b"abc"), 3)
    ring.offer(0)
    ring.ring()
    assert ring.used() == [(0, 0)]
    assert not ring.was_told()


def test_the_configuration_is_given_in_pieces(machine):
    assert machine.ask(24, struct.pack("<III", 0, 8, 0))[12:] == b"\x10" + bytes(7)
    assert machine.ask(24, struct.pack("<III", 4, 400, 0))[12:] == bytes(4)


LIES = {
    "a head outside of the ring": (lambda m, r: r.offer(16), "a chain from 16"),
    "the next one outside of the ring": (
        lambda m, r: (r.describe(0, m.put(0, b"abc"), 3, NEXT, 99), r.offer(0)), "to 99"),
    "a chain of itself": (
        lambda m, r: (r.describe(0, m.put(0, b"abc"), 3, NEXT, 0), r.offer(0)), "in a circle"),
    "a circle of two": (
        lambda m, r: (r.describe(0, m.put(0, b"a"), 1, NEXT, 1),
                      r.describe(1, m.put(8, b"b"), 1, NEXT, 0), r.offer(0)), "in a circle"),
    "an address before the memory": (
        lambda m, r: (r.describe(0, GUEST_BASE - 1, 2), r.offer(0)), "bytes at 0x3fffffff"),
    "an address behind the memory": (
        lambda m, r: (r.describe(0, GUEST_BASE + MEMORY - 1, 2), r.offer(0)), "bytes at"),
    "an address that wraps around": (
        lambda m, r: (r.describe(0, (1 << 64) - 1, 2), r.offer(0)), "bytes at"),
    "the machine's own address": (
        lambda m, r: (r.describe(0, QEMU_BASE, 2), r.offer(0)), "bytes at"),
    "a huge buffer": (
        lambda m, r: (r.describe(0, GUEST_BASE, (1 << 32) - 1), r.offer(0)), "a chain of 4294967295"),
    "many large buffers": (
        lambda m, r: ([r.describe(i, GUEST_BASE, 1 << 19, NEXT, i + 1) for i in range(15)],
                      r.offer(0)), "a chain of 1572864"),
    "an indirect table": (
        lambda m, r: (r.describe(0, GUEST_BASE, 16, INDIRECT), r.offer(0)), "flags 0x4"),
    "a buffer to read after one to write": (
        lambda m, r: (r.describe(0, m.put(0, b"a"), 1, NEXT | WRITE, 1),
                      r.describe(1, m.put(8, b"b"), 1), r.offer(0)), "flags 0x0"),
    "more chains than the ring has": (lambda m, r: r.offer(0, index=17), "17 chains in a ring of 16"),
    "an index that goes back": (lambda m, r: r.offer(0, index=0xFFFF), "65535 chains"),
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_a_guest_that_lies_is_named(machine, name):
    lie, words = LIES[name]
    lie(machine, machine.rings[0])
    with pytest.raises(HostError, match=words):
        machine.rings[0].ring()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.lists(
        st.tuples(
            st.one_of(
                st.integers(0, (1 << 64) - 1), st.integers(GUEST_BASE - 8, GUEST_BASE + MEMORY + 8)
            ),
            st.one_of(st.integers(0, 64), st.integers(0, (1 << 32) - 1)),
            st.integers(0, 7),
            st.integers(0, 20),
        ),
        min_size=8,
        max_size=8,
    ),
    offers=st.lists(st.integers(0, 20), max_size=8),
    index=st.one_of(st.none(), st.integers(0, 0xFFFF)),
)
def test_whatever_a_guest_writes_is_served_or_refused(rows, offers, index):
    """No other exception, no endless loop, and not a byte outside of the buffers to write."""
    machine = FakeMachine(Collector, rings=1, size=8)
    try:
        [ring] = machine.rings
        for number, row in enumerate(rows):
            ring.describe(number, *row)
        for head in offers:
            ring.offer(head)
        if index is not None:
            ring.offer(0, index=index)
        with contextlib.suppress(HostError):
            ring.ring()
        assert len(ring.used()) <= 8
    finally:
        machine.close()


# -- messages ------------------------------------------------------------------------------------

REGION = (GUEST_BASE, MEMORY, QEMU_BASE, 0)
MESSAGES = {
    "an unknown request": (lambda m: m.say(99), "message 99"),
    "a huge message": (lambda m: m.say(2, size=1 << 30), "a message of 1073741824"),
    "a short body": (lambda m: m.say(8, b"\0\0\0\0"), "4 bytes in message 8"),
    "a ring that is not there": (lambda m: m.say(8, struct.pack("<II", 7, 16)), "ring 7 of 1"),
    "a ring of no power of two": (lambda m: m.say(8, struct.pack("<II", 0, 24)), "a ring of 24"),
    "a ring of nothing": (lambda m: m.say(8, struct.pack("<II", 0, 0)), "a ring of 0"),
    "a huge ring": (lambda m: m.say(8, struct.pack("<II", 0, 1 << 15)), "a ring of 32768"),
    "a kick without a descriptor": (lambda m: m.say(12, struct.pack("<Q", 0)), "no descriptor"),
    "memory without a descriptor": (lambda m: m.say(5, memory_table(REGION)), "0 descriptors"),
    "more memory than the message": (
        lambda m: m.say(5, struct.pack("<II", 8, 0), m.file), "8 pieces of memory in 8 bytes"),
    "no memory": (lambda m: m.say(5, memory_table()), "0 pieces"),
    "an empty piece": (
        lambda m: m.say(5, memory_table((GUEST_BASE, 0, QEMU_BASE, 0)), m.file), "a piece of 0"),
    "a piece longer than its file": (
        lambda m: m.say(5, memory_table((GUEST_BASE, MEMORY, QEMU_BASE, 1)), m.file),
        "a file shorter"),
    "a piece beyond the last address": (
        lambda m: m.say(5, memory_table(((1 << 64) - 4096, MEMORY, QEMU_BASE, 0)), m.file),
        "beyond the last address"),
    "a piece of an absurd size": (
        lambda m: m.say(5, memory_table((0, 1 << 63, 0, 0)), m.file), "a piece of 9223"),
}  # fmt: skip


@pytest.mark.parametrize("name", MESSAGES)
def test_a_machine_that_lies_is_named(machine, name):
    lie, words = MESSAGES[name]
    with pytest.raises(HostError, match=words):
        lie(machine)


def test_memory_that_can_be_cut_short_is_refused(machine):
    file = os.memfd_create("guest", os.MFD_ALLOW_SEALING)
    os.ftruncate(file, MEMORY)
    with pytest.raises(HostError, match="not sealed against shrinking"):
        machine.say(5, memory_table(REGION), file)
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    machine.say(5, memory_table(REGION), file)
    os.close(file)


def test_rings_at_addresses_outside_of_the_memory(machine):
    machine.say(9, struct.pack("<IIQQQQ", 0, 0, 1, 2, 3, 0))
    with pytest.raises(HostError, match="bytes at QEMU's"):
        machine.rings[0].ring()


def test_half_a_message_and_then_nothing(machine):
    machine.device.sock.settimeout(0.1)
    with pytest.raises(HostError, match="half a message"):
        machine.say(2, b"\0\0", size=8)


def test_a_machine_that_ends_closes_the_device(machine):
    machine.sock.shutdown(socket.SHUT_RDWR)
    machine.turn()
    assert machine.device.closed


def test_a_ring_that_is_stopped_is_left_alone(machine):
    [ring] = machine.rings
    ring.describe(0, machine.put(0, b"abc"), 3)
    ring.offer(0)
    ring.ring()
    assert machine.ask(11, struct.pack("<II", 0, 0)) == struct.pack("<II", 0, 1)
    ring.offer(0)
    os.write(ring.kick, struct.pack("<Q", 1))
    machine.turn()
    assert ring.used() == [(0, 0)]


@settings(max_examples=150, deadline=None)
@given(request=st.integers(0, 50), body=st.binary(max_size=64), descriptor=st.booleans())
def test_whatever_a_machine_says_is_done_or_refused(request, body, descriptor):
    machine = FakeMachine(Collector, rings=1, size=8)
    machine.device.sock.settimeout(0.05)
    before = len(list(Path("/proc/self/fd").iterdir()))
    try:
        machine.say(request, body, *([machine.file] if descriptor else []))
    except HostError:
        pass
    finally:
        # What came with a message is closed, unless a ring keeps one: kick and call had one before.
        assert len(list(Path("/proc/self/fd").iterdir())) <= before
        machine.close()
