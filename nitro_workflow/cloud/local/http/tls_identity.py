"""The cloud's TLS identity: a CA whose key is thrown away once it has signed one certificate.

Nobody can make a second certificate under that CA, and a restart keeps the first one: what an
enclave measured as its trust stays valid for the life of the cloud's folder.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from nitro_workflow.atomic import write_atomic
from nitro_workflow.errors import CloudUnavailable

__all__ = ["TlsFiles", "ensure_tls"]

DNS_SUFFIX = "nitro-lab.internal"
AWS_KMS = "kms.{region}.amazonaws.com"
"""What programs call that name no endpoint: an image whose trust store holds this CA reaches the
lab's KMS by it, over the vsock proxy. Nobody else believes this CA."""
_LIFE = timedelta(
    days=825
)  # what Apple's and Go's verifiers accept of a private server certificate
_BACKDATE = timedelta(minutes=5)  # a client's clock may be a little slow


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: the CA certificate clients trust, the server's chain and its private key."""

    ca: Path
    certificate: Path
    key: Path


def ensure_tls(folder: Path, region: str, now: datetime | None = None) -> TlsFiles:
    """Return the folder's TLS files; they are made once and kept.

    The CA file is written last: where it is there, the other two are there.
    """
    files = TlsFiles(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    if all(path.exists() for path in (files.ca, files.certificate, files.key)):
        return files
    folder.mkdir(parents=True, exist_ok=True)
    moment = now or datetime.now(UTC)
    ca_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = _authority(ca_key, moment)
    server = _server(server_key, ca, ca_key, region, moment)
    private = server_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    pem = serialization.Encoding.PEM
    _write(files.key, private, 0o600)
    _write(files.certificate, server.public_bytes(pem), 0o644)
    _write(files.ca, ca.public_bytes(pem), 0o644)
    return files


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _authority(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    name = _name("nitro-workflow lab CA")
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=True,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    return (
        _builder(name, name, key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )


def _server(
    key: ec.EllipticCurvePrivateKey,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    region: str,
    now: datetime,
) -> x509.Certificate:
    names: list[x509.GeneralName] = [
        x509.DNSName(text)
        for text in ("localhost", f"*.{region}.{DNS_SUFFIX}", f"*.{DNS_SUFFIX}", DNS_SUFFIX)
    ]
    names.append(x509.DNSName(AWS_KMS.format(region=region)))
    names += [x509.IPAddress(ipaddress.ip_address(text)) for text in ("127.0.0.1", "::1")]
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    return (
        _builder(_name("nitro-workflow lab cloud"), ca.subject, key.public_key(), now)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(authority, critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _write(path: Path, data: bytes, mode: int) -> None:
    write_atomic(path, data, mode=mode, durable=True, failure=CloudUnavailable)
