"""D9, the owner's side: the receipts first, then the results; plaintext stays in this process."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nitro_workflow.errors import ReceiptRefused
from nitro_workflow.lab.step_result import Outcome
from nitro_workflow.lab.steps.p1_p2_keys import CONTEXT, RESULT_CONTEXT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from enclave_image.applications import OpenedWork
    from enclave_image.owner import ExpectedReceipt
    from nitro_workflow.lab.evidence.enclave_job import Job
    from nitro_workflow.lab.workbench import Workbench

__all__ = ["arrival_of", "expected_of", "open_job", "open_results", "owner_expectation"]


def open_results(bench: Workbench, jobs: Mapping[str, Job]) -> Outcome:
    """Verify each job's receipt, open its result; all forms must give the same answer."""
    opened, receipts = {}, {}
    # All before the first is opened: else the owner's KMS call comes before or after the next job's
    # messages in the trace, as it happens.
    ended = {form: job.ended() for form, job in jobs.items()}
    for form, job in jobs.items():
        state = ended[form]
        if state.get("status") != "done":
            raise job.failure(state, "D9")
        opened[form] = open_job(bench, job, state)
        receipts[form] = _receipt_evidence(opened[form], state)
    answers = {form: one.answer for form, one in opened.items()}
    first = next(iter(answers.values()))
    if any(answer != first for answer in answers.values()):
        raise ReceiptRefused(
            "the two forms give different results",
            expected="one answer: both hold the same records",
            where="D9",
            next="run step P3 again: it encrypts the same records in both forms",
        )
    evidence = {
        "basis": "observed by the data owner, who verified the receipt first",
        "receipt": receipts,
        **first,
        "said_by_the_enclave": {form: job.evidence("D9") for form, job in jobs.items()},
        "kept": "the result in the data owner's hands only; it left the enclave encrypted",
    }
    digest = hashlib.sha256(json.dumps(first, sort_keys=True).encode()).hexdigest()
    return Outcome(evidence, {"answer_sha256": digest})


def open_job(bench: Workbench, job: Job, state: Mapping[str, Any]) -> OpenedWork:
    """Verify the receipt of one ended job, at the time it came, and open its result.

    Its age is that of its arrival: the nonce keeps an older one out, and it can be opened later.
    Raises `ReceiptRefused` where it does not hold. IAM: kms:Decrypt on the results key only.
    """
    return bench.application.open(
        b64decode(state["result"]),
        b64decode(state["receipt"]),
        expected_of(bench, job),
        verifier=bench.cloud.trust().verifier(),
        at=arrival_of(state),
        private_key=_private_key(bench),
    )


def arrival_of(state: Mapping[str, Any]) -> datetime:
    """Return when the end of a job came; now, where an earlier version kept none."""
    arrived = state.get("arrived")
    return datetime.fromisoformat(arrived) if arrived else datetime.now(UTC)


def expected_of(bench: Workbench, job: Job) -> ExpectedReceipt:
    """Return what the receipt is compared with: the owner's records, and what was told of KMS."""
    from enclave_image import exchange_of
    from enclave_image.owner import ExpectedReceipt

    form = "sdk" if job.form == "encryption-sdk" else "envelope"
    return ExpectedReceipt(
        pcrs=owner_expectation(bench),
        nonce=bytes.fromhex(job.nonce),
        input_sha256=bench.produced("P3", f"{form}_sha256"),
        encryption_context=dict(CONTEXT),
        result_context=dict(RESULT_CONTEXT),
        exchange=exchange_of(job.ended().get("evidence") or {}),
    )


def owner_expectation(bench: Workbench) -> Any:
    """Return the PCRs that the owner computed from the image (P6), as an expectation."""
    from nitro_workflow.attestation import exactly

    pcrs = {
        int(index): bytes.fromhex(value) for index, value in bench.produced("P6", "pcrs").items()
    }
    return exactly(pcrs, "the image that the owner measured")


def _private_key(bench: Workbench) -> Any:
    """Return the owner's private key for results: unwrapped by KMS, kept in memory only."""
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    if "results_key" not in bench.memory:
        kms = bench.parties.session("owner").client("kms")
        answer = kms.decrypt(
            CiphertextBlob=(bench.path / "owner" / "results-private-key.encrypted").read_bytes(),
            KeyId=bench.produced("P1", "results_key_arn"),
            EncryptionContext=dict(RESULT_CONTEXT),
        )
        bench.memory["results_key"] = load_der_private_key(answer["Plaintext"], password=None)
    return bench.memory["results_key"]


def _receipt_evidence(opened: OpenedWork, state: Mapping[str, Any]) -> dict[str, Any]:
    document = opened.attestation.document
    return {
        "verified": True,
        "module_id": document.module_id,
        "root_sha256": opened.attestation.root_fingerprint,
        "receipt_sha256": hashlib.sha256(b64decode(state["receipt"])).hexdigest(),
        "result_sha256": hashlib.sha256(b64decode(state["result"])).hexdigest(),
        "user_data": document.user_data.hex() if document.user_data else "",
        "nonce": document.nonce.hex() if document.nonce else "",
    }
