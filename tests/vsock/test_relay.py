"""Bytes between two sockets: moved by the kernel, or seen piece by piece; half closes kept."""

import os
import socket
import threading
import time
from pathlib import Path

import pytest

from nitro_workflow.vsock import relay_sockets

SECONDS = 60  # on a loaded machine


@pytest.fixture
def line():
    """Two ends, with a relay between them; and what was seen by the relay."""

    def make(kind, observe, timeout=None):
        ends = []
        for _ in range(2):
            if kind == "tcp":
                with socket.create_server(("127.0.0.1", 0)) as server:
                    outer = socket.create_connection(server.getsockname())
                    inner = server.accept()[0]
            else:
                outer, inner = socket.socketpair()
            outer.settimeout(SECONDS)
            inner.settimeout(timeout)
            ends.append((outer, inner))
        seen = []
        named = {"from_left": seen.append} if observe else {}
        thread = threading.Thread(
            target=relay_sockets, args=(ends[0][1], ends[1][1]), kwargs=named, daemon=True
        )
        thread.start()
        threads.append(thread)
        opened.extend(outer for outer, _ in ends)
        return ends[0][0], ends[1][0], seen

    threads, opened = [], []
    yield make
    for sock in opened:
        sock.close()
    for thread in threads:
        thread.join(SECONDS)
        assert not thread.is_alive()


@pytest.mark.parametrize("timeout", [None, 60.0])
@pytest.mark.parametrize("observe", [False, True])
@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_everything_arrives_and_a_half_close_is_one(line, kind, observe, timeout):
    left, right, seen = line(kind, observe, timeout)
    data = os.urandom(3_000_001)

    def send():
        left.sendall(data)
        left.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    with right.makefile("rb") as stream:
        assert stream.read() == data
    sender.join(SECONDS)
    right.sendall(b"the other way is still open")
    right.shutdown(socket.SHUT_WR)
    with left.makefile("rb") as stream:
        assert stream.read() == b"the other way is still open"
    assert b"".join(seen) == (data if observe else b"")


def test_one_byte_does_not_wait_for_more(line):
    left, right, _ = line("unix", observe=False)
    for value in b"abc":
        left.sendall(bytes([value]))
        assert right.recv(10) == bytes([value])
        right.sendall(bytes([value]))
        assert left.recv(10) == bytes([value])


def test_an_end_that_goes_ends_the_other(line):
    left, right, _ = line("tcp", observe=False)
    left.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    left.close()  # a reset, not an end
    assert right.recv(10) == b""


def test_no_descriptor_is_left(line):
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        left, right, _ = line("unix", observe=False)
        left.close()
        assert right.recv(1) == b""
        right.close()
    deadline = time.monotonic() + SECONDS
    while (
        len(list(Path("/proc/self/fd").iterdir())) > before
    ):  # a relay's thread ends a moment later
        assert time.monotonic() < deadline
        time.sleep(0.01)
