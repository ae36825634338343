"""The control socket: errors cross it as themselves, and nothing that is sent ends it."""

import errno
import json
import socket
import threading

import pytest

from nitro_workflow.errors import (
    AccessRefused,
    HostError,
    LabError,
    NitroWorkflowError,
    SandboxUnavailable,
    UsageError,
    VerificationError,
)
from nitro_workflow.host.control.control_line import SOCKET_NAME, ControlServer, ask
from nitro_workflow.host.control.sandbox_host import SandboxHost

ERRORS = {
    "host": HostError("f", expected="e", where="w", next="n", code="E26"),
    "sandbox": SandboxUnavailable("f", next="n"),
    "lab": LabError("f"),
    "access": AccessRefused("f", code="AccessDenied"),
}


@pytest.fixture
def path(tmp_path):
    def fail(name):
        raise ERRORS[name]

    def verify():
        raise VerificationError("f", step="root", expected="e")

    operations = {"echo": lambda **it: it, "fail": fail, "bug": lambda: 1 / 0, "verify": verify}
    server = ControlServer(tmp_path / "s", operations)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield tmp_path / "s"
    server.close()
    thread.join(60)
    assert not (tmp_path / "s").exists()


def test_an_answer(path):
    assert ask(path, "echo", timeout=60, a=[1], b="é") == {"a": [1], "b": "é"}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_crosses_as_itself(path, name):
    with pytest.raises(type(ERRORS[name])) as caught:
        ask(path, "fail", timeout=60, name=name)
    assert caught.value.to_json() == ERRORS[name].to_json()


def test_an_error_of_another_shape_is_a_host_error(path):
    with pytest.raises(NitroWorkflowError) as caught:
        ask(path, "verify", timeout=60)
    assert (caught.value.found, caught.value.expected) == ("f", "e")


class Flaky:
    """A listener that meets ``errors`` first."""

    def __init__(self, listener, *errors):
        self._listener, self._errors = listener, list(errors)

    def accept(self):
        if self._errors:
            raise self._errors.pop(0)
        return self._listener.accept()

    def __getattr__(self, name):
        return getattr(self._listener, name)


def test_it_outlives_a_want_of_descriptors_and_threads(tmp_path, monkeypatch):
    """An instance that holds them all for a while must not end the hypervisor's line for good."""
    server = ControlServer(tmp_path / "s", {"echo": dict})
    aborted = ConnectionAbortedError(errno.ECONNABORTED, "aborted")
    listener = Flaky(server._listener, OSError(errno.EMFILE, "no descriptor"), aborted)
    server._listener, start = listener, threading.Thread.start
    refused = []

    def start_later(thread):
        if not refused and "_serve" in str(thread._target):
            refused.append(thread)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_later)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with pytest.raises(HostError, match="no answer"):
        ask(tmp_path / "s", "echo", timeout=60)
    assert len(refused) == 1
    assert ask(tmp_path / "s", "echo", timeout=60) == {}
    server.close()
    thread.join(60)
    assert not thread.is_alive()


def test_a_bug_ends_that_request_only(path):
    with pytest.raises(HostError, match="ZeroDivisionError"):
        ask(path, "bug", timeout=60)
    for request in ({"op": "none"}, {"op": "echo2"}, {"op": "bug", "more": 1}):
        with pytest.raises(UsageError):
            ask(path, request.pop("op"), timeout=60, **request)
    assert ask(path, "echo", timeout=60) == {}


@pytest.mark.parametrize(
    "line", [b"\n", b"[]\n", b"{}\n", b"\xff\n", b'{"op": []}\n', b"[" * 9999 + b"\n"]
)
def test_lines_that_are_no_request(path, line):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(60)
        sock.connect(str(path))
        sock.sendall(line)
        assert json.loads(sock.makefile("rb").readline())["error"]["type"] == "UsageError"
    assert ask(path, "echo", timeout=60) == {}


def test_it_is_for_one_user(path):
    assert path.stat().st_mode & 0o777 == 0o600


def test_nobody_there(tmp_path):
    with pytest.raises(HostError) as caught:
        ask(tmp_path / "absent", "ping", timeout=1)
    assert caught.value.code == "E39"
    assert caught.value.found == "no answer to ping: the hypervisor is not running"
    assert "step P8" in caught.value.next
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "silent"))
        listener.listen()
        with pytest.raises(HostError, match="timed out"):
            ask(tmp_path / "silent", "ping", timeout=0.1)


def test_a_hypervisor_that_does_not_say_what_runs_has_nothing_swept_away(tmp_path):
    """Only where none runs is nothing running."""
    stored = tmp_path / "instance" / "i-0" / "state" / "object"
    stored.parent.mkdir(parents=True)
    stored.touch()

    def busy():
        raise OSError(errno.EMFILE, "Too many open files")

    server = ControlServer(tmp_path / SOCKET_NAME, {"describe-instances": busy})
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with pytest.raises(HostError, match="Too many open files"):
        SandboxHost(tmp_path).sweep()
    assert stored.exists()
    server.close()
    SandboxHost(tmp_path).sweep()
    assert not stored.parent.exists()
