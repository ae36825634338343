"""The signature section: CBOR of one fixed shape, to bytes and back.

    [{"signing_certificate": [u8, …], "signature": [u8, …]}]      and, signed by COSE_Sign1:
    {"register_index": 0, "register_value": [u8 × 48]}

AWS's builder serialises ``Vec<u8>`` as an array of small integers, not as a byte string
(src/defs/mod.rs; QEMU asks for the same), so these few lines read that and nothing else. The COSE
message inside is read by `encoding.cose`, where a signature is checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NoReturn

from nitro_workflow.errors import ImageError
from nitro_workflow.image.format.image_limits import MAX_SIGNATURE_SECTION

_CERTIFICATE: Final = b"signing_certificate"
_SIGNATURE: Final = b"signature"


@dataclass(frozen=True, slots=True)
class SignatureSection:
    """The certificate's PEM as it was given, and the untagged COSE_Sign1 over PCR0."""

    certificate_pem: bytes
    cose: bytes

    def pack(self) -> bytes:
        """Return the section's data, byte for byte as AWS's builder writes it."""
        return b"".join(
            (
                b"\x81\xa2",
                _head(3, len(_CERTIFICATE)),
                _CERTIFICATE,
                _pack_array(self.certificate_pem),
                _head(3, len(_SIGNATURE)),
                _SIGNATURE,
                _pack_array(self.cose),
            )
        )


def pcr0_payload(pcr0: bytes) -> bytes:
    """Return what the signature is over: register 0 and its value (48 bytes)."""
    return b"\xa2\x6eregister_index\x00\x6eregister_value" + _pack_array(pcr0)


def parse_signature_section(data: bytes) -> SignatureSection:
    """Read a signature section. Raises `ImageError` with the byte where it is not one.

    More than one element is refused: AWS's tools make and check the first only, so another one
    would be there unread.
    """
    if len(data) > MAX_SIGNATURE_SECTION:
        _fail(0, f"{len(data)} bytes", f"at most {MAX_SIGNATURE_SECTION}")
    reader = _Reader(data)
    reader.expect(4, 1, "an array of one signature")
    reader.expect(5, 2, "a map of two entries")
    found: dict[bytes, bytes] = {}
    for _ in range(2):
        at = reader.position
        key = reader.text()
        if key not in (_CERTIFICATE, _SIGNATURE) or key in found:
            _fail(at, f"the key {key!r}", "signing_certificate and signature, once each")
        found[key] = reader.byte_array()
    if reader.position != len(data):
        _fail(reader.position, f"{len(data) - reader.position} bytes after the end", "none")
    return SignatureSection(found[_CERTIFICATE], found[_SIGNATURE])


def certificate_der(pem: bytes) -> bytes:
    """Return the DER of the first certificate in a PEM file. Raises `ImageError`."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    from nitro_workflow.encoding import der_reason

    try:
        return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    except ValueError as error:
        raise ImageError(
            f"a certificate that cannot be read: {der_reason(error)}",
            expected="X.509 in PEM, from -----BEGIN CERTIFICATE----- on",
            where="signing certificate",
            next="Give the certificate as `openssl x509` writes it.",
        ) from error


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major << 5 | argument])
    size = 1 if argument < 1 << 8 else 2 if argument < 1 << 16 else 4
    return bytes([major << 5 | {1: 24, 2: 25, 4: 26}[size]]) + argument.to_bytes(size, "big")


_INTEGERS: Final = tuple(_head(0, value) for value in range(256))


def _pack_array(data: bytes) -> bytes:
    return _head(4, len(data)) + b"".join([_INTEGERS[value] for value in data])


class _Reader:
    """Reads heads of definite length, in any of CBOR's widths, as AWS's reader takes them."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def expect(self, major: int, argument: int, what: str) -> None:
        at = self.position
        if self._head() != (major, argument):
            _fail(at, f"CBOR head 0x{self._data[at]:02x}", what)

    def text(self) -> bytes:
        at = self.position
        major, length = self._head()
        if major != 3:
            _fail(at, f"CBOR major type {major}", "a text string")
        return self._take(length)

    def byte_array(self) -> bytes:
        at = self.position
        major, length = self._head()
        if major != 4:
            _fail(at, f"CBOR major type {major}", "an array of integers 0 to 255")
        if length > len(self._data) - self.position:
            _fail(
                at, f"an array of {length}", f"{len(self._data) - self.position} bytes to hold it"
            )
        return bytes([self._octet() for _ in range(length)])

    def _octet(self) -> int:
        at = self.position
        major, value = self._head()
        if major != 0 or value > 255:
            _fail(at, f"CBOR major type {major}, value {value}", "an integer 0 to 255")
        return value

    def _head(self) -> tuple[int, int]:
        at = self.position
        first = self._take(1)[0]
        major, low = first >> 5, first & 31
        if low < 24:
            return major, low
        if low > 27:
            _fail(at, f"CBOR head 0x{first:02x}", "a definite length")
        return major, int.from_bytes(self._take(1 << (low - 24)), "big")

    def _take(self, count: int) -> bytes:
        data = self._data[self.position : self.position + count]
        if len(data) < count:
            _fail(self.position, f"{len(data)} bytes left", f"{count}")
        self.position += count
        return data


def _fail(at: int, found: str, expected: str, where: str = "signature section") -> NoReturn:
    raise ImageError(
        found,
        expected=expected,
        where=f"{where}, byte {at}",
        next="Sign the image again with `nitro-workflow image sign`.",
    )
