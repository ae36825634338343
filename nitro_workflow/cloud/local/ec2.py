"""EC2's control plane, as far as a parent instance needs it: a record, its role, enclaves or not.

A record runs nothing: the hypervisor reads it, and takes the instance's role and id from it. PCR3
and PCR4 of an attestation document come from there, never from who asks for the document.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Handler, Services

__all__ = ["OPERATIONS", "SCHEMA"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS instances (
    id TEXT PRIMARY KEY, account TEXT NOT NULL, reservation TEXT NOT NULL, image TEXT NOT NULL,
    type TEXT NOT NULL, enclave INTEGER NOT NULL, profile TEXT, state TEXT NOT NULL,
    launched TEXT NOT NULL, token TEXT, tags TEXT NOT NULL);
"""

_STATES = {"pending": 0, "running": 16, "terminated": 48, "stopping": 64, "stopped": 80}
# A few of the types that carry enclaves, and two that do not (EC2 User Guide: at least 4 vCPUs on
# x86, 2 on Graviton). Which do is AWS's to say: ask DescribeInstanceTypes there.
_TYPES = {
    "c6g.large": (2, 4, "arm64", True),
    "m5.large": (2, 8, "x86_64", False),
    "m5.xlarge": (4, 16, "x86_64", True),
    "m6i.xlarge": (4, 16, "x86_64", True),
    "r6i.xlarge": (4, 32, "x86_64", True),
    "t3.micro": (2, 1, "x86_64", False),
}
_DEFAULT_TYPE = "m5.xlarge"


def run_instances(services: Services, call: Call) -> Mapping[str, Any]:
    """Make records of instances; whoever gives them a role must be allowed to pass it."""
    params, account = call.params, call.caller.account
    kind = params.get("InstanceType", _DEFAULT_TYPE)
    enclave = bool(params.get("EnclaveOptions", {}).get("Enabled", False))
    _check_type(kind, enclave)
    profile = _profile(services, call)
    context = {"ec2:InstanceType": kind, "ec2:Region": services.region}
    if profile is not None:
        context["ec2:InstanceProfile"] = profile["arn"]
    services.gate.authorize(
        call,
        "ec2:RunInstances",
        f"arn:aws:ec2:{services.region}:{account}:instance/*",
        resource_account=account,
        context=context,
    )
    if profile is not None:
        _check_pass_role(services, call, profile)
    rows = _insert(services, call, kind, enclave, profile["arn"] if profile else None)
    return _reservation(rows)


def _check_type(kind: str, enclave: bool) -> None:
    if kind not in _TYPES:
        text = f"Invalid value '{kind}' for InstanceType. This cloud has {', '.join(_TYPES)}."
        raise ServiceFault("InvalidParameterValue", text)
    if enclave and not _TYPES[kind][3]:
        text = f"The instance type '{kind}' does not support Nitro Enclaves."
        raise ServiceFault("UnsupportedOperation", text)


def _profile(services: Services, call: Call) -> sqlite3.Row | None:
    stated = call.params.get("IamInstanceProfile", {})
    column, value = ("arn", stated["Arn"]) if "Arn" in stated else ("name", stated.get("Name"))
    if value is None:
        return None
    query = f"SELECT * FROM instance_profiles WHERE account = ? AND {column} = ?"  # noqa: S608
    row: sqlite3.Row | None = (
        services.store.read().execute(query, (call.caller.account, value)).fetchone()
    )
    if row is None:
        text = f"Value ({value}) for parameter iamInstanceProfile.{column} is invalid."
        raise ServiceFault("InvalidParameterValue", f"{text} Invalid IAM Instance Profile {column}")
    return row


def _check_pass_role(services: Services, call: Call, profile: sqlite3.Row) -> None:
    if profile["role"]:
        services.gate.authorize(
            call,
            "iam:PassRole",
            profile["role"],
            resource_account=profile["account"],
            context={"iam:PassedToService": "ec2.amazonaws.com"},
        )


def _insert(
    services: Services, call: Call, kind: str, enclave: bool, profile: str | None
) -> Sequence[sqlite3.Row]:
    params, account = call.params, call.caller.account
    token = params.get("ClientToken")
    tags = [
        tag
        for part in params.get("TagSpecifications", ())
        if part.get("ResourceType") == "instance"
        for tag in part.get("Tags", ())
    ]
    query = "SELECT * FROM instances WHERE account = ? AND token = ?"
    with services.store.transaction() as db:
        # A retry with the same token is the same launch (EC2 API Reference, idempotency).
        if token and (known := db.execute(query, (account, token)).fetchall()):
            return list(known)
        reservation = f"r-{secrets.token_hex(8)}0"[:19]
        for _ in range(params.get("MaxCount", 1)):
            values = (
                f"i-{secrets.token_hex(9)[:17]}", account, reservation,
                params.get("ImageId", "ami-00000000000000000"), kind, int(enclave), profile,
                "running", call.now.isoformat(), token, json.dumps(tags),
            )  # fmt: skip
            db.execute(f"INSERT INTO instances VALUES ({','.join('?' * len(values))})", values)  # noqa: S608
        query = "SELECT * FROM instances WHERE reservation = ?"
        return db.execute(query, (reservation,)).fetchall()


