"""Parse ``CiphertextForRecipient``: the one layout that KMS writes, and no other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nitro_workflow.cms import ber
from nitro_workflow.errors import EnvelopeError

if TYPE_CHECKING:
    from collections.abc import Mapping

# KMS API model, CiphertextType: at most 6144 bytes.
MAX_ENVELOPE_BYTES = 6144
KEY_IDENTIFIER_BYTES = 32
IV_BYTES = 16
BLOCK_BYTES = 16
# RSA-2048 to RSA-4096.
ENCRYPTED_KEY_BYTES = (256, 384, 512)
# KMS writes one or two segments; the bound only keeps a hostile envelope small in work.
MAX_SEGMENTS = 64

VERSION_2 = bytes.fromhex("020102")
ENVELOPED_DATA = bytes.fromhex("06092a864886f70d010703")  # 1.2.840.113549.1.7.3
DATA = bytes.fromhex("06092a864886f70d010701")  # 1.2.840.113549.1.7.1
AES_256_CBC = bytes.fromhex("060960864801650304012a")  # 2.16.840.1.101.3.4.1.42
_SHA_256 = bytes.fromhex("300d06096086480165030402010500")
_SHA_256_ABSENT = bytes.fromhex("300b0609608648016503040201")
# RSAES-OAEP with SHA-256 for both hash and MGF1, parameters written out (RFC 4055 clause 4.1).
OAEP_SHA_256 = (
    bytes.fromhex("303c06092a864886f70d010107302fa00f")
    + _SHA_256
    + bytes.fromhex("a11c301a06092a864886f70d010108")
    + _SHA_256
)
# The same with SHA-256's NULL left out: RFC 4055 clause 2.1 says that both must be read.
_OAEP_SHA_256_ABSENT = (
    bytes.fromhex("303806092a864886f70d010107302ba00d")
    + _SHA_256_ABSENT
    + bytes.fromhex("a11a301806092a864886f70d010108")
    + _SHA_256_ABSENT
)


@dataclass(frozen=True, slots=True)
class Envelope:
    """An envelope's fields; nothing in it is trusted or opened yet.

    `spans` maps each field's name to its byte range ``(start, end)`` in `raw`.
    """

    key_identifier: bytes
    encrypted_key: bytes
    iv: bytes
    encrypted_content: bytes
    raw: bytes
    spans: Mapping[str, tuple[int, int]]


def parse_envelope(envelope: bytes) -> Envelope:
    """Parse an envelope of at most 6144 bytes (RFC 5652 clause 6, as KMS writes it).

    Accepts indefinite and definite lengths, and encrypted content that is primitive or in segments.
    Raises `EnvelopeError` for everything else: another version, algorithm or identifier, a second
    recipient, attributes, bytes left over.
    """
    if not 0 < len(envelope) <= MAX_ENVELOPE_BYTES:
        raise EnvelopeError(
            f"{len(envelope)} bytes",
            expected=f"1 to {MAX_ENVELOPE_BYTES} bytes",
            where="envelope",
            next="use CiphertextForRecipient as KMS answered it, base64-decoded and whole",
        )
    reader = ber.Reader(bytes(envelope))
    spans: dict[str, tuple[int, int]] = {}
    info = reader.enter(ber.SEQUENCE, "ContentInfo")
    spans["content_type"] = reader.literal(ENVELOPED_DATA, "contentType", "envelopedData")
    explicit = reader.enter(ber.CONTEXT_0_CONSTRUCTED, "content")
    data = reader.enter(ber.SEQUENCE, "EnvelopedData")
    spans["version"] = reader.literal(VERSION_2, "version", "version 2")
    _recipient(reader, spans)
    content = _content(reader, spans)
    reader.leave(data, "EnvelopedData")
    reader.leave(explicit, "content")
    reader.leave(info, "ContentInfo")
    reader.finish()
    return _envelope(reader.data, spans, content)


def _recipient(reader: ber.Reader, spans: dict[str, tuple[int, int]]) -> None:
    infos = reader.enter(ber.SET, "recipientInfos")
    start = reader.position
    recipient = reader.enter(ber.SEQUENCE, "KeyTransRecipientInfo")
    spans["recipient_version"] = reader.literal(VERSION_2, "recipient version", "version 2")
    spans["key_identifier"] = reader.primitive(ber.CONTEXT_0, "subjectKeyIdentifier")
    spans["key_algorithm"] = _key_algorithm(reader)
    spans["encrypted_key"] = reader.primitive(ber.OCTET_STRING, "encryptedKey")
    reader.leave(recipient, "KeyTransRecipientInfo")
    spans["recipient"] = (start, reader.position)
    reader.leave(infos, "recipientInfos")


def _key_algorithm(reader: ber.Reader) -> tuple[int, int]:
    absent = reader.data.startswith(_OAEP_SHA_256_ABSENT, reader.position)
    return reader.literal(
        _OAEP_SHA_256_ABSENT if absent else OAEP_SHA_256,
        "keyEncryptionAlgorithm",
        "RSAES-OAEP with SHA-256 and MGF1 with SHA-256",
    )


def _content(reader: ber.Reader, spans: dict[str, tuple[int, int]]) -> bytes:
    info = reader.enter(ber.SEQUENCE, "EncryptedContentInfo")
    spans["inner_content_type"] = reader.literal(DATA, "inner contentType", "data")
    algorithm = reader.enter(ber.SEQUENCE, "contentEncryptionAlgorithm")
    spans["content_algorithm"] = reader.literal(
        AES_256_CBC, "contentEncryptionAlgorithm", "AES-256-CBC"
    )
    spans["iv"] = reader.primitive(ber.OCTET_STRING, "IV")
    reader.leave(algorithm, "contentEncryptionAlgorithm")
    start = reader.position
    content = _segments(reader)
    spans["encrypted_content"] = (start, reader.position)
    reader.leave(info, "EncryptedContentInfo")
    return content


def _segments(reader: ber.Reader) -> bytes:
    """Read [0] IMPLICIT OCTET STRING: primitive, or constructed of primitive segments."""
    if reader.peek() == ber.CONTEXT_0:
        start, end = reader.primitive(ber.CONTEXT_0, "encryptedContent")
        return reader.data[start:end]
    frame = reader.enter(ber.CONTEXT_0_CONSTRUCTED, "encryptedContent")
    segments: list[bytes] = []
    while reader.peek() == ber.OCTET_STRING and len(segments) < MAX_SEGMENTS:
        start, end = reader.primitive(ber.OCTET_STRING, "encryptedContent segment")
        segments.append(reader.data[start:end])
    reader.leave(frame, "encryptedContent")
    return b"".join(segments)


def _envelope(data: bytes, spans: dict[str, tuple[int, int]], content: bytes) -> Envelope:
    envelope = Envelope(
        key_identifier=data[slice(*spans["key_identifier"])],
        encrypted_key=data[slice(*spans["encrypted_key"])],
        iv=data[slice(*spans["iv"])],
        encrypted_content=content,
        raw=data,
        spans=spans,
    )
    _check(spans, "key_identifier", len(envelope.key_identifier) == KEY_IDENTIFIER_BYTES, "32")
    _check(
        spans,
        "encrypted_key",
        len(envelope.encrypted_key) in ENCRYPTED_KEY_BYTES,
        "256, 384 or 512",
    )
    _check(spans, "iv", len(envelope.iv) == IV_BYTES, "16")
    blocks = len(content) > 0 and len(content) % BLOCK_BYTES == 0
    _check(spans, "encrypted_content", blocks, "one or more blocks of 16")
    return envelope


def _check(spans: Mapping[str, tuple[int, int]], field: str, ok: bool, expected: str) -> None:
    if not ok:
        start, end = spans[field]
        raise EnvelopeError(
            f"{field} of another length",
            expected=f"{expected} bytes",
            where=f"envelope bytes {start} to {end}",
            next="use CiphertextForRecipient as KMS answered it, base64-decoded and whole",
        )
