"""D3 to D7 where the cloud's records come late and give no reasons: what the receipt says instead.

The enclave's receipt holds the digests of document and envelope and KMS's request id. The owner
verifies it here, before they believe anything of what the parent handed on.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode
from typing import TYPE_CHECKING, Any

from nitro_workflow.lab.evidence.known import Known
from nitro_workflow.lab.steps.d1_d2_delivery import require_same
from nitro_workflow.lab.steps.d9_results import arrival_of, expected_of, owner_expectation

if TYPE_CHECKING:
    from nitro_workflow.attestation import VerifiedAttestation
    from nitro_workflow.lab.evidence.enclave_job import Job
    from nitro_workflow.lab.workbench import Workbench

__all__ = ["claimed_decision", "claimed_exchange", "claimed_seal", "verified_document"]


def verified_document(bench: Workbench, job: Job) -> VerifiedAttestation:
    """Return the document that was sent to KMS: authentic, and of the image that was measured.

    Judged at its own time: that KMS took it for fresh is KMS's to say. Raises `VerificationError`.
    """
    from nitro_workflow.attestation import Expected

    said = job.evidence("D3")
    document = b64decode(said["document"])
    digest = hashlib.sha256(document).hexdigest()
    require_same("D3", "the document that was kept", digest, said["document_sha256"])
    expected = Expected(pcrs=owner_expectation(bench))
    return bench.cloud.trust().verifier().verify(document, at="document", expected=expected)


def claimed_decision(bench: Workbench, job: Job) -> dict[str, Any]:
    """Return D4: KMS allowed it, since measured code opened an envelope for this document.

    Raises the refusal that the enclave recorded, and `ReceiptRefused` where the receipt does not
    hold. A record of CloudTrail's bears it out later: `confirm`.
    """
    said = job.evidence("D3")
    job.evidence("D7")  # the refusal, where KMS gave no envelope
    _require_receipt(bench, job)
    verified = verified_document(bench, job)
    return {
        "known": Known.INFERRED.value,
        "decision": "allowed",
        "summary": "inferred: the measured code opened KMS's envelope for this document",
        "explanation": "",
        "caller": "",
        "document_sha256": said["document_sha256"],
        "module_id": verified.document.module_id,
        "root_sha256": verified.root_fingerprint,
        "pcrs": {f"PCR{index}": value.hex() for index, value in verified.document.pcrs.items()},
        "request_id": job.evidence("D6")["kms_request_id"],
        "confirmed_by": "nothing yet: `nitro-workflow confirm` asks CloudTrail, minutes later",
    }


def claimed_seal(bench: Workbench, job: Job) -> dict[str, Any]:
    """Return D5: what the measured code says of the envelope; CloudTrail holds no answers."""
    said = job.evidence("D7")
    _require_receipt(bench, job)
    return {
        "known": Known.SIGNED.value,
        "envelope_bytes": said["envelope_bytes"],
        "envelope_sha256": said["envelope_sha256"],
        "plaintext_in_answer": False,
    }


def claimed_exchange(bench: Workbench, job: Job) -> dict[str, str]:
    """Return what the receipt states of the exchange with KMS; raises `ReceiptRefused`."""
    _require_receipt(bench, job)
    return dict(expected_of(bench, job).exchange)


def _require_receipt(bench: Workbench, job: Job) -> None:
    """Verify the receipt: then what was told of the exchange with KMS is measured code's word."""
    from enclave_image.owner import verify_receipt

    state = job.ended()
    if state.get("status") != "done":
        raise job.failure(state, "D9")
    verify_receipt(
        b64decode(state["result"]),
        b64decode(state["receipt"]),
        expected_of(bench, job),
        verifier=bench.cloud.trust().verifier(),
        at=arrival_of(state),
    )
