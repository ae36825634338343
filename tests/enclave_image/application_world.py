"""A running application: over a socket, with a KMS in memory behind real TLS."""

from __future__ import annotations

import io
import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from enclave_image.configuration import MeasuredConfig, Query
from enclave_image.inside.job_server import JobLimits, JobServer
from enclave_image.job_protocol import Credentials, JobRequest
from enclave_image.owner.data_encryption import SealedData, encrypt_envelope, encrypt_message
from enclave_image.owner.dataset import DEFAULT_THRESHOLD, QUERY, CustomerRecords
from enclave_image.packing.rehearsal import KEY_ARN, PracticeKms
from nitro_workflow.errors import VsockError
from nitro_workflow.nsm import NsmModule
from nitro_workflow.vsock import frames

HOST = "kms.us-east-1.nitro-lab.internal"
CONTEXT = {"dataset": "customers", "version": "1"}
RESULT_CONTEXT = {"purpose": "result", "dataset": "customers"}
PCRS = {i: bytes([i + 1]) * 48 for i in range(5)}
CREDENTIALS = Credentials("AKIAIOSFODNN7EXAMPLE", "secret/of+the+instance", "token")


class ModuleChannel:
    """An NSM module in this process, asked as the device is; documents by `issue`."""

    def __init__(self, issue: Callable[..., bytes]) -> None:
        self.documents: dict[bytes, bytes] = {}
        self._issue = issue
        self.module = NsmModule("i-0123456789abcdef0-enc1", PCRS, self._record, os.urandom)

    def _record(self, **fields: Any) -> bytes:
        document = self._issue(**fields)
        self.documents[document] = fields["public_key"]
        return document

    def exchange(self, request: bytes) -> bytes:
        return self.module.handle(request, datetime.now(UTC))


class QuickLimits(JobLimits):
    """Short where a test waits for the end; else nobody's, however busy the machine is."""

    idle = 60.0
    request = 60.0
    base = 60.0
    linger = 0.4
    wait = 60.0


@dataclass
class Sealed:
    ciphertext: bytes
    report: SealedData
    encrypted_key: bytes | None = None


@dataclass
class World:
    """The application's server, and everything around it that a test may bend."""

    kms: PracticeKms
    channel: ModuleChannel
    config: MeasuredConfig
    owner_key: rsa.RSAPrivateKey
    server: JobServer
    listener: socket.socket
    path: str
    sockets: list[socket.socket] = field(default_factory=list)
    kms_reachable: bool = True
    context: dict[str, str] = field(default_factory=lambda: dict(CONTEXT))

    # The application's transport
    def connect(self, cid: int, port: int, timeout: float = 5.0) -> socket.socket:
        if not self.kms_reachable:
            raise VsockError("nobody listens", where=f"vsock {cid}:{port}")
        ours, theirs = socket.socketpair()
        threading.Thread(target=self.kms.serve, args=(theirs,), daemon=True).start()
        return ours

    # The owner
    def seal(self, plaintext: bytes, form: str = "encryption-sdk") -> Sealed:
        client, out = self.kms.owner_client(), io.BytesIO()
        try:
            if form == "encryption-sdk":
                report = encrypt_message(
                    io.BytesIO(plaintext),
                    out,
                    kms=client,
                    key_arn=KEY_ARN,
                    encryption_context=self.context,
                )
                return Sealed(out.getvalue(), report)
            made = client.generate_data_key(
                KeyId=KEY_ARN, KeySpec="AES_256", EncryptionContext=self.context
            )
            report = encrypt_envelope(
                io.BytesIO(plaintext),
                out,
                data_key=bytearray(made["Plaintext"]),
                encryption_context=self.context,
            )
            return Sealed(out.getvalue(), report, made["CiphertextBlob"])
        finally:
            client.close()

    # The parent
    @contextmanager
    def dial(self) -> Iterator[socket.socket]:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(60)
            sock.connect(self.path)
            yield sock

    def request(self, sealed: Sealed, **changes: Any) -> dict[str, Any]:
        form = "envelope" if sealed.encrypted_key else "encryption-sdk"
        values = JobRequest(
            job=str(uuid.uuid4()),
            form=form,
            credentials=CREDENTIALS,
            nonce=b"\x07" * 32,
            encrypted_key=sealed.encrypted_key,
            size=len(sealed.ciphertext),
        ).to_json()
        return {**values, **changes}

    def run(self, sealed: Sealed, **changes: Any) -> list[dict[str, Any]]:
        """Send one job as an honest parent does and return all events."""
        with self.dial() as sock:
            frames.send_json(sock, self.request(sealed, **changes))
            sender = threading.Thread(target=self._send, args=(sock, sealed.ciphertext))
            sender.start()
            try:
                return events_of(sock)
            finally:
                sender.join()

    @staticmethod
    def _send(sock: socket.socket, data: bytes) -> None:
        try:
            frames.write_stream(sock, io.BytesIO(data))
        except VsockError:
            return


def events_of(sock: socket.socket) -> list[dict[str, Any]]:
    """Return the events until the last one."""
    events: list[dict[str, Any]] = []
    while not events or events[-1]["event"] == "evidence":
        events.append(frames.recv_json(sock, 1 << 23))
    return events


def records(size: int = 200_000, seed: int = 1) -> bytes:
    return io.BufferedReader(CustomerRecords(seed=seed, size=size)).read()


def make_config(kms: PracticeKms, owner_key: rsa.RSAPrivateKey) -> MeasuredConfig:
    pem = owner_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return MeasuredConfig(
        region="us-east-1",
        kms_host=HOST,
        kms_port_vsock=8000,
        ca_pem=kms.ca_pem,
        key_arn=KEY_ARN,
        encryption_context=CONTEXT,
        query=Query(tuple(QUERY["columns"]), QUERY["group_by"], QUERY["measures"]),
        threshold=DEFAULT_THRESHOLD,
        owner_public_key_pem=pem.decode(),
        owner_result_context=RESULT_CONTEXT,
    )
