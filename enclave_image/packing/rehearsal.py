"""The other side of a rehearsal: a KMS that holds keys in memory, behind real TLS.

`rootfs` lets the application run real jobs against it to see what it loads; tests bend it to see
the application refuse. It trusts every document and decides nothing: it is no lab cloud.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import ssl
import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

__all__ = ["KEY_ARN", "PracticeKms"]

KEY_ARN = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000001"
MAX_BODY = 1 << 20

Answer = tuple[int, dict[str, Any]]


class PracticeKms:
    """Answers GenerateDataKey and Decrypt. ``key_of``: a document's public key (SPKI, DER).

    ``bend``, when set, sees each Decrypt's answer and may return another ``(status, body)``.
    """

    def __init__(self, host: str, key_of: Callable[[bytes], bytes]) -> None:
        self.host = host
        self.key_of = key_of
        self.requests: list[dict[str, Any]] = []
        self.bend: Callable[[dict[str, Any], Answer], Answer] | None = None
        self._keys: dict[str, tuple[bytes, Mapping[str, str]]] = {}
        self.ca_pem, self._context = _throwaway_tls(host)

    def answer(self, operation: str, body: dict[str, Any]) -> Answer:
        """Return ``(HTTP status, JSON body)`` of one call."""
        self.requests.append({"operation": operation, **body})
        if operation == "GenerateDataKey":
            return self._generate(body)
        answer = self._decrypt(body)
        return self.bend(body, answer) if self.bend else answer

    def _generate(self, body: dict[str, Any]) -> Answer:
        key, blob = os.urandom(32), base64.b64encode(os.urandom(152)).decode()
        self._keys[blob] = (key, body.get("EncryptionContext") or {})
        plaintext = base64.b64encode(key).decode()
        return 200, {"CiphertextBlob": blob, "Plaintext": plaintext, "KeyId": body["KeyId"]}

    def _decrypt(self, body: dict[str, Any]) -> Answer:
        from nitro_workflow.cms import seal_envelope

        key, context = self._keys.get(body["CiphertextBlob"], (b"", None))
        if context != (body.get("EncryptionContext") or {}):
            return 400, {"__type": "InvalidCiphertextException"}
        document = base64.b64decode(body["Recipient"]["AttestationDocument"])
        envelope = base64.b64encode(seal_envelope(key, self.key_of(document))).decode()
        return 200, {
            "KeyId": body["KeyId"],
            "CiphertextForRecipient": envelope,
            "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        }

    def owner_client(self) -> Any:
        """Return a boto3 KMS client whose requests are answered here, without a network."""
        import boto3
        from botocore.awsrequest import AWSResponse

        client = boto3.client(
            "kms",
            region_name="us-east-1",
            endpoint_url=f"https://{self.host}",
            aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
            aws_secret_access_key="rehearsal",  # noqa: S106 - nothing checks it
        )

        def send(request: Any, **_: Any) -> Any:
            target = request.headers["X-Amz-Target"]
            name = (target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]
            status, body = self.answer(name, json.loads(request.body))
            return AWSResponse(request.url, status, {}, _Body(json.dumps(body).encode()))

        client.meta.events.register("before-send.kms", send)
        return client

    def serve(self, sock: socket.socket) -> None:
        """Serve one connection until the other side closes it."""
        with contextlib.suppress(OSError), sock:
            sock.settimeout(30)
            with self._context.wrap_socket(sock, server_side=True) as secure:
                _handler(self)(secure, ("vsock", 0), None)  # type: ignore[arg-type]  # no server


class _Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self._content


def _handler(kms: PracticeKms) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(min(int(self.headers["Content-Length"]), MAX_BODY))
            operation = self.headers["X-Amz-Target"].rpartition(".")[2]
            status, answer = kms.answer(operation, json.loads(body))
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("x-amzn-RequestId", f"rehearsal-{len(kms.requests)}")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            return

    return Handler


def _throwaway_tls(host: str) -> tuple[str, ssl.SSLContext]:
    """Return a self-signed certificate's PEM and the server context that holds its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "rehearsal")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tls.pem")  # ssl loads keys from files only
        path.write_bytes(secret + pem)
        context.load_cert_chain(path)
    return pem.decode("ascii"), context
