"""P8: the administrator launches the instance with its role, and in it the enclave."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.host import LaunchRequest
from nitro_workflow.lab.step_result import Outcome
from nitro_workflow.lab.steps.p5_p7_image import image_of
from nitro_workflow.lab.steps.parent_launch import booted_instance, open_token
from nitro_workflow.lab.workbench import ENCLAVE_CPUS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nitro_workflow.lab.workbench import Workbench

__all__ = ["launch", "launch_holds"]

_OUTSIDE: Final = {
    False: "the person at this keyboard, who plays AWS as well",
    True: "AWS, whose hypervisor it is; whoever administers the instance has root there",
}
"""Who could still do anything, by whether the cloud is AWS's."""


def launch(bench: Workbench) -> Outcome:
    """RunInstances with EnclaveOptions, boot it, run the enclave from the image of P6.

    However an earlier launch ended, even in the middle, what it left is ended first. An instance
    that is given is taken as it is. IAM: ec2:RunInstances and iam:PassRole of the instance's role.
    """
    host = bench.host
    record, booted = booted_instance(bench)
    instance, token = record["InstanceId"], open_token(bench)
    programs = sorted(booted.get("Programs", {}))
    begun = time.monotonic()
    request = LaunchRequest(
        str(image_of(bench)),
        bench.enclave_mib,
        ENCLAVE_CPUS,
        instance_id=instance,
        client_token=token,
    )
    enclave = host.run_enclave(request)
    seconds = round(time.monotonic() - begun, 3)
    _note_launch(bench, request, enclave, seconds)
    evidence = {
        "basis": "observed by the cloud (instance) and the hypervisor (enclave)",
        "instance_id": instance,
        "instance_type": record["InstanceType"],
        "role": record.get("IamInstanceProfile", {}).get("Arn", ""),
        "enclave_options": record.get("EnclaveOptions", {}),
        "instance_role": booted.get("RoleArn", ""),
        "runs": host.execution(),
        "stands_outside": _OUTSIDE[bench.cloud.public],
        "sandboxed": bool(booted.get("Sandboxed", True)),
        "metadata_service": "IMDSv2, this instance's only",
        "instance_runs": programs,
        "enclave": enclave,
        "run_enclave_seconds": seconds,
    }
    produces = {
        "instance_id": instance,
        "enclave_id": enclave["EnclaveID"],
        "enclave_cid": enclave["EnclaveCID"],
        "token": token,
    }
    notes = () if evidence["sandboxed"] else ("NOT SANDBOXED: nothing here is kept from anything",)
    return Outcome(evidence, produces, notes)


def _note_launch(
    bench: Workbench, request: LaunchRequest, enclave: Mapping[str, Any], seconds: float
) -> None:
    asked = {name: value for name, value in request.to_json().items() if value not in (None, "")}
    shown = {**asked, "eif_path": image_of(bench).name}
    bench.calls.note("nitro-cli", "parent administrator", "run-enclave", shown,
                     answer=enclave, seconds=seconds, source="the hypervisor")  # fmt: skip


def launch_holds(bench: Workbench, produced: Mapping[str, Any]) -> bool:
    """Tell whether that very enclave runs, and its instance's parent application answers."""
    from nitro_workflow.lab.evidence.enclave_job import parent_of

    running = {one["EnclaveID"]: one["State"] for one in bench.host.describe_enclaves()}
    return (
        running.get(produced["enclave_id"]) == "RUNNING"
        and parent_of(bench, produced["instance_id"]).alive()
    )
