"""D3–D9: what the proxy, the enclave and the cloud did, gathered from them; the table of D1–D9.

Nothing here decrypts but the owner's opening of the result in D9. What the enclave says of itself
is held against what the cloud saw, and against what the owner recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import AccessRefused, NitroWorkflowError, UntrustedAnswer
from nitro_workflow.lab.evidence import decision_lookup
from nitro_workflow.lab.evidence.enclave_job import Job
from nitro_workflow.lab.evidence.known import Known
from nitro_workflow.lab.evidence.parent_client import wait_for
from nitro_workflow.lab.evidence.recorded_call import note_event_call
from nitro_workflow.lab.evidence.trace import proxy_lines
from nitro_workflow.lab.step_result import Outcome
from nitro_workflow.lab.steps.claims import (
    claimed_decision,
    claimed_exchange,
    claimed_seal,
    verified_document,
)
from nitro_workflow.lab.steps.d1_d2_delivery import (
    FORMS,
    download,
    jobs_hold,
    jobs_of,
    require_same,
    send,
    testimony,
)
from nitro_workflow.lab.steps.d3_d7_bytes import event_of
from nitro_workflow.lab.steps.d9_results import open_results
from nitro_workflow.lab.steps.step import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nitro_workflow.lab.workbench import Workbench

__all__ = ["DECRYPTION", "explained"]

PROXY_SECONDS: Final = 60.0
"""The proxy notes what it carried when the line is quiet, or the connection ends."""


# -- D3 to D8: the enclave and the cloud -----------------------------------------------------------


def attest(bench: Workbench) -> Outcome:
    """Gather: the enclave made its key pair and a document, and sent Decrypt with `Recipient`."""

    def attested(job: Job) -> dict[str, Any]:
        told = _without("document", job.evidence("D3"))
        if bench.cloud.explains:
            return told
        verified_document(bench, job)
        return {"known": Known.OBSERVED.value, **told}

    return _each(bench, "observed by the enclave", attested)


def decide(bench: Workbench) -> Outcome:
    """Gather: the cloud verified the document and evaluated the key policy with its PCRs.

    The record that the cloud made is found by the document's digest, and compared with what the
    enclave said and with the PCRs that the owner computed from the image.
    """
    if not bench.cloud.explains:
        basis = "inferred from the enclave's receipt; CloudTrail's record comes later"
        return _each(bench, basis, lambda job: claimed_decision(bench, job))
    return _each(
        bench,
        "observed by the cloud; compared with the enclave and the image",
        lambda job: _decision(bench, job),
    )


def _decision(bench: Workbench, job: Job) -> dict[str, Any]:
    said = job.evidence("D3")
    event = event_of(bench, job)
    _raise_denial(event, job)
    seen = event["additionalEventData"].get("attestation", {})
    require_same(
        "D4", "public key in the document", seen.get("public_key_sha256"), said["public_key_sha256"]
    )
    pcrs = decision_lookup.recipient_pcrs(event)
    for index, value in bench.produced("P6", "pcrs").items():
        require_same("D4", f"PCR{index} that KMS saw", pcrs.get(int(index)), value)
    note_event_call(bench, event, party="enclave")
    decided = decision_lookup.decision(event)
    return {
        "decision": decided.get("decision", "allowed"),
        "summary": decided.get("summary", ""),
        "explanation": decision_lookup.explanation(event),
        "caller": event["userIdentity"].get("arn", ""),
        "document_sha256": said["document_sha256"],
        "module_id": seen.get("module_id", ""),
        "root_sha256": seen.get("root_sha256", ""),
        "pcrs": {f"PCR{index}": value for index, value in pcrs.items()},
        "request_id": event.get("requestID", ""),
        "request": event.get("requestParameters") or {},
        "decision_record": decided.get("record") or {},
    }


def _raise_denial(event: Mapping[str, Any], job: Job) -> None:
    """Raise what the enclave recorded, with the reason that only the cloud's record has."""
    if not event.get("errorCode"):
        return
    raise explained(job.failure(job.ended(), "D4"), event)


