"""The proxy: allow list, start-up errors, carrying, concurrency, and the trace that shows TLS only."""

import contextlib
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from nitro_workflow.errors import InputError, Refused, VsockError
from nitro_workflow.vsock import (
    PIECES_FILE,
    HostTransport,
    PieceKeeper,
    TraceWriter,
    burst_observer,
    read_pieces,
)
from nitro_workflow.vsock.allowlist import Remote, check_allowed, parse_allowlist
from nitro_workflow.vsock.proxy import Proxy, main
from nitro_workflow.vsock.trace_lines import read_trace

PATIENCE = 60  # seconds, on a loaded machine

LIST = "allowlist:\n- {address: kms.us-east-1.amazonaws.com, port: 443}\n- {address: 127.0.0.1, port: 80}\n"


def test_allowlist_of_vsock_proxy():
    remotes = (Remote("kms.us-east-1.amazonaws.com", 443), Remote("127.0.0.1", 80))
    assert parse_allowlist(LIST) == remotes


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("other: []", "No allowlist field"),
        ("", "No allowlist field"),
        ("allowlist: 5", "not a list"),
        ("allowlist: [x]", "not a map"),
        ("allowlist: [{port: 1}]", "address is None"),
        ("allowlist: [{address: a, port: 0}]", "port is 0"),
        ("allowlist: [{address: a, port: true}]", "port is True"),
        ("allowlist: [", "not YAML"),
        ("!!python/object:os.system {}", "not YAML"),
    ],
)
def test_allowlist_that_is_none(text, found):
    with pytest.raises(InputError, match=found):
        parse_allowlist(text)


def test_allowed_by_name_or_by_address():
    allowed = parse_allowlist(LIST)
    check_allowed(Remote("KMS.us-east-1.amazonaws.com", 443), allowed)
    check_allowed(Remote("localhost", 80), allowed, socket.AF_INET)
    for remote in (Remote("127.0.0.1", 81), Remote("kms.example.invalid", 443)):
        with pytest.raises(Refused, match="The given address and port are not allowed"):
            check_allowed(remote, allowed)


