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
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import EnclaveError, HostError, NitroWorkflowError, ReceiptRefused
from nitro_workflow.lab.attacks import instance_scripts
from nitro_workflow.lab.attacks.attack import Attack, Stopped, succeeded
from nitro_workflow.lab.attacks.with_enclaves import extra_enclave
from nitro_workflow.lab.steps import (
    CONTEXT,
    PREFIX,
    SDK_FILE,
    expected_of,
    forms_of,
    image_of,
    open_job,
    start_job,
)

if TYPE_CHECKING:
    from nitro_workflow.lab.workbench import Workbench

__all__ = ["PARENT"]

WHO: Final = "hostile parent"
SMALL: Final = 4096  # bytes of the data sets that the attacks make
SCRIPT_SECONDS: Final = 120.0
"""For a script to end; a second or two in fact."""
OWN_KMS_SECONDS: Final = 240.0
"""For the attacker's own server, which is told when it is no longer needed."""


def in_instance(
    bench: Workbench, script: str, *, timeout: float = SCRIPT_SECONDS, **values: Any
) -> dict[str, Any]:
    """Run a Python script inside the instance; it gets ``values`` as JSON and prints JSON."""
    argv = [sys.executable, "-c", script, json.dumps(values)]
    done = bench.host.run_command(bench.produced("P8", "instance_id"), argv, timeout=timeout)
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


def through_proc(bench: Workbench) -> Stopped:
    """Read the enclave's memory and files through /proc, and with process_vm_readv."""
    instance = bench.produced("P8", "instance_id")
    enclaves = bench.host.describe_enclaves()
    pids = [int(one["ProcessID"]) for one in enclaves if one["EnclaveID"].startswith(instance)]
    tried = in_instance(bench, instance_scripts.THROUGH_PROC, pids=pids)
    return _closed(
        tried,
        "the instance's own process and mount namespaces",
        why="what runs outside the instance has no name inside it",
        then="leave debug mode off: its console is the one window into an enclave",
    )


def reach_nsm(bench: Workbench) -> Stopped:
    """Have the security module attest the parent's own public key."""
    tried = in_instance(
        bench,
        instance_scripts.REACH_NSM,
        paths=bench.host.control_paths(),
        instance="/run/instance",
    )
    return _closed(
        tried,
        "the hypervisor: the module is a descriptor that the enclave inherits",
        why="nobody but the enclave has a way to its module",
        then="run inside the enclave what must be attested",
    )


def _closed(tried: dict[str, Any], by: str, *, why: str, then: str) -> Stopped:
    ways = [name for name, answer in tried.items() if answer == "open"]
    if ways:
        raise succeeded(f"{by} ({', '.join(ways)})")
    reason = "; ".join(f"{name}: {answer}" for name, answer in tried.items())
    return Stopped("refused", by, reason, then, why=why)


def own_kms(bench: Workbench) -> Stopped:
    """Put a TLS server of one's own, with a CA of one's own, where the proxy to KMS listens."""
    seen: dict[str, Any] = {}

    def serve() -> None:
        try:
            seen.update(
                in_instance(
                    bench,
                    instance_scripts.OWN_KMS,
                    timeout=OWN_KMS_SECONDS + SCRIPT_SECONDS,
                    host=bench.cloud.kms_host,
                    seconds=OWN_KMS_SECONDS,
                )
            )
        except NitroWorkflowError as error:
            seen["error"] = error

    server = threading.Thread(target=serve)
    server.start()
    try:
        if not in_instance(bench, instance_scripts.WAIT_FOR_OWN_KMS)["listens"]:
            raise _no_server()
        # A new run of the right image: one that has talked to KMS keeps its connection.
        with extra_enclave(bench, image_of(bench)) as running:
            job = start_job(bench, forms_of(bench)[-1], cid=running["EnclaveCID"])
            state = job.ended()
    finally:
        in_instance(bench, instance_scripts.STOP_OWN_KMS)
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


def tampered_ciphertext(bench: Workbench) -> Stopped:
    """Flip one bit of the ciphertext on its way into the enclave."""
    objects = bench.produced("P4", "objects")[SDK_FILE]
    answer = in_instance(
        bench,
        instance_scripts.TAMPERED,
        cid=bench.produced("P8", "enclave_cid"),
        bucket=bench.produced("P4", "bucket"),
        key=objects["key"],
        version=objects["version_id"],
    )
    if answer.get("event") == "result":
        raise succeeded("the Encryption SDK")
    error = answer["error"]
    by = f"the enclave, {answer.get('step', 'D8')}"
    return Stopped("refused", by, error["found"], error["next"], error["code"])


def other_dataset(bench: Workbench) -> Stopped:
    """Hand the enclave another data set of the same owner, under the same key."""
    put = _put(bench, {**CONTEXT, "dataset": "suppliers"}, "suppliers/1/suppliers.csv.esdk", seed=3)
    job = start_job(bench, "encryption-sdk", key=put["key"], version_id=put["version_id"])
    state = job.ended()
    if state.get("status") == "done":
        raise succeeded("the measured encryption context")
    by = f"the enclave, {state.get('step') or 'D3'}: its measured context"
    return Stopped.from_error(by, job.failure(state, "D3"))


def old_version(bench: Workbench) -> Stopped:
    """Hand the enclave an older version of the right object; the owner looks at the receipt."""
    put = _put(bench, dict(CONTEXT), f"{PREFIX}/{SDK_FILE}", seed=1)
    job = start_job(bench, "encryption-sdk", key=put["key"], version_id=put["version_id"])
    try:
        open_job(bench, job, job.ended())
    except ReceiptRefused as error:
        return Stopped.from_error("the owner: the receipt's input digest", error, "detected")
    raise succeeded("the receipt")


def replayed_receipt(bench: Workbench) -> Stopped:
    """Answer a new job with the result and the receipt of an earlier one."""
    from enclave_image.owner import new_nonce, verify_receipt

    job = start_job(bench, "encryption-sdk")  # a fresh one: an old receipt is refused for its age
    state = job.ended()
    expected = replace(expected_of(bench, job), nonce=new_nonce())
    verifier = bench.cloud.trust().verifier()
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


def _put(bench: Workbench, context: dict[str, str], key: str, *, seed: int) -> dict[str, str]:
    """Have the owner encrypt and put another small object; returns its key and version id."""
    from enclave_image.owner import CustomerRecords, encrypt_message

    session = bench.parties.session("owner")
    sealed = io.BytesIO()
    encrypt_message(
        CustomerRecords(seed=seed, size=SMALL),
        sealed,
        kms=session.client("kms"),
        key_arn=bench.produced("P1", "key_arn"),
        encryption_context=context,
    )
    answer = session.client("s3").put_object(
        Bucket=bench.cloud.names.data_bucket, Key=key, Body=sealed.getvalue()
    )
    return {"key": key, "version_id": str(answer["VersionId"])}


_row: Final = partial(Attack, needs="P8", party=WHO)

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
        "a TLS server of its own behind the proxy's port",
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
    ),
)
