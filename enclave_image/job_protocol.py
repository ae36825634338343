"""What the application in the enclave and the one beside it agree on: one job a connection.

::

    parent  → request (JSON frame), then the ciphertext as a chunk stream of exactly ``size`` bytes
    enclave → {"event": "evidence", "step": "D3" … "D9", "evidence": {…}}  as it happens
            → {"event": "result", "result": base64, "receipt": base64}
              or {"event": "refused" | "failed", "step": …, "error": {…}}   and nothing after it
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nitro_workflow.errors import EnclaveError, FrameError, NitroWorkflowError, Refused

__all__ = [
    "APPLICATION_PORT",
    "ENVELOPE_MAX_BYTES",
    "ENVELOPE_OVERHEAD",
    "EXCHANGE",
    "FORMS",
    "FRAME_LENGTH",
    "MAX_ANSWER_FRAME",
    "MAX_INPUT_BYTES",
    "MAX_REQUEST_FRAME",
    "NONCE_BYTES",
    "OWNER_KEY_NAME",
    "OWNER_KEY_NAMESPACE",
    "Credentials",
    "JobRequest",
    "b64",
    "canonical_json",
    "evidence_event",
    "exchange_of",
    "failure_event",
    "internal_error",
    "parse_request",
    "receipt_digest",
    "receipt_statement",
    "result_event",
    "unb64",
]

APPLICATION_PORT = 5005

FORMS = ("encryption-sdk", "envelope")

FRAME_LENGTH = 64 * 1024
"""Bytes of plaintext in one Encryption SDK frame; also the most the enclave accepts."""

MAX_INPUT_BYTES = 64 * 1024**3
"""Ciphertext bytes of one job. Streaming holds one frame of it, so this bounds time, not memory."""

ENVELOPE_MAX_BYTES = 32 * 1024**2
"""Ciphertext bytes of the envelope form. Its one tag comes last, and nothing is processed before it
has verified: the enclave holds the whole plaintext, within the 150 MB that it may use."""

ENVELOPE_OVERHEAD = 12 + 16  # nonce ‖ … ‖ tag

OWNER_KEY_NAMESPACE = "nitro-workflow"
OWNER_KEY_NAME = "owner-result-key"
"""The raw RSA keyring's names: written by the enclave, required by the owner who opens."""

EXCHANGE = {"D3": "document_sha256", "D6": "kms_request_id", "D7": "envelope_sha256"}
"""Step → what its evidence says of the Decrypt that gave the data key: the document's digest, KMS's
id of the request, the digest of the envelope that was opened."""

NONCE_BYTES = 32
MAX_REQUEST_FRAME = 64 * 1024
MAX_ANSWER_FRAME = 8 * 1024 * 1024
MAX_ENCRYPTED_KEY = 6144  # KMS: CiphertextBlob of Decrypt
MAX_TOKEN = 16 * 1024

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_KEY_ID = re.compile(r"[A-Za-z0-9]{16,128}")


@dataclass(frozen=True, slots=True)
class Credentials:
    """The instance role's. The parent may read them: without a document they give nothing."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)

    def to_json(self) -> dict[str, str]:
        """Return the three texts by their names."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class JobRequest:
    """One job. ``nonce``: 32 bytes, the owner's. ``size``: ciphertext bytes that follow."""

    job: str
    form: str
    credentials: Credentials
    nonce: bytes
    encrypted_key: bytes | None
    size: int

    def to_json(self) -> dict[str, Any]:
        """Return the JSON frame that `parse_request` reads."""
        return {
            "job": self.job,
            "form": self.form,
            "credentials": self.credentials.to_json(),
            "nonce": self.nonce.hex(),
            "encrypted_key": b64(self.encrypted_key) if self.encrypted_key is not None else None,
            "size": self.size,
        }


def parse_request(values: object) -> JobRequest:
    """Read a request from a parent that is not trusted. Raises `FrameError`; echoes no value."""
    if not isinstance(values, dict) or set(values) != set(JobRequest.__slots__):
        raise _bad("a JSON frame with other fields", f"{', '.join(JobRequest.__slots__)}", "")
    form = values["form"]
    if form not in FORMS:
        raise _bad("another word", " | ".join(FORMS), "form")
    return JobRequest(
        job=_matching(values["job"], _UUID, "job", "a UUID in lower case"),
        form=form,
        credentials=_credentials(values["credentials"]),
        nonce=_nonce(values["nonce"]),
        encrypted_key=_encrypted_key(values["encrypted_key"], form),
        size=_size(values["size"], form),
    )


