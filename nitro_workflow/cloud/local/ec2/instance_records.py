"""Records of instances: described, started, stopped, ended."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.ec2.ec2_common import (
    Shape,
    allow,
    arn,
    described,
    stop_if_dry_run,
)
from nitro_workflow.cloud.local.ec2.instance_types import TYPES
from nitro_workflow.cloud.local.ec2.surroundings import default_ids
from nitro_workflow.cloud.local.handler import Handler, Services

__all__ = ["INSTANCES", "OPERATIONS", "SCHEMA", "reservation"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS instances (
    id TEXT PRIMARY KEY, account TEXT NOT NULL, reservation TEXT NOT NULL, image TEXT NOT NULL,
    type TEXT NOT NULL, enclave INTEGER NOT NULL, profile TEXT, state TEXT NOT NULL,
    launched TEXT NOT NULL, token TEXT, tags TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS instance_regions (
    instance TEXT PRIMARY KEY REFERENCES instances (id) ON DELETE CASCADE, region TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS instance_launches (
    instance TEXT PRIMARY KEY REFERENCES instances (id) ON DELETE CASCADE, document TEXT NOT NULL);
"""

_STATES = {"pending": 0, "running": 16, "terminated": 48, "stopping": 64, "stopped": 80}
# An instance of an earlier version of this cloud has no region of its own, and no launch.
INSTANCES = """
SELECT * FROM (SELECT i.*, coalesce(
    (SELECT r.region FROM instance_regions r WHERE r.instance = i.id), 'us-east-1') AS region,
    (SELECT l.document FROM instance_launches l WHERE l.instance = i.id) AS launch
    FROM instances i)
"""


def _shape(row: sqlite3.Row) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "InstanceId": row["id"],
        "ImageId": row["image"],
        "InstanceType": row["type"],
        "State": {"Code": _STATES[row["state"]], "Name": row["state"]},
        "LaunchTime": datetime.fromisoformat(row["launched"]),
        "Placement": {"AvailabilityZone": row["region"] + "a", "Tenancy": "default"},
        "EnclaveOptions": {"Enabled": bool(row["enclave"])},
        "Architecture": TYPES[row["type"]][2],
        "Tags": json.loads(row["tags"]),
    }
    if row["token"]:
        shape["ClientToken"] = row["token"]
    if row["launch"]:
        shape |= _launched_with(row, json.loads(row["launch"]))
    if row["profile"]:
        shape["IamInstanceProfile"] = {"Arn": row["profile"], "Id": "AIPA" + row["id"][2:].upper()}
    return shape


def _launched_with(row: sqlite3.Row, launch: Mapping[str, Any]) -> dict[str, Any]:
    groups = zip(launch["groups"], launch["group_names"], strict=True)
    volume = {
        "VolumeId": f"vol-{row['id'][2:]}",
        "Status": "attached",
        "DeleteOnTermination": launch["volume"].get("DeleteOnTermination", True),
        "AttachTime": datetime.fromisoformat(row["launched"]),
    }
    return {
        "SubnetId": launch["subnet"],
        "Placement": {"AvailabilityZone": launch["zone"], "Tenancy": "default"},
        "SecurityGroups": [{"GroupId": id_, "GroupName": name} for id_, name in groups],
        "MetadataOptions": {
            "State": "applied",
            "HttpTokens": "required",
            "HttpEndpoint": "enabled",
            "HttpPutResponseHopLimit": launch["hop_limit"],
            "InstanceMetadataTags": "disabled",
        },
        "RootDeviceName": "/dev/xvda",
        "RootDeviceType": "ebs",
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": volume}],
    }


def reservation(rows: Sequence[sqlite3.Row]) -> dict[str, Any]:
    """Return EC2's Reservation of the instances of one launch."""
    return {
        "ReservationId": rows[0]["reservation"],
        "OwnerId": rows[0]["account"],
        "Instances": [_shape(row) for row in rows],
    }


def describe_instances(services: Services, call: Call) -> Mapping[str, Any]:
    """Describe the account's instances here; AWS's own side sees all there are."""
    rows = _rows(services, call)
    if "MaxResults" in call.params and call.params.get("InstanceIds"):
        text = "The parameter instancesSet cannot be used with the parameter maxResults"
        raise ServiceFault("InvalidParameterCombination", text)
    shapes = {row["id"]: _shape(row) for row in rows}
    page = described(services, call, "Instances", list(shapes.values()), _FILTERS)
    found = {shape["InstanceId"] for shape in page.pop("Instances")}
    groups: dict[str, list[sqlite3.Row]] = {}
    for row in rows:
        if row["id"] in found:
            groups.setdefault(row["reservation"], []).append(row)
    return {**page, "Reservations": [reservation(group) for group in groups.values()]}


def _rows(services: Services, call: Call) -> list[sqlite3.Row]:
    query, values = INSTANCES, []
    if not call.caller.is_service:
        query, values = (
            f"{query} WHERE account = ? AND region = ?",
            [call.caller.account, call.region],
        )
    rows = services.store.read().execute(f"{query} ORDER BY launched, id", values).fetchall()
    wanted = call.params.get("InstanceIds", [])
    _check_known(wanted, {row["id"] for row in rows})
    return [row for row in rows if not wanted or row["id"] in wanted]