def test_start_up_errors(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NITRO_WORKFLOW_VSOCK", f"host:{tmp_path}")
    config = tmp_path / "list.yaml"
    config.write_text(LIST)
    arguments = ["--config", str(config), "8000"]
    assert main([*arguments, "127.0.0.1", "81"]) == 1
    assert "The given address and port are not allowed" in capsys.readouterr().err
    config.write_text("allow: []")
    assert main([*arguments, "127.0.0.1", "80"]) == 3
    assert "No allowlist field" in capsys.readouterr().err
    assert main(["--config", str(tmp_path / "absent"), "8000", "127.0.0.1", "80"]) == 3
    config.write_text(LIST)
    with HostTransport(tmp_path).listen(8000):
        assert main([*arguments, "127.0.0.1", "80"]) == 4


@pytest.fixture
def server():
    """Echo what comes, in upper case, until the client ends."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run():
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=echo, args=(sock,), daemon=True).start()

    def echo(sock):
        with sock:
            while data := sock.recv(65536):
                sock.sendall(data.upper())

    threading.Thread(target=run, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


@pytest.fixture
def proxy(tmp_path, server):
    listener = HostTransport(tmp_path).listen(8000)
    trace, pieces = TraceWriter(tmp_path / "trace.jsonl"), PieceKeeper(tmp_path / PIECES_FILE)
    it = Proxy(listener, Remote("127.0.0.1", server), workers=2, trace=trace, pieces=pieces)
    thread = threading.Thread(target=it.serve_forever, daemon=True)
    thread.start()
    yield tmp_path
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(60)


def dial(folder):
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(PATIENCE)
    sock.connect(str(folder / "3" / "v.sock_8000"))
    return sock


def lines(folder, count):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        path = folder / "trace.jsonl"
        text = path.read_text() if path.exists() else ""
        if text.count("\n") >= count:
            whole, _, _ = text.rpartition("\n")  # the next one may be half-written
            return [json.loads(line) for line in whole.splitlines()]
        time.sleep(0.01)
    pytest.fail("no trace")


def test_carries_both_ways_and_traces_digests_only(proxy):
    secret = b"\x17\x03\x03\x00\x06secret"
    with dial(proxy) as sock:
        sock.sendall(secret)
        assert sock.recv(100) == b"\x17\x03\x03\x00\x06SECRET"
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b""
    outward, inward = lines(proxy, 2)
    assert (outward["source"], outward["target"], outward["size"]) == ("enclave", "kms", 11)
    assert (inward["source"], inward["step"]) == ("kms", "D6")
    assert outward["records"] == {"application_data": 1}
    assert outward["lengths"] == [["application_data", 6]]
    assert outward["only_tls"]
    assert outward["visible_to"] == ["enclave", "kms"]
    assert outward["carried_by"] == ["proxy"]
    text = (proxy / "trace.jsonl").read_text()
    assert "secret" not in text.lower()


def test_keeps_what_it_carried_before_it_passes_it_on(proxy):
    with dial(proxy) as sock:
        sock.sendall(b"\x17\x03\x03\x00\x06sealed")
        assert sock.recv(100) == b"\x17\x03\x03\x00\x06SEALED"
        assert read_pieces(proxy / PIECES_FILE, 0, time.time()) == {
            ("enclave", "kms"): b"\x17\x03\x03\x00\x06sealed",
            ("kms", "enclave"): b"\x17\x03\x03\x00\x06SEALED",
        }


def test_each_burst_of_a_connection_that_stays_open_is_traced(proxy):
    with dial(proxy) as sock:
        for count in (2, 4):
            sock.sendall(b"\x17\x03\x03\x00\x01a")
            sock.recv(100)
            events = lines(proxy, count)  # before the next burst begins
        assert [it["size"] for it in events] == [6] * 4
        assert [it["records"] for it in events] == [{"application_data": 1}] * 4
        assert [it["lengths"] for it in events] == [[["application_data", 1]]] * 4


def test_what_was_asked_is_traced_before_its_answer(tmp_path, monkeypatch):
    """Also where the client sends once more, as at TLS's end, before the answer is noted."""
    clock = [0.0]
    monkeypatch.setattr(burst_observer, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    writer = TraceWriter(tmp_path / "trace.jsonl")
    outward = burst_observer.BurstObserver("D3", "enclave", "kms", writer)
    inward = burst_observer.BurstObserver("D6", "kms", "enclave", writer)
    outward.feed(b"request")
    inward.feed(b"answer")
    clock[0] = 1.0
    outward.feed(b"end")
    assert inward.quiet
    assert not outward.quiet
    rounds = iter((False, True))
    ended = SimpleNamespace(wait=lambda _: next(rounds))
    burst_observer.watch_bursts(ended, outward, inward)
    assert [line["step"] for line in read_trace(tmp_path / "trace.jsonl")] == ["D3", "D6"]


def test_a_burst_is_of_the_time_when_it_began(tmp_path):
    """Its line is written later, and would stand behind what the enclave did with the answer."""
    outward = burst_observer.BurstObserver("D3", "enclave", "kms", TraceWriter(tmp_path / "trace"))
    fed = []
    for _ in range(2):
        outward.feed(b"request")
        fed.append(datetime.now(UTC))
        while datetime.now(UTC) < fed[-1] + timedelta(milliseconds=2):  # a line tells milliseconds
            time.sleep(0.001)
        outward.note(None)
    first, second = (datetime.fromisoformat(it["at"]) for it in read_trace(tmp_path / "trace"))
    assert first <= fed[0] < second <= fed[1]


def test_at_most_so_many_at_a_time(proxy):
    first, second, third = dial(proxy), dial(proxy), dial(proxy)
    with first, second, third:
        for sock in (first, second):
            sock.sendall(b"a")
            assert sock.recv(1) == b"A"
        third.sendall(b"b")
        third.settimeout(0.2)
        with pytest.raises(TimeoutError):
            third.recv(1)
        first.close()
        third.settimeout(PATIENCE)
        assert third.recv(1) == b"B"


def test_a_remote_that_is_down_cuts_that_connection_only(tmp_path, capfd):
    silent = socket.socket()  # has the port, so that nobody else takes it, and does not listen
    silent.bind(("127.0.0.1", 0))
    port = silent.getsockname()[1]
    listener = HostTransport(tmp_path).listen(8000)
    thread = threading.Thread(target=Proxy(listener, Remote("127.0.0.1", port)).serve_forever)
    thread.start()
    for _ in range(6):  # more than there are workers
        with dial(tmp_path) as sock:
            assert sock.recv(1) == b""
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(60)
    silent.close()
    assert f"127.0.0.1:{port}" in capfd.readouterr().err


@pytest.fixture
def as_a_process(tmp_path, server):
    """Start the proxy as a process that ignores SIGINT to begin with, as a shell's background does."""
    (tmp_path / "list.yaml").write_text(f"allowlist: [{{address: 127.0.0.1, port: {server}}}]")
    command = [sys.executable, "-m", "nitro_workflow.vsock.proxy", "--config", "list.yaml"]
    environment = {**os.environ, "NITRO_WORKFLOW_VSOCK": f"host:{tmp_path}"}
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = subprocess.Popen(
            [*command, "--trace", "trace.jsonl", "8000", "127.0.0.1", str(server)],
            cwd=tmp_path, env=environment, stderr=subprocess.PIPE,
        )  # fmt: skip
    finally:
        signal.signal(signal.SIGINT, before)
    ready, _, _ = select.select([process.stderr], [], [], PATIENCE)
    yield process, process.stderr.readline() if ready else b""
    process.kill()
    process.wait(PATIENCE)
    process.stderr.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_process_and_what_it_carries(tmp_path, as_a_process, number):
    process, said = as_a_process
    assert b"vsock port 8000" in said
    with dial(tmp_path) as sock:
        sock.sendall(b"x")
        assert sock.recv(1) == b"X"
        process.send_signal(number)
        assert process.wait(PATIENCE) == 0
        assert sock.recv(1) == b""
    assert {it["size"] for it in lines(tmp_path, 2)} == {1}


def test_goes_on_after_descriptors_ran_out(tmp_path, as_a_process):
    process, _ = as_a_process
    hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)[1]
    with dial(tmp_path) as sock:  # all is loaded and open that it needs
        sock.sendall(b"x")
        assert sock.recv(1) == b"X"
    used = max(int(it.name) for it in Path(f"/proc/{process.pid}/fd").iterdir())
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (used, hard))
    with dial(tmp_path) as starved:
        starved.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            assert starved.recv(1) == b""  # refused, or not yet accepted
        assert process.poll() is None
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (hard, hard))
        with dial(tmp_path) as sock:
            sock.sendall(b"y")
            assert sock.recv(1) == b"Y"


