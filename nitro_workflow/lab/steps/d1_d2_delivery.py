"""D1 and D2: the parent instance gets the ciphertexts and hands them to the enclave."""

from __future__ import annotations

import contextlib
import uuid
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud import Patience
from nitro_workflow.errors import UntrustedAnswer
from nitro_workflow.lab.evidence.decision_lookup import find_in
from nitro_workflow.lab.evidence.enclave_job import Job, parent_of
from nitro_workflow.lab.evidence.known import Known
from nitro_workflow.lab.evidence.recorded_call import note_event_call
from nitro_workflow.lab.step_result import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nitro_workflow.lab.workbench import Workbench

__all__ = [
    "FORMS",
    "download",
    "forms_of",
    "jobs_hold",
    "jobs_of",
    "require_same",
    "send",
    "start_job",
    "testimony",
]

FORMS: Final = ("encryption-sdk", "envelope")


def forms_of(bench: Workbench) -> tuple[str, ...]:
    """Return the forms that P4 uploaded: data beyond one tag's has the first only."""
    from nitro_workflow.lab.steps.p3_p4_data import ENVELOPE_FILE

    return FORMS if ENVELOPE_FILE in bench.produced("P4", "objects") else FORMS[:1]


def download(bench: Workbench) -> Outcome:
    """Have the parent get the objects, in the versions of P4, with its own role."""
    parent = parent_of(bench)
    bucket = bench.produced("P4", "bucket")
    got: dict[str, Any] = {}
    for name, put in bench.produced("P4", "objects").items():
        answer = parent.ask(
            op="get_object", bucket=bucket, key=put["key"], version_id=put["version_id"]
        )
        require_same("D1", f"{name} as the parent got it", answer["sha256"], put["sha256"])
        got[name] = {
            "bytes": answer["bytes"],
            "sha256": answer["sha256"],
            "version_id": put["version_id"],
        }
    if bench.cloud.explains:
        _note_gets(bench, [one["version_id"] for one in got.values()])
    evidence = {
        **testimony(bench),
        "basis": "observed by the parent instance; digests compared with the owner's",
        "role": answer.get("role", "ParentInstance"),
        "objects": got,
        "can_read_it": "no: it has the ciphertext and no key",
    }
    return Outcome(evidence, {"instance_id": bench.produced("P8", "instance_id"), "objects": got})


def testimony(bench: Workbench) -> dict[str, str]:
    """Return the mark of a parent's word, where the cloud's records do not bear it out."""
    return {} if bench.cloud.explains else {"known": Known.WORD.value}


def _note_gets(bench: Workbench, versions: list[str]) -> None:
    """Take the parent's own calls from the cloud's records, where it has them.

    The parent tells of none itself. CloudTrail's event history has no GetObject on AWS.
    """
    trail = bench.parties.session("administrator").client("cloudtrail")
    for version in versions:

        def wanted(event: Mapping[str, Any], version: str = version) -> bool:
            return (event.get("requestParameters") or {}).get("versionId") == version

        with contextlib.suppress(UntrustedAnswer):
            event = find_in(trail, "GetObject", wanted, Patience(0, 0))
            note_event_call(bench, event, party="parent instance")


def send(bench: Workbench) -> Outcome:
    """Have the parent hand the ciphertexts to the enclave over vsock, with the owner's nonces."""
    jobs = {form: start_job(bench, form) for form in forms_of(bench)}
    for job in jobs.values():
        # One job at a time in the enclave: the second waits for the first in the parent.
        job.state()
    evidence = {
        **testimony(bench),
        "basis": "observed by the parent instance",
        "enclave_cid": bench.produced("P8", "enclave_cid"),
        "port": 5005,
        "jobs": {
            form: {"job": job.id, "bytes": job.size, "nonce": job.nonce}
            for form, job in jobs.items()
        },
    }
    produces = {
        form: {"job": job.id, "nonce": job.nonce, "size": job.size, "instance": job.instance}
        for form, job in jobs.items()
    }
    return Outcome(evidence, produces)


def start_job(bench: Workbench, form: str, **changes: Any) -> Job:
    """Hand one form to the enclave; ``changes`` replace fields of the request (the attacks do)."""
    from enclave_image.owner import new_nonce
    from nitro_workflow.lab.steps.p3_p4_data import ENVELOPE_FILE, KEY_FILE, SDK_FILE

    objects = bench.produced("P4", "objects")
    data = objects[SDK_FILE if form == "encryption-sdk" else ENVELOPE_FILE]
    key = objects[KEY_FILE] if form == "envelope" else None
    nonce, identity = new_nonce().hex(), str(uuid.uuid4())
    request = {
        "op": "send",
        "job": identity,
        "form": form,
        "nonce": nonce,
        "cid": bench.produced("P8", "enclave_cid"),
        "bucket": bench.produced("P4", "bucket"),
        "key": data["key"],
        "version_id": data["version_id"],
        "encrypted_key": key and {"key": key["key"], "version_id": key["version_id"]},
        **changes,
    }
    parent_of(bench).ask(**request)
    return Job(
        bench,
        identity,
        form,
        str(request["nonce"]),
        data["bytes"],
        bench.produced("P8", "instance_id"),
    )


def jobs_of(bench: Workbench) -> dict[str, Job]:
    """Return the jobs of the last D2, by form."""
    result = bench.result("D2")
    produced: Mapping[str, Any] = result.produced if result else {}
    return {
        form: Job(bench, one["job"], form, one["nonce"], one["size"], one["instance"])
        for form, one in produced.items()
    }


def jobs_hold(bench: Workbench, produced: Mapping[str, Any]) -> bool:
    """Tell whether the jobs are still known, and none of them was refused."""
    del produced
    states = [job.state() for job in jobs_of(bench).values()]
    return all(state.get("status") in ("running", "queued", "done") for state in states)


def require_same(step: str, what: str, found: Any, expected: Any) -> None:
    """Raise `UntrustedAnswer` where a party tells of other bytes than the owner recorded."""
    if found != expected or not found:
        raise UntrustedAnswer(
            f"{what}: {found}",
            expected=str(expected),
            where=step,
            next="someone changed it on the way: run the step that made it again",
        )
