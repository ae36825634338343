"""What a hostile parent tries: with what passes through it, and with the machine it runs on.

Its programs run inside the instance, as root there may; results are judged where the owner is.
"""

from __future__ import annotations

import io
import json
import sys
import threading
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import EnclaveError, HostError, NitroWorkflowError, ReceiptRefused
from nitro_workflow.lab.attacks import instance_scripts
from nitro_workflow.lab.attacks.attack import Attack, Stopped, succeeded
from nitro_workflow.lab.attacks.with_enclaves import extra_enclave
from nitro_workflow.lab.parties import bucket_name
from nitro_workflow.lab.steps.d1_d2_delivery import jobs_of, start_job
from nitro_workflow.lab.steps.d9_results import expected_of, open_job
from nitro_workflow.lab.steps.p1_p2_keys import CONTEXT
from nitro_workflow.lab.steps.p3_p4_data import PREFIX, SDK_FILE
from nitro_workflow.lab.steps.p5_p7_image import KMS_HOST, image_of
from nitro_workflow.lab.steps.p8_launch import host_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from nitro_workflow.lab.engine.lab import Lab

__all__ = ["PARENT"]

WHO: Final = "hostile parent"
SMALL: Final = 4096  # bytes of the data sets that the attacks make


def in_instance(lab: Lab, script: str, **values: Any) -> dict[str, Any]:
    """Run a Python script inside the instance; it gets ``values`` as JSON and prints JSON."""
    argv = [sys.executable, "-c", script, json.dumps(values)]
    done = host_of(lab).run_command(lab.produced("P8", "instance_id"), argv, timeout=60.0)
    lines = str(done["stdout"]).strip().splitlines()
    try:
        return dict(json.loads(lines[-1]))
    except (IndexError, ValueError) as error:
        raise HostError(
            f"the script ended with {done['exit']}: {done['stderr'][-300:]}",
            expected="one JSON object",
            where="parent instance",
            next="run the attack again",
        ) from error


def through_proc(lab: Lab) -> Stopped:
    """Read the enclave's memory and files through /proc, and with process_vm_readv."""
    instance = lab.produced("P8", "instance_id")
    enclaves = host_of(lab).describe_enclaves()
    pids = [int(one["ProcessID"]) for one in enclaves if one["EnclaveID"].startswith(instance)]
    tried = in_instance(lab, instance_scripts.THROUGH_PROC, pids=pids)
    return _closed(
        tried,
        "the instance's own process and mount namespaces",
        "what runs outside the instance has no name inside it",
    )


def reach_nsm(lab: Lab) -> Stopped:
    """Have the security module attest the parent's own public key."""
    tried = in_instance(
        lab,
        instance_scripts.REACH_NSM,
        runtime=str(lab.runtime),
        instance="/run/instance",
    )
    return _closed(
        tried,
        "the hypervisor: the module is a descriptor that the enclave inherits",
        "nobody but the enclave has a way to its module",
    )


def _closed(tried: dict[str, Any], by: str, then: str) -> Stopped:
    ways = [name for name, answer in tried.items() if answer == "open"]
    if ways:
        raise succeeded(f"{by} ({', '.join(ways)})")
    reason = "; ".join(f"{name}: {answer}" for name, answer in tried.items())
    return Stopped("refused", by, reason, then)


def own_kms(lab: Lab) -> Stopped:
    """Put a TLS server of his own, with a CA of his own, where the proxy to KMS listens."""
    seen: dict[str, Any] = {}

    def serve() -> None:
        try:
            seen.update(in_instance(lab, instance_scripts.OWN_KMS, host=KMS_HOST, seconds=15))
        except NitroWorkflowError as error:
            seen["error"] = error

    server = threading.Thread(target=serve)
    server.start()
    try:
        if not in_instance(lab, instance_scripts.WAIT_FOR_OWN_KMS)["listens"]:
            raise _no_server()
        # A new run of the right image: one that has talked to KMS keeps its connection.
        with extra_enclave(lab, image_of(lab)) as running:
            job = start_job(lab, "envelope", cid=running["EnclaveCID"])
            state = job.ended()
    finally:
        in_instance(lab, instance_scripts.STOP_OWN_KMS)
        server.join()
        if "error" in seen:
            raise seen["error"]
    if state.get("status") == "done" or seen.get("requests"):
        raise succeeded("TLS inside the enclave")
    return Stopped.from_error("TLS inside the enclave: the measured CA", job.failure(state, "D3"))


def _no_server() -> EnclaveError:
    return EnclaveError(
        "the attacker's own server did not start",
        expected="a listener in the proxy's place",
        where="parent instance",
        next="run the attack again",
    )