def _shape(row: sqlite3.Row) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "InstanceId": row["id"],
        "ImageId": row["image"],
        "InstanceType": row["type"],
        "State": {"Code": _STATES[row["state"]], "Name": row["state"]},
        "LaunchTime": datetime.fromisoformat(row["launched"]),
        "Placement": {"AvailabilityZone": "us-east-1a", "Tenancy": "default"},
        "EnclaveOptions": {"Enabled": bool(row["enclave"])},
        "Architecture": _TYPES[row["type"]][2],
        "Tags": json.loads(row["tags"]),
    }
    if row["profile"]:
        shape["IamInstanceProfile"] = {"Arn": row["profile"], "Id": "AIPA" + row["id"][2:].upper()}
    return shape


def _reservation(rows: Sequence[sqlite3.Row]) -> dict[str, Any]:
    return {
        "ReservationId": rows[0]["reservation"],
        "OwnerId": rows[0]["account"],
        "Instances": [_shape(row) for row in rows],
    }


def describe_instances(services: Services, call: Call) -> Mapping[str, Any]:
    """Describe the account's instances; AWS's own side sees those of every account."""
    account = call.caller.account
    services.gate.authorize(call, "ec2:DescribeInstances", "*", resource_account=account)
    query, values = "SELECT * FROM instances", []
    if not call.caller.is_service:
        query, values = f"{query} WHERE account = ?", [account]
    rows = services.store.read().execute(f"{query} ORDER BY launched, id", values).fetchall()
    wanted = call.params.get("InstanceIds", [])
    _check_known(wanted, {row["id"] for row in rows})
    rows = [row for row in rows if not wanted or row["id"] in wanted]
    rows = [row for row in rows if all(_fits(row, f) for f in call.params.get("Filters", ()))]
    groups: dict[str, list[sqlite3.Row]] = {}
    for row in rows:
        groups.setdefault(row["reservation"], []).append(row)
    return {"Reservations": [_reservation(group) for group in groups.values()]}


def _check_known(wanted: Sequence[str], known: set[str]) -> None:
    missing = [item for item in wanted if item not in known]
    if missing:
        text = f"The instance ID '{', '.join(missing)}' does not exist"
        raise ServiceFault("InvalidInstanceID.NotFound", text)


def _fits(row: sqlite3.Row, condition: Mapping[str, Any]) -> bool:
    name, values = condition["Name"], condition["Values"]
    if name.startswith("tag:"):
        tags = {tag["Key"]: tag["Value"] for tag in json.loads(row["tags"])}
        return tags.get(name[4:]) in values
    columns = {"instance-state-name": "state", "instance-id": "id", "instance-type": "type"}
    if name not in columns:
        raise ServiceFault("InvalidParameterValue", f"The filter '{name}' is invalid")
    return row[columns[name]] in values


def _change(target: str) -> Handler:
    """Return the handler that moves instances into a state."""

    def handler(services: Services, call: Call) -> Mapping[str, Any]:
        account, wanted = call.caller.account, call.params["InstanceIds"]
        for item in wanted:
            services.gate.authorize(
                call,
                f"ec2:{call.operation}",
                f"arn:aws:ec2:{services.region}:{account}:instance/{item}",
                resource_account=account,
            )
        with services.store.transaction() as db:
            query = "SELECT id, state FROM instances WHERE account = ?"
            states = {row["id"]: row["state"] for row in db.execute(query, (account,))}
            _check_known(wanted, set(states))
            changes = [_move(item, states[item], target) for item in wanted]
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


def describe_instance_types(services: Services, call: Call) -> Mapping[str, Any]:
    """Say which of this cloud's few instance types carry enclaves."""
    services.gate.authorize(
        call, "ec2:DescribeInstanceTypes", "*", resource_account=call.caller.account
    )
    wanted = call.params.get("InstanceTypes", list(_TYPES))
    for name in wanted:
        _check_type(name, enclave=False)
    shapes = [_type_shape(name) for name in wanted]
    for condition in call.params.get("Filters", ()):
        if condition["Name"] == "nitro-enclaves-support":
            shapes = [s for s in shapes if s["NitroEnclavesSupport"] in condition["Values"]]
    return {"InstanceTypes": shapes}


def _type_shape(name: str) -> dict[str, Any]:
    cpus, memory_gib, architecture, enclaves = _TYPES[name]
    return {
        "InstanceType": name,
        "Hypervisor": "nitro",
        "VCpuInfo": {"DefaultVCpus": cpus},
        "MemoryInfo": {"SizeInMiB": memory_gib * 1024},
        "ProcessorInfo": {"SupportedArchitectures": [architecture]},
        "NitroEnclavesSupport": "supported" if enclaves else "unsupported",
    }


OPERATIONS: Mapping[str, Handler] = {
    "DescribeInstanceTypes": describe_instance_types,
    "DescribeInstances": describe_instances,
    "RunInstances": run_instances,
    "StartInstances": _change("running"),
    "StopInstances": _change("stopped"),
    "TerminateInstances": _change("terminated"),
}
