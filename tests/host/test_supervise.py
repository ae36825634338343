"""The supervisor's parts alone: names, limits, its processor time, and older kernels by force."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro_workflow.host import supervision_problem
from nitro_workflow.host.supervisor.caller_files import CallerFiles
from nitro_workflow.host.supervisor.cpu_budget import CpuBudget
from nitro_workflow.host.supervisor.descriptor_lines import receive_descriptors
from nitro_workflow.host.supervisor.event_loop import EventLoop
from nitro_workflow.host.supervisor.fabric import (
    EnclaveFabric,
    ParentFabric,
    name_of,
    peer_of,
    port_name,
)
from nitro_workflow.host.supervisor.supervise import Supervisor
from nitro_workflow.host.supervisor.vsock_table import VsockTable


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_a_name_says_who_called(cid, port):
    assert peer_of(name_of(cid, port)) == (cid, port)
    assert peer_of(port_name(cid, port)) == (cid, port)
    assert name_of(cid, port) != name_of(cid, port)
    assert len(name_of(cid, port)) <= 107


@given(st.binary(max_size=107))
def test_any_other_name_says_nothing_or_numbers(name):
    peer = peer_of(name)
    assert peer is None or all(0 <= it < 2**32 for it in peer)


@pytest.mark.parametrize(
    "name", [b"", b"\0vsock.", b"\0vsock.16", b"\0vsock.-1.5", b"\0vsock.4294967296.1",
             b"\0vsock.16.99999999999", b"vsock.16.1", b"/run/v.sock", b"/run/v.sock_x"]
)  # fmt: skip
def test_names_that_say_nothing(name):
    assert peer_of(name) is None


def test_an_enclave_has_ways_to_its_parent_and_itself(tmp_path):
    fabric = EnclaveFabric(16)
    (tmp_path / "3").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "3" / "v.sock_8000"))
        fabric.folder = os.open(tmp_path, os.O_PATH)
        found = {}
        for cid, port in (
            (3, 8000),
            (3, 8001),
            (16, 5),
            (1, 5),
            (17, 5),
            (2, 5),
            (0, 5),
            (3, 9000),
        ):
            with fabric.way(cid, port) as way:
                found[cid, port] = way is not None
        os.close(fabric.folder)
    there = {(3, 8000), (16, 5), (1, 5), (3, 9000)}  # the heartbeat is the hypervisor's
    assert {key for key, is_there in found.items() if is_there} == there


def test_a_parent_has_ways_to_enclaves(tmp_path):
    fabric = ParentFabric(tmp_path)
    (tmp_path / "16").mkdir()
    (tmp_path / "17").symlink_to(tmp_path / "16")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "16" / "v.sock"))
        found = {}
        for cid in (0, 1, 2, 3, 16, 17, 18, 0xFFFFFFFF):
            with fabric.way(cid, 5005) as way:
                found[cid] = way.line if way else None
    assert found.pop(16) == b"CONNECT 5005\n"
    assert set(found.values()) == {None}


def test_the_table_has_a_limit_and_forgets_what_is_closed():
    table = VsockTable(limit=3)
    socks = [socket.socket(socket.AF_UNIX) for _ in range(4)]
    for sock in socks[:3]:
        table.add(sock)
    with pytest.raises(OSError, match="too many"):
        table.add(socks[3])
    assert table.find(socks[0].fileno()) is not None
    assert table.find(socks[3].fileno()) is None
    assert table.find(0) is None  # no socket
    socks[0].close()
    table._next_look = 0.0
    table.add(socks[3])
    assert len(table) == 3
    for sock in socks[1:]:
        sock.close()


def test_processor_time_is_saved_spent_and_waited_for():
    now, used = [0.0], [0.0]
    budget = CpuBudget(share=0.5, saved=2.0, clock=lambda: now[0], processor=lambda: used[0])
    now[0], used[0] = 2.0, 2.0  # all the time: half is earned back
    assert budget.settle() == 0.0
    now[0], used[0] = 4.0, 4.0
    assert budget.settle() == 0.0
    now[0], used[0] = 4.02, 4.02
    assert budget.settle() == pytest.approx(0.02)  # what it has taken too much, at half speed
    now[0], used[0] = 6.0, 6.0
    assert budget.settle() == 0.05  # never longer at once
    now[0] = 100.0
    assert budget.settle() == 0.0


def test_the_loop_calls_at_a_time_and_not_after(monkeypatch):
    loop, called = EventLoop(), []
    read, write = os.pipe()
    loop.watch(read, lambda: called.append("late"), until=time.monotonic() + 0.01)
    loop.turn()
    assert called
    loop.unwatch(read)
    os.write(write, b"x")
    loop.tick = lambda: 0.01
    loop.turn()
    assert set(called) == {"late"}
    for it in (read, write):
        os.close(it)
    loop.close()


TALK = """
import socket
with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as listener:
    listener.bind((socket.VMADDR_CID_ANY, 5005))
    listener.listen()
    with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as ours:
        ours.connect((3, 5005))
        theirs, peer = listener.accept()
        with theirs:
            ours.sendall(b"hello")
            print(theirs.recv(5).decode(), peer == ours.getsockname())
"""


@pytest.mark.sandbox
@pytest.mark.parametrize("of_threads", [True, False], ids=["6.9", "before 6.9"])
def test_pidfds_of_threads_and_of_processes(require, of_threads):
    """Before Linux 6.9 there are pidfds of processes alone: that way by force."""
    require("sandbox", supervision_problem() is None, supervision_problem() or "")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, ours:
        script = SUPERVISED.format(line=theirs.fileno())
        process = subprocess.Popen(
            [sys.executable, "-c", script, TALK], pass_fds=[theirs.fileno()], stdout=subprocess.PIPE
        )
        theirs.close()
        _, (listener,) = receive_descriptors(ours)
        files = CallerFiles(of_threads=of_threads)
        Supervisor(listener, ParentFabric(Path(folder)), EventLoop(), files=files).run()
        os.close(listener)
        files.close()
        assert process.communicate(timeout=60)[0] == b"hello True\n"


SUPERVISED = """
import os, socket, sys
from nitro_workflow.host.supervisor.descriptor_lines import send_descriptors
from nitro_workflow.host.supervisor.filter_code import parent_filter
from nitro_workflow.host.supervisor.notification import install_listener
line = socket.socket(fileno={line})
listener = install_listener(parent_filter())
send_descriptors(line, b"L", [listener])
os.close(listener)
os.execv(sys.executable, [sys.executable, "-c", sys.argv[1]])
"""


@pytest.mark.sandbox
def test_a_program_has_one_supervisor(require):
    require("sandbox", supervision_problem() is None, supervision_problem() or "")
    code = """
from nitro_workflow.host.supervisor.filter_code import parent_filter
from nitro_workflow.host.supervisor.notification import install_listener
install_listener(parent_filter())
try:
    install_listener(parent_filter())
except OSError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Device or resource busy" in done.stdout
