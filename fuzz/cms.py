"""Coverage-guided fuzzing of the envelope: `python fuzz/cms.py [CORPUS] [-max_total_time=S]`.

Needs atheris and asn1crypto, which are not dependencies of the package. The first byte of an input
chooses what the rest is: a whole envelope, one field's bytes in a good envelope, one element in the
place of another (so that mutations get past the layout), or a plaintext to seal and to open again.
Findings: an error outside the package's tree, a field that asn1crypto reads otherwise, a plaintext
that does not come back, an input that takes more than a second of CPU.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["nitro_workflow"]):
    from nitro_workflow import cms
    from nitro_workflow.errors import EnvelopeError

from asn1crypto import cms as asn1_cms
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
)

VECTORS = Path(__file__).parents[1] / "tests" / "vectors" / "cms"
SEEDS = [path.read_bytes() for path in sorted(VECTORS.glob("*/envelope.ber"))]
KEY = load_der_private_key((VECTORS / "edgebit_sdk_go" / "key.pkcs8.der").read_bytes(), None)
SPKI = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
GOOD = (VECTORS / "edgebit_sdk_go" / "envelope.ber").read_bytes()
SPANS = sorted(cms.parse_envelope(GOOD).spans.items())
LIMIT_SECONDS = 1.0


def judge(data: bytes) -> None:
    try:
        parsed = cms.parse_envelope(data)
    except EnvelopeError:
        return
    if parsed.raw != data:
        raise AssertionError("an envelope that is not its bytes")
    compare(data, parsed)
    try:
        cms.open_envelope(data, KEY)
    except EnvelopeError:
        return


def compare(data: bytes, parsed: cms.Envelope) -> None:
    """Hold every field against the other parser's."""
    theirs = asn1_cms.ContentInfo.load(data, strict=True)["content"]
    (recipient,) = theirs["recipient_infos"]
    info, content = recipient.chosen, theirs["encrypted_content_info"]
    pairs = (
        (info["rid"].chosen.native, parsed.key_identifier),
        (info["encrypted_key"].native, parsed.encrypted_key),
        (content["content_encryption_algorithm"]["parameters"].native, parsed.iv),
        (content["encrypted_content"].native, parsed.encrypted_content),
    )
    for expected, found in pairs:
        if expected != found:
            raise AssertionError(f"{found.hex()} where asn1crypto reads {expected.hex()}")


def with_field(data: bytes) -> None:
    """Put the bytes in one field's place."""
    start, end = SPANS[data[0] % len(SPANS)][1] if data else SPANS[0][1]
    judge(GOOD[:start] + data[1:] + GOOD[end:])


def with_element(data: bytes) -> None:
    """Put a definite-length element around the bytes, or the content in segments as they say."""
    start, end = dict(SPANS)["encrypted_content"]
    segments, rest = bytearray(), data
    while rest:
        size, rest = rest[0] % 0x60, rest[1:]
        segments += bytes([4, min(size, len(rest))]) + rest[:size]
        rest = rest[size:]
    judge(GOOD[:start] + b"\xa0\x80" + bytes(segments) + b"\0\0" + GOOD[end:])


def round_trip(data: bytes) -> None:
    plaintext = data[: cms.MAX_PLAINTEXT_BYTES]
    sealed = cms.seal_envelope(plaintext, SPKI)
    compare(sealed, cms.parse_envelope(sealed))
    if cms.open_envelope(sealed, KEY) != plaintext:
        raise AssertionError("a plaintext that does not come back")


MODES = (judge, with_field, with_element, round_trip)


def one_input(data: bytes) -> None:
    started = time.process_time()
    MODES[data[0] % len(MODES) if data else 0](data[1:])
    if time.process_time() - started > LIMIT_SECONDS:
        raise AssertionError(f"{len(data)} bytes took more than {LIMIT_SECONDS} s")


def write_seeds(folder: Path) -> None:
    """Begin with what is real: KMS's envelopes, their fields, a plaintext."""
    folder.mkdir(parents=True, exist_ok=True)
    seeds = [b"\x00" + envelope for envelope in SEEDS]
    for number, (_, (start, end)) in enumerate(SPANS):
        seeds.append(b"\x01" + bytes([number]) + GOOD[start:end])
    seeds += [b"\x02\x10" + bytes(16) + b"\x20" + bytes(32), b"\x03a plaintext"]
    for number, seed in enumerate(seeds):
        (folder / f"seed-{number}").write_bytes(seed)


def main() -> None:
    for argument in sys.argv[1:]:
        if not argument.startswith("-"):
            write_seeds(Path(argument))
            break
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
