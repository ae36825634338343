"""The way from an instance to the cloud: bytes as they are, bounded, one destination, no leftovers."""

import contextlib
import hashlib
import os
import socket
import threading
import time
from pathlib import Path

import pytest

from nitro_workflow.host.instance import cloud_relay
from nitro_workflow.host.instance.cloud_relay import CloudRelay
from tests.host.waiting import wait_for

PATIENCE = 60  # seconds, on a loaded machine


class Cloud:
    """Answers every connection with ``serve`` (echo, unless given); can go and come back."""

    def __init__(self, serve=None):
        self._serve = serve or self._echo
        self._place = socket.socket()  # keeps the port from others while nobody listens there
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind(("127.0.0.1", 0))
        self.address = self._place.getsockname()
        self.come()

    def come(self):
        self._listener, self.accepted = socket.create_server(self.address), []
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            self.accepted.append(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    @staticmethod
    def _echo(sock):
        with contextlib.suppress(OSError):
            while data := sock.recv(65536):
                sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)

    def go(self):
        for sock in (self._listener, *self.accepted):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def close(self):
        self.go()
        self._place.close()


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def cloud():
    it = Cloud()
    yield it
    it.close()


@pytest.fixture
def dial(cloud):
    relay, connect = relayed(cloud.address)
    yield connect
    relay.close()


def relayed(remote):
    """A relay to ``remote``, and how to connect through it."""
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    return CloudRelay(listener, remote), lambda: socket.create_connection(address, timeout=PATIENCE)


def exactly(sock, size):
    data = b""
    while len(data) < size and (piece := sock.recv(size - len(data))):
        data += piece
    return data


def echoes(sock, data=b"hello"):
    sock.sendall(data)
    return exactly(sock, len(data)) == data


def until_it_stands(sock):
    """Send until nothing more is taken; return how much was."""
    sock.settimeout(0.5)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < 1 << 30:
            sent += sock.send(b"x" * 65536)
    return sent


def reset(dial):
    """Return whether a connection is reset, at once or when it is used."""
    try:
        with dial() as sock:
            sock.recv(1)
    except ConnectionResetError:
        return True
    return False


def test_every_byte_both_ways_and_the_end_of_each(dial):
    data = os.urandom(9_000_001)
    with dial() as sock:
        sender = threading.Thread(
            target=lambda: (sock.sendall(data), sock.shutdown(socket.SHUT_WR))
        )
        sender.start()
        found = hashlib.sha256()
        size = 0
        while piece := sock.recv(100_000):
            found.update(piece)
            size += len(piece)
        sender.join()
    assert (size, found.digest()) == (len(data), hashlib.sha256(data).digest())


def test_an_answer_after_the_request_has_ended():
    """Half of a connection may be closed: HTTP/1.0 clients do."""

    def serve(sock):
        while sock.recv(65536):
            pass
        time.sleep(0.1)
        sock.sendall(b"late")
        sock.close()

    cloud = Cloud(serve)
    relay, dial = relayed(cloud.address)
    with dial() as sock:
        sock.sendall(b"request")
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(100) == b"late"
        assert sock.recv(100) == b""
    relay.close()
    cloud.close()


def test_further_connections_wait_until_one_ends(dial, cloud, monkeypatch):
    monkeypatch.setattr(cloud_relay, "CONNECTIONS", 3)
    first = [dial() for _ in range(3)]
    assert all(echoes(it) for it in first)
    with dial() as fourth:
        fourth.sendall(b"x")
        fourth.settimeout(0.3)
        with pytest.raises(TimeoutError):
            fourth.recv(1)
        assert len(cloud.accepted) == 3
        first.pop().close()
        fourth.settimeout(PATIENCE)
        assert fourth.recv(1) == b"x"
    for it in first:
        it.close()


def test_what_is_not_taken_is_not_read(monkeypatch):
    """A cloud that reads nothing: the client comes to a stand, and memory does not grow."""
    taken = threading.Event()
    cloud = Cloud(lambda sock: taken.wait(PATIENCE))
    relay, dial = relayed(cloud.address)
    with dial() as sock:
        wait_for(lambda: len(relay._open) == 2)
        sent = until_it_stands(sock)
        held = [len(end.pending) for end in relay._open]
        assert max(held) <= cloud_relay.PIECE
    assert sent < 64 << 20  # the kernel's buffers of two connections
    taken.set()
    relay.close()
    cloud.close()


def test_a_connection_that_stands_does_not_hold_up_another(dial):
    with dial() as stuck, dial() as other:
        until_it_stands(stuck)  # its echo is not read
        assert echoes(other)


def test_a_cloud_that_is_away_resets_and_is_found_again_on_its_port(cloud):
    relay, dial = relayed(cloud.address)
    with dial() as kept:
        assert echoes(kept)
        cloud.go()
        assert kept.recv(1) == b""
    assert all(reset(dial) for _ in range(3))
    cloud.come()
    with dial() as sock:
        assert echoes(sock)
    relay.close()


def test_a_client_that_hangs_up_frees_its_place(dial, cloud):
    for _ in range(3 * cloud_relay.CONNECTIONS):
        sock = dial()
        sock.sendall(b"x" * 100)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, cloud_relay._RESET)
        sock.close()
    with dial() as sock:
        assert echoes(sock)


def test_the_end_cuts_every_connection_and_leaves_no_descriptor(cloud):
    before = descriptors()
    relay, dial = relayed(cloud.address)
    clients = [dial() for _ in range(5)]
    assert all(echoes(it) for it in clients)
    relay.close()
    relay.close()
    assert not relay.alive
    for it in clients:
        assert it.recv(1) == b""
        it.close()
    with pytest.raises(ConnectionRefusedError):
        dial()
    for sock in cloud.accepted:
        sock.close()
    wait_for(lambda: descriptors() <= before)  # earlier tests' may end meanwhile


def test_without_a_descriptor_it_waits_and_goes_on(cloud, monkeypatch):
    """The hypervisor has none left for a while: no busy loop, and nobody is lost."""
    relay, dial = relayed(cloud.address)
    failures = []
    accept = socket.socket.accept

    def fails(self):
        if threading.current_thread().name == "cloud-relay" and len(failures) < 3:
            failures.append(time.monotonic())
            raise OSError(24, "Too many open files")
        return accept(self)

    monkeypatch.setattr(socket.socket, "accept", fails)
    with dial() as sock:
        assert echoes(sock)
    assert failures[-1] - failures[0] >= 2 * cloud_relay.PAUSE * 0.9
    relay.close()


def test_a_request_does_not_wait_for_an_acknowledgement(cloud):
    """Two small pieces a request, as TLS writes them: Nagle's rule would cost 40 ms each."""
    relay, dial = relayed(cloud.address)
    with dial() as sock:
        assert echoes(sock)
        at_once = [
            end.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for end in relay._open
        ]
    relay.close()
    assert len(at_once) == 2
    assert all(at_once)
