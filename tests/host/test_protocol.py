"""The host's protocol: its one member gives all of it, and a parent cannot hold its caller up."""

import contextlib
import inspect
import json
import socket
import threading
import time

import pytest

from nitro_workflow.errors import HostError
from nitro_workflow.host import Host, LaunchRequest, SandboxHost
from nitro_workflow.host.control import parent_channel
from nitro_workflow.host.instance.instance_paths import instance_path

INSTANCE = "i-0"


def members(kind):
    found = vars(kind).items()
    return {name: it for name, it in found if inspect.isfunction(it) and name[0] != "_"}


def test_the_sandbox_gives_the_whole_protocol_with_its_signatures():
    for name, wanted in members(Host).items():
        given = inspect.signature(members(SandboxHost)[name]).parameters
        asked = inspect.signature(wanted).parameters
        shape = {key: (it.kind, it.default) for key, it in asked.items()}
        assert {key: (it.kind, it.default) for key, it in given.items()} == shape, name


def test_a_launch_request_crosses_a_socket_and_is_the_same():
    request = LaunchRequest("a.eif", 512, cpu_ids=(1, 3), enclave_name="n", instance_id=INSTANCE)
    assert LaunchRequest.from_json(json.loads(json.dumps(request.to_json()))) == request


@pytest.mark.parametrize("fields", [{}, {"eif_path": "a", "memory_mib": 1, "more": 1}])
def test_other_fields_are_no_launch_request(fields):
    with pytest.raises(TypeError):
        LaunchRequest.from_json(fields)


@pytest.fixture
def parent(tmp_path):
    """Return what makes a parent application of a function of its connection."""
    threads = []
    folder = instance_path(tmp_path, INSTANCE)
    folder.mkdir(parents=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "control.sock"))
    listener.listen()
    listener.settimeout(60)

    def serve(answer):
        def run():
            # A client that is gone is no error.
            with listener.accept()[0] as connection, contextlib.suppress(OSError):
                answer(connection, connection.recv(4096))

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return SandboxHost(tmp_path).channel(INSTANCE)

    yield serve
    listener.close()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def test_a_request_and_its_answer(parent):
    channel = parent(
        lambda sock, line: sock.sendall(json.dumps({"got": json.loads(line)}).encode())
    )
    assert channel.ask({"op": "ping"}) == {"got": {"op": "ping"}}


@pytest.mark.parametrize("said", [b"", b"no\n", b"[1]\n", b"[" * 100_000 + b"\n", b"\xff\n"])
def test_an_answer_that_is_no_object_is_refused(parent, said):
    with pytest.raises(HostError) as refused:
        parent(lambda sock, _: sock.sendall(said)).ask({"op": "ping"})
    assert refused.value.code == "ParentUnavailable"


def test_a_parent_that_never_stops_talking_is_cut_off(parent, monkeypatch):
    monkeypatch.setattr(parent_channel, "LINE_LIMIT", 1 << 16)

    def talk(sock, _):
        while True:
            sock.sendall(b"a" * 65536)

    with pytest.raises(HostError):
        parent(talk).ask({"op": "ping"})


def test_a_parent_that_drips_is_not_waited_for_beyond_the_deadline(parent):
    def drip(sock, _):
        while True:
            sock.sendall(b"a")
            time.sleep(0.05)

    with pytest.raises(HostError) as refused:
        parent(drip).ask({"op": "ping"}, timeout=0.5)
    assert "timed out" in str(refused.value)


def test_a_link_to_another_socket_is_not_followed(tmp_path):
    """The administrator turns the instance's socket into a link to another one of this user."""
    folder = instance_path(tmp_path, INSTANCE)
    folder.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "other.sock"))
        other.listen()
        other.settimeout(0.2)
        (folder / "control.sock").symlink_to(tmp_path / "other.sock")
        with pytest.raises(HostError):
            SandboxHost(tmp_path).channel(INSTANCE).ask({"op": "ping"})
        with pytest.raises(TimeoutError):
            other.accept()
    (folder / "control.sock").unlink()
    (folder / "control.sock").touch()
    with pytest.raises(HostError):
        SandboxHost(tmp_path).channel(INSTANCE).ask({"op": "ping"})


def test_nobody_there_is_a_host_error(tmp_path):
    with pytest.raises(HostError) as refused:
        SandboxHost(tmp_path).channel(INSTANCE).ask({"op": "ping"})
    assert refused.value.next


def test_trace_and_logs_come_from_plain_files_only(tmp_path):
    host = SandboxHost(tmp_path)
    for name in ("i-a", "i-b"):
        folder = instance_path(tmp_path, name)
        folder.mkdir(parents=True)
        (folder / "trace.jsonl").write_text(f'{{"at": "{name}"}}\nnot json\n[1]\n{{"at"')
        (folder / "parent.log").write_text("said")
    (instance_path(tmp_path, "i-b") / "proxy.log").symlink_to("/etc/passwd")
    assert [line["at"] for line in host.trace()] == ["i-a", "i-b"]
    assert [line["at"] for line in host.trace("i-b")] == ["i-b"]
    assert host.trace("i-c") == []
    assert host.logs("i-b") == {"instance": "", "parent": "said", "proxy": ""}
