"""One enclave, given the data as D2 does: the document that it shows, and KMS's answer to it."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nitro_workflow.attestation import parse_document
from nitro_workflow.errors import NitroWorkflowError, UsageError
from nitro_workflow.lab import start_job

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nitro_workflow.lab import Lab

__all__ = ["AskedEnclave", "ask_enclave", "enclave_named", "end_others"]


@dataclass(frozen=True, slots=True)
class AskedEnclave:
    """``document`` is what the enclave sent to KMS; ``refusal`` is None where KMS answered."""

    document: bytes
    refusal: NitroWorkflowError | None

    @property
    def pcrs(self) -> dict[str, str]:
        """The PCRs in the document, by name, 96 hex digits each."""
        return {f"PCR{i}": value.hex() for i, value in parse_document(self.document).pcrs.items()}

    def __repr__(self) -> str:
        said = "answered" if self.refusal is None else f"refused it: {self.refusal.code}"
        return f"A document of {len(self.document):,} bytes; KMS {said}."


def enclave_named(lab: Lab, name: str) -> Mapping[str, Any]:
    """Return describe-enclaves' record of a running enclave. Raises `UsageError` for none."""
    running = {str(one.get("EnclaveName")): one for one in lab.bench.host.describe_enclaves()}
    if name not in running:
        raise UsageError(
            f"no running enclave {name!r}",
            expected=", ".join(running) or "none runs",
            where="lesson.ask_enclave",
            next="start it with --enclave-name first",
        )
    return running[name]


def ask_enclave(lab: Lab, name: str) -> AskedEnclave:
    """Hand the data to the enclave of that name; return its document, and how KMS took it.

    Raises `UsageError` for an enclave that does not run, `EnclaveError` for one that says nothing.
    """
    job = start_job(lab.bench, "encryption-sdk", cid=int(enclave_named(lab, name)["EnclaveCID"]))
    document = b64decode(job.evidence("D3")["document"])
    state = job.ended()
    refusal = None if state.get("status") == "done" else job.failure(state, "D4")
    return AskedEnclave(document, refusal)


def end_others(lab: Lab) -> list[str]:
    """End every enclave but the workflow's own; return the names of those that were ended."""
    kept = lab.bench.produced("P8", "enclave_id")
    others = [one for one in lab.bench.host.describe_enclaves() if one["EnclaveID"] != kept]
    for one in others:
        lab.bench.host.terminate_enclave(one["EnclaveID"])
    return [str(one.get("EnclaveName", "")) for one in others]
