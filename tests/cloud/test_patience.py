"""What our connection takes from uvicorn, which promises nobody that it stays so."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
import uvicorn.protocols.http.flow_control as uvicorn_flow
import uvicorn.protocols.http.httptools_impl as uvicorn_http

from nitro_workflow.cloud.local import budgets
from nitro_workflow.cloud.local.http.answering import send_answer, to_somebody
from nitro_workflow.cloud.local.http.gathering import Gathering
from nitro_workflow.cloud.local.http.incoming import Disconnected
from nitro_workflow.cloud.local.http.patience import PatientProtocol
from nitro_workflow.cloud.local.http.record_reader import RecordReader
from nitro_workflow.cloud.local.protocol import FileSlice, RawResponse
from tests.cloud.conftest import RunningCloud
from tests.cloud.test_faults import PATIENCE, says, tls

OVERRIDDEN = [name for name, value in vars(PatientProtocol).items() if inspect.isfunction(value)]


@pytest.mark.parametrize("name", [n for n in OVERRIDDEN if n[:1] != "_"])
def test_what_we_override_is_still_called_so(name: str) -> None:
    ours, theirs = (getattr(kind, name) for kind in (PatientProtocol, PatientProtocol.__base__))
    assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)


def test_a_cycle_says_whether_its_answer_is_complete() -> None:
    """`shutdown` and `_is_closing` use attributes that are no one's public names."""
    source = inspect.getsource(uvicorn_http)
    assert "self.disconnected = False" in source
    assert "self.cycle: RequestResponseCycle = None" in source
    assert "self.response_complete = False" in source


def used_of_a_transport() -> set[str]:
    found = set()
    for module in (uvicorn_http, uvicorn_flow):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute | ast.Name):
                owner = getattr(node.value, "attr", getattr(node.value, "id", ""))
                found |= {node.attr} if owner.lstrip("_") == "transport" else set()
    return found


def test_the_gathering_transport_has_all_that_uvicorn_asks_for() -> None:
    # set_protocol is for websockets, which are off.
    asked = used_of_a_transport() - {"set_protocol"}
    assert {"write", "close", "is_closing", "pause_reading", "resume_reading"} <= asked
    assert asked <= vars(Gathering).keys()