def _credentials(value: object) -> Credentials:
    names = Credentials.__slots__
    if not isinstance(value, dict) or set(value) != set(names):
        raise _bad("other fields", ", ".join(names), "credentials")
    for name in names:
        text = value[name]
        if not isinstance(text, str) or not text.isascii() or not text.isprintable():
            raise _bad("not a printable text", "ASCII", f"credentials.{name}")
        if not 0 < len(text) <= MAX_TOKEN:
            raise _bad(f"{len(text)} characters", f"1 to {MAX_TOKEN}", f"credentials.{name}")
    _matching(value["access_key_id"], _KEY_ID, "credentials.access_key_id", "an access key id")
    return Credentials(**value)


def _nonce(value: object) -> bytes:
    form = re.compile(rf"[0-9a-f]{{{2 * NONCE_BYTES}}}")
    return bytes.fromhex(_matching(value, form, "nonce", f"{NONCE_BYTES} bytes in hex"))


def _encrypted_key(value: object, form: str) -> bytes | None:
    if form == "encryption-sdk":
        if value is not None:
            raise _bad("a key beside the message", "null: the message holds it", "encrypted_key")
        return None
    key = unb64(value, "encrypted_key")
    if not 0 < len(key) <= MAX_ENCRYPTED_KEY:
        raise _bad(f"{len(key)} bytes", f"1 to {MAX_ENCRYPTED_KEY}", "encrypted_key")
    return key


def _size(value: object, form: str) -> int:
    most = ENVELOPE_MAX_BYTES if form == "envelope" else MAX_INPUT_BYTES
    least = ENVELOPE_OVERHEAD + 1
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise _bad("a size out of range", f"{least} to {most} bytes", "size")
    return value


def _matching(value: object, form: re.Pattern[str], where: str, expected: str) -> str:
    if not isinstance(value, str) or not form.fullmatch(value):
        raise _bad("something else", expected, where)
    return value


def _bad(found: str, expected: str, where: str) -> FrameError:
    return FrameError(
        found,
        expected=expected,
        where=f"job request{': ' + where if where else ''}",
        next="send one JSON frame as the application's protocol says",
    )


def b64(data: bytes) -> str:
    """Return base64 text without line breaks."""
    return base64.b64encode(data).decode("ascii")


def unb64(value: object, where: str) -> bytes:
    """Return the bytes of strict base64 text. Raises `FrameError`."""
    try:
        return base64.b64decode(value if isinstance(value, str) else "?", validate=True)
    except (binascii.Error, ValueError) as error:
        raise _bad("not base64", "base64 text", where) from error


def canonical_json(value: object) -> bytes:
    """Return the one JSON form that is hashed or authenticated: sorted keys, no spaces, UTF-8.

    Only texts, whole numbers, lists and objects may be in it; their JSON is unambiguous.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def receipt_statement(
    result: bytes,
    input_sha256: str,
    encryption_context: Mapping[str, str],
    nonce: bytes,
    exchange: Mapping[str, str],
) -> dict[str, Any]:
    """Return what the receipt states. ``result`` is the encrypted one, as it leaves.

    ``exchange``: as `exchange_of`. So what is told of the exchange with KMS is said by measured
    code, where nobody else tells of it.
    """
    return {
        "exchange": dict(exchange),
        "result_sha256": hashlib.sha256(result).hexdigest(),
        "input_sha256": input_sha256,
        "encryption_context": dict(encryption_context),
        "nonce": nonce.hex(),
    }


def exchange_of(evidence: Mapping[str, Any]) -> dict[str, str]:
    """Return what evidence by step tells of the exchange with KMS; "" for what is not there.

    >>> exchange_of({"D3": {"document_sha256": "00"}})["document_sha256"]
    '00'
    """
    return {
        name: str((evidence.get(step) or {}).get(name) or "") for step, name in EXCHANGE.items()
    }


def receipt_digest(statement: Mapping[str, Any]) -> bytes:
    """Return the receipt's ``user_data``: SHA-256 (32 bytes) of the statement's canonical JSON."""
    return hashlib.sha256(canonical_json(dict(statement))).digest()


def evidence_event(step: str, evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Return one evidence frame: digests, lengths, times; never content."""
    return {"event": "evidence", "step": step, "evidence": dict(evidence)}


def result_event(result: bytes, receipt: bytes) -> dict[str, Any]:
    """Return the last frame of a job that was done."""
    return {"event": "result", "result": b64(result), "receipt": b64(receipt)}


def failure_event(step: str, error: NitroWorkflowError) -> dict[str, Any]:
    """Return the last frame of a job that was not done: one error, five texts."""
    kind = "refused" if isinstance(error, Refused) else "failed"
    return {"event": kind, "step": step, "error": error.to_json()}


def internal_error(error: BaseException) -> EnclaveError:
    """Return what may be said of an error nobody expected: its class, not its text."""
    return EnclaveError(
        f"an internal error ({type(error).__name__}); its text stays in the enclave",
        expected="a job that ends in a result or a refusal",
        where="enclave application",
        next="send the job again; restart the enclave if it happens twice",
    )
