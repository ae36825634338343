"""The roots of trust: AWS's, which comes with the package, or one that is given."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from nitro_workflow.encoding import der_reason
from nitro_workflow.errors import CertificateError

__all__ = ["AWS_ROOT_FINGERPRINT", "aws_root", "fingerprint", "parse_root"]

AWS_ROOT_FINGERPRINT = "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b"
"""SHA-256 of the DER of the AWS Nitro Enclaves root G1, as AWS publishes it."""

MAX_ROOT_BYTES = 16_384
"""A root is one certificate of some 500 bytes; a file of this size is something else."""


@functools.cache
def aws_root() -> bytes:
    """Return the AWS Nitro Enclaves root G1 in DER.

    Raises `CertificateError` where the installed file is not the one with AWS's fingerprint.
    """
    der = parse_root(
        Path(__file__).with_name("data").joinpath("aws_nitro_root_g1.pem").read_bytes()
    )
    if fingerprint(der) != AWS_ROOT_FINGERPRINT:
        raise CertificateError(
            f"a root with fingerprint {fingerprint(der)}",
            expected=AWS_ROOT_FINGERPRINT,
            where="data/aws_nitro_root_g1.pem",
            next="Install the package again: its file was changed.",
        )
    return der


def parse_root(data: bytes) -> bytes:
    """Return the DER of one certificate given as PEM or DER. Raises `CertificateError`."""
    if len(data) > MAX_ROOT_BYTES:
        raise CertificateError(
            f"{len(data)} bytes", expected="one certificate, PEM or DER", where="root"
        )
    try:
        if b"-----BEGIN" in data:
            certificates = x509.load_pem_x509_certificates(data)
        else:
            certificates = [x509.load_der_x509_certificate(data)]
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateError(
            f"not a certificate: {der_reason(error)}",
            expected="one certificate, PEM or DER",
            where="root",
        ) from error
    if len(certificates) != 1:
        raise CertificateError(
            f"{len(certificates)} certificates", expected="the root alone", where="root"
        )
    return certificates[0].public_bytes(Encoding.DER)


def fingerprint(der: bytes) -> str:
    """Return the SHA-256 of a certificate's DER in lower-case hex, as AWS publishes it."""
    return hashlib.sha256(der).hexdigest()
