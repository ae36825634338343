"""Whatever the parent sends: one clear error, or nothing, and the next job is served."""

from __future__ import annotations

import io
import resource
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from application_world import QuickLimits, Sealed, World, events_of, records

from nitro_workflow.errors import VsockError
from nitro_workflow.vsock import frames

MIB = 1024 * 1024


def send(sock: socket.socket, *parts: bytes) -> None:
    with suppress(OSError):
        for part in parts:
            sock.sendall(part)


def frame(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def json_request(world: World, sealed: Sealed, **changes) -> Callable[[socket.socket], None]:
    return lambda sock: frames.send_json(sock, world.request(sealed, **changes))


def endless(world: World, sealed: Sealed):
    def attack(sock: socket.socket) -> None:
        frames.send_json(sock, world.request(sealed))
        send(sock, frame(sealed.ciphertext))
        with suppress(OSError):
            while True:
                sock.sendall(frame(bytes(MIB // 2)))

    return attack


def cut(world: World, sealed: Sealed):
    def attack(sock: socket.socket) -> None:
        frames.send_json(sock, world.request(sealed))
        send(sock, frame(sealed.ciphertext[:50_000]))
        sock.shutdown(socket.SHUT_WR)

    return attack


def drip(world: World, sealed: Sealed):
    def attack(sock: socket.socket) -> None:
        frames.send_json(sock, world.request(sealed))
        with suppress(OSError):
            for byte in frame(sealed.ciphertext):
                sock.sendall(bytes([byte]))
                time.sleep(0.3)

    return attack


CASES = {
    "garbage": (lambda w, s: lambda sock: send(sock, b"\xff" * 64), "FrameError"),
    "http": (lambda w, s: lambda sock: send(sock, b"GET / HTTP/1.1\r\n\r\n"), "FrameError"),
    "huge-request": (lambda w, s: lambda sock: send(sock, frame(b"{" * 100_000)), "FrameError"),
    "no-json": (lambda w, s: lambda sock: send(sock, frame(b"{]")), "FrameError"),
    "a-list": (lambda w, s: lambda sock: send(sock, frame(b"[1]")), "FrameError"),
    "deep": (lambda w, s: lambda sock: send(sock, frame(b"[" * 60_000)), "FrameError"),
    "double-key": (lambda w, s: lambda sock: send(sock, frame(b'{"a":1,"a":1}')), "FrameError"),
    "other-field": (lambda w, s: json_request(w, s, extra=1), "FrameError"),
    "other-form": (lambda w, s: json_request(w, s, form="plain"), "FrameError"),
    "bad-nonce": (lambda w, s: json_request(w, s, nonce="00"), "FrameError"),
    "bad-job": (lambda w, s: json_request(w, s, job="../../etc/passwd"), "FrameError"),
    "size-zero": (lambda w, s: json_request(w, s, size=0), "FrameError"),
    "size-float": (lambda w, s: json_request(w, s, size=1e9), "FrameError"),
    "size-true": (lambda w, s: json_request(w, s, size=True), "FrameError"),
    "size-beyond": (lambda w, s: json_request(w, s, size=2**40), "FrameError"),
    "key-beside-message": (lambda w, s: json_request(w, s, encrypted_key="AAAA"), "FrameError"),
    "no-key": (lambda w, s: json_request(w, s, form="envelope"), "FrameError"),
    "header-injection": (
        lambda w, s: json_request(
            w,
            s,
            credentials={
                "access_key_id": "AKIAIOSFODNN7EXAMPLE",
                "secret_access_key": "x",
                "session_token": "x\r\nHost: evil",
            },
        ),
        "FrameError",
    ),
    "endless": (endless, "FrameError"),
    "cut": (cut, "VsockError"),
    "slow": (drip, "DeadlineError"),
    "silent": (lambda w, s: lambda sock: None, "DeadlineError"),
    "ends-early": (
        lambda w, s: (
            lambda sock: (
                frames.send_json(sock, w.request(s)),
                frames.write_stream(sock, io.BytesIO(s.ciphertext[:70_000])),
            )
        ),
        "FrameError",
    ),
    "huge-chunk": (
        lambda w, s: (
            lambda sock: (
                frames.send_json(sock, w.request(s)),
                send(sock, struct.pack(">I", 2**31), bytes(1000)),
            )
        ),
        "FrameError",
    ),
}

LIMITS = {"slow": "base", "silent": "request"}


@pytest.mark.parametrize("case", CASES)
def test_one_clear_error_and_the_next_job_is_served(world, monkeypatch, case):
    if case in LIMITS:
        monkeypatch.setattr(QuickLimits, LIMITS[case], 1.5)
    build, code = CASES[case]
    sealed = world.seal(records())
    with world.dial() as sock:
        sender = threading.Thread(target=build(world, sealed), args=(sock,))
        sender.start()
        last = events_of(sock)[-1]
        sock.shutdown(socket.SHUT_RDWR)
        sender.join()
    assert (last["event"], last["error"]["code"]) == ("failed", code)
    assert all(last["error"][name] for name in ("found", "where", "next"))
    monkeypatch.undo()
    assert world.run(sealed)[-1]["event"] == "result"


def test_a_parent_that_leaves_or_never_reads_costs_nothing(world, monkeypatch):
    monkeypatch.setattr(QuickLimits, "base", 1.0)
    sealed = world.seal(records())
    with world.dial():
        pass
    with world.dial() as sock:
        frames.send_json(sock, world.request(sealed))
        sock.close()
    monkeypatch.undo()
    assert world.run(sealed)[-1]["event"] == "result"


def test_a_second_connection_waits_and_is_told(world, monkeypatch):
    monkeypatch.setattr(QuickLimits, "wait", 0.2)
    sealed = world.seal(records())
    with world.dial() as first, world.dial() as second:
        frames.send_json(first, world.request(sealed))
        frames.send_json(second, world.request(sealed))
        last = events_of(second)[-1]
        assert (last["event"], last["error"]["code"]) == ("failed", "Busy")
        frames.write_stream(first, io.BytesIO(sealed.ciphertext))
        assert events_of(first)[-1]["event"] == "result"


def test_a_message_cannot_make_the_enclave_hold_much(world):
    """A header that announces frames of 4 GiB is refused before anything of it is read."""
    sealed = world.seal(records())
    at = sealed.ciphertext.index((64 * 1024).to_bytes(4, "big"))
    sealed.ciphertext = (
        sealed.ciphertext[:at] + (2**32 - 1).to_bytes(4, "big") + sealed.ciphertext[at + 4 :]
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert world.run(sealed)[-1]["event"] == "refused"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 * 1024


def test_the_console_says_job_ids_and_codes_only(world, capfd):
    sealed = world.seal(records())
    world.run(sealed)  # it waits for whatever an earlier test's job may still say
    capfd.readouterr()
    world.run(sealed, job="00000000-0000-4000-8000-000000000000")
    lines = capfd.readouterr().out.splitlines()
    assert lines == [
        "nitro-workflow: job 00000000-0000-4000-8000-000000000000",
        "nitro-workflow: result at D9",
    ]


def test_a_peer_that_is_slow_to_close_has_not_left(world, capfd):
    """On a busy machine it has read its result, and closes a moment later."""
    sealed = world.seal(records())
    with world.dial() as sock:
        frames.send_json(sock, world.request(sealed))
        frames.write_stream(sock, io.BytesIO(sealed.ciphertext))
        assert events_of(sock)[-1]["event"] == "result"
        assert world.run(sealed)[-1]["event"] == "result"  # the server is done with the first
    assert "left" not in capfd.readouterr().out


def test_an_unfit_application_says_so_to_each_job(tmp_path, world):
    from enclave_image.inside.job_server import JobServer

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        server = JobServer(listener, QuickLimits)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        server.load(b"{}", None, None)
        sealed = Sealed(b"x" * 64, None)
        for _ in range(2):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(str(tmp_path / "s"))
                frames.send_json(sock, world.request(sealed))
                assert events_of(sock)[-1]["error"]["code"] == "ConfigError"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_peer_that_stops_reading_is_left(world, monkeypatch):
    monkeypatch.setattr(QuickLimits, "linger", 0.2)
    sealed = world.seal(records())
    with world.dial() as sock, suppress(VsockError):
        frames.send_json(sock, world.request(sealed))
        frames.write_stream(sock, io.BytesIO(sealed.ciphertext))
        time.sleep(1)
        monkeypatch.undo()
        assert world.run(sealed)[-1]["event"] == "result"
