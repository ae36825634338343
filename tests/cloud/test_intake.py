"""A large body's digests are made beside each other, and its file is written in long strokes."""

from __future__ import annotations

import hashlib
import os
import stat
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nitro_workflow.cloud.local import budgets
from nitro_workflow.cloud.local.call import ServiceFault
from nitro_workflow.cloud.local.http.chunks import ChunkDecoder
from nitro_workflow.cloud.local.http.content_file import ContentFile
from nitro_workflow.cloud.local.http.intake import Intake
from nitro_workflow.cloud.local.http.intake_plan import IntakePlan
from nitro_workflow.cloud.local.protocol import CHECKSUM_ALGORITHMS, encode_checksum, new_checksum

LIMIT = 8 * 1024**2
_SOME = os.urandom(1024**2)
_LENGTHS = st.lists(st.one_of(st.integers(0, 40), st.integers(0, 600_000)), max_size=6)


@pytest.fixture
def beside() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


def md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def plan_of(algorithm: str, data: bytes, *, chunked: bool) -> IntakePlan:
    checksum = new_checksum(algorithm)
    checksum.update(data)
    headers = {
        f"x-amz-checksum-{algorithm.lower()}": encode_checksum(checksum.digest()),
        "content-md5": b64encode(md5(data)).decode(),
        "x-amz-decoded-content-length" if chunked else "content-length": str(len(data)),
    }
    payload = "" if chunked else hashlib.sha256(data).hexdigest()
    decoder = ChunkDecoder() if chunked else None
    return IntakePlan.of(headers, payload=payload, decoder=decoder, limit=LIMIT)


def on_the_wire(pieces: list[bytes], *, chunked: bool) -> list[bytes]:
    """The pieces as chunks, cut anew, so that no cut of the wire is one of the framing."""
    if not chunked:
        return pieces
    chunks = [b""]
    for piece in pieces:
        if len(chunks[-1]) < 8_192:  # only the last may be smaller
            chunks[-1] += piece
        else:
            chunks.append(piece)
    framed = [b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks if chunk]
    whole = b"".join([*framed, b"0\r\n\r\n"])
    return [whole[start : start + 70_001] for start in range(0, len(whole), 70_001)]


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    lengths=_LENGTHS, algorithm=st.sampled_from(CHECKSUM_ALGORITHMS), chunked=st.booleans(),
    batch=st.integers(1, 5),
)  # fmt: skip
def test_every_digest_is_of_what_is_in_the_file(
    tmp_path: Path, beside: Executor, lengths: list[int], algorithm: str, chunked: bool, batch: int
) -> None:
    pieces = [_SOME[length % 997 :][:length] for length in lengths]
    data, wire = b"".join(pieces), on_the_wire(pieces, chunked=chunked)
    path = tmp_path / "body"
    with Intake(plan_of(algorithm, data, chunked=chunked), path, beside) as intake:
        for start in range(0, len(wire), batch):
            intake.take(wire[start : start + batch])
        body = intake.finish()
        assert path.read_bytes() == data
    assert (body.size, body.md5, body.algorithm) == (len(data), md5(data), algorithm)
    assert not path.exists()


@pytest.mark.parametrize("wrong", ["content-md5", "x-amz-checksum-crc64nvme", "sha256"])
def test_a_large_body_that_is_another_is_refused(
    tmp_path: Path, beside: Executor, wrong: str
) -> None:
    data = _SOME + b"end"
    other = bytearray(data)
    other[budgets.BLOCK_BYTES + 1] ^= 1
    stated = {
        "content-md5": b64encode(md5(bytes(other))).decode(),
        "x-amz-checksum-crc64nvme": encode_checksum(bytes(8)),
    }
    headers = {wrong: stated[wrong]} if wrong in stated else {}
    payload = hashlib.sha256(other).hexdigest() if wrong == "sha256" else ""
    plan = IntakePlan.of(headers, payload=payload, decoder=None, limit=LIMIT)
    with Intake(plan, tmp_path / "body", beside) as intake:
        intake.take([data[:700_000], data[700_000:]])
        with pytest.raises(ServiceFault, match=r"BadDigest|XAmzContentSHA256Mismatch"):
            intake.finish()


class _Broken(Executor):
    """Threads that fail, as one does whose memory ends."""

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        failed: Future[Any] = Future()
        failed.set_exception(MemoryError("no thread"))
        return failed


def test_what_fails_beside_fails_the_body(tmp_path: Path) -> None:
    plan = IntakePlan.of({}, payload="", decoder=None, limit=LIMIT)
    with Intake(plan, tmp_path / "body", _Broken()) as intake:
        intake.take([_SOME])
        with pytest.raises(MemoryError):
            intake.finish()


def test_nothing_of_a_batch_above_the_limit_is_written(tmp_path: Path, beside: Executor) -> None:
    plan = IntakePlan.of({}, payload="", decoder=None, limit=len(_SOME))
    with Intake(plan, tmp_path / "body", beside) as intake:
        with pytest.raises(ServiceFault, match="larger"):
            intake.take([_SOME, b"x"])
        assert (tmp_path / "body").stat().st_size == 0


@pytest.mark.parametrize("most", [1, 5, 10**6])
def test_a_disk_that_takes_less_than_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Linux may: a signal, a full disk, more than 2 GiB at once."""
    real = os.writev

    def some(descriptor: int, pieces: list[bytes]) -> int:
        return real(descriptor, [b"".join(pieces)[:most]])

    monkeypatch.setattr(os, "writev", some)
    pieces = [b"", b"abc", memoryview(b"defghij"), b"", b"k"]
    with ContentFile(tmp_path / "file") as file:
        file.write(pieces)
        file.write([b"lm", b""])
        file.sync()
        assert (tmp_path / "file").read_bytes() == b"abcdefghijklm"


def test_more_pieces_than_one_call_takes(tmp_path: Path) -> None:
    pieces = [bytes([number % 251]) for number in range(5000)]
    with ContentFile(tmp_path / "file") as file:
        file.write(pieces)
        assert (tmp_path / "file").read_bytes() == b"".join(pieces)


def test_a_draft_is_its_owners_alone_and_never_over_another(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with ContentFile(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with pytest.raises(FileExistsError):
            ContentFile(path)
    assert not path.exists()