_FILTERS: Mapping[str, Callable[[Shape], Sequence[str]]] = {
    "image-id": lambda item: [item["ImageId"]],
    "instance-id": lambda item: [item["InstanceId"]],
    "instance-state-code": lambda item: [str(item["State"]["Code"])],
    "instance-state-name": lambda item: [item["State"]["Name"]],
    "instance-type": lambda item: [item["InstanceType"]],
    "client-token": lambda item: [item.get("ClientToken", "")],
    "subnet-id": lambda item: [item.get("SubnetId", "")],
    "instance.group-id": lambda item: [it["GroupId"] for it in item.get("SecurityGroups", ())],
}


def describe_instance_attribute(services: Services, call: Call) -> Mapping[str, Any]:
    """Give one attribute of an instance, of those that a record has."""
    name, attribute = call.params["InstanceId"], call.params["Attribute"]
    allow(services, call, arn(call, "instance", name))
    stop_if_dry_run(call)
    query = f"{INSTANCES} WHERE account = ? AND region = ? AND id = ?"
    values = (call.caller.account, call.region, name)
    row = services.store.read().execute(query, values).fetchone()
    _check_known([name], {row["id"]} if row else set())
    launch = json.loads(row["launch"] or "{}")
    default = {"groups": [default_ids(call)[1]], "group_names": ["default"]}
    groups = {**default, **launch}
    known: dict[str, tuple[str, Any]] = {
        "disableApiStop": ("DisableApiStop", {"Value": False}),
        "disableApiTermination": ("DisableApiTermination", {"Value": False}),
        "ebsOptimized": ("EbsOptimized", {"Value": False}),
        "enclaveOptions": ("EnclaveOptions", {"Enabled": bool(row["enclave"])}),
        "groupSet": (
            "Groups",
            [
                {"GroupId": id_, "GroupName": title}
                for id_, title in zip(groups["groups"], groups["group_names"], strict=True)
            ],
        ),
        "instanceInitiatedShutdownBehavior": (
            "InstanceInitiatedShutdownBehavior",
            {"Value": launch.get("shutdown", "stop")},
        ),
        "instanceType": ("InstanceType", {"Value": row["type"]}),
        "rootDeviceName": ("RootDeviceName", {"Value": "/dev/xvda"}),
        "sourceDestCheck": ("SourceDestCheck", {"Value": True}),
        "userData": (
            "UserData",
            {"Value": launch["user_data"]} if launch.get("user_data") else {},
        ),
    }
    if attribute not in known:
        text = f"This local cloud does not do the attribute {attribute}."
        raise ServiceFault("UnsupportedOperation", text)
    member, value = known[attribute]
    return {"InstanceId": name, member: value}


def _check_known(wanted: Sequence[str], known: set[str]) -> None:
    missing = [item for item in wanted if item not in known]
    if missing:
        text = f"The instance ID '{', '.join(missing)}' does not exist"
        raise ServiceFault("InvalidInstanceID.NotFound", text)


def _change(target: str) -> Handler:
    """Return the handler that moves instances into a state."""

    def handler(services: Services, call: Call) -> Mapping[str, Any]:
        account, wanted = call.caller.account, call.params["InstanceIds"]
        for item in wanted:
            allow(services, call, arn(call, "instance", item))
        with services.store.transaction() as db:
            query = f"{INSTANCES} WHERE account = ? AND region = ?"
            rows = db.execute(query, (account, call.region))
            states = {row["id"]: row["state"] for row in rows}
            _check_known(wanted, set(states))
            if call.params.get("Hibernate"):
                # RunInstances refuses HibernationOptions, so that no instance can do it.
                text = "Instances that were not launched with hibernation cannot hibernate."
                raise ServiceFault("UnsupportedHibernationConfiguration", text)
            changes = [_move(item, states[item], target) for item in wanted]
            stop_if_dry_run(call)
            query = "UPDATE instances SET state = ? WHERE id = ?"
            db.executemany(query, [(target, item) for item in wanted])
        member = "TerminatingInstances" if target == "terminated" else (
            "StoppingInstances" if target == "stopped" else "StartingInstances"
        )  # fmt: skip
        return {member: changes}

    return handler


def _move(instance: str, before: str, after: str) -> dict[str, Any]:
    if before == "terminated" and after != "terminated":
        text = f"The instance '{instance}' is not in a state from which it can be {after}."
        raise ServiceFault("IncorrectInstanceState", text)
    return {
        "InstanceId": instance,
        "PreviousState": {"Code": _STATES[before], "Name": before},
        "CurrentState": {"Code": _STATES[after], "Name": after},
    }


OPERATIONS: Mapping[str, Handler] = {
    "DescribeInstanceAttribute": describe_instance_attribute,
    "DescribeInstances": describe_instances,
    "StartInstances": _change("running"),
    "StopInstances": _change("stopped"),
    "TerminateInstances": _change("terminated"),
}
