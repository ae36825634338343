"""DescribeInstanceInformation: instances whose agent has made itself known.

Source: Systems Manager API Reference, InstanceInformation.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.ec2 import INSTANCES
from nitro_workflow.cloud.local.handler import Handler, Services
from nitro_workflow.cloud.local.protocol import PageTokens

__all__ = ["OPERATIONS", "everything", "managed"]

_PAGE: Final = 50  # API Reference: the most of MaxResults
_LOST: Final = timedelta(minutes=5)
"""Without a word for so long, an agent's connection counts as lost (ours: AWS says "minutes")."""

_MANAGED: Final = f"""
SELECT i.*, a.version, a.registered, a.heard FROM ({INSTANCES}) i
JOIN ssm_agents a ON a.instance = i.id
WHERE i.account = ? AND i.region = ? AND i.state = 'running' ORDER BY i.launched, i.id
"""  # noqa: S608 - a constant of ours

Shape = dict[str, Any]


def everything(call: Call) -> str:
    """Return what an action is asked for that is no single resource's."""
    return f"arn:aws:ssm:{call.region}:{call.caller.account}:*"


def managed(db: sqlite3.Connection, call: Call) -> dict[str, sqlite3.Row]:
    """Return the instances that have an agent and run, by their ids."""
    rows = db.execute(_MANAGED, (call.caller.account, call.region))
    return {row["id"]: row for row in rows}


def describe_instance_information(services: Services, call: Call) -> Mapping[str, Any]:
    """Describe the managed instances; one without an agent is not among them."""
    account = call.caller.account
    services.gate.authorize(
        call, "ssm:DescribeInstanceInformation", everything(call), resource_account=account
    )
    found = [_shape(row, call.now) for row in managed(services.store.read(), call).values()]
    found = [shape for shape in found if all(fits(shape) for fits in _conditions(call))]
    tokens = PageTokens(call.operation, "InvalidNextToken", "The specified token isn't valid.")
    start = tokens.read_position(call.params.get("NextToken"))
    size = call.params.get("MaxResults", _PAGE)
    page: dict[str, Any] = {"InstanceInformationList": found[start : start + size]}
    if start + size < len(found):
        page["NextToken"] = tokens.write(start + size)
    return page


def _shape(row: sqlite3.Row, now: datetime) -> Shape:
    heard = datetime.fromisoformat(row["heard"])
    return {
        "InstanceId": row["id"],
        "PingStatus": "Online" if now - heard < _LOST else "ConnectionLost",
        "LastPingDateTime": heard,
        "AgentVersion": row["version"],
        "PlatformType": "Linux",
        "PlatformName": "Amazon Linux",
        "PlatformVersion": "2023",
        "RegistrationDate": datetime.fromisoformat(row["registered"]),
        "ResourceType": "EC2Instance",
        "ComputerName": f"{row['id']}.{row['region']}.compute.internal",
        "SourceId": row["id"],
        "SourceType": "AWS::EC2::Instance",
    }


_FILTERS: Final[Mapping[str, str]] = {
    "AgentVersion": "AgentVersion",
    "InstanceIds": "InstanceId",
    "PingStatus": "PingStatus",
    "PlatformTypes": "PlatformType",
    "ResourceType": "ResourceType",
}


def _conditions(call: Call) -> list[Callable[[Shape], bool]]:
    """Return the conditions of both kinds of filters that the call may have."""
    newer = [(it["Key"], it["Values"]) for it in call.params.get("Filters", ())]
    older = [
        (it["key"], it["valueSet"]) for it in call.params.get("InstanceInformationFilterList", ())
    ]
    if newer and older:
        text = "Use either filters or instance information filter list, not both."
        raise ServiceFault("ValidationException", text)
    return [_condition(key, values) for key, values in (*newer, *older)]


def _condition(key: str, values: Sequence[str]) -> Callable[[Shape], bool]:
    member = _FILTERS.get(key)
    if member is None:
        text = f"This local cloud filters by {', '.join(_FILTERS)}."
        raise ServiceFault("InvalidFilterKey", text)
    return lambda shape: shape[member] in values


OPERATIONS: Mapping[str, Handler] = {"DescribeInstanceInformation": describe_instance_information}
