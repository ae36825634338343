"""The bytes of D3 to D7 that were kept: document, request, TLS records, envelope.

The parent hands all of them on, so nothing is shown that does not fit what others recorded: the
document and the envelope are held against the digests in the cloud's record of D4 and D5.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import LabError, UntrustedAnswer
from nitro_workflow.lab.evidence import decision_lookup
from nitro_workflow.lab.steps.claims import claimed_exchange
from nitro_workflow.lab.steps.d1_d2_delivery import jobs_of, require_same

if TYPE_CHECKING:
    from nitro_workflow.lab.evidence.enclave_job import Job
    from nitro_workflow.lab.workbench import Workbench

__all__ = ["WIRES", "document_of", "envelope_of", "event_of", "request_of", "wire_of"]

WIRES: Final = ("to_kms", "from_kms")


def document_of(bench: Workbench, form: str = "encryption-sdk") -> bytes:
    """Return the document that the enclave sent to KMS, checked against its digest."""
    said = _job(bench, form).evidence("D3")
    document = b64decode(said["document"])
    require_same("D3", "the document that was kept", _sha256(document), said["document_sha256"])
    return document


def request_of(bench: Workbench, form: str = "encryption-sdk") -> bytes:
    """Return the enclave's Decrypt as HTTP/1.1, without its credentials and signature.

    Raises `UntrustedAnswer` where the document in it is not the one that KMS saw.
    """
    job = _job(bench, form)
    request = b64decode(job.evidence("D6")["request"])
    try:
        asked = json.loads(request.partition(b"\r\n\r\n")[2])
        sent = _sha256(b64decode(asked["Recipient"]["AttestationDocument"], validate=True))
    except (ValueError, KeyError, TypeError) as error:
        raise UntrustedAnswer(
            "a request that is not a Decrypt with a Recipient",
            expected="the one that the enclave signed",
            where="D3",
            next="run step D2 again",
        ) from error
    if bench.cloud.explains:
        seen = decision_lookup.document_digest(event_of(bench, job))
    else:
        seen = claimed_exchange(bench, job)["document_sha256"]
    require_same("D3", "the document in the request that was kept", sent, seen)
    return request


def envelope_of(bench: Workbench, form: str = "encryption-sdk") -> bytes:
    """Return ``CiphertextForRecipient`` as the enclave got it, checked against the cloud's record.

    Only the enclave's private key opens it.
    """
    job = _job(bench, form)
    envelope = b64decode(job.evidence("D7")["envelope"])
    if not bench.cloud.explains:
        sealed = claimed_exchange(bench, job)["envelope_sha256"]
        require_same("D7", "the envelope that was kept", _sha256(envelope), sealed)
        return envelope
    event = event_of(bench, job)
    sealed = event["additionalEventData"].get("envelope", {}).get("sha256")
    require_same("D7", "the envelope that was kept", _sha256(envelope), sealed)
    return envelope


def wire_of(bench: Workbench, direction: str, form: str = "encryption-sdk") -> bytes:
    """Return what the proxy carried one way for a job, ``to_kms`` or ``from_kms``.

    It is the parent's word alone. Raises `LabError` where the proxy kept nothing: AWS's keeps none.
    """
    job = _job(bench, form)
    job.evidence("D6")
    carried = job.state().get("wire") or {}
    if direction not in carried:
        raise LabError(
            "the proxy kept nothing of that job",
            expected="the TLS records that it carried",
            where="D6",
            next="run step D2 again; on AWS, capture on the parent instance with tcpdump",
        )
    return b64decode(carried[direction])


def event_of(bench: Workbench, job: Job) -> dict[str, Any]:
    """Return the cloud's record of a job's Decrypt: by its document, and by its request's id.

    The document alone would not do: whoever has it can send it again.
    """
    document = job.evidence("D3")["document_sha256"]
    request = job.evidence("D6").get("kms_request_id")
    return decision_lookup.find_event(
        bench,
        "Decrypt",
        lambda event: (
            decision_lookup.document_digest(event) == document
            and (not request or event.get("requestID") == request)
        ),
    )


def _job(bench: Workbench, form: str) -> Job:
    jobs = jobs_of(bench)
    if form not in jobs:
        raise LabError(
            f"no job of the form {form}",
            expected=", ".join(jobs) or "a job",
            where="D2",
            next="run step D2 first",
        )
    return jobs[form]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
