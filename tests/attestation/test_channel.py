"""A service without KMS: a real TLS connection whose server's key is in the document."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from nitro_workflow.attestation import Verifier, exactly
from nitro_workflow.attestation.channel import (
    MAX_OUTSTANDING,
    ChannelBinding,
    ChannelVerifier,
    bound_to_public_key,
    bound_to_user_data,
    channel_digest,
)
from nitro_workflow.attestation.issue import HypervisorPki, InstanceIssuer
from nitro_workflow.errors import VerificationError

from .conftest import MODULE, NOW, PCRS


@pytest.fixture
def caller(pki: HypervisorPki) -> ChannelVerifier:
    image = exactly({0: PCRS[0]}, "release 1")
    return ChannelVerifier(Verifier.local(pki.root_der), pcrs=image)


class Enclave:
    """A TLS server whose key was made inside, and its NSM."""

    def __init__(self, issuer: InstanceIssuer, folder: Path) -> None:
        self.issuer, self.key = issuer, ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "enclave")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(NOW - timedelta(days=1))
            .not_valid_after(NOW + timedelta(days=1))
            .sign(self.key, hashes.SHA256())
        )
        self.pem = folder / "server.pem"
        self.pem.write_bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )

    def serve(self, plain: socket.socket) -> None:
        """Answer one nonce with a document that binds it to this connection's key."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pem)
        with context.wrap_socket(plain, server_side=True) as secure:
            nonce = secure.recv(32)
            spki = self.key.public_key().public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            document = self.issuer.issue(
                module_id=MODULE, pcrs=PCRS, public_key=spki, nonce=nonce, now=NOW
            )
            secure.sendall(len(document).to_bytes(4, "big") + document)


def ask(enclave: Enclave, nonce: bytes) -> tuple[bytes, bytes]:
    """Return the document and the key that the other end of the connection has proved to hold."""
    ours, theirs = socket.socketpair()
    server = threading.Thread(target=enclave.serve, args=(theirs,), daemon=True)
    server.start()
    # The certificate is self-signed: not its issuer but the document says whose key it is.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with context.wrap_socket(ours) as secure:
        shown = secure.getpeercert(binary_form=True)
        secure.sendall(nonce)
        with secure.makefile("rb") as answer:
            document = answer.read(int.from_bytes(answer.read(4), "big"))
    server.join()
    assert shown is not None
    spki = x509.load_der_x509_certificate(shown).public_key()
    return document, spki.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def test_a_tls_server_proves_to_be_the_enclave(
    caller: ChannelVerifier, issuer: InstanceIssuer, tmp_path: Path
) -> None:
    nonce = caller.challenge(NOW)
    document, key = ask(Enclave(issuer, tmp_path), nonce)
    channel = bound_to_public_key(key)
    verified = caller.accept(document, nonce=nonce, channel=channel, now=NOW)
    assert verified.matched == "release 1"
    assert verified.document.public_key == key


def test_a_relay_with_its_own_key_is_refused(
    caller: ChannelVerifier, issuer: InstanceIssuer, tmp_path: Path
) -> None:
    """The parent ends the TLS itself and asks the real enclave for a document with our nonce."""
    nonce = caller.challenge(NOW)
    document, _ = ask(Enclave(issuer, tmp_path), nonce)
    relay = ec.generate_private_key(ec.SECP256R1()).public_key()
    spki = relay.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    with pytest.raises(VerificationError) as caught:
        caller.accept(document, nonce=nonce, channel=bound_to_public_key(spki), now=NOW)
    assert caught.value.step == "public_key"


def issue(issuer: InstanceIssuer, nonce: bytes, now: datetime = NOW, secret: bytes = b"s") -> bytes:
    return issuer.issue(
        module_id=MODULE, pcrs=PCRS, user_data=channel_digest(secret), nonce=nonce, now=now
    )


def test_user_data_binds_a_secret_of_the_channel(
    caller: ChannelVerifier, issuer: InstanceIssuer
) -> None:
    nonce = caller.challenge(NOW)
    channel = bound_to_user_data(b"s")
    assert caller.accept(issue(issuer, nonce), nonce=nonce, channel=channel, now=NOW)
    nonce = caller.challenge(NOW)
    with pytest.raises(VerificationError) as caught:
        caller.accept(issue(issuer, nonce, secret=b"t"), nonce=nonce, channel=channel, now=NOW)
    assert caught.value.step == "user_data"


@pytest.mark.parametrize("wait", [timedelta(0), timedelta(seconds=61)])
def test_a_nonce_is_good_once_and_for_a_while(
    caller: ChannelVerifier, issuer: InstanceIssuer, wait: timedelta
) -> None:
    nonce, channel = caller.challenge(NOW), bound_to_user_data(b"s")
    document = issue(issuer, nonce)
    if not wait:
        caller.accept(document, nonce=nonce, channel=channel, now=NOW)
    with pytest.raises(VerificationError, match="not outstanding"):
        caller.accept(document, nonce=nonce, channel=channel, now=NOW + wait)


@pytest.mark.parametrize("channel", [ChannelBinding(), ChannelBinding(b"", b"")])
def test_a_channel_bound_to_nothing_is_refused(
    caller: ChannelVerifier, issuer: InstanceIssuer, channel: ChannelBinding
) -> None:
    nonce = caller.challenge(NOW)
    with pytest.raises(VerificationError, match="bound to nothing"):
        caller.accept(issue(issuer, nonce), nonce=nonce, channel=channel, now=NOW)


def test_anothers_nonce_and_anothers_document_are_refused(
    caller: ChannelVerifier, issuer: InstanceIssuer
) -> None:
    first, second = caller.challenge(NOW), caller.challenge(NOW)
    channel = bound_to_user_data(b"s")
    with pytest.raises(VerificationError) as caught:
        caller.accept(issue(issuer, first), nonce=second, channel=channel, now=NOW)
    assert caught.value.step == "nonce"
    with pytest.raises(VerificationError, match="not outstanding"):
        caller.accept(issue(issuer, b"x" * 32), nonce=b"x" * 32, channel=channel, now=NOW)


def test_outstanding_nonces_are_bounded(caller: ChannelVerifier, issuer: InstanceIssuer) -> None:
    first = caller.challenge(NOW)
    for _ in range(MAX_OUTSTANDING):
        caller.challenge(NOW)
    with pytest.raises(VerificationError, match="not outstanding"):
        caller.accept(b"", nonce=first, channel=bound_to_user_data(b"s"), now=NOW)
