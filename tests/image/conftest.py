"""Small images, keys and certificates for the tests of the room `image`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, settings

from nitro_workflow.image.build.image_writer import Part, bytes_part, write_image
from nitro_workflow.image.format.eif import SectionKind
from nitro_workflow.image.format.metadata import BuildInfo, Identity

# A machine with much other work must not fail a property for its time.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
NOW = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}


def key_and_certificate(
    curve: str = "P-384",
    begin: dt.datetime = NOW - dt.timedelta(days=1),
    end: dt.datetime = NOW + dt.timedelta(days=365 * 20),
) -> tuple[bytes, bytes]:
    """Return certificate and private key, both PEM."""
    key = ec.generate_private_key(CURVES[curve])
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            x509.NameAttribute(NameOID.COMMON_NAME, "image signer"),
        ]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(begin)
        .not_valid_after(end)
        .sign(key, hashes.SHA384())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return certificate.public_bytes(serialization.Encoding.PEM), private


@pytest.fixture(scope="session")
def pairs() -> dict[str, tuple[bytes, bytes]]:
    """Certificate and key of each curve."""
    return {curve: key_and_certificate(curve) for curve in CURVES}


IDENTITY = Identity(
    "image",
    "1.0",
    BuildInfo("2026-01-02T03:04:05+00:00", "eif_build", "0.2.1", "Linux", "6.6.79"),
)


def parts_of(
    kernel: bytes = b"kernel",
    command_line: bytes = b"quiet",
    ramdisks: tuple[bytes, ...] = (b"first", b"second"),
    metadata: bytes | None = IDENTITY.pack(),
) -> list[Part]:
    """Return the parts of a small image, in AWS's order."""
    parts = [
        bytes_part(SectionKind.KERNEL, kernel),
        bytes_part(SectionKind.CMDLINE, command_line),
    ]
    if metadata is not None:
        parts.append(bytes_part(SectionKind.METADATA, metadata))
    return parts + [bytes_part(SectionKind.RAMDISK, data) for data in ramdisks]


@pytest.fixture
def small(tmp_path: Path) -> Callable[..., Path]:
    """Write a small image and return its path; the arguments are those of `parts_of`."""

    def write(
        signing: object = None, version: int = 4, arch: str = "x86_64", **given: object
    ) -> Path:
        path = tmp_path / "small.eif"
        write_image(
            parts_of(**given),
            output=path,
            architecture=arch,
            signing=signing,
            version=version,
        )
        return path

    return write
