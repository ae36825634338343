"""aws-chunked bodies: Amazon's own example, cut anywhere; and what breaks their framing."""

from __future__ import annotations

import hashlib
import zlib
from base64 import b64decode, b64encode
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro_workflow.cloud.local.auth.sigv4 import Claim, signing_key
from nitro_workflow.cloud.local.call import ServiceFault
from nitro_workflow.cloud.local.http.chunks import ChunkDecoder, ChunkSigner
from nitro_workflow.cloud.local.http.intake import Intake
from nitro_workflow.cloud.local.http.intake_plan import IntakePlan
from nitro_workflow.cloud.local.protocol import (
    CHECKSUM_ALGORITHMS,
    combine_checksums,
    encode_checksum,
    new_checksum,
)

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


@pytest.mark.parametrize("signature", [b"", b"0", b"\xff" * 64], ids=["none", "short", "not-hex"])
def test_a_chunk_without_a_good_signature(signature: bytes) -> None:
    with pytest.raises(ServiceFault, match="SignatureDoesNotMatch"):
        list(ChunkDecoder(signer()).feed(b"3;chunk-signature=" + signature + b"\r\nabc\r\n"))


def test_swapped_chunks_break_the_chain() -> None:
    parts = example().split(b"\r\n")
    swapped = b"\r\n".join([*parts[2:4], *parts[:2], *parts[4:]])
    with pytest.raises(ServiceFault, match="signature"):
        list(ChunkDecoder(signer()).feed(swapped))


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=3_000), st.lists(st.integers(8_192, 9_000), max_size=6), st.integers(1, 700)
)
def test_any_cut_gives_the_same_content(content: bytes, sizes: list[int], step: int) -> None:
    content *= 16
    body, position = bytearray(), 0
    for size in sizes:
        piece = content[position : position + size]
        position += len(piece)
        if piece:
            body += f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
    content = content[:position]
    checksum = b64encode(zlib.crc32(content).to_bytes(4, "big")).decode()
    body += f"0\r\nx-amz-checksum-crc32:{checksum}\r\n\r\n".encode()
    decoder, out = ChunkDecoder(), bytearray()
    for start in range(0, len(body), step):
        for piece in decoder.feed(bytes(body[start : start + step])):
            out += piece
    assert decoder.done
    assert bytes(out) == content
    assert decoder.trailers == {"x-amz-checksum-crc32": checksum}


def test_only_the_last_chunk_is_small() -> None:
    """Each chunk costs its line and its signature: those of a byte kept all other uploads waiting."""
    large = b"2000\r\n" + bytes(8_192) + b"\r\n"
    assert b"".join(ChunkDecoder().feed(large + large + b"1\r\na\r\n0\r\n\r\n"))[-1:] == b"a"
    with pytest.raises(ServiceFault) as caught:
        list(ChunkDecoder().feed(large + b"1fff\r\n" + bytes(8_191) + b"\r\n" + large))
    assert caught.value.code == "InvalidChunkSizeError"
    assert caught.value.members == {"Chunk": 3, "BadChunkSize": 8_191}


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
        ({"x-amz-checksum-sha1": "é"}, "InvalidRequest"),
        ({"x-amz-checksum-md4": "AAAA"}, "InvalidRequest"),
        (
            {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-crc32c": "AAAAAA=="},
            "InvalidRequest",
        ),
        ({"x-amz-sdk-checksum-algorithm": "CRC32"}, "InvalidRequest"),
        (
            {"x-amz-sdk-checksum-algorithm": "SHA1", "x-amz-checksum-crc32": "AAAAAA=="},
            "InvalidRequest",
        ),
        ({"x-amz-trailer": "x-amz-checksum-crc64nvme"}, "InvalidRequest"),
        ({"content-length": "9" * 5000}, "InvalidArgument"),
        ({"content-length": "²"}, "InvalidArgument"),
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
    assert body.stated
    assert body.checksums == {"ChecksumCRC32": "NSRBwg=="}


# AWS's own check values of "123456789" (aws-c-checksums, RFC 3720, FIPS 180).
CHECK_VALUES = {
    "CRC32": "y/Q5Jg==",
    "CRC32C": "4waSgw==",
    "CRC64NVME": "rosUhgp5mIg=",
    "SHA1": "98O8HYCOBHMq32eZZczDTKeuNEE=",
    "SHA256": "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
}


def trailing(algorithm: str, *lines: str) -> Intake:
    """An intake that has taken ``123456789`` as a chunk, with these trailers."""
    headers = {"x-amz-trailer": f"x-amz-checksum-{algorithm.lower()}",
               "x-amz-decoded-content-length": "9"}  # fmt: skip
    chosen = IntakePlan.of(headers, payload="", decoder=ChunkDecoder(), limit=100)
    intake = Intake(chosen, None)
    ends = "".join(f"{line}\r\n" for line in lines)
    intake.feed(f"9\r\n123456789\r\n0\r\n{ends}\r\n".encode())
    return intake


@pytest.mark.parametrize("algorithm", CHECKSUM_ALGORITHMS)
def test_each_algorithm_in_header_and_trailer(algorithm: str) -> None:
    value, header = CHECK_VALUES[algorithm], f"x-amz-checksum-{algorithm.lower()}"
    with Intake(plan({header: value}), None) as intake:
        for piece in (b"1234", b"", b"56789"):
            intake.feed(piece)
        body = intake.finish()
    assert (body.algorithm, body.checksum, body.stated) == (algorithm, value, True)
    assert body.checksums == {f"Checksum{algorithm}": value}
    assert trailing(algorithm, f"{header}:{value}").finish().checksum == value
    assert trailing(algorithm, f"{header.title()} : {value}").finish().checksum == value


@pytest.mark.parametrize("algorithm", CHECKSUM_ALGORITHMS)
def test_a_wrong_checksum_is_refused_wherever_it_stands(algorithm: str) -> None:
    header = f"x-amz-checksum-{algorithm.lower()}"
    wrong = encode_checksum(bytes(len(b64decode(CHECK_VALUES[algorithm]))))
    with Intake(plan({header: wrong}), None) as intake:
        intake.feed(b"123456789")
        with pytest.raises(ServiceFault, match="BadDigest"):
            intake.finish()
    with pytest.raises(ServiceFault, match="BadDigest"):
        trailing(algorithm, f"{header}:{wrong}").finish()


@pytest.mark.parametrize("lines", [[], ["x-amz-checksum-sha1:AAAA"], ["x:y", "z:a"]], ids=str)
def test_a_promised_trailer_comes_and_no_other(lines: list[str]) -> None:
    with pytest.raises(ServiceFault, match="MalformedTrailerError"):
        trailing("CRC32", *lines).finish()


def test_what_names_no_checksum_gets_s3s_own() -> None:
    with Intake(plan({}), None) as intake:
        intake.feed(b"123456789")
        body = intake.finish()
    assert (body.checksums, body.stated) == ({"ChecksumCRC64NVME": "rosUhgp5mIg="}, False)


def test_a_chunked_body_says_its_length() -> None:
    with pytest.raises(ServiceFault, match="MissingContentLength"):
        IntakePlan.of({}, payload="", decoder=ChunkDecoder(), limit=100)


def test_the_checksum_of_an_object_to_be_made_is_not_of_this_body() -> None:
    headers = {"x-amz-checksum-crc32": "AAAAAA=="}
    chosen = IntakePlan.of(headers, payload="", decoder=None, limit=100, checksummed=False)
    with Intake(chosen, None) as intake:
        intake.feed(b"<CompleteMultipartUpload/>")
        assert not intake.finish().stated


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["CRC32", "CRC32C", "CRC64NVME"]), st.binary(), st.binary())
def test_the_crc_of_two_parts_is_put_together(algorithm: str, one: bytes, two: bytes) -> None:
    def crc(data: bytes) -> bytes:
        checksum = new_checksum(algorithm)
        checksum.update(data)
        return checksum.digest()

    assert combine_checksums(algorithm, crc(one), crc(two), len(two)) == crc(one + two)


