"""The walk as a lesson shows it: steps, map, trace, enclaves, message, result, and their bytes."""

from __future__ import annotations

import contextlib
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from nitro_workflow.attestation import parse_document
from nitro_workflow.errors import NitroWorkflowError
from nitro_workflow.host import LaunchRequest
from nitro_workflow.lab import (
    STEPS,
    Lab,
    StepProgress,
    StepResult,
    Workbench,
    ciphertext_path,
    collect,
    document_of,
    envelope_of,
    find_step,
    image_of,
    jobs_of,
)
from nitro_workflow.lessons.lesson_views import evidence
from nitro_workflow.lessons.progress_board import followed
from nitro_workflow.widgets import (
    SDK_HEADER_LIMIT,
    EnclaveModel,
    EnvelopeModel,
    Exchange,
    MessageModel,
    ResultModel,
    TraceModel,
    View,
    WorkflowModel,
    document_sha256,
    make_enclaves,
    make_envelope,
    make_message,
    make_result,
    make_step,
    make_trace,
    make_workflow,
    nsm_exchange,
)

__all__ = [
    "SHOWN_IN_CARDS",
    "enclave_view",
    "envelope",
    "message",
    "result",
    "step_view",
    "trace",
    "workflow_view",
]

_OPENED_AT: Final[Mapping[str, tuple[str, ...]]] = {
    "P2": ("data-key",),
    "P3": ("message",),
    "P4": ("message",),
    "P5": ("image",),
    "P6": ("image",),
    "P7": ("key-policy",),
    "P8": ("image",),
    "D1": ("message",),
    "D2": ("message",),
    "D3": ("document", "request"),
    "D4": ("document", "key-policy"),
    "D5": ("envelope",),
    "D6": ("to_kms", "from_kms"),
    "D7": ("envelope",),
    "D9": ("result", "receipt"),
}
_WHAT: Final[Mapping[str, str]] = {
    "data-key": "the encrypted data key, a blob of KMS",
    "message": "the Encryption SDK's message",
    "image": "the enclave image",
    "key-policy": "the key policy",
    "document": "the attestation document",
    "request": "the request, without what makes it valid",
    "to_kms": "what the parent carried to KMS: TLS records",
    "from_kms": "what the parent carried back: TLS records",
    "envelope": "the envelope, CiphertextForRecipient",
    "result": "the result, encrypted for the owner",
    "receipt": "the receipt, an attestation document",
}


SHOWN_IN_CARDS: Final = frozenset({"bytes", "document", "envelope", "message"})
"""Kinds that a step's card draws itself; of others it shows the bytes, and names the call."""


# -- a step ----------------------------------------------------------------------------------------


def step_view(lab: Lab, run: StepResult, open_it: Callable[[str], Any]) -> View:
    """Return the card of a step that has run; ``open_it(name)`` gives the model of its bytes."""
    names = _OPENED_AT.get(run.step, ())
    done = [step.number for step in STEPS if lab.bench.result(step.number)]
    model = make_step(
        run,
        done=done,
        calls=_calls(lab.bench, run),
        exchanges=_nsm(lab.bench, run.step),
        openable=[(name, _WHAT[name]) for name in names],
        jobs=_jobs_by_document(lab.bench),
        region=lab.bench.cloud.region,
    )
    return View(
        model, answers={"open": lambda values: open_it(str(values["name"]))} if names else {}
    )


def _calls(bench: Workbench, run: StepResult) -> Sequence[Mapping[str, Any]]:
    """Return the step's calls; those of D3 and D6 are what the cloud recorded for D4."""
    if run.step not in ("D3", "D6"):
        return run.calls
    sent, decided = bench.result("D2"), bench.result("D4")
    if sent is None or decided is None or decided.at < sent.at:
        return run.calls  # of these jobs nothing has been decided yet
    told = [one for one in run.evidence.values() if isinstance(one, Mapping)]
    said = {one["document_sha256"] for one in told if "document_sha256" in one}
    seen = [call for call in decided.calls if call.get("operation") == "Decrypt"]
    return [call for call in seen if not said or _document(call) in said]


def _document(call: Mapping[str, Any]) -> str:
    return document_sha256(call.get("parameters") or {})


def _jobs_by_document(bench: Workbench) -> dict[str, str]:
    """Return the job that made a document, by the document's SHA-256."""
    asked = bench.result("D3")
    told = asked.evidence.items() if asked else ()
    return {
        str(one["document_sha256"]): form
        for form, one in told
        if isinstance(one, Mapping) and "document_sha256" in one
    }


def _nsm(bench: Workbench, number: str) -> list[Exchange]:
    """Return what the NSM was asked for the documents of D3, and for the receipts of D9."""
    found: list[Exchange | None] = []
    if number not in ("D3", "D9"):
        return []
    with contextlib.suppress(NitroWorkflowError, KeyError, ValueError):
        for form, job in jobs_of(bench).items():
            receipt = number == "D9"
            data = b64decode(job.ended()["receipt"]) if receipt else document_of(bench, form)
            found.append(nsm_exchange(data, what=f"{'receipt' if receipt else 'document'}, {form}"))
    return [one for one in found if one is not None]


# -- the map ---------------------------------------------------------------------------------------


