"""What may be asked of a case: each is a real call, and tells what that call tells anybody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import UntrustedAnswer, UsageError
from nitro_workflow.lab.evidence import decision_lookup
from nitro_workflow.lab.failures.practice_images import BEFORE

if TYPE_CHECKING:
    from nitro_workflow.lab.failures.failure_case import FailureCase

__all__ = ["EVIDENCE", "RECORD", "gather_evidence"]

RECORD: Final = "cloudtrail decrypt"
"""The cloud's record of the refusal: with the lab's reason, which AWS's has not."""

_NO_ENCLAVE: Final = {"enclaves": "none: this program runs on the owner's laptop"}
_NO_DOCUMENT: Final = {"document": "none was sent"}


def _describe_enclaves(case: FailureCase) -> Mapping[str, Any]:
    if case.set_up.client.runs_in == "laptop":
        return _NO_ENCLAVE
    return case.enclaves.running(case.set_up.launch)


def _describe_eif(case: FailureCase) -> Mapping[str, Any]:
    from nitro_workflow.image import describe_image

    if case.set_up.client.runs_in == "laptop":
        return _NO_ENCLAVE
    info = describe_image(case.images.path(case.set_up.launch.eif_path))
    return {name: value for name, value in info.items() if name != "Metadata"}


def _image_diff(case: FailureCase) -> Mapping[str, Any]:
    from nitro_workflow.image import diff_images

    if case.set_up.client.runs_in == "laptop":
        return _NO_ENCLAVE
    before, now = case.images.path(BEFORE), case.images.path(case.set_up.launch.eif_path)
    found = diff_images(before, now)
    return {
        "a": before.name,
        "b": now.name,
        "pcrs": {pcr.name: "equal" if pcr.equal else f"{pcr.a} | {pcr.b}" for pcr in found.pcrs},
        "files": [asdict(change) for change in found.files],
    }


def _key_policy(case: FailureCase) -> Mapping[str, Any]:
    return case.policy()


def _caller(case: FailureCase) -> Mapping[str, Any]:
    client = case.set_up.client
    whose = "owner" if client.runs_in == "laptop" else client.credentials
    keys = case.calls.credentials(whose)
    answer = case.bench.cloud.session_with(keys, party=whose).client("sts").get_caller_identity()
    return {name: answer[name] for name in ("UserId", "Account", "Arn")}


def _document(case: FailureCase) -> Mapping[str, Any]:
    from nitro_workflow.attestation import parse_document

    if not case.last.document:
        return _NO_DOCUMENT
    document = parse_document(case.last.document)
    return {
        "module_id": document.module_id,
        "timestamp": document.timestamp.isoformat(timespec="seconds"),
        "sent": case.last.sent["date"],
        "pcrs": {f"PCR{index}": document.pcrs[index].hex() for index in (0, 1, 2, 3, 4, 8)},
        "public_key_sha256": sha256(document.public_key or b"").hexdigest(),
    }


def _request(case: FailureCase) -> Mapping[str, Any]:
    return {"X-Amz-Date": case.last.sent["date"], "Decrypt": case.last.sent["members"]}


def _envelope(case: FailureCase) -> Mapping[str, Any]:
    from nitro_workflow.cms import parse_envelope

    if not case.last.envelope:
        return {"CiphertextForRecipient": "none came back"}
    return {
        "bytes": len(case.last.envelope),
        "recipient key identifier": parse_envelope(case.last.envelope).key_identifier.hex(),
        "SHA-256 of the public key it is opened with": case.last.opener,
        "SHA-256 of the document's public key": _document(case)["public_key_sha256"],
    }


def _clocks(case: FailureCase) -> Mapping[str, Any]:
    here = datetime.now(UTC).isoformat(timespec="seconds")
    if case.set_up.client.runs_in == "laptop":
        return {"laptop": here}
    return {"enclave": case.calls.clock(case.set_up), "parent": here}


def _data_key(case: FailureCase) -> Mapping[str, Any]:
    def of_this_key(event: Mapping[str, Any]) -> bool:
        return case.key in str(event.get("resources"))

    event = decision_lookup.find_event(case.bench, "GenerateDataKeyWithoutPlaintext", of_this_key)
    wanted = ("eventTime", "eventName", "requestParameters")
    return {name: event.get(name) for name in wanted}


def _record(case: FailureCase) -> Mapping[str, Any]:
    try:
        event = case.record()
    except UntrustedAnswer:
        return {
            "events": "none: KMS cannot say who sent a request whose signature it does not take"
        }
    told = ("eventTime", "eventName", "errorCode", "errorMessage", "additionalEventData")
    shown = {name: event[name] for name in told if name in event}
    return {**shown, "the lab's reason": decision_lookup.explanation(event)}


EVIDENCE: Final[Mapping[str, tuple[str, Callable[[FailureCase], Mapping[str, Any]]]]] = {
    "nitro-cli describe-enclaves": ("what the parent says runs", _describe_enclaves),
    "nitro-cli describe-eif": ("what the image file measures to", _describe_eif),
    "image diff": ("the release before, against what runs", _image_diff),
    "kms get-key-policy": ("the key policy as KMS has it", _key_policy),
    "sts get-caller-identity": ("who the program's credentials are", _caller),
    "attestation show": ("the document that was sent", _document),
    "client request": ("what the program signed", _request),
    "envelope show": ("for whom the answer is sealed", _envelope),
    "date": ("the program's clock and the parent's", _clocks),
    "cloudtrail generate-data-key": ("how the data key was made", _data_key),
    RECORD: ("why: in the lab's own record", _record),
}
"""Command → what it tells, and the call."""


def gather_evidence(case: FailureCase, command: str) -> Mapping[str, Any]:
    """Return what a command says. Raises `UsageError` for an unknown one."""
    if command not in EVIDENCE:
        raise UsageError(
            f"no evidence {command!r}",
            expected=", ".join(EVIDENCE),
            where="failure lab",
            next="name one of these",
        )
    return EVIDENCE[command][1](case)