# Amazon S3 API Reference, "… including trailing headers", the worked example.
TRAILER_SEED = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
TRAILER_CHUNKS = (
    (65536, "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2"),
    (1024, "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7"),
    (0, "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"),
)
TRAILER_SIGNATURE = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"


def with_trailer(*lines: str) -> ChunkDecoder:
    body = bytearray()
    for size, signature in TRAILER_CHUNKS:
        body += f"{size:x};chunk-signature={signature}\r\n".encode() + b"a" * size
        body += b"\r\n" if size else b""
    body += "".join(f"{line}\r\n" for line in lines).encode("latin-1") + b"\r\n"
    start = signer()
    decoder = ChunkDecoder(replace(start, previous=TRAILER_SEED, with_trailer=True))
    for _ in decoder.feed(bytes(body)):
        pass
    return decoder


CRC = "x-amz-checksum-crc32c:sOO8/Q=="


def test_amazons_example_of_a_signed_trailer() -> None:
    decoder = with_trailer(CRC, f"x-amz-trailer-signature:{TRAILER_SIGNATURE}")
    assert decoder.done
    assert decoder.trailers == {"x-amz-checksum-crc32c": "sOO8/Q=="}


@pytest.mark.parametrize(
    "lines",
    [
        [CRC],
        [CRC, "x-amz-trailer-signature:" + "0" * 64],
        [CRC, "x-amz-trailer-signature:ÿ"],
        [CRC, f"x-amz-trailer-signature:{TRAILER_CHUNKS[2][1]}"],
        ["x-amz-checksum-crc32c:AAAAAA==", f"x-amz-trailer-signature:{TRAILER_SIGNATURE}"],
        [CRC, "x-amz-meta-a:b", f"x-amz-trailer-signature:{TRAILER_SIGNATURE}"],
        [f"x-amz-trailer-signature:{TRAILER_SIGNATURE}"],
    ],
    ids=["missing", "zeros", "not-hex", "a-chunk's", "other-value", "more", "no-checksum"],
)
def test_a_trailer_that_was_not_signed_so(lines: list[str]) -> None:
    with pytest.raises(ServiceFault, match="SignatureDoesNotMatch"):
        with_trailer(*lines)


@pytest.mark.parametrize(
    "body", [b"0\r\n\r\nEXTRA", b"+3\r\nabc\r\n", b"0x3\r\nabc\r\n", b"0_3\r\nabc\r\n",
             b"0\r\na:b\r\na:c\r\n\r\n",
             b"0\r\nnot a trailer\r\n\r\n"],
)  # fmt: skip
def test_odd_framing_is_refused(body: bytes) -> None:
    with pytest.raises(ServiceFault, match="not valid"):
        list(ChunkDecoder().feed(body))