def explained(error: NitroWorkflowError, event: Mapping[str, Any]) -> NitroWorkflowError:
    """Return the refusal with the explanation that the cloud recorded."""
    if isinstance(error, AccessRefused):
        error.explanation = decision_lookup.explanation(event)
    return error


def seal(bench: Workbench) -> Outcome:
    """Gather: the cloud sealed the data key to the document's public key."""

    def sealed(job: Job) -> dict[str, Any]:
        event = event_of(bench, job)
        _raise_denial(event, job)
        note_event_call(bench, event, party="enclave")
        envelope = event["additionalEventData"]["envelope"]
        return {
            "envelope_bytes": envelope.get("bytes"),
            "envelope_sha256": envelope.get("sha256"),
            "key_encryption": envelope.get("key_encryption"),
            "content_encryption": envelope.get("content_encryption"),
            "plaintext_in_answer": False,
        }

    if not bench.cloud.explains:
        basis = "said by the measured code in its receipt: AWS's records hold no answers"
        return _each(bench, basis, lambda job: claimed_seal(bench, job))
    return _each(bench, "observed by the cloud", sealed)


def carry_back(bench: Workbench) -> Outcome:
    """Gather: what the proxy carried between the enclave and KMS: TLS records only."""
    outcome = _each(bench, "", lambda job: _without("request", job.evidence("D6")))
    back = _carried_back(bench)
    if not all(line.get("only_tls") for line in back):
        raise UntrustedAnswer(
            "bytes that are not TLS records",
            expected="TLS from the enclave to KMS: the proxy must not be able to read",
            where="D6",
            next="see the proxy's lines with `nitro-workflow trace`",
        )
    kinds: dict[str, int] = {}
    for line in back:
        for kind, count in line["records"].items():
            kinds[kind] = kinds.get(kind, 0) + count
    evidence = {
        **outcome.evidence,
        **testimony(bench),
        "basis": "observed by the vsock proxy, and by the enclave where TLS ends",
        "proxy_carried_bytes": sum(int(line.get("size") or 0) for line in back),
        "proxy_saw_tls_records": kinds,
        "proxy_could_read": "nothing: TLS ends inside the enclave",
        "server_name": next(
            (str(line["server_name"]) for line in back if line.get("server_name")), ""
        ),
    }
    return Outcome(evidence, outcome.produces)


def _carried_back(bench: Workbench) -> list[Mapping[str, Any]]:
    """Wait for the proxy's lines about these jobs, from KMS to the enclave."""
    sent = bench.result("D2")
    begin = sent.at if sent else ""

    def seen() -> dict[str, Any]:
        lines = proxy_lines(bench, bench.produced("P8", "instance_id"))
        return {
            "lines": [
                it for it in lines if it.get("step") == "D6" and str(it.get("at")) >= begin[:23]
            ]
        }

    found = wait_for(seen, lambda it: bool(it["lines"]), seconds=PROXY_SECONDS, what="the proxy")
    return list(found["lines"])


def unwrap(bench: Workbench) -> Outcome:
    """Gather: the enclave opened the envelope; it is the one that the cloud sealed."""

    def opened(job: Job) -> dict[str, Any]:
        said = job.evidence("D7")
        if not bench.cloud.explains:
            claimed_exchange(bench, job)
            return {"known": Known.WORD.value, **_without("envelope", said)}
        event = event_of(bench, job)
        sealed = event["additionalEventData"].get("envelope", {}).get("sha256")
        require_same("D7", "the envelope that the enclave opened", said["envelope_sha256"], sealed)
        return _without("envelope", said)

    whose = "the cloud's of D5" if bench.cloud.explains else "the one that its receipt states"
    return _each(bench, f"observed by the enclave; the envelope is {whose}", opened)


