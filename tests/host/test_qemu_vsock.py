"""The vsock of a machine, against a guest's driver that is a test."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nitro_workflow.errors import HostError
from nitro_workflow.host.qemu import parent_dials, vsock_backend
from nitro_workflow.host.qemu.vsock_backend import CONNECTIONS, VsockBackend
from nitro_workflow.host.qemu.vsock_connection import BUFFER
from nitro_workflow.host.qemu.vsock_packets import Header, Operation, Shutdown
from tests.host.fake_guest import GUEST_CID, FakeParent, FakeVsock, close_all

BOTH = Shutdown.SEND | Shutdown.RECEIVE
BEATS: list[socket.socket] = []


@pytest.fixture
def parent(tmp_path) -> Iterator[FakeParent]:
    made = FakeParent(tmp_path)
    yield made
    made.close()


def make_guest(parent: FakeParent, **fields: int) -> FakeVsock:
    BEATS.clear()
    return FakeVsock(
        lambda sock, loop: VsockBackend(
            sock, loop, cid=GUEST_CID, parent=parent, heartbeat=BEATS.append
        ),
        **fields,
    )


@pytest.fixture
def guest(parent) -> Iterator[FakeVsock]:
    made = make_guest(parent)
    yield made
    made.close()
    close_all(BEATS)


def connected(guest: FakeVsock, parent: FakeParent, port: int = 500) -> socket.socket:
    """Connect from the guest to the parent's port 7000; returns the parent's end."""
    if 7000 not in parent.listeners:
        parent.serve(7000)
    guest.send(Operation.REQUEST, port, 7000)
    sock, _ = parent.listeners[7000].accept()
    sock.settimeout(60)
    guest.receive()
    assert guest.said(Operation.RESPONSE)[-1].target_port == port
    return sock


def accepted(guest: FakeVsock, parent: FakeParent, port: int = 5000) -> tuple[socket.socket, int]:
    """Connect from the parent to the guest; returns the parent's end and its port."""
    sock = parent.connect(b"CONNECT %d\n" % port)
    asked = len(guest.said(Operation.REQUEST))
    guest.until(lambda: bool(guest.receive()) and len(guest.said(Operation.REQUEST)) > asked)
    ask = guest.said(Operation.REQUEST)[-1]
    assert (ask.source_cid, ask.target_cid, ask.target_port) == (3, GUEST_CID, port)
    guest.send(Operation.RESPONSE, port, ask.source_port)
    assert sock.recv(64) == b"OK %d\n" % ask.source_port
    return sock, ask.source_port


def data_of(guest: FakeVsock) -> bytes:
    guest.all()
    return b"".join(data for header, data in guest.got if header.operation == Operation.DATA)


# -- both ways -----------------------------------------------------------------------------------


def test_from_the_guest_and_back(guest, parent):
    with connected(guest, parent) as sock:
        guest.send(Operation.DATA, 500, 7000, b"question")
        assert sock.recv(64) == b"question"
        assert sock.getpeername().startswith(b"\0vsock.16.500.")  # who it is, for who asks
        sock.sendall(b"answer")
        assert data_of(guest) == b"answer"
        header = guest.got[-1][0]
        assert (header.source_cid, header.source_port) == (3, 7000)
        assert (header.room, header.forwarded) == (BUFFER, 8)


def test_from_the_parent_and_back(guest, parent):
    sock, port = accepted(guest, parent)
    with sock:
        guest.send(Operation.DATA, 5000, port, b"hello")
        assert sock.recv(64) == b"hello"
        sock.sendall(b"and back")
        assert data_of(guest) == b"and back"


def test_what_follows_the_line_belongs_to_the_guest(guest, parent):
    with parent.connect(b"CONNECT 5000\nGET /") as sock:
        guest.all()
        [ask] = guest.said(Operation.REQUEST)
        assert data_of(guest) == b""
        guest.send(Operation.RESPONSE, 5000, ask.source_port)
        assert data_of(guest) == b"GET /"
        assert sock.recv(64).startswith(b"OK ")


@pytest.mark.parametrize(
    "line", [b"CONNECT\n", b"CONNECT x\n", b"CONNECT 4294967296\n", b"GET / HTTP/1.1\n", b"C" * 64]
)
def test_a_parent_that_says_something_else_is_cut(guest, parent, line):
    with parent.connect(line) as sock:
        guest.receive(1)
        guest.all()
        with contextlib.suppress(ConnectionResetError):  # what it said was not read to the end
            assert sock.recv(64) == b""
    assert not guest.said(Operation.REQUEST)


