"""The machine's monitor against a QEMU that is a test."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator

import pytest

from nitro_workflow.errors import HostError
from nitro_workflow.host.qemu import qemu_monitor
from nitro_workflow.host.qemu.qemu_monitor import QemuMonitor

VERSION = {"qemu": {"major": 11, "minor": 1, "micro": 3}, "package": ""}
ANSWERS = {
    "qmp_capabilities": {}, "query-status": {"status": "running", "running": True},
    "query-kvm": {"enabled": False, "present": True}, "query-version": VERSION, "quit": {},
}  # fmt: skip


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield ours, theirs
    theirs.close()
    ours.close()


def serve(sock: socket.socket, asked: list[str]) -> threading.Thread:
    def run() -> None:
        sock.sendall(
            json.dumps({"QMP": {"version": VERSION, "capabilities": []}}).encode() + b"\r\n"
        )
        while data := sock.recv(65536):  # one request at a time, and nothing marks its end
            request = json.loads(data)
            asked.append(request["execute"])
            answer = {"return": ANSWERS[request["execute"]]}
            answer |= {"id": request["id"]} if "id" in request else {}
            sock.sendall(json.dumps(answer).encode() + b"\r\n")

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_status_and_the_clean_end(ends):
    asked: list[str] = []
    thread = serve(ends[1], asked)
    monitor = QemuMonitor(ends[0], "test")
    monitor.connect()
    assert monitor.status() == {"status": "running", "kvm": False, "version": "11.1.3"}
    monitor.quit()
    monitor.close()
    thread.join(60)
    assert asked == ["qmp_capabilities", "query-status", "query-kvm", "query-version", "quit"]


def test_after_the_end_nothing_is_asked_and_nothing_raises(ends):
    monitor = QemuMonitor(ends[0], "test")
    monitor.close()
    monitor.close()
    monitor.quit()
    with pytest.raises(HostError, match="it is closed"):
        monitor.status()


def test_a_machine_that_says_something_else(ends):
    ends[1].sendall(b"not JSON\r\n")
    monitor = QemuMonitor(ends[0], "test")
    with pytest.raises(HostError, match="does not answer"):
        monitor.connect()
    monitor.close()


def test_a_machine_that_says_nothing(ends, monkeypatch):
    monkeypatch.setattr(qemu_monitor, "CONNECT_SECONDS", 0.1)
    monitor = QemuMonitor(ends[0], "test")
    with pytest.raises(HostError, match="TimeoutError"):
        monitor.connect()
    monitor.close()