def decrypt(bench: Workbench) -> Outcome:
    """Gather: the enclave decrypted to the last frame; its input is what the owner encrypted."""
    products = {"encryption-sdk": "sdk_sha256", "envelope": "envelope_sha256"}

    def decrypted(job: Job) -> dict[str, Any]:
        said = job.evidence("D8")
        read = said["input_sha256"]
        made = bench.produced("P3", products[job.form])
        require_same("D8", "the ciphertext that the enclave read", read, made)
        return {**testimony(bench), **said}

    return _each(
        bench, "observed by the enclave; the input's digest is the owner's of P3", decrypted
    )


# -- D9: the owner ---------------------------------------------------------------------------------


def process(bench: Workbench) -> Outcome:
    """Take result and receipt; the owner verifies the receipt, then opens the result."""
    return open_results(bench, jobs_of(bench))


def _without(name: str, evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Return evidence without bytes that are kept whole elsewhere: with the job."""
    return {key: value for key, value in evidence.items() if key != name}


def _each(bench: Workbench, basis: str, gather: Callable[[Job], dict[str, Any]]) -> Outcome:
    found = {form: gather(job) for form, job in jobs_of(bench).items()}
    return Outcome({"basis": basis, **found})


DECRYPTION: Final = (
    Step(
        "D1",
        "parent instance",
        "Download the ciphertext and the encrypted data key",
        download,
        needs=("P4", "P8"),
        produces=("objects",),
        evidence=("role", "can_read_it"),
    ),
    Step(
        "D2",
        "parent instance",
        "Send both to the enclave over vsock",
        send,
        needs=("D1",),
        produces=FORMS[:1],
        evidence=(
            "enclave_cid",
            "port",
            "message job=jobs/encryption-sdk/job",
            "envelope job=jobs/envelope/job",
        ),
        holds=jobs_hold,
    ),
    Step(
        "D3",
        "enclave",
        "Make a key pair, be attested, ask KMS to decrypt",
        attest,
        needs=("D2",),
        evidence=(
            "encryption-sdk/document_sha256",
            "encryption-sdk/public_key_sha256",
            "encryption-sdk/pcrs/PCR0",
        ),
    ),
    Step(
        "D4",
        "cloud",
        "Verify the document, compare its PCRs with the policy",
        decide,
        needs=("D2", "P7"),
        evidence=(
            "decision=encryption-sdk/summary",
            "encryption-sdk/caller",
            "encryption-sdk/pcrs/PCR0",
            "encryption-sdk/root_sha256",
        ),
    ),
    Step(
        "D5",
        "cloud",
        "Seal the data key to the enclave's public key",
        seal,
        needs=("D2",),
        evidence=("encryption-sdk/envelope_sha256", "encryption-sdk/key_encryption"),
    ),
    Step(
        "D6",
        "parent instance",
        "Carry the answer back: TLS records only",
        carry_back,
        needs=("D2",),
        evidence=("proxy_carried_bytes", "proxy_saw_tls_records", "proxy_could_read"),
    ),
    Step(
        "D7",
        "enclave",
        "Open the data key with the private key",
        unwrap,
        needs=("D2",),
        evidence=("encryption-sdk/envelope_sha256", "encryption-sdk/opened_with"),
    ),
    Step(
        "D8",
        "enclave",
        "Decrypt the data: commitment and context required",
        decrypt,
        needs=("D2", "P3"),
        evidence=(
            "message opened bytes=encryption-sdk/plaintext_bytes",
            "suite=encryption-sdk/suite",
            "commitment=encryption-sdk/commitment",
            "envelope opened bytes=envelope/plaintext_bytes",
        ),
    ),
    Step(
        "D9",
        "enclave",
        "Process the data; the owner opens the attested result",
        process,
        needs=("D2", "P6", "P3"),
        evidence=(
            "receipt of=receipt/encryption-sdk/module_id",
            "receipt/encryption-sdk/result_sha256",
            "rows",
            "suppressed",
            "groups",
        ),
        more=("answer",),
    ),
)