@pytest.mark.parametrize("refused", ["watch_bursts", "_copy"])
def test_a_connection_without_a_thread_is_cut_and_leaves_none(proxy, monkeypatch, refused):
    """One that watched a connection that never began would be one less for the next, for good."""
    start, left = threading.Thread.start, [3]

    def limited(thread):
        if left[0] and getattr(thread._target, "__name__", "") == refused:
            left[0] -= 1
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    before = set(threading.enumerate())
    for _ in range(3):
        with contextlib.suppress(ConnectionError), dial(proxy) as sock:
            assert sock.recv(1) == b""
    with dial(proxy) as sock:
        sock.sendall(b"x")
        assert sock.recv(1)
    deadline = time.monotonic() + PATIENCE
    while set(threading.enumerate()) - before:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_trace_of_several_writers_never_mixes(tmp_path):
    path = tmp_path / "trace.jsonl"

    def write(number):
        writer = TraceWriter(path)
        for _ in range(50):
            writer.append(
                step="D2", source=str(number), target="b", what="w" * 500, size=1, sha256="0" * 64,
                visible_to=["a"], job="j",
            )  # fmt: skip

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(events) == 200
    assert [it["seq"] for it in events if it["source"] == "1"] == list(range(1, 51))
    with pytest.raises(IsADirectoryError):
        TraceWriter(tmp_path).append(
            step="D2", source="a", target="b", what="", size=0, sha256="", visible_to=[]
        )


def test_unresolvable_names_are_an_error_of_the_tree(monkeypatch):
    from nitro_workflow.vsock import allowlist

    def fail(*_):
        raise OSError

    monkeypatch.setattr(allowlist.socket, "getaddrinfo", fail)
    with pytest.raises(VsockError):
        allowlist.resolve("kms.example.invalid")
