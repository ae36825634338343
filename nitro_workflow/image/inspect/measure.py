"""PCR0, PCR1, PCR2, PCR8 and the CRC of an image, in one pass and on all cores that help.

    PCRx = SHA384(48 zero bytes ‖ SHA384(content_x))

    content_0 = kernel, cmdline and every ramdisk, in file order
    content_1 = kernel, cmdline and the first ramdisk
    content_2 = the other ramdisks
    content_8 = DER of the signing certificate

(``measure`` in src/utils/mod.rs and ``tpm_extend_finalize_reset`` in src/defs/eif_hasher.rs of
aws-nitro-enclaves-image-format.) The contents of 0 and 1 begin alike, so one hash serves both until
they part. What is left for each byte of a customer ramdisk is reading it, two SHA-384 and the CRC:
three lines of work which a `Crew` shares out, since `hashlib` and `zlib` let go of the interpreter
lock.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nitro_workflow.image.format import (
    CRC_OFFSET,
    SECTION_HEADER,
    Image,
    Section,
    SectionKind,
    open_image,
)
from nitro_workflow.image.inspect.crew import Crew, Sink
from nitro_workflow.registers import ZERO_PCR

if TYPE_CHECKING:
    from nitro_workflow.image.format import Progress, Readable, Source

CHUNK: Final = 1024 * 1024  # bytes at a time; smaller ones are handed over and read too often
HASH_ALGORITHM: Final = "Sha384 { ... }"  # as nitro-cli prints it

_MEASURED: Final = frozenset({SectionKind.KERNEL, SectionKind.CMDLINE, SectionKind.RAMDISK})


@dataclass(frozen=True, slots=True)
class Measurements:
    """What an image measures to: PCRs of 48 bytes each and the CRC-32 of the file.

    ``pcr8`` is None for an image without a signature; at run time it is then 48 zero bytes.
    """

    pcr0: bytes
    pcr1: bytes
    pcr2: bytes
    pcr8: bytes | None
    crc32: int

    def hex(self) -> dict[str, str]:
        """Return ``{"PCR0": 96 hex digits, "PCR1": …, "PCR2": …[, "PCR8": …]}``."""
        values = {"PCR0": self.pcr0, "PCR1": self.pcr1, "PCR2": self.pcr2, "PCR8": self.pcr8}
        return {name: value.hex() for name, value in values.items() if value is not None}

    def to_json(self) -> dict[str, str]:
        """Return nitro-cli's ``Measurements`` object: `hex` with ``HashAlgorithm`` before it."""
        return {"HashAlgorithm": HASH_ALGORITHM, **self.hex()}

    @property
    def registers(self) -> dict[int, bytes]:
        """Return ``{0: …, 1: …, 2: …, 8: …}`` as an enclave starts with; PCR8 zeros if unsigned."""
        return {0: self.pcr0, 1: self.pcr1, 2: self.pcr2, 8: self.pcr8 or ZERO_PCR}


def extend(digest: bytes, register: bytes = ZERO_PCR) -> bytes:
    """Return ``SHA384(register ‖ digest)``, one TPM-style extension (48 bytes each)."""
    return hashlib.sha384(register + digest).digest()


def pcr_of(data: bytes) -> bytes:
    """Return the PCR that some bytes alone measure to, as ``nitro-cli pcr --input`` does."""
    return extend(hashlib.sha384(data).digest())


class Meter:
    """Measures sections as their data passes by: `begin` a section, `feed` its data, then `finish`.

    When `feed` returns, every piece but the last `DEPTH` has been read, so that a ring of
    `DEPTH` + 1 buffers may be fed. ``crc`` is that of what comes before the first section.
    """

    DEPTH: Final = 8  # pieces that may wait for a hash

    def __init__(self, crc: int = 0) -> None:
        self._boot = _BootHashes()
        self._app = hashlib.sha384()
        self._crc = crc
        self._crew = Crew(3, self.DEPTH)
        self._sinks: tuple[Sink | None, Sink | None, Sink] = (None, None, self._check)
        self._ramdisks = 0

    def begin(self, kind: SectionKind, header: bytes) -> None:
        """Start a section: ``header`` is its 12 bytes, which only the CRC covers."""
        self._crew.put((None, None, self._check), header)
        if kind is SectionKind.RAMDISK:
            self._ramdisks += 1
        if kind is SectionKind.RAMDISK and self._ramdisks > 1:
            self._sinks = (self._boot.customer, self._app.update, self._check)
        elif kind in _MEASURED:
            self._sinks = (self._boot.both, None, self._check)
        else:
            self._sinks = (None, None, self._check)

    def feed(self, data: bytes | memoryview) -> None:
        """Measure a piece of the section's data."""
        self._crew.put(self._sinks, data)

    def _check(self, data: bytes | memoryview) -> None:
        self._crc = zlib.crc32(data, self._crc)

    @property
    def crc(self) -> int:
        """The CRC of what was fed so far; waits for it."""
        self._crew.drain()
        return self._crc

    def finish(self, certificate: bytes | None, crc: int) -> Measurements:
        """Wait for the hashes and return the PCRs; ``certificate`` is DER, ``crc`` the file's."""
        self._crew.drain()
        self.close()
        return Measurements(
            pcr0=extend(self._boot.whole.digest()),
            pcr1=extend(self._boot.bootstrap.digest()),
            pcr2=extend(self._app.digest()),
            pcr8=None if certificate is None else pcr_of(certificate),
            crc32=crc,
        )

    def peek(self) -> bytes:
        """Wait for what was fed and return PCR0 as it is now: what a signature is made over."""
        self._crew.drain()
        return extend(self._boot.whole.digest())

    def close(self) -> None:
        """Stop the threads; safe to call twice."""
        self._crew.close()