def test_a_line_in_pieces_and_one_that_never_ends(guest, parent, monkeypatch):
    with parent.connect(b"CONN") as sock, parent.connect(b"CONNECT 1") as slow:
        guest.all()
        sock.sendall(b"ECT 5000\n")
        guest.all()
        assert [it.target_port for it in guest.said(Operation.REQUEST)] == [5000]
        monkeypatch.setattr(parent_dials, "SECONDS", 0.0)
        guest.device.tick()
        with pytest.raises(ConnectionResetError):  # half a line was never read
            slow.recv(64)


def test_nobody_listens_in_the_guest(guest, parent):
    with parent.connect(b"CONNECT 5000\n") as sock:
        guest.all()
        [ask] = guest.said(Operation.REQUEST)
        guest.send(Operation.RESET, 5000, ask.source_port)
        assert sock.recv(64) == b""


def test_a_guest_that_does_not_answer_is_not_waited_for(guest, parent, monkeypatch):
    monkeypatch.setattr(vsock_backend, "ANSWER_SECONDS", 0.0)
    with parent.connect(b"CONNECT 5000\n") as sock:
        guest.all()
        time.sleep(0.01)
        guest.device.tick()
        assert sock.recv(64) == b""
    guest.all()
    assert guest.said(Operation.RESET)


@pytest.mark.parametrize(
    "fields",
    [{}, {"target_cid": 2}, {"target_cid": 17}, {"type": 2}, {"operation": 0}, {"operation": 99}],
)
def test_what_is_not_there_is_refused(guest, fields):
    values = {"operation": Operation.REQUEST} | fields
    guest.send(values.pop("operation"), 500, 7001, **values)
    guest.all()
    [refusal] = guest.said(Operation.RESET)
    assert (refusal.target_port, refusal.source_port) == (500, 7001)


def test_a_reset_is_never_answered_and_nobody_speaks_for_another(guest, parent):
    guest.send(Operation.RESET, 500, 7001)
    guest.send(Operation.REQUEST, 500, 7001, source_cid=17)
    assert guest.all() == []


def test_the_heartbeat_is_handed_over_once(guest):
    guest.send(Operation.REQUEST, 500, 9000)
    guest.send(Operation.DATA, 500, 9000, b"\xb7")
    [beat] = BEATS
    assert beat.recv(8) == b"\xb7"
    beat.sendall(b"\xb7")
    assert data_of(guest) == b"\xb7"
    guest.send(Operation.REQUEST, 501, 9000)
    guest.all()
    assert guest.said(Operation.RESET)[-1].target_port == 501


# -- credit ----------------------------------------------------------------------------------------


def test_no_more_is_sent_than_the_guest_has_room_for(guest, parent):
    parent.serve(7000)
    guest.send(Operation.REQUEST, 500, 7000, room=5000)
    with parent.listeners[7000].accept()[0] as sock:
        sock.sendall(bytes(20_000))
        assert len(data_of(guest)) == 5000
        guest.send(Operation.CREDIT_UPDATE, 500, 7000, room=5000, forwarded=3000)
        assert len(data_of(guest)) == 8000
        # A guest that says to have taken more than was sent gets nothing, and harms only itself.
        guest.send(Operation.CREDIT_UPDATE, 500, 7000, room=5000, forwarded=9000)
        assert len(data_of(guest)) == 8000
        guest.send(Operation.CREDIT_UPDATE, 500, 7000, room=1 << 20, forwarded=8000)
        assert len(data_of(guest)) == 20_000


def test_a_guest_that_sends_more_than_it_may_loses_the_connection(guest, parent):
    with connected(guest, parent) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sent = 0
        while not guest.said(Operation.RESET):
            guest.send(Operation.DATA, 500, 7000, bytes(60_000))
            sent += 60_000
            guest.receive()
            assert sent < BUFFER + (4 << 20)
        assert guest.device._known == {}


def test_credit_is_told_when_asked_and_when_half_is_used(guest, parent):
    with connected(guest, parent) as sock:
        guest.send(Operation.CREDIT_REQUEST, 500, 7000)
        guest.all()
        assert guest.said(Operation.CREDIT_UPDATE)[-1].forwarded == 0
        for _ in range(2):
            guest.send(Operation.DATA, 500, 7000, bytes(40_000))
        guest.all()
        assert guest.said(Operation.CREDIT_UPDATE)[-1].forwarded == 80_000
        assert len(sock.recv(80_000, socket.MSG_WAITALL)) == 80_000


