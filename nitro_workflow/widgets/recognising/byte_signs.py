"""What raw bytes are, by their first ones and by reading them with the room that knows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from nitro_workflow.encoding import cbor
from nitro_workflow.errors import EncodingError
from nitro_workflow.widgets.recognising.recognised import FoundKind

__all__ = ["certificates_in", "document_in_answer", "sign_of"]

_ES384_SIGN1 = bytes.fromhex("8444a1013822")
_ENVELOPED_DATA = bytes.fromhex("06092a864886f70d010703")
_SEQUENCE = 0x30
_LOCAL_BLOB = b"NWK1"
_AWS_BLOB = bytes.fromhex("01020200")  # what AWS's blobs of symmetric keys begin with (AQICAH…)
_SUITES = {0x0014, 0x0046, 0x0078, 0x0114, 0x0146, 0x0178, 0x0214, 0x0346, 0x0378, 0x0478, 0x0578}
_TAR_MAGIC = slice(257, 262)
_NSM = {
    "Attestation", "DescribeNSM", "DescribePCR", "Error", "ExtendPCR", "GetRandom", "LockPCR",
    "LockPCRs",
}  # fmt: skip
_MAX_CERTIFICATES = 32
_KEY_HEADS = {b"\x02\x01\x00\x30", b"\x02\x01\x00\x02", b"\x02\x01\x01\x04"}

Sign = tuple[FoundKind, str]


def sign_of(data: bytes) -> Sign | None:
    """Return kind and reason of raw bytes, or None for what is none of these forms."""
    for test in _TESTS:
        found = test(data)
        if found is not None:
            return found
    return None


def _eif(data: bytes) -> Sign | None:
    return ("eif", "begins with .eif, an image's magic") if data[:4] == b".eif" else None


def _document(data: bytes) -> Sign | None:
    body = data.removeprefix(b"\xd2")
    if body.startswith(_ES384_SIGN1):
        return "document", "a COSE_Sign1 with the header {1: -35}, ES384"
    if body[:1] not in (b"\x84", b"\x9f"):
        return None
    try:
        item = cbor.scan(data, tags=frozenset({18}))
    except EncodingError:
        return None
    parts = (item.children[0] if item.kind == "tag" else item).children
    kinds = [part.kind for part in parts]
    if kinds in (["bytes", "map", "bytes", "bytes"], ["bytes", "map", "null", "bytes"]):
        return "document", "CBOR: an array of four, as COSE_Sign1 is"
    return None


def _envelope(data: bytes) -> Sign | None:
    if data[:1] == b"\x30" and _ENVELOPED_DATA in data[:24]:
        return "envelope", "BER that begins with CMS's enveloped-data (RFC 5652 §6)"
    return None


def _certificate(data: bytes) -> Sign | None:
    found = certificates_in(data)
    if not found:
        return None
    return "certificates", f"{len(found)} X.509 certificate{'s' if len(found) > 1 else ''} in DER"


def certificates_in(data: bytes) -> list[bytes]:
    """Return the DER certificates that the bytes are, one after another, or nothing."""
    ders: list[bytes] = []
    while data and len(ders) < _MAX_CERTIFICATES:
        length = _der_length(data)
        if length is None or not _is_certificate(data[:length]):
            return []
        ders.append(data[:length])
        data = data[length:]
    return [] if data else ders


def _private_key(data: bytes) -> Sign | None:
    """PKCS #8 and PKCS #1: a version, then an algorithm or a modulus."""
    head = data[:12]
    if head[:1] == b"\x30" and any(head[at : at + 4] in _KEY_HEADS for at in (2, 3, 4)):
        return "private-key", "a private key in DER; nothing of it is shown"
    return None


def _der_length(data: bytes) -> int | None:
    """Return the whole length of the SEQUENCE that the bytes begin with, if it is all there."""
    if len(data) < 4 or data[0] != _SEQUENCE:
        return None
    count = data[1] - 0x80
    if count < 0:
        length = 2 + data[1]
    elif 1 <= count <= 3:
        length = 2 + count + int.from_bytes(data[2 : 2 + count])
    else:
        return None
    return length if length <= len(data) else None


def _is_certificate(der: bytes) -> bool:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        x509.load_der_x509_certificate(der)
    except (
        ValueError,
        TypeError,
        OverflowError,
        UserWarning,
        UnsupportedAlgorithm,
        x509.InvalidVersion,
    ):
        return False
    return True


def _kms_blob(data: bytes) -> Sign | None:
    if data.startswith(_LOCAL_BLOB):
        return "kms-ciphertext", "begins with NWK1: a ciphertext blob of this package's KMS"
    if data.startswith(_AWS_BLOB):
        return "kms-ciphertext", "begins as AWS KMS's ciphertext blobs do (01 02 02 00)"
    return None


def _sdk_message(data: bytes) -> Sign | None:
    suite = int.from_bytes(data[1:3] if data[:1] == b"\x02" else data[2:4])
    if data[:1] == b"\x02" and suite in _SUITES:
        return "sdk-message", f"Encryption SDK message, version 2, suite {suite:#06x}"
    if data[:2] == b"\x01\x80" and suite in _SUITES:
        return "sdk-message", f"Encryption SDK message, version 1, suite {suite:#06x}"
    return None


def _nsm(data: bytes) -> Sign | None:
    if data[:1] != b"\xa1" and data[:1] not in (b"\x67", b"\x68", b"\x69", b"\x6b"):
        return None
    try:
        item = cbor.scan(data)
    except EncodingError:
        return None
    name = item.children[0] if item.kind == "map" and item.children else item
    text = data[name.content : name.end].decode() if name.kind == "text" else ""
    return ("nsm", f"CBOR, the NSM's {text}") if text in _NSM else None


def document_in_answer(data: bytes) -> bytes | None:
    """Return the document in the NSM's answer to Attestation, ``{"Attestation": {"document"}}``.

    None for every other message; ``data`` is one that `sign_of` takes for the NSM's.
    """
    item = cbor.scan(data)
    held = item.children[1] if item.kind == "map" and len(item.children) == 2 else item
    for name, value in held.pairs() if held.kind == "map" else ():
        if data[name.content : name.end] == b"document" and value.kind == "bytes":
            return data[value.content : value.end]
    return None


def _container(data: bytes) -> Sign | None:
    if data[_TAR_MAGIC] != b"ustar":
        return None
    names = set(_tar_names(data))
    if names & {"oci-layout", "index.json"} or {"manifest.json"} <= names:
        return "container", "a tar archive with an image's manifest"
    return None


def _tar_names(data: bytes) -> Iterator[str]:
    at = 0
    while at + 512 <= len(data) and data[at]:
        header = data[at : at + 512]
        yield header[:100].rstrip(b"\0").decode("utf-8", "replace").removeprefix("./")
        try:
            size = int(header[124:136].strip(b"\0 ") or b"0", 8)
        except ValueError:
            return
        at += 512 + max(0, size + 511) // 512 * 512


_TESTS: tuple[Callable[[bytes], Sign | None], ...] = (
    _eif, _document, _private_key, _envelope, _certificate,
    _kms_blob, _sdk_message, _nsm, _container,
)  # fmt: skip