def workflow_view(lab: Lab, here: Sequence[str]) -> View:
    """Return the map of the 17 steps, which runs them, catches up, starts over (asks first)."""

    def now(**more: Any) -> WorkflowModel:
        return make_workflow(lab.bench.result, rests=lab.rests, here=here, **more)

    def done_with(act: Callable[[str], object]) -> Callable[[Mapping[str, Any]], WorkflowModel]:
        def answer(values: Mapping[str, Any]) -> WorkflowModel:
            heard = [StepProgress(find_step(str(values["step"])).number, "failed")]

            def tell(progress: StepProgress, words: str) -> None:
                heard[0] = progress if progress.step else heard[0]
                view.show(now(progress=progress, doing=words))

            try:
                with followed(lab, tell):
                    act(heard[0].step)
            except NitroWorkflowError as error:
                failed = StepProgress(heard[0].step, "failed", heard[0].seconds)
                return now(progress=failed, error=f"{error}. Next: {error.next}")
            return now()

        return answer

    def reset(values: Mapping[str, Any]) -> WorkflowModel:
        number = find_step(str(values["step"])).number
        what = "all that the lab holds" if number == "P1" else f"the records from {number} on"
        if values.get("yes") is not True:
            return now(asks=f"Start over from {number}? This drops {what}.")
        lab.reset(number)
        return now()

    view = View(
        now(),
        answers={
            "run": done_with(lab.run),
            "catch_up": done_with(lab.ensure),
            "reset": reset,
            "look": lambda _: now(),
        },
    )
    return view


# -- trace, message, result ------------------------------------------------------------------------


def trace(bench: Workbench) -> TraceModel:
    """Return the trace of the last jobs, from the download of their ciphertexts on."""
    jobs = {one["job"]: form for form, one in _produced(bench, "D2").items()}
    first = bench.result("D1")
    events = [event for event in collect(bench) if event.step.startswith("D")]
    mine = [event for event in events if event.job in ("", *jobs)]
    since = [event for event in mine if first is None or event.at >= first.at[:23]]
    return make_trace(since, contents=_contents(bench), known=_known(bench), jobs=jobs)


def _produced(bench: Workbench, number: str) -> Mapping[str, Any]:
    run = bench.result(number)
    return run.produced if run else {}


def _contents(bench: Workbench) -> dict[str, str]:
    """Return what the ends of TLS know of D3 and D6, from the cloud's record of D4."""
    run = bench.result("D4")
    for call in run.calls if run else ():
        if call.get("operation") == "Decrypt":
            document = " + document" if _document(call) else ""
            return {"D3": f"kms:Decrypt{document}", "D6": "data key, sealed to the enclave"}
    return {}


def _known(bench: Workbench) -> list[bytes | Path]:
    """Return what was sent, bytes and files: each is shown only beside its own digest."""
    known: list[bytes | Path] = sorted((bench.path / "owner").glob("*.e*"))
    with contextlib.suppress(NitroWorkflowError, KeyError, ValueError):
        for job in jobs_of(bench).values():
            state = job.ended()
            known += [b64decode(state[name]) for name in ("result", "receipt") if name in state]
    return known


def message(bench: Workbench) -> MessageModel:
    """Return the Encryption SDK's message of P3, its context beside what the policy asks for."""
    path = ciphertext_path(bench)
    fenced = bench.result("P7")
    asked = fenced.evidence.get("encryption_context") if fenced else None
    with path.open("rb") as file:

        def read(offset: int, length: int) -> bytes:
            file.seek(offset)
            return file.read(length)

        return make_message(
            read(0, SDK_HEADER_LIMIT),
            total=path.stat().st_size,
            read=read,
            expected_context=asked,
            name=path.name,
        )


def envelope(bench: Workbench) -> EnvelopeModel:
    """Return the envelope of the last job, held against the public key in its document."""
    key = parse_document(document_of(bench)).public_key or b""
    return make_envelope(
        envelope_of(bench), public_keys={"the enclave that made the document": key}
    )


def result(bench: Workbench) -> ResultModel:
    """Return the groups that the owner opened."""
    return make_result(evidence(bench, "D9"), receipt="The owner verified its receipt first.")


# -- enclaves --------------------------------------------------------------------------------------


def enclave_view(bench: Workbench) -> View:
    """Return the host's enclaves, which may be launched, ended (asks first) and followed."""
    refused: list[Mapping[str, str]] = []

    def now(asks: str = "") -> EnclaveModel:
        described = [dict(one) for one in bench.host.describe_enclaves(metadata=True)]
        fenced = bench.result("P7")
        expected = fenced.evidence.get("pcrs", {}) if fenced else {}
        return make_enclaves(
            described, jobs=_jobs(bench), refusals=refused, expected=expected, asks=asks
        )

    def launch(values: Mapping[str, Any]) -> EnclaveModel:
        memory, cpus = int(values["memory_mib"]), int(values["cpu_count"])
        debug = values.get("debug_mode") is True
        request = LaunchRequest(
            str(image_of(bench)),
            memory,
            cpus,
            debug_mode=debug,
            instance_id=bench.produced("P8", "instance_id"),
        )
        try:
            bench.host.run_enclave(request)
        except NitroWorkflowError as error:
            asked = f"run-enclave, {memory} MiB, {cpus} CPUs{', debug mode' if debug else ''}"
            refused.append({**error.to_json(), "asked": asked})
        return now()

    def terminate(values: Mapping[str, Any]) -> EnclaveModel:
        if values.get("yes") is not True:
            return now(asks=str(values["id"]))
        bench.host.terminate_enclave(str(values["id"]))
        return now()

    def console(values: Mapping[str, Any]) -> dict[str, Any]:
        return bench.host.console(str(values["id"]), offset=int(values["offset"]))

    return View(
        now(),
        answers={
            "look": lambda _: now(),
            "launch": launch,
            "terminate": terminate,
            "console": console,
        },
    )


def _jobs(bench: Workbench) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for form, job in jobs_of(bench).items():
        try:
            found[form] = {**job.state(), "job": job.id}
        except NitroWorkflowError as error:
            found[form] = {"status": "not told", "job": job.id, "error": error.to_json()}
    return found
