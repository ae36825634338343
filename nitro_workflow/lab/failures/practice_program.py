"""The practice application: what runs in the failure lab's enclaves, measured as any other.

For each job it asks KMS for one data key, as the job's settings say, and tells what it got: digests
and lengths, never the key. Its text is copied into the image, beside the application's packages.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).resolve().parent
if HERE.name == "app":  # -I takes the program's folder off the path
    sys.path.insert(0, str(HERE))

from enclave_image import CONFIG_PATH, parse_config  # noqa: E402
from nitro_workflow.errors import NitroWorkflowError  # noqa: E402
from nitro_workflow.vsock import recv_json, send_json  # noqa: E402

if TYPE_CHECKING:
    import socket

    from enclave_image import MeasuredConfig

RELEASE = "2"
"""Measured with the rest: another release is another image."""

PRACTICE_PORT = 5010
"""Where it takes jobs; the workflow's application has another."""

FRAME = 1 << 20  # bytes of a job, and of its answer
KEY_BITS = 2048
MINUTE = timedelta(minutes=1)


class PracticeProgram:
    """One run: its key pair, and the document that it made when it began."""

    def __init__(self, config: MeasuredConfig, nsm: Any, transport: Any) -> None:
        self._config = config
        self._nsm = nsm
        self._transport = transport
        self._key = _new_key()
        self._kept = self._attest(self._key)

    def answer(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Do one job; whatever KMS says is the answer."""
        settings = job["settings"]
        if job["op"] == "clock":
            return {"clock": _now(settings).isoformat(timespec="seconds")}
        client = self._client(job["credentials"], int(job["port"]))  # slow, while a document ages
        request, sealed_to, opener = self._request(job["request"], settings)
        with _clock_of_signer(settings):
            told = call_kms(client, request)
        envelope = told.pop("envelope", b"")
        told["document"] = _b64(sealed_to)
        if envelope:
            told |= _opened(envelope, opener)
        return told

    def _request(
        self, asked: Mapping[str, Any], settings: Mapping[str, Any]
    ) -> tuple[dict[str, Any], bytes, Any]:
        """Return Decrypt's parameters, the document in them, and the key to open the answer."""
        request = {**asked, "CiphertextBlob": base64.b64decode(asked["CiphertextBlob"])}
        if not settings["attested"]:
            return request, b"", None
        document, key = self._kept, self._key
        if settings["document"] == "each request":
            document = self._attest(self._key)
        if settings["opens_with"] == "newest key":
            key = _new_key()
        request["Recipient"] = {
            "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
            "AttestationDocument": document,
        }
        return request, document, key

    def _attest(self, key: Any) -> bytes:
        return bytes(self._nsm.attest(public_key=_spki(key)))

    def _client(self, credentials: Mapping[str, str], port: int) -> Any:
        import botocore.session
        from botocore.config import Config

        from nitro_workflow.enclave import over_vsock

        client = botocore.session.Session().create_client(
            "kms",
            region_name=self._config.region,
            endpoint_url=f"https://{self._config.kms_host}",
            aws_access_key_id=credentials["access_key_id"],
            aws_secret_access_key=credentials["secret_access_key"],
            aws_session_token=credentials["session_token"],
            config=Config(retries={"mode": "standard", "total_max_attempts": 1}),
        )
        ca, host = self._config.ca_pem.encode(), self._config.kms_host
        return over_vsock(client, ca_pem=ca, host=host, port=port, transport=self._transport)


def call_kms(client: Any, request: Mapping[str, Any]) -> dict[str, Any]:
    """Call Decrypt; return status, code, message, what was signed, and the envelope if any."""
    from botocore.exceptions import ClientError

    sent: dict[str, Any] = {}

    def before_send(request: Any, **_: Any) -> None:
        sent["date"] = _text(request.headers.get("X-Amz-Date", ""))
        sent["members"] = _cut(json.loads(request.body))

    client.meta.events.register_first("before-send.kms.Decrypt", before_send)
    try:
        answer = client.decrypt(**request)
    except ClientError as error:
        answer, said = error.response, error.response.get("Error", {})
    else:
        said = {}
    meta = answer.get("ResponseMetadata", {})
    return {
        "status": meta.get("HTTPStatusCode", 0),
        "request_id": meta.get("RequestId", ""),
        "code": said.get("Code", ""),
        "message": said.get("Message", ""),
        "sent": sent,
        "clear_bytes": len(answer.get("Plaintext") or b""),
        "envelope": answer.get("CiphertextForRecipient") or b"",
    }


def _opened(envelope: bytes, key: Any) -> dict[str, Any]:
    from nitro_workflow.cms import open_envelope

    told: dict[str, Any] = {"envelope": _b64(envelope), "opener": _sha256(_spki(key))}
    try:
        return {**told, "opened_bytes": len(open_envelope(envelope, key))}
    except NitroWorkflowError as error:
        return {**told, "code": error.code, "message": f"{error.where}: {error.found}; expected "
                f"{error.expected}"}  # fmt: skip


@contextlib.contextmanager
def _clock_of_signer(settings: Mapping[str, Any]) -> Iterator[None]:
    """Have botocore sign by this machine's clock as the settings have it.

    A sandbox shares its kernel's clock, so what is moved is what the signer reads.
    """
    import botocore.auth

    kept = botocore.auth.get_current_datetime
    botocore.auth.get_current_datetime = lambda **_: _now(settings).replace(tzinfo=None)
    try:
        yield
    finally:
        botocore.auth.get_current_datetime = kept


def _now(settings: Mapping[str, Any]) -> datetime:
    return datetime.now(UTC) + int(settings["clock_minutes"]) * MINUTE


def _cut(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request's members, long bytes as their length."""
    return {
        name: _cut(value)
        if isinstance(value, Mapping)
        else f"{len(base64.b64decode(value))} bytes"
        if name in ("CiphertextBlob", "AttestationDocument")
        else value
        for name, value in members.items()
    }


def _new_key() -> Any:
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)


def _spki(key: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return bytes(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _serve(listener: socket.socket, program: PracticeProgram) -> None:
    """Take jobs for ever, one at a time; a job that fails is told, and the next one is served."""
    while True:
        sock, _ = listener.accept()
        with sock, contextlib.suppress(OSError, NitroWorkflowError):
            sock.settimeout(30)
            try:
                send_json(sock, program.answer(recv_json(sock, FRAME)))
            except NitroWorkflowError as error:
                send_json(sock, {"failed": error.to_json()})


def main() -> None:
    """Serve jobs with what was measured."""
    import botocore.auth  # noqa: F401 - loaded before the first job

    from nitro_workflow.enclave import open_nsm
    from nitro_workflow.vsock import open_transport

    transport = open_transport()
    listener = transport.listen(PRACTICE_PORT)
    config = parse_config((HERE.parent / CONFIG_PATH[1:]).read_bytes())
    _serve(listener, PracticeProgram(config, open_nsm(), transport))


if __name__ == "__main__":
    print(f"practice application, release {RELEASE}", flush=True)
    main()