def test_data_waits_for_buffers_of_the_guest(parent):
    guest = make_guest(parent, buffers=2)
    try:
        with connected(guest, parent) as sock:
            sock.sendall(bytes(range(256)) * 200)
            assert data_of(guest) == bytes(range(256)) * 200
    finally:
        guest.close()


def test_bulk_both_ways(guest, parent):
    """8 MiB each way, with the credit of a driver that keeps account."""
    block = os.urandom(1 << 20)
    with connected(guest, parent) as sock:
        sock.setblocking(False)
        there, back, sent, given = bytearray(), bytearray(), 0, 0
        forwarded = 0
        while len(there) < 8 << 20 or len(back) < 8 << 20:
            if sent < 8 << 20 and sent - forwarded + 60_000 < BUFFER:
                piece = (block * 2)[sent % len(block) :][: min(60_000, (8 << 20) - sent)]
                guest.send(Operation.DATA, 500, 7000, piece, forwarded=len(back))
                sent += len(piece)
            with contextlib.suppress(BlockingIOError):
                given += sock.send((block * 2)[given % len(block) :][: (8 << 20) - given][:65536])
            with contextlib.suppress(BlockingIOError):
                there += sock.recv(1 << 20)
            before = len(back)
            for header, data in guest.receive():
                forwarded = header.forwarded
                back += data if header.operation == Operation.DATA else b""
            if len(back) > before:
                guest.send(Operation.CREDIT_UPDATE, 500, 7000, forwarded=len(back))
        assert bytes(there) == bytes(back) == block * 8


# -- ends ------------------------------------------------------------------------------------------


def test_half_close_by_the_guest(guest, parent):
    with connected(guest, parent) as sock:
        guest.send(Operation.DATA, 500, 7000, b"all of it")
        guest.send(Operation.SHUTDOWN, 500, 7000, flags=Shutdown.SEND)
        assert sock.recv(64) == b"all of it"
        assert sock.recv(64) == b""
        sock.sendall(b"the answer")
        assert data_of(guest) == b"the answer"
        sock.close()
        guest.receive(0.5)
        guest.all()
    assert guest.said(Operation.RESET)
    assert guest.device._known == {}


def test_half_close_by_the_parent(guest, parent):
    with connected(guest, parent) as sock:
        sock.sendall(b"all of it")
        sock.shutdown(socket.SHUT_WR)
        assert data_of(guest) == b"all of it"
        assert [it.flags for it in guest.said(Operation.SHUTDOWN)] == [Shutdown.SEND]
        guest.send(Operation.DATA, 500, 7000, b"the answer")
        assert sock.recv(64) == b"the answer"
        guest.send(Operation.SHUTDOWN, 500, 7000, flags=BOTH)
        guest.all()
        assert guest.said(Operation.RESET)
        assert sock.recv(64) == b""


def test_a_guest_that_will_not_receive_is_sent_nothing(guest, parent):
    with connected(guest, parent) as sock:
        guest.send(Operation.SHUTDOWN, 500, 7000, flags=Shutdown.RECEIVE)
        with pytest.raises(BrokenPipeError):
            sock.sendall(b"too late")
        assert data_of(guest) == b""


def test_what_was_sent_before_the_end_is_passed_on(guest, parent):
    """More than a socket holds: the guest is told of the end at once, the parent reads later."""
    with connected(guest, parent) as sock:
        sent = 0
        while sent - guest.got[-1][0].forwarded < 100_000:
            guest.send(Operation.DATA, 500, 7000, bytes(20_000))
            guest.send(Operation.CREDIT_REQUEST, 500, 7000)
            sent += 20_000
            guest.all()
        guest.send(Operation.SHUTDOWN, 500, 7000, flags=BOTH)
        guest.all()
        assert guest.said(Operation.RESET)
        got = 0
        while data := sock.recv(65536):
            got += len(data)
            guest.turn()
        assert got == sent
    assert guest.device._left == set()


def test_data_after_the_end_is_refused(guest, parent):
    with connected(guest, parent):
        guest.send(Operation.SHUTDOWN, 500, 7000, flags=Shutdown.SEND)
        guest.send(Operation.DATA, 500, 7000, b"more")
        guest.all()
        assert guest.said(Operation.RESET)


def test_a_driver_that_begins_anew_loses_its_connections(guest, parent):
    with connected(guest, parent) as sock:
        guest.ask(11, b"\0\0\0\0\0\0\0\0")
        assert sock.recv(64) == b""
    assert guest.device._known == {}


# -- many, and lies ----------------------------------------------------------------------------------