class _BootHashes:
    """The hashes of contents 0 and 1: one object until the first customer ramdisk parts them."""

    def __init__(self) -> None:
        self.whole = hashlib.sha384()
        self.bootstrap = self.whole

    def both(self, data: bytes | memoryview) -> None:
        self.whole.update(data)
        if self.bootstrap is not self.whole:
            self.bootstrap.update(data)

    def customer(self, data: bytes | memoryview) -> None:
        if self.bootstrap is self.whole:
            self.bootstrap = self.whole.copy()
        self.whole.update(data)


def measure_file(source: Readable, progress: Progress | None = None) -> Measurements:
    """Measure an image given as a path, descriptor or binary file object.

    ``progress(done, total)`` is called with bytes. Buffers take 9 MiB, whatever the size.
    Raises `ImageError` for what is not a whole image.
    """
    with open_image(source) as image:
        return measure_image(image, progress)


def measure_fd(fd: int, progress: Progress | None = None) -> Measurements:
    """Measure an image by its descriptor (a sealed memfd, say), whose position is not moved."""
    return measure_file(fd, progress)


def measure_image(image: Image, progress: Progress | None = None) -> Measurements:
    """Measure an opened image. Raises `ImageError`."""
    meter = Meter(zlib.crc32(image.source.read_exactly(0, CRC_OFFSET)))
    try:
        ring = _Ring(Meter.DEPTH + 1)
        for section in image.sections:
            _measure_section(image.source, section, meter, ring)
            if progress is not None:
                progress(section.end, image.source.size)
        return meter.finish(signing_certificate_der(image), meter.crc)
    finally:
        meter.close()


def _measure_section(source: Source, section: Section, meter: Meter, ring: _Ring) -> None:
    header = source.read_exactly(section.offset, SECTION_HEADER.size)
    meter.begin(section.kind, header)
    for position in range(section.data_offset, section.end, CHUNK):
        meter.feed(ring.read(source, position, min(CHUNK, section.end - position)))


class _Ring:
    """Buffers used in turn, so that a hash may still read one while the next is filled."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._buffers: deque[memoryview] = deque()

    def read(self, source: Source, position: int, size: int) -> bytes | memoryview:
        """Return bytes of the source, at most `CHUNK`; valid until ``count`` reads later."""
        if size < CHUNK:
            return source.read_exactly(position, size)
        if len(self._buffers) < self._count:
            self._buffers.append(memoryview(bytearray(CHUNK)))
        else:
            self._buffers.rotate(-1)
        source.fill(position, self._buffers[-1])
        return self._buffers[-1]


def signing_certificate_der(image: Image) -> bytes | None:
    """Return the DER of the certificate in the signature section; None when there is none.

    Raises `ImageError` when the section is not one.
    """
    section = image.signature_section
    if section is None:
        return None
    from nitro_workflow.image.format import certificate_der, parse_signature_section

    return certificate_der(parse_signature_section(section).certificate_pem)


def measure_parts(
    kernel: bytes, command_line: bytes, ramdisks: Iterable[bytes], certificate: bytes | None = None
) -> Measurements:
    """Measure parts that are in memory; ``crc32`` is 0, since there is no file.

    >>> measure_parts(b"kernel", b"quiet", [b"bootstrap"]).pcr2.hex()[:16]
    '21b9efbc18480766'
    """
    meter = Meter()
    try:
        parts = [(SectionKind.KERNEL, kernel), (SectionKind.CMDLINE, command_line)]
        for kind, data in [*parts, *((SectionKind.RAMDISK, ramdisk) for ramdisk in ramdisks)]:
            meter.begin(kind, b"")
            meter.feed(data)
        return meter.finish(certificate, 0)
    finally:
        meter.close()


def crc_of_header_and_body(header: bytes, body_crc: int, body_size: int) -> int:
    """Return the CRC-32 of ``header ‖ body`` from that of the body (started at 0), in bytes.

    The header of an image holds sizes that are known last; this saves a second pass. The CRC is
    linear over GF(2): the header's CRC is moved past ``body_size`` zero bytes (zlib's
    crc32_combine, by repeated squaring of the one-bit shift).
    """
    return _shift_zeros(zlib.crc32(header), body_size) ^ body_crc


def _shift_zeros(crc: int, zero_bytes: int) -> int:
    matrix = [0xEDB88320, *(1 << bit for bit in range(31))]  # one zero bit
    for _ in range(3):
        matrix = _square(matrix)  # 2, 4, 8 zero bits: one zero byte
    while zero_bytes:
        if zero_bytes & 1:
            crc = _apply(matrix, crc)
        zero_bytes >>= 1
        matrix = _square(matrix)
    return crc


def _apply(matrix: list[int], vector: int) -> int:
    result, row = 0, 0
    while vector:
        if vector & 1:
            result ^= matrix[row]
        vector >>= 1
        row += 1
    return result


def _square(matrix: list[int]) -> list[int]:
    return [_apply(matrix, row) for row in matrix]
