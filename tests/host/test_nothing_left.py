"""A hypervisor that has run out of threads or descriptors, or waits in vain, lets nothing run."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from nitro_workflow.errors import HostError
from nitro_workflow.host import ParentPrograms, supervision_problem
from nitro_workflow.host.control.enclaves import Enclaves
from nitro_workflow.host.control.machine import Hypervisor
from nitro_workflow.host.instance.first_process import Programs
from nitro_workflow.host.instance.instance_socket import connect
from nitro_workflow.host.instance.parent_instance import ParentInstance
from nitro_workflow.host.sandbox import launcher
from nitro_workflow.host.sandbox.launcher import Sandbox
from nitro_workflow.host.sandbox.supervisor_line import SupervisorLine
from nitro_workflow.vsock import recv_json, send_json
from tests.host.conftest import INSTANCE
from tests.host.fake_hypervisor import Cloud
from tests.host.no_descriptors import TAKE_ALL
from tests.host.waiting import wait_for


@pytest.fixture
def hypervisor(sandboxed, workshop):
    folder = Path(tempfile.mkdtemp(prefix="nw-", dir="/tmp"))
    (folder / "ca.pem").write_text("CA")
    cloud, programs = Cloud(folder / "ca.pem", 9), ParentPrograms(workshop / "parent.py")
    it = Hypervisor(folder, folder / "run", cloud, programs)
    for thread in threading.enumerate():
        if thread.name == "supervision":  # it tries a sandbox, which is a process meanwhile
            thread.join()
    yield it
    it.close()
    shutil.rmtree(folder)


def processes():
    return {it.pid for it in psutil.Process().children(recursive=True)}


def test_a_launch_without_a_thread_leaves_no_enclave(hypervisor, eif, monkeypatch):
    """Whichever thread it is: one that nobody waits for would run unwatched, and hold its CPUs."""
    hypervisor.boot_instance(INSTANCE)
    start, left = threading.Thread.start, [-1]

    def limited(thread):
        left[0] -= 1
        if left[0] == -1:
            raise RuntimeError("can't start new thread")
        start(thread)

    before, refused = processes(), 0
    request = {"eif_path": str(eif), "memory_mib": 512, "cpu_count": 2}
    monkeypatch.setattr(threading.Thread, "start", limited)
    for number in range(20):
        left[0] = number
        try:
            hypervisor.run_enclave(**request)
        except RuntimeError:
            refused += 1
            assert hypervisor.describe_instances()[0]["Enclaves"] == []
            assert processes() == before
        else:
            break
    assert refused >= 4
    assert [it["State"] for it in hypervisor.describe_enclaves()] == ["RUNNING"]


def test_an_instance_that_does_not_say_that_it_started_is_ended(hypervisor, monkeypatch):
    """Its watch begins with that: without it, nothing would hold its memory and disk."""
    said, before = Sandbox.next_event, processes()

    def late(sandbox, timeout):
        event = said(sandbox, timeout)
        if event.event == "started":
            raise TimeoutError
        return event

    hypervisor.describe_instances()
    monkeypatch.setattr(Sandbox, "next_event", late)
    with pytest.raises(HostError, match="no program after"):
        hypervisor.boot_instance(INSTANCE)
    assert processes() == before


class HearsLate:
    """A line whose end is heard only once process ``pid`` is gone, and then some."""

    def __init__(self, sock, pid):
        self._sock, self._pid = sock, pid

    def recv(self, size):
        data = self._sock.recv(size)
        if not data:
            wait_for(lambda: not psutil.pid_exists(self._pid))
            time.sleep(0.3)
        return data

    def __getattr__(self, name):
        return getattr(self._sock, name)


@pytest.fixture
def hears_late(hypervisor, require, monkeypatch):
    """Have the hypervisor hear of a supervisor's end after that of all its programs."""
    require("sandbox", supervision_problem() is None, supervision_problem() or "")
    start, started, begun = launcher.start, SupervisorLine.started, []

    def noted(*arguments, **named):
        begun.append(start(*arguments, **named))
        return begun[-1]

    def hear_late(line):
        line._ours = HearsLate(line._ours, begun[-1].pid)
        started(line)

    monkeypatch.setattr(launcher, "start", noted)
    monkeypatch.setattr(SupervisorLine, "started", hear_late)


def kill_the_supervisor(before):
    """Of the sandbox that was started since: the bootstrap's process that has no children."""
    of_bootstrap = [
        it
        for it in psutil.Process().children(recursive=True)
        if it.pid not in before and any("bootstrap.py" in word for word in it.cmdline())
    ]
    (supervisor,) = [it for it in of_bootstrap if not it.children()]
    supervisor.kill()