def tampered_ciphertext(lab: Lab) -> Stopped:
    """Flip one bit of the ciphertext on its way into the enclave."""
    objects = lab.produced("P4", "objects")[SDK_FILE]
    answer = in_instance(
        lab,
        instance_scripts.TAMPERED,
        cid=lab.produced("P8", "enclave_cid"),
        bucket=lab.produced("P4", "bucket"),
        key=objects["key"],
        version=objects["version_id"],
    )
    if answer.get("event") == "result":
        raise succeeded("the Encryption SDK")
    error = answer["error"]
    by = f"the enclave, {answer.get('step', 'D8')}"
    return Stopped("refused", by, error["found"], error["next"], error["code"])


def other_dataset(lab: Lab) -> Stopped:
    """Hand the enclave another data set of the same owner, under the same key."""
    put = _put(lab, {**CONTEXT, "dataset": "suppliers"}, "suppliers/1/suppliers.csv.esdk", seed=3)
    job = start_job(lab, "encryption-sdk", key=put["key"], version_id=put["version_id"])
    state = job.ended()
    if state.get("status") == "done":
        raise succeeded("the measured encryption context")
    by = f"the enclave, {state.get('step') or 'D3'}: its measured context"
    return Stopped.from_error(by, job.failure(state, "D3"))


def old_version(lab: Lab) -> Stopped:
    """Hand the enclave an older version of the right object; the owner looks at the receipt."""
    put = _put(lab, dict(CONTEXT), f"{PREFIX}/{SDK_FILE}", seed=1)
    job = start_job(lab, "encryption-sdk", key=put["key"], version_id=put["version_id"])
    try:
        open_job(lab, job, job.ended())
    except ReceiptRefused as error:
        return Stopped.from_error("the owner: the receipt's input digest", error, "detected")
    raise succeeded("the receipt")


def replayed_receipt(lab: Lab) -> Stopped:
    """Answer a new job with the result and the receipt of an earlier one."""
    from enclave_image.owner import new_nonce, verify_receipt
    from nitro_workflow.attestation import Verifier

    job = jobs_of(lab)["encryption-sdk"]
    state = job.ended()
    expected = replace(expected_of(lab, job), nonce=new_nonce())
    verifier = Verifier.local(lab.trust_root_der())
    try:
        verify_receipt(
            b64decode(state["result"]),
            b64decode(state["receipt"]),
            expected,
            verifier=verifier,
            at=datetime.now(UTC),
        )
    except ReceiptRefused as error:
        return Stopped.from_error("the owner: the receipt's nonce", error, "detected")
    raise succeeded("the receipt")


def _put(lab: Lab, context: dict[str, str], key: str, *, seed: int) -> dict[str, str]:
    """Have the owner encrypt and put another small object; returns its key and version id."""
    from enclave_image.owner import CustomerRecords, encrypt_message

    session = lab.parties.session("owner")
    sealed = io.BytesIO()
    encrypt_message(
        CustomerRecords(seed=seed, size=SMALL),
        sealed,
        kms=session.client("kms"),
        key_arn=lab.produced("P1", "key_arn"),
        encryption_context=context,
    )
    answer = session.client("s3").put_object(Bucket=bucket_name(), Key=key, Body=sealed.getvalue())
    return {"key": key, "version_id": str(answer["VersionId"])}


def _row(
    name: str, title: str, what: str, attempt: Callable[[Lab], Stopped], needs: str = "P8"
) -> Attack:
    return Attack(name, title, WHO, what, needs, attempt)


PARENT: Final = (
    _row(
        "read-enclave-through-proc",
        "Read the enclave's memory",
        "/proc/PID/mem, /proc/PID/root, process_vm_readv",
        through_proc,
    ),
    _row(
        "reach-nsm",
        "Have the module attest the parent's key",
        "/dev/nsm, inherited descriptors, sockets",
        reach_nsm,
    ),
    _row(
        "own-kms",
        "Answer in KMS's place",
        "an own TLS server behind the proxy's port",
        own_kms,
    ),
    _row(
        "tampered-ciphertext",
        "Change the ciphertext on its way",
        "one bit in the last frame",
        tampered_ciphertext,
    ),
    _row(
        "other-dataset",
        "Hand in another data set",
        "the owner's suppliers, the same key",
        other_dataset,
    ),
    _row(
        "old-version",
        "Hand in an older version",
        "another version of the same object",
        old_version,
    ),
    _row(
        "replayed-receipt",
        "Answer with an earlier result",
        "result and receipt of an earlier job",
        replayed_receipt,
        "D9",
    ),
)