def test_an_idle_connection_does_not_hold_the_end_up(own_cloud: RunningCloud) -> None:
    own_cloud.start()
    with tls(own_cloud) as wrapped:
        wrapped.sendall(b"GET /_nitro/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert says(wrapped, b'"status":"ok"')
        assert own_cloud.stop(signal.SIGTERM) == 0
    assert "graceful shutdown exceeded" not in own_cloud.log  # uvicorn's words after ten seconds


def test_a_handshake_that_does_not_end(cloud: RunningCloud) -> None:
    """It held a descriptor and its memory for a minute."""
    hello = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        ssl.create_default_context().wrap_bio(*hello, server_hostname="localhost").do_handshake()
    first = hello[1].read()
    for part in (b"", first[:50], first):
        began = time.monotonic()  # the server's own count begins later
        with socket.create_connection(("127.0.0.1", cloud.port)) as raw:
            raw.settimeout(budgets.HANDSHAKE_SECONDS + PATIENCE)
            raw.sendall(part)
            with contextlib.suppress(ConnectionResetError):
                while raw.recv(65_536):
                    pass
            assert time.monotonic() - began > budgets.HANDSHAKE_SECONDS / 2


def test_the_buffer_is_empty_of_others(cloud: RunningCloud) -> None:
    """All connections are read into one buffer: what one sends never reaches another's request."""
    with tls(cloud) as one, tls(cloud) as other:
        one.sendall(b"GET /_nitro/health?" + b"a" * 30_000)
        other.sendall(b"GET /_nitro/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert says(other, b'"status":"ok"')
        one.sendall(b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert says(one, b'"status":"ok"')


@contextlib.contextmanager
def serving(application: Any) -> Iterator[int]:
    """A server of ours without TLS, by its port."""
    config = uvicorn.Config(
        application, http=PatientProtocol, log_config=None, ws="none", lifespan="off",
        loop="asyncio",
    )  # fmt: skip
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def heads() -> Iterator[tuple[int, list[dict[bytes, bytes]]]]:
    """A server by its port, and the heads of the requests that it is given."""
    given: list[dict[bytes, bytes]] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        given.append(dict(scope["headers"]))
        while (await receive()).get("more_body"):
            pass
        await asyncio.sleep(0.05)  # so that what follows on the connection waits
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    with serving(application) as port:
        yield port, given


def all_answers(raw: socket.socket) -> bytes:
    """Return what comes until the server ends the connection."""
    raw.settimeout(PATIENCE)
    answer = b""
    with contextlib.suppress(ConnectionError):
        while piece := raw.recv(65_536):
            answer += piece
    return answer


CHUNKED = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"


def test_more_requests_at_once_than_anybody_needs(heads: Any) -> None:
    """One read of 128 KiB held 7,000 of them, each with its records: 20 MB a connection."""
    port, given = heads
    one = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port)) as raw:
        raw.sendall(
            one * (budgets.PIPELINED // 2) + one.replace(b"\r\n\r", b"\r\nConnection: close\r\n\r")
        )
        assert all_answers(raw).count(b"HTTP/1.1 204") == budgets.PIPELINED // 2 + 1
    with socket.create_connection(("127.0.0.1", port)) as raw:
        given.clear()
        with contextlib.suppress(ConnectionError):
            raw.sendall(one * 4_000)
        # Nothing is said out of turn: it would be taken for the first request's answer.
        assert b"400" not in all_answers(raw)
    assert len(given) <= 1


@pytest.mark.parametrize("start", [b"0\r\n", b"0\r\na:", b"5;"])
@pytest.mark.parametrize("endless", [b"b: c\r\n", b"b" * 4096])
def test_what_stands_around_the_chunks_has_an_end(heads: Any, start: bytes, endless: bytes) -> None:
    """Fields behind the last chunk were kept, all of them: a gigabyte in six seconds."""
    port, _ = heads
    with socket.create_connection(("127.0.0.1", port)) as raw:
        with contextlib.suppress(ConnectionError):
            raw.sendall(
                CHUNKED + b"\r\n" + start + endless * (64 * budgets.HEAD_BYTES // len(endless))
            )
        assert b"204" not in all_answers(raw)


def test_a_body_that_is_none_is_answered(heads: Any) -> None:
    port, _ = heads
    with socket.create_connection(("127.0.0.1", port)) as raw:
        raw.sendall(CHUNKED + b"\r\nxyz\r\n")
        assert all_answers(raw).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"\r\n\r\n", b"\n"])
def test_line_ends_hold_no_connection(
    heads: Any, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They ended the wait for the next request: the connection stayed open for ever."""
    port, _ = heads
    with socket.create_connection(("127.0.0.1", port)) as raw:
        for _ in range(2):
            raw.sendall(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            assert says(raw, b"204 No Content\r\n")
        monkeypatch.setattr(budgets, "HEAD_SECONDS", 1)  # not before: these two may be slow
        raw.sendall(sent or b"GET")
        assert all_answers(raw) in (b"", b"\r\n")


def test_a_trailer_is_no_header(heads: Any) -> None:
    port, given = heads
    with socket.create_connection(("127.0.0.1", port)) as raw:
        raw.sendall(CHUNKED + b"Connection: close\r\n\r\n1\r\nx\r\n0\r\nX-Amz-Meta-A: b\r\n\r\n")
        assert b"204" in all_answers(raw)
    assert [b"x-amz-meta-a" in head for head in given] == [False]


def test_many_small_chunks_are_a_body(heads: Any) -> None:
    port, given = heads
    with socket.create_connection(("127.0.0.1", port)) as raw:
        raw.sendall(
            CHUNKED
            + b"Connection: close\r\n\r\n"
            + b"1\r\nx\r\n" * budgets.HEAD_BYTES
            + b"0\r\n\r\n"
        )
        assert b"204" in all_answers(raw)
    assert len(given) == 1


@pytest.mark.parametrize("further", [0, 1], ids=["alone", "with a request behind it"])
def test_nobody_gets_a_file_any_more(
    tmp_path: Path, further: int, caplog: pytest.LogCaptureFixture
) -> None:
    """All of it was read nevertheless, and everybody else waited."""
    ended = threading.Event()
    blocks = 4_000
    with (tmp_path / "large").open("w+b") as file:
        file.truncate(blocks * budgets.BLOCK_BYTES)

        async def application(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            part = FileSlice(file, 0, blocks * budgets.BLOCK_BYTES)
            with contextlib.suppress(Disconnected):
                await send_answer(RawResponse(200, {}, part), "GET", to_somebody(scope, send))
            ended.set()

        with serving(application) as port:
            with socket.create_connection(("127.0.0.1", port)) as raw:
                raw.sendall(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n" * (1 + further))
                assert raw.recv(1)
            assert ended.wait(PATIENCE)
            assert file.tell() < blocks * budgets.BLOCK_BYTES
    assert not caplog.records


def test_strangers_do_not_fill_the_log(own_cloud: RunningCloud) -> None:
    own_cloud.start()
    for sent in (
        b"GET / HTTP/9\r\n\r\n",
        b"GET /a HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ):
        with tls(own_cloud) as wrapped:
            wrapped.sendall(sent)
            assert says(wrapped, b"HTTP/1.1 4")
    assert "uvicorn" not in own_cloud.log


def test_all_that_a_protocol_is_told_reaches_ours() -> None:
    told = {name for kind in (asyncio.BaseProtocol, asyncio.BufferedProtocol)
            for name, value in vars(kind).items() if inspect.isfunction(value)}  # fmt: skip
    assert told <= vars(RecordReader).keys()


def test_without_uvloop(own_cloud: RunningCloud, tmp_path: Path) -> None:
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "uvloop.py").write_text("raise ImportError('not here')\n")
    own_cloud.start(environment={"PYTHONPATH": str(tmp_path / "without")})
    s3, body = own_cloud.client("s3"), os.urandom(3 * 1024**2)
    s3.create_bucket(Bucket="plain")
    s3.put_object(Bucket="plain", Key="k", Body=body)
    assert s3.get_object(Bucket="plain", Key="k")["Body"].read() == body
