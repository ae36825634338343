"""Frames and chunk streams: limits, cuts, and nothing that is taken for what it is not."""

import contextlib
import io
import socket
import struct
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro_workflow.errors import FrameError, VsockError
from nitro_workflow.vsock import (
    StreamReader,
    recv_frame,
    recv_json,
    send_frame,
    send_json,
    write_stream,
)


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_frame_is_a_length_and_so_many_bytes(pair):
    ours, theirs = pair
    send_frame(ours, b"abc")
    assert theirs.recv(7) == b"\0\0\0\3abc"
    send_frame(ours, b"")
    assert recv_frame(theirs) == b""


def test_frame_above_the_limit_is_refused_before_it_is_read(pair):
    ours, theirs = pair
    ours.sendall(struct.pack(">I", 1001))
    with pytest.raises(FrameError, match="1001"):
        recv_frame(theirs, 1000)


def test_a_cut_is_not_an_end(pair):
    ours, theirs = pair
    ours.sendall(b"\0\0\0\5ab")
    ours.close()
    with pytest.raises(VsockError, match="cut after 2 of 5") as caught:
        recv_frame(theirs)
    assert caught.value.code == "VsockError"


def test_an_end_between_frames_has_its_own_code(pair):
    ours, theirs = pair
    ours.close()
    with pytest.raises(VsockError) as caught:
        recv_frame(theirs)
    assert caught.value.code == "EndOfConnection"


def test_writing_to_nobody(pair):
    ours, theirs = pair
    theirs.close()
    with pytest.raises(VsockError):
        send_frame(ours, bytes(1 << 20))


def test_json_round_trip(pair):
    ours, theirs = pair
    value = {"a": [1, None, "é"], "b": {"c": True}}
    send_json(ours, value)
    assert recv_json(theirs) == value


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"1", b"{", b'{"a":1,"a":2}', b'{"a":NaN}', b"\xff", b"[" * 100_000],
    ids=["empty", "list", "number", "open", "twice", "nan", "bytes", "deep"],
)
def test_json_that_is_not_an_object(pair, data):
    ours, theirs = pair
    threading.Thread(target=send_frame, args=(ours, data), daemon=True).start()
    with pytest.raises(FrameError):
        recv_json(theirs)


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 700_000])
def test_stream_round_trip(pair, size):
    ours, theirs = pair
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]
    sender = threading.Thread(target=write_stream, args=(ours, io.BytesIO(data), 1000))
    sender.start()
    reader = StreamReader(theirs)
    assert reader.readall() == data
    assert (reader.total, reader.ended, reader.read(1)) == (size, True, b"")
    sender.join()


def test_stream_leaves_what_comes_after_it(pair):
    ours, theirs = pair
    write_stream(ours, io.BytesIO(b"data"))
    send_json(ours, {"next": 1})
    assert StreamReader(theirs).readall() == b"data"
    assert recv_json(theirs) == {"next": 1}


@pytest.mark.parametrize("cut", [1, 4, 6, 8, 10])
def test_stream_that_is_cut_anywhere(pair, cut):
    ours, theirs = pair
    ours.sendall(b"\0\0\0\4data\0\0\0\0"[:cut])
    ours.close()
    with pytest.raises(VsockError, match="cut after"):
        StreamReader(theirs).readall()


def test_stream_whose_source_fails_is_cut(pair):
    ours, theirs = pair

    class Broken:
        def read(self, size, /):
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        write_stream(ours, Broken())
    ours.close()
    with pytest.raises(VsockError):
        StreamReader(theirs).readall()


def test_stream_limits(pair):
    ours, theirs = pair
    write_stream(ours, io.BytesIO(bytes(100)), 10)
    reader = StreamReader(theirs, limit=55)
    with pytest.raises(FrameError, match="more than 55"):
        reader.readall()
    assert reader.total <= 55


def test_chunk_limit(pair):
    ours, theirs = pair
    ours.sendall(struct.pack(">I", 11))
    with pytest.raises(FrameError):
        StreamReader(theirs, chunk_limit=10).read(1)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=64))
def test_any_bytes_give_a_value_or_an_error_of_the_tree(data):
    for read in (
        lambda sock: recv_frame(sock, 16),
        lambda sock: recv_json(sock, 64),
        lambda sock: StreamReader(sock, limit=32, chunk_limit=16).readall(),
    ):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.sendall(data)
            ours.close()
            with contextlib.suppress(FrameError, VsockError):
                read(theirs)
