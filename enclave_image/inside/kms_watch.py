"""What the enclave holds each request to KMS against, and what it tells of request and answer.

Told are lengths, digests and two things whole that give nobody anything: the request as it was
signed, without what makes it valid (what else is in it the parent handed over, or has seen), and
the envelope, which only the enclave's private key opens.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from enclave_image.configuration import MeasuredConfig
from enclave_image.job_protocol import b64
from nitro_workflow.errors import UntrustedAnswer

__all__ = ["Evidence", "KmsWatch", "told_request"]

Evidence = Callable[[str, Mapping[str, Any]], None]
"""``emit(step, evidence)``: what a job tells of a step."""

MAX_TOLD: Final = 32 * 1024
"""Bytes of a request that are told whole; a Decrypt of the walk has 6 KiB."""

HEADERS: Final = ("Content-Type", "X-Amz-Target", "X-Amz-Date")
"""What is told of the headers; of ``Authorization`` only which headers the signature covers."""


class KmsWatch:
    """Holds each request against what was measured, and reports it and its answer."""

    def __init__(self, config: MeasuredConfig, emit: Evidence) -> None:
        self._config = config
        self._emit = emit
        self._sent = 0
        self._told = b""

    def require_measured(self, params: Mapping[str, Any], model: Any, **_: Any) -> None:
        """Raise `UntrustedAnswer` for another operation, key or encryption context."""
        asked = (model.name, params.get("KeyId"), dict(params.get("EncryptionContext") or {}))
        wanted = ("Decrypt", self._config.key_arn, dict(self._config.encryption_context))
        if asked != wanted:
            raise UntrustedAnswer(
                "a message for another operation, key or encryption context",
                expected=f"Decrypt with {self._config.key_arn} and the measured context",
                where="D3, before KMS is asked",
                next="send the ciphertext that this image was built for, or build an image for it",
                code="ContextMismatch",
            )

    def note_request(self, request: Any, **_: Any) -> None:
        """Take a signed request, as it is about to be sent."""
        self._sent += len(request.body or b"")
        self._told = told_request(request)

    def record_answer(self, http_response: Any, parsed: Mapping[str, Any], **_: Any) -> None:
        """Report what went to KMS, and what came back."""
        envelope = parsed.get("CiphertextForRecipient") or b""
        self._emit(
            "D6",
            {
                "http_status": http_response.status_code,
                "request": b64(self._told),
                "request_bytes": self._sent,
                "response_bytes": len(http_response.content),
                "tls_ends": "in the enclave",
                "kms_host": self._config.kms_host,
                "kms_request_id": str(parsed.get("ResponseMetadata", {}).get("RequestId", ""))[:64],
            },
        )
        if envelope and http_response.status_code < 300:
            self._emit(
                "D7",
                {
                    "envelope": b64(envelope),
                    "envelope_bytes": len(envelope),
                    "envelope_sha256": hashlib.sha256(envelope).hexdigest(),
                    "opened_with": "the enclave's private key",
                },
            )


def told_request(request: Any) -> bytes:
    """Return botocore's signed request as HTTP/1.1, without credentials and signature.

    Nothing (``b""``) for a request too large to be told.
    """
    url = urlsplit(request.url)
    found = {name.lower(): _text(value) for name, value in request.headers.items()}
    lines = [f"{request.method} {url.path or '/'} HTTP/1.1", f"Host: {url.netloc}"]
    lines += [f"{name}: {found[name.lower()]}" for name in HEADERS if name.lower() in found]
    signed = found.get("authorization", "").partition("SignedHeaders=")[2].partition(",")[0]
    lines.append(f"Authorization: AWS4-HMAC-SHA256 Credential=…, SignedHeaders={signed}, …")
    told = "\r\n".join([*lines, "", ""]).encode() + (request.body or b"")
    return told if len(told) <= MAX_TOLD else b""


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