def test_an_enclave_that_lost_its_supervisor_is_told_of_whatever_is_noticed_first(
    hypervisor, eif, hears_late, capfd
):
    """Its program ends over it, a moment later: that it ended is not why."""
    hypervisor.boot_instance(INSTANCE)
    before = processes()
    request = {"eif_path": str(eif), "memory_mib": 512, "cpu_count": 2}
    enclave_id = hypervisor.run_enclave(**request)["EnclaveID"]
    kill_the_supervisor(before)
    wait_for(lambda: hypervisor.describe_enclaves() == [])
    assert f"{enclave_id} ended: its supervisor has ended (it was killed)" in capfd.readouterr().err


def test_an_enclave_is_listed_as_long_as_what_it_had_is_taken(hypervisor, eif, monkeypatch):
    """Whoever sees that one is gone may have its CID and CPUs."""
    hypervisor.boot_instance(INSTANCE)
    request = {"eif_path": str(eif), "memory_mib": 512, "cpu_count": 2, "debug_mode": True}
    forget, listed = Enclaves._forget, []

    def look_and_forget(enclaves, enclave):
        listed.append([it["EnclaveID"] for it in hypervisor.describe_enclaves()])
        listed.append(hypervisor.console(enclave.plan.enclave_id)["ended"])
        forget(enclaves, enclave)
        listed.append(hypervisor.console(enclave.plan.enclave_id)["ended"])

    monkeypatch.setattr(Enclaves, "_forget", look_and_forget)
    started = hypervisor.run_enclave(**request)
    os.kill(started["ProcessID"], signal.SIGKILL)
    wait_for(lambda: hypervisor.describe_enclaves() == [])
    wait_for(lambda: len(listed) == 3)
    assert listed == [[started["EnclaveID"]], False, True]


def test_what_an_instance_was_ended_for_first_stays(hypervisor, monkeypatch):
    """Its supervisor may be killed in the course of it, on a machine that is busy."""
    hypervisor.boot_instance(INSTANCE)
    parent = hypervisor._parents[INSTANCE]
    monkeypatch.setattr(parent._sandbox, "kill", lambda: None)  # it takes its time
    parent._over_limit("memory: 2 MiB of 1")
    parent._lost_supervisor("it was killed")
    assert hypervisor.describe_instance(INSTANCE)["EndedFor"] == "memory: 2 MiB of 1"
    monkeypatch.undo()


def test_an_instance_is_ready_when_it_takes_commands_and_has_said_what_runs(
    hypervisor, monkeypatch
):
    """Its parent may answer before: a busy machine stops the first process just then."""
    spec = ParentInstance._spec

    def with_a_slow_first_process(parent, *arguments):
        found = spec(parent, *arguments)
        return replace(found, command=(sys.executable, "-c", SLOW_FIRST, found.command[-1]))

    monkeypatch.setattr(ParentInstance, "_spec", with_a_slow_first_process)
    booted = hypervisor.boot_instance(INSTANCE)
    assert set(booted["Programs"]) == {"proxy", "parent"}
    with connect(Path(booted["RunSocket"]), 60) as sock:
        send_json(sock, {"argv": ["true"]})
        assert recv_json(sock)["exit"] == 0


SLOW_FIRST = """
import time
from nitro_workflow.host.instance import first_process
listen, note = first_process._listen, first_process.Programs._note
def late(do):
    def wrapped(*arguments):
        time.sleep(1)
        return do(*arguments)
    return wrapped
first_process._listen, first_process.Programs._note = late(listen), late(note)
first_process.main()
"""


def test_what_a_sandbox_hands_out_is_not_less_without_descriptors():
    """Without the root of what it stores, the watch would not count that."""
    code = f"""
import array, socket, subprocess
from nitro_workflow.host.instance.first_process import Programs
from nitro_workflow.host.sandbox.launcher import Sandbox
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
sandbox = Sandbox(subprocess.Popen(["true"]), ours, None)
sandbox.process.wait()
for _ in range(2):
    rights = array.array("i", [0, 0])
    theirs.sendmsg([b'{{"event": "started"}}'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
{TAKE_ALL}
os.close(held.pop())
try:
    print(sandbox.next_event(5))
except OSError as error:
    print(errno.errorcode[error.errno])
os.close(held.pop())
print(len(sandbox.next_event(5).descriptors))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["EMFILE", "2"]


def test_how_a_program_ended_is_written_once_there_is_room(tmp_path):
    """Until then it would seem to run."""
    go, room = tmp_path / "go", tmp_path / "status.json.new"
    programs, others = Programs(tmp_path), processes()
    programs.start("one", ["sh", "-c", f"while [ ! -e {go} ]; do sleep 0.01; done; exit 3"])
    assert status_of(tmp_path) is None
    room.mkdir()  # nothing can be written there
    go.touch()
    wait_for(lambda: not processes() - others)
    room.rmdir()
    wait_for(lambda: status_of(tmp_path) == 3)


def status_of(folder):
    return json.loads((folder / "status.json").read_text())["one"]["exit"]
