"""aws-chunked bodies: Amazon's own example, cut anywhere; and what breaks their framing."""

from __future__ import annotations

import hashlib
import zlib
from base64 import b64encode
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro_workflow.cloud.local.auth.sigv4 import Claim, signing_key
from nitro_workflow.cloud.local.call import ServiceFault
from nitro_workflow.cloud.local.http.chunks import ChunkDecoder, ChunkSigner
from nitro_workflow.cloud.local.http.intake import Intake, IntakePlan

# Amazon S3 API Reference, "Transferring Payload in Multiple Chunks", the worked example.
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
CHUNKS = (
    (65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
    (1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
    (0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
)


def signer() -> ChunkSigner:
    claim = Claim("AKIAIOSFODNN7EXAMPLE", "20130524", "us-east-1", "s3", ("host",), SEED,
                  "20130524T000000Z", datetime(2013, 5, 24, tzinfo=UTC), "", None, "")  # fmt: skip
    return ChunkSigner(signing_key(claim, SECRET), claim.timestamp, claim.scope, SEED)


def example() -> bytes:
    parts = []
    for size, signature in CHUNKS:
        head = f"{size:x};chunk-signature={signature}\r\n".encode()
        parts.append(head + b"a" * size + b"\r\n")
    return b"".join(parts)


@pytest.mark.parametrize("step", [1, 7, 1000, 65536, 10**6])
def test_amazons_example(step: int) -> None:
    decoder, body, out = ChunkDecoder(signer()), example(), bytearray()
    for start in range(0, len(body), step):
        for piece in decoder.feed(body[start : start + step]):
            out += piece
    assert decoder.done
    assert out == b"a" * 66560


def test_a_changed_byte_breaks_its_chunk() -> None:
    body = bytearray(example())
    body[5000] ^= 1
    with pytest.raises(ServiceFault) as caught:
        list(ChunkDecoder(signer()).feed(bytes(body)))
    assert caught.value.code == "SignatureDoesNotMatch"


def test_swapped_chunks_break_the_chain() -> None:
    parts = example().split(b"\r\n")
    swapped = b"\r\n".join([*parts[2:4], *parts[:2], *parts[4:]])
    with pytest.raises(ServiceFault, match="signature"):
        list(ChunkDecoder(signer()).feed(swapped))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=3000), st.lists(st.integers(1, 700), min_size=1, max_size=20))
def test_any_cut_gives_the_same_content(content: bytes, steps: list[int]) -> None:
    body, position = bytearray(), 0
    for size in steps:
        piece = content[position : position + size]
        position += len(piece)
        if piece:
            body += f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
    content = content[:position]
    checksum = b64encode(zlib.crc32(content).to_bytes(4, "big")).decode()
    body += f"0\r\nx-amz-checksum-crc32:{checksum}\r\n\r\n".encode()
    decoder, out = ChunkDecoder(), bytearray()
    for index, start in enumerate(range(0, len(body), steps[0])):
        del index
        for piece in decoder.feed(bytes(body[start : start + steps[0]])):
            out += piece
    assert decoder.done
    assert bytes(out) == content
    assert decoder.trailers == {"x-amz-checksum-crc32": checksum}


@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\nabc",
        b"-5\r\nabc",
        b"3\r\nabcX\r\n",
        b"1" * 2000,
        b"0\r\n" + b"".join(b"a%d:b\r\n" % n for n in range(20)),
    ],
    ids=["size", "negative", "longer", "no-line-end", "trailers"],
)
def test_broken_framing(body: bytes) -> None:
    with pytest.raises(ServiceFault, match="not valid"):
        list(ChunkDecoder().feed(body))


def plan(headers: dict[str, str], payload: str = "", limit: int = 100) -> IntakePlan:
    return IntakePlan.of(headers, payload=payload, decoder=None, limit=limit)


@pytest.mark.parametrize(
    ("headers", "payload", "code"),
    [
        ({"content-length": "4"}, "", "IncompleteBody"),
        ({"content-md5": b64encode(bytes(16)).decode()}, "", "BadDigest"),
        ({"x-amz-checksum-crc32": "AAAAAA=="}, "", "BadDigest"),
        ({"x-amz-checksum-sha1": "é"}, "", "BadDigest"),
        ({"x-amz-checksum-sha256": b64encode(bytes(32)).decode()}, "", "BadDigest"),
        ({}, "0" * 64, "XAmzContentSHA256Mismatch"),
    ],
)
def test_what_does_not_match_is_refused(headers: dict[str, str], payload: str, code: str) -> None:
    with Intake(plan(headers, payload), None) as intake:
        intake.feed(b"abc")
        with pytest.raises(ServiceFault) as caught:
            intake.finish()
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"content-md5": "x"}, "InvalidDigest"),
        ({"x-amz-checksum-crc32c": "AAAA"}, "InvalidRequest"),
        ({"x-amz-trailer": "x-amz-checksum-crc64nvme"}, "InvalidRequest"),
        ({"content-length": "101"}, "EntityTooLarge"),
    ],
)
def test_what_the_headers_already_say(headers: dict[str, str], code: str) -> None:
    with pytest.raises(ServiceFault) as caught:
        plan(headers)
    assert caught.value.code == code


def test_a_body_longer_than_the_limit_stops_at_once() -> None:
    with Intake(plan({}), None) as intake:
        intake.feed(b"x" * 100)
        with pytest.raises(ServiceFault, match="larger"):
            intake.feed(b"x")


def test_digests_of_what_came() -> None:
    digest = hashlib.sha256(b"abc").hexdigest()
    with Intake(plan({"x-amz-checksum-crc32": "NSRBwg=="}, digest), None) as intake:
        intake.feed(b"a")
        intake.feed(b"bc")
        body = intake.finish()
    assert body.size == 3
    assert body.sha256.hex() == digest
    assert body.checksums == {"ChecksumCRC32": "NSRBwg=="}
