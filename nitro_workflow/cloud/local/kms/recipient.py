"""Recipient: the attestation document of a request, verified, and its answer sealed for it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nitro_workflow import cms
from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Services
from nitro_workflow.errors import InputError, NitroWorkflowError, Refused

if TYPE_CHECKING:
    from nitro_workflow.attestation import (
        AttestationDocument,
        VerifiedAttestation,
        Verifier,
    )

__all__ = ["Recipient", "answer", "read"]

_roots: dict[Path, tuple[int, Verifier]] = {}
_roots_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Recipient:
    """A verified document and the public key (DER SubjectPublicKeyInfo) that answers go to."""

    call: Call
    attestation: VerifiedAttestation
    public_key: bytes

    def seal(self, plaintext: bytes) -> bytes:
        """Return ``CiphertextForRecipient``; its digest goes into the decision record."""
        envelope = cms.seal_envelope(plaintext, self.public_key)
        self.call.trail.extra["envelope"] = {
            "sha256": sha256(envelope).hexdigest(),
            "bytes": len(envelope),
            "key_encryption": "RSAES_OAEP_SHA_256",
            "content_encryption": "AES-256-CBC",
        }
        return envelope


def read(services: Services, call: Call) -> Recipient | None:
    """Verify the request's document, or return None where it has none.

    The document must lead to the hypervisor's root, be valid now, be at most
    ``attestation_max_age_s`` old and carry an RSA public key. Debug documents pass, as they do at
    AWS: their PCRs are zero, and the key policy decides. Raises `ServiceFault`
    (ValidationException); the reason is in the decision record.
    """
    member = call.params.get("Recipient")
    if not member:
        return None
    document = member.get("AttestationDocument")
    if not document or not member.get("KeyEncryptionAlgorithm"):
        raise ServiceFault(
            "ValidationException",
            "Recipient requires both KeyEncryptionAlgorithm and AttestationDocument.",
        )
    from nitro_workflow.attestation import Expected

    try:
        verified = _verifier(services).verify_including_debug(
            document,
            at=call.now,
            expected=Expected(max_age=timedelta(seconds=services.settings.attestation_max_age_s)),
        )
        public_key = verified.document.public_key or b""
        cms.load_recipient_key(public_key)
    except (Refused, InputError) as error:
        raise _refused(call, document, error) from error
    _record(call, document, verified.document, verified=True, root_sha256=verified.root_fingerprint)
    return Recipient(call, verified, public_key)


def attestation(recipient: Recipient | None) -> VerifiedAttestation | None:
    """Return what the gate wants of a recipient that may be absent."""
    return recipient.attestation if recipient else None


def answer(recipient: Recipient | None, member: str, plaintext: bytes) -> Mapping[str, Any]:
    """Return the members that carry a plaintext: in `member`, or sealed for the recipient."""
    if recipient is None:
        return {member: plaintext}
    return {"CiphertextForRecipient": recipient.seal(plaintext)}


def _record(call: Call, document: bytes, parsed: AttestationDocument | None, **facts: Any) -> None:
    """Leave in the decision record what is known of the document: digests and names only."""
    known: dict[str, Any] = {
        "document_sha256": sha256(document).hexdigest(),
        "document_bytes": len(document),
    }
    if parsed is not None:
        known |= {
            "module_id": parsed.module_id,
            "timestamp_ms": parsed.timestamp_ms,
            "pcrs": {str(index): value.hex() for index, value in parsed.pcrs.items()},
            "public_key_sha256": sha256(parsed.public_key or b"").hexdigest(),
        }
    call.trail.extra["attestation"] = {**known, **facts}


def _refused(call: Call, document: bytes, error: NitroWorkflowError) -> ServiceFault:
    """Answer what AWS does, and leave the reason where the operator finds it."""
    step = getattr(error, "step", "") or "public_key"
    _record(call, document, _parse(document), verified=False, failed=step, **error.to_json())
    return ServiceFault(
        "ValidationException",
        "The attestation document in Recipient is not valid. (The decision record says why.)",
    )


def _parse(document: bytes) -> AttestationDocument | None:
    from nitro_workflow.attestation import parse_document

    try:
        return parse_document(document)
    except InputError:
        return None


def _verifier(services: Services) -> Verifier:
    """Return the verifier of the hypervisor's root as it stands in its file now."""
    from nitro_workflow.attestation import Verifier

    path = services.settings.nitro_root
    try:
        changed = path.stat().st_mtime_ns
        with _roots_lock:
            cached = _roots.get(path)
            if cached is None or cached[0] != changed:
                cached = _roots[path] = (changed, Verifier.local(_root_der(path)))
    except OSError as error:
        raise InputError(
            "no attestation root",
            expected="the hypervisor's root certificate",
            where=path.name,
            next="start the hypervisor (nitro-workflow walk does), then ask again",
        ) from error
    return cached[1]


def _root_der(path: Path) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)
    except ValueError as error:
        raise InputError(
            "an attestation root that is not a certificate",
            expected="one PEM certificate",
            where=path.name,
            next="start the hypervisor again",
        ) from error