def test_two_hundred_connections(guest, parent):
    parent.serve(7000).listen(256)
    socks = []
    for port in range(1000, 1200):
        guest.send(Operation.REQUEST, port, 7000)
        socks.append(parent.listeners[7000].accept()[0])
        guest.receive()
    for number, sock in enumerate(socks):
        guest.send(Operation.DATA, 1000 + number, 7000, b"%d" % number)
        assert sock.recv(64) == b"%d" % number
        sock.sendall(b"to %d" % number)
    guest.all()
    got = {header.target_port: data for header, data in guest.got if data}
    assert got == {1000 + number: b"to %d" % number for number in range(200)}
    close_all(socks)


def test_more_connections_than_are_taken(guest, parent):
    parent.serve(7000).listen(512)
    for port in range(1000, 1000 + CONNECTIONS + 5):
        guest.send(Operation.REQUEST, port, 7000)
        guest.receive()
        if len(guest.said(Operation.RESPONSE)) < CONNECTIONS:
            parent.listeners[7000].accept()[0].detach()
    guest.all()
    assert len(guest.said(Operation.RESPONSE)) == CONNECTIONS
    assert len(guest.said(Operation.RESET)) == 5


def test_the_same_connection_twice_is_refused_and_a_full_queue_is_no_wait(guest, parent):
    with connected(guest, parent):
        guest.send(Operation.REQUEST, 500, 7000)
        guest.all()
        assert len(guest.said(Operation.RESET)) == 1
    parent.listeners[7000].listen(0)
    begun = time.monotonic()
    for port in range(600, 610):
        guest.send(Operation.REQUEST, port, 7000)
    guest.all()
    assert guest.said(Operation.RESET)
    assert time.monotonic() - begun < 9  # a wait takes ten


def test_a_flood_without_buffers_waits(parent):
    """A guest that asks and asks, and takes no answer: what waits for it has an end."""
    guest = make_guest(parent, buffers=0)
    try:
        for number in range(2000):
            guest.send(Operation.REQUEST, number, 7001)
        assert len(guest.device._waiting) == vsock_backend.WAITING
    finally:
        guest.close()


def test_a_packet_shorter_than_it_says(guest):
    with pytest.raises(HostError, match="a packet of 100 bytes in 4"):
        guest.send(Operation.DATA, 500, 7000, b"four", size=100)


def test_a_packet_without_a_header(guest):
    with pytest.raises(HostError, match="a packet of 7 bytes"):
        guest.raw(b"7 bytes")


def test_a_buffer_without_room(parent):
    guest = make_guest(parent, buffers=0)
    try:
        guest.rings[0].describe(0, guest.put(0, b""), 44, 2)
        guest.rings[0].offer(0)
        with pytest.raises(HostError, match="a buffer of 44 bytes"):
            guest.send(Operation.REQUEST, 500, 7001)
    finally:
        guest.close()


PORTS = st.sampled_from([1, 2, 7000, 9000, 0xFFFFFFFF])
PACKETS = st.tuples(
    st.sampled_from([*Operation, 0, 77]), PORTS, PORTS, st.binary(max_size=300),
    st.fixed_dictionaries({}, optional={
        "flags": st.integers(0, (1 << 32) - 1), "room": st.integers(0, (1 << 32) - 1),
        "forwarded": st.integers(0, (1 << 32) - 1), "source_cid": st.sampled_from([16, 3, 17]),
        "target_cid": st.sampled_from([3, 2, 16, 1 << 63]), "type": st.integers(0, 3),
        "size": st.integers(0, 400),
    }),
)  # fmt: skip


@settings(
    max_examples=60, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(packets=st.lists(PACKETS, max_size=30), said=st.binary(max_size=3000))
def test_whatever_a_guest_says_is_answered_or_refused(tmp_path_factory, packets, said):
    parent = FakeParent(tmp_path_factory.mktemp("p"))
    parent.serve(7000).settimeout(0)
    guest = make_guest(parent)
    socks = []
    try:
        for operation, port, to, data, fields in packets:
            guest.send(operation, port, to, data, **fields)
            guest.receive()
            try:
                socks.append(parent.listeners[7000].accept()[0])
                socks[-1].settimeout(0)
                socks[-1].sendall(said)
            except OSError:
                pass
        guest.all()
        known = guest.device._known.values()
        assert all(it.kept <= BUFFER for it in known)
        assert all(isinstance(header, Header) for header, _ in guest.got)
    except HostError:
        pass  # named, and nothing else of this machine is touched
    finally:
        guest.close()
        parent.close()
        close_all([*socks, *BEATS])
