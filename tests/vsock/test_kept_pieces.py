"""What a proxy keeps: the newest pieces, bounded, whatever somebody wrote into the file."""

from __future__ import annotations

import json
import os
import time

import pytest

from nitro_workflow.vsock import PIECES_FILE, PieceKeeper, kept_pieces, read_pieces

OUT, BACK = ("enclave", "kms"), ("kms", "enclave")


@pytest.fixture
def path(tmp_path):
    return tmp_path / PIECES_FILE


def test_pieces_of_each_direction_come_back_in_order(path):
    keeper = PieceKeeper(path)
    for way, data in ((OUT, b"he"), (BACK, b"wor"), (OUT, b"llo"), (BACK, b"ld")):
        keeper.keep(*way, data)
    assert read_pieces(path, 0, time.time()) == {OUT: b"hello", BACK: b"world"}
    assert path.stat().st_mode & 0o777 == 0o600


def test_only_what_passed_between_two_times(path, monkeypatch):
    keeper = PieceKeeper(path)
    for at in (10.0, 20.0, 30.0):
        monkeypatch.setattr(kept_pieces.time, "time", lambda at=at: at)
        keeper.keep(*OUT, b"%d" % at)
    assert read_pieces(path, 15, 25) == {OUT: b"20"}


def test_what_is_kept_stays_small_and_is_the_newest(path, monkeypatch):
    monkeypatch.setattr(kept_pieces, "LIMIT", 1000)
    keeper = PieceKeeper(path)
    for number in range(100):
        keeper.keep(*OUT, b"%03d" % number)
    kept = read_pieces(path, 0, time.time())[OUT]
    assert kept.endswith(b"098099")
    assert sum(file.stat().st_size for file in path.parent.iterdir()) < 2 * 1000 + 200


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[1]",
        b"null",
        b"[" * 100_000,
        b'{"at": 1}',
        b'{"at": "x", "source": "enclave", "target": "kms", "data": "YQ=="}',
        b'{"at": 1, "source": "enclave", "target": "kms", "data": "?"}',
        b'{"at": 1, "source": "enclave", "target": "kms", "data": 7}',
    ],
)
def test_a_line_that_is_no_piece_is_left_out(path, line):
    path.write_bytes(line + b"\n")
    PieceKeeper(path).keep(*OUT, b"good")
    assert read_pieces(path, 0, time.time()) == {OUT: b"good"}


def test_neither_writes_nor_reads_through_a_link(path, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(json.dumps({"at": 1, "source": "a", "target": "b", "data": "YQ=="}))
    before = elsewhere.read_bytes()
    path.symlink_to(elsewhere)
    PieceKeeper(path).keep(*OUT, b"piece")
    assert elsewhere.read_bytes() == before
    assert read_pieces(path, 0, time.time()) == {}


def test_a_disk_that_takes_nothing_cuts_nobody_off(path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    PieceKeeper(path).keep(*OUT, b"piece")
    monkeypatch.undo()
    assert read_pieces(path, 0, time.time()) == {}
