"""The instance of a launch: asked for by one token, in whatever zone has room, and booted.

P8 launches it. P6 does before, where the boot parts of images come from its package.
"""

from __future__ import annotations

import contextlib
import json
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud import error_code
from nitro_workflow.errors import HostError, LabError
from nitro_workflow.lab.lab_folder import read_json, save
from nitro_workflow.lab.settling import settled

if TYPE_CHECKING:
    from nitro_workflow.host import Host
    from nitro_workflow.lab.workbench import Workbench

__all__ = ["booted_instance", "instance_of_launch", "open_token"]

DISK_MIB: Final = 512
"""Of the instance, beside the data."""
VERSIONS: Final = 4  # of the data at a time, of which one file is less than half
LAUNCH_FILE: Final = "launch.json"
TAG: Final = "nitro-workflow-lab"
"""Of every instance: the lab's identity, by which what is left is found."""
INSTANCE_TYPE: Final = "m5.xlarge"  # 4 vCPUs: the smallest of its family that may hold an enclave
NO_PROFILE_YET: Final = frozenset({"InvalidParameterValue"})
"""What EC2 answers to an instance profile that was made a moment ago."""


def booted_instance(bench: Workbench) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return EC2's record of the open launch's instance, and what the host says of it, booted.

    Every other instance of the lab is ended, and whatever enclave runs in this one.
    """
    ec2 = bench.parties.session("administrator").client("ec2")
    record = instance_of_launch(bench, ec2)
    instance = record["InstanceId"]
    end_others(bench, bench.host, ec2, instance)
    bench.host.stop_instance(instance)  # an interrupted launch may have left an enclave in it
    return record, _boot(bench, instance)


def _boot(bench: Workbench, instance: str) -> dict[str, Any]:
    """Boot it; after a start that failed the next P8 launches another, and ends this one."""
    try:
        return bench.host.boot_instance(instance, disk_mib=_disk_mib(bench))
    except HostError:
        (bench.path / LAUNCH_FILE).unlink(missing_ok=True)
        raise


def _disk_mib(bench: Workbench) -> int:
    """Return the size of the instance's disk: several versions of the data, and its records."""
    sealed = bench.result("P3")
    size = int(sealed.produced["sdk_bytes"]) if sealed else bench.size
    return DISK_MIB + VERSIONS * -(-size // (1 << 20))


def instance_of_launch(bench: Workbench, ec2: Any) -> dict[str, Any]:
    """Return EC2's record of the launch that is open here, the same until P8 is done."""
    if given := bench.host.given_instance():
        answer = ec2.describe_instances(InstanceIds=[given])
        return dict(answer["Reservations"][0]["Instances"][0])
    return _run_instance(bench, ec2, open_token(bench))


def open_token(bench: Workbench) -> str:
    """Return the token of this launch, on disk before anything is started with it.

    It is the token of a launch that did not end, if there was one: RunInstances then returns the
    instance that it had made, instead of another (EC2 API Reference, idempotency).
    """
    path = bench.path / LAUNCH_FILE
    last = bench.result("P8")
    try:
        open_one = str(read_json(path)["token"])
    except (LabError, KeyError):
        open_one = ""
    if open_one and (last is None or last.produced.get("token") != open_one):
        return open_one
    return _new_token(bench)


def _run_instance(bench: Workbench, ec2: Any, token: str) -> dict[str, Any]:
    """Return the instance of that launch; one that has ended since is replaced."""
    record = _ask_for_instance(bench, ec2, token)
    if record["State"]["Name"] in ("pending", "running"):
        return record
    return _ask_for_instance(bench, ec2, _new_token(bench))


def _new_token(bench: Workbench) -> str:
    token = str(uuid.uuid4())
    save(bench.path / LAUNCH_FILE, json.dumps({"token": token}).encode())
    return token


def _ask_for_instance(bench: Workbench, ec2: Any, token: str) -> dict[str, Any]:
    """Return the instance of that launch, or of one in another zone where the first had no room."""
    from botocore.exceptions import ClientError

    while True:
        launch = partial(ec2.run_instances, **_asked_for(bench, token))
        try:
            answer = settled(bench, "The instance profile", launch, NO_PROFILE_YET)
            return dict(answer["Instances"][0])
        except ClientError as error:
            if not bench.host.launch_again(error_code(error)):
                raise
        token = _new_token(bench)


def _asked_for(bench: Workbench, token: str) -> dict[str, Any]:
    names = bench.cloud.names
    tags = {TAG: bench.folder.identity, **bench.cloud.tags}
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    usual = {
        "ImageId": names.machine_image,
        "InstanceType": INSTANCE_TYPE,
        "MinCount": 1,
        "MaxCount": 1,
        "ClientToken": token,
        "EnclaveOptions": {"Enabled": True},
        "IamInstanceProfile": {"Name": names.instance_profile},
        "MetadataOptions": {"HttpTokens": "required"},
        "TagSpecifications": [{"ResourceType": "instance", "Tags": listed}],
    }
    return usual | bench.host.launch_settings(token)


def end_others(bench: Workbench, host: Host, ec2: Any, keep: str) -> None:
    """End every other instance of this lab, with its enclaves; what has gone is no error."""
    filters = [
        {"Name": f"tag:{TAG}", "Values": [bench.folder.identity]},
        {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
    ]
    groups = ec2.describe_instances(Filters=filters)["Reservations"]
    others = {str(one["InstanceId"]) for group in groups for one in group["Instances"]}
    earlier = bench.result("P8")
    if earlier is not None:
        others.add(str(earlier.produced.get("instance_id", keep)))
    for instance in sorted(others - {keep}):
        with contextlib.suppress(HostError):
            host.stop_instance(instance)
        _terminate(ec2, instance)


def _terminate(ec2: Any, instance: str) -> None:
    from botocore.exceptions import ClientError

    try:
        ec2.terminate_instances(InstanceIds=[instance])
    except ClientError as error:
        if "NotFound" not in error_code(error):
            raise
