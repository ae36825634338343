"""The Nitro Security Module as a device, against a guest's driver that is a test."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from nitro_workflow.errors import HostError
from nitro_workflow.host.qemu.nsm_backend import NSM_RING, NsmBackend
from nitro_workflow.nsm import NsmModule, messages
from tests.host.fake_guest import GUEST_BASE, NEXT, WRITE, FakeMachine

PCRS = {0: b"\x11" * 48, 4: b"\x44" * 48}
LARGEST = b"\xa5" * messages.RESPONSE_LIMIT


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def machine(ends) -> Iterator[FakeMachine]:
    made = FakeMachine(lambda sock, loop: NsmBackend(sock, loop, ends[1]), rings=1, size=NSM_RING)
    yield made
    made.close()


@pytest.fixture
def module(ends) -> Iterator[NsmModule]:
    made = NsmModule("i-0-enc0", PCRS, lambda **_: b"document", os.urandom)

    def answer() -> None:
        while request := ends[0].recv(1 << 16):
            ends[0].sendall(made.handle(request, datetime.now(UTC)))

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    yield made
    ends[1].shutdown(socket.SHUT_RDWR)
    thread.join(60)


def offer(machine: FakeMachine, request: bytes, room: int, base: int = 0) -> None:
    """Do as Linux's driver: a request, then room for the response, then one kick."""
    [ring] = machine.rings
    ring.describe(base, machine.put(0x1000 * base, request), len(request))
    ring.offer(base)
    ring.describe(base + 1, GUEST_BASE + machine.data + 0x8000, room, WRITE)
    ring.offer(base + 1)
    ring.ring()


def asked(machine: FakeMachine, request: bytes, room: int = messages.RESPONSE_LIMIT) -> bytes:
    [ring] = machine.rings
    offer(machine, request, room)
    machine.until(ring.has_used)
    used = ring.used()
    assert [head for head, _ in used] == [0, 1]
    assert used[0][1] == 0
    assert ring.was_told()
    return machine.take(0x8000, used[1][1])


def test_requests_are_answered_by_the_module(machine, module):
    for _ in range(20):  # around the ring
        answer = asked(machine, messages.encode_request(messages.DescribePcr(4)))
        assert messages.decode_pcr(answer) == messages.PcrState(True, PCRS[4])
    assert messages.decode_attestation(
        asked(machine, messages.encode_request(messages.Attestation(b"u", b"n", b"k")))
    ) == b"document"  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (bytes(messages.REQUEST_LIMIT + 1), "InputTooLarge"),
        (bytes(0x8000), "InputTooLarge"),
        (b"\xff", "InvalidOperation"),
        (b"", "InvalidOperation"),
    ],
)
def test_what_is_no_request(machine, module, request_, error):
    assert asked(machine, request_) == messages.encode_error(error)


def test_both_are_given_back_at_once(machine, ends):
    """The driver looks for request and response when it is told of the first."""
    offer(machine, b"\x6bDescribeNSM", 0x3000)
    [ring] = machine.rings
    assert ring.used() == []
    ends[0].sendall(b"\x01")
    machine.until(ring.has_used)
    assert ring.used() == [(0, 0), (1, 1)]


def test_the_largest_response_fits(machine, ends):
    offer(machine, b"\xff", messages.RESPONSE_LIMIT)
    ends[0].sendall(LARGEST)
    machine.until(machine.rings[0].has_used)
    assert machine.rings[0].used()[1] == (1, len(LARGEST))
    assert machine.take(0x8000, len(LARGEST)) == LARGEST


def test_room_that_is_too_small(machine, module):
    request = messages.encode_request(messages.DescribePcr(4))
    assert asked(machine, request, 32) == messages.encode_error("BufferTooSmall")
    asked(machine, request, 4)  # not even the error: as much of it as there is room for


def test_request_and_room_in_one_chain(machine, module):
    [ring] = machine.rings
    request = messages.encode_request(messages.GetRandom())
    ring.describe(0, machine.put(0, request), len(request), NEXT, 1)
    ring.describe(1, GUEST_BASE + machine.data + 0x8000, 0x3000, WRITE)
    ring.offer(0)
    ring.ring()
    machine.until(ring.has_used)
    [(head, size)] = ring.used()
    assert head == 0
    assert len(messages.decode_random(machine.take(0x8000, size))) == 256


def test_one_request_at_a_time(machine, ends):
    offer(machine, b"first", 0x100)
    offer(machine, b"second", 0x100, base=2)
    assert ends[0].recv(64) == b"first"
    ends[0].setblocking(False)
    with pytest.raises(BlockingIOError):
        ends[0].recv(64)
    ends[0].sendall(b"\x01")
    machine.until(machine.rings[0].has_used)
    assert ends[0].recv(64) == b"second"


def test_a_driver_that_begins_anew_gets_no_old_answer(machine, ends):
    offer(machine, b"old", 0x100)
    machine.ask(11, b"\0\0\0\0\0\0\0\0")
    ends[0].sendall(b"answer to the old one")
    machine.turn(0.1)
    assert machine.rings[0].used() == []
    assert machine.take(0x8000, 6) == bytes(6)


def test_room_without_a_request(machine):
    [ring] = machine.rings
    ring.describe(0, GUEST_BASE + machine.data, 0x3000, WRITE)
    ring.offer(0)
    with pytest.raises(HostError, match="room for an answer to nothing"):
        ring.ring()


def test_the_end_of_the_hypervisor_is_the_end_of_the_machine(machine, ends):
    offer(machine, b"\xff", 0x3000)
    ends[0].shutdown(socket.SHUT_RDWR)
    machine.until(lambda: machine.device.closed)
