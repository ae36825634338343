"""CloudTrail: the decision records of an account in a region, looked up by the account itself.

Source: AWS CloudTrail API Reference, LookupEvents: the events of the region that is asked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from nitro_workflow.cloud.local.call import Call
from nitro_workflow.cloud.local.gate import EventQuery, find_events
from nitro_workflow.cloud.local.handler import Handler, Services
from nitro_workflow.cloud.local.protocol import PageTokens

__all__ = ["OPERATIONS", "SCHEMA"]

SCHEMA = ""
_COLUMNS = {
    "EventId": "id",
    "EventName": "name",
    "EventSource": "source",
    "Username": "username",
    "AccessKeyId": "access_key",
    "ReadOnly": "read_only",
    "ResourceName": "resource",
}
_PAGE = 50  # LookupEvents: the most, and the default
_NEWEST = 2**62  # above every sequence number
_TOKENS = PageTokens(
    "LookupEvents", "InvalidNextTokenException", "The token is not one of this service."
)


def lookup_events(services: Services, call: Call) -> Mapping[str, Any]:
    """Answer the account's records, newest first, those of the moment before included."""
    services.gate.authorize(
        call, "cloudtrail:LookupEvents", "*", resource_account=call.caller.account
    )
    services.events.flush()
    params, token = call.params, call.params.get("NextToken")
    filters = {
        column: item["AttributeValue"]
        for item in params.get("LookupAttributes", ())
        if (column := _COLUMNS.get(item["AttributeKey"]))
    }
    size = params.get("MaxResults", _PAGE)
    query = EventQuery(
        account=call.caller.account,
        region=call.region,
        filters=filters,
        since=params.get("StartTime", datetime.fromtimestamp(0, UTC)).timestamp(),
        until=params.get("EndTime", call.now).timestamp(),
        below=_TOKENS.read_position(token) if token is not None else _NEWEST,
        limit=size + 1,
    )
    rows = find_events(services.store, query)
    answer: dict[str, Any] = {"Events": [_event(row) for row in rows[:size]]}
    if len(rows) > size:
        answer["NextToken"] = _TOKENS.write(rows[size - 1]["seq"])
    return answer


def _event(row: Any) -> dict[str, Any]:
    document = json.loads(row["document"])
    return {
        "EventId": row["id"],
        "EventName": row["name"],
        "ReadOnly": row["read_only"],
        "AccessKeyId": row["access_key"],
        "EventTime": datetime.fromtimestamp(row["time"], UTC),
        "EventSource": row["source"],
        "Username": row["username"],
        "Resources": [
            {"ResourceType": item.get("type", ""), "ResourceName": item["ARN"]}
            for item in document.get("resources", ())
        ],
        "CloudTrailEvent": row["document"],
    }


OPERATIONS: Mapping[str, Handler] = {"LookupEvents": lookup_events}
