"""P8: the administrator launches the instance with its role, and in it the enclave."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud import error_code
from nitro_workflow.errors import HostError, NitroWorkflowError
from nitro_workflow.host import LaunchRequest
from nitro_workflow.lab.step_result import Outcome
from nitro_workflow.lab.steps.p5_p7_image import image_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nitro_workflow.cloud import Names
    from nitro_workflow.host import Host
    from nitro_workflow.lab.workbench import Workbench

__all__ = ["launch", "launch_holds"]

MEMORY_MIB: Final = 512
"""Of the enclave: an image of 80 MB unpacked, and a process of 150 MB at most."""
CPUS: Final = 2
INSTANCE_TYPE: Final = "m5.xlarge"  # 4 vCPUs: the smallest of its family that may hold an enclave


def launch(bench: Workbench) -> Outcome:
    """RunInstances with EnclaveOptions, boot it, run the enclave from the image of P6.

    IAM: ec2:RunInstances and iam:PassRole of the instance's role.
    """
    host = bench.host
    ec2 = bench.parties.session("administrator").client("ec2")
    stop_earlier(bench, host, ec2)
    record = _run_instance(ec2, bench.cloud.names)
    instance = record["InstanceId"]
    booted = host.boot_instance(instance)
    programs = sorted(booted.get("Programs", {}))
    begun = time.monotonic()
    enclave = host.run_enclave(
        LaunchRequest(str(image_of(bench)), MEMORY_MIB, CPUS, instance_id=instance)
    )
    seconds = round(time.monotonic() - begun, 3)
    evidence = {
        "basis": "observed by the cloud (instance) and the hypervisor (enclave)",
        "instance_id": instance,
        "instance_type": INSTANCE_TYPE,
        "role": record.get("IamInstanceProfile", {}).get("Arn", ""),
        "enclave_options": record.get("EnclaveOptions", {}),
        "instance_role": booted.get("RoleArn", ""),
        "runs": "ramdisk 1; kernel and ramdisk 0 are measured too, and played by the sandbox",
        "stands_outside": "the person at this keyboard, who plays AWS as well",
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
    }
    notes = () if evidence["sandboxed"] else ("NOT SANDBOXED: nothing here is kept from anything",)
    return Outcome(evidence, produces, notes)


def _run_instance(ec2: Any, names: Names) -> dict[str, Any]:
    answer = ec2.run_instances(
        ImageId=names.machine_image,
        InstanceType=INSTANCE_TYPE,
        MinCount=1,
        MaxCount=1,
        EnclaveOptions={"Enabled": True},
        IamInstanceProfile={"Name": names.instance_profile},
        MetadataOptions={"HttpTokens": "required"},
    )
    return dict(answer["Instances"][0])


def stop_earlier(bench: Workbench, host: Host, ec2: Any) -> None:
    """End the enclave and the instance of an earlier launch; what has gone already is no error."""
    earlier = bench.result("P8")
    if earlier is None:
        return
    for end in (
        lambda: host.terminate_enclave(earlier.produced["enclave_id"]),
        lambda: host.stop_instance(earlier.produced["instance_id"]),
    ):
        try:
            end()
        except (HostError, NitroWorkflowError):
            continue
    _terminate(ec2, earlier.produced["instance_id"])


def _terminate(ec2: Any, instance: str) -> None:
    from botocore.exceptions import ClientError

    try:
        ec2.terminate_instances(InstanceIds=[instance])
    except ClientError as error:
        if "NotFound" not in error_code(error):
            raise


def launch_holds(bench: Workbench, produced: Mapping[str, Any]) -> bool:
    """Tell whether that very enclave runs, and its instance's parent application answers."""
    from nitro_workflow.lab.evidence.enclave_job import parent_of

    running = {one["EnclaveID"]: one["State"] for one in bench.host.describe_enclaves()}
    return (
        running.get(produced["enclave_id"]) == "RUNNING"
        and parent_of(bench, produced["instance_id"]).alive()
    )
