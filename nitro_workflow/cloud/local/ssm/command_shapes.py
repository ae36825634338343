"""Commands and invocations as the API's own shapes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from nitro_workflow.cloud.local.protocol import write_time
from nitro_workflow.cloud.local.ssm.command_records import ENDED, Invocation

__all__ = ["PLUGIN", "command_shape", "invocation_answer"]

PLUGIN = "aws:runShellScript"


def command_shape(row: sqlite3.Row, invocations: Sequence[Invocation]) -> dict[str, Any]:
    """Return SSM's Command."""
    said, sent = json.loads(row["document"]), datetime.fromisoformat(row["sent"])
    states = [one.status for one in invocations]
    status = _together(states)
    return {
        "CommandId": row["id"],
        "DocumentName": said["DocumentName"],
        "DocumentVersion": said.get("DocumentVersion", "$DEFAULT"),
        "Comment": said.get("Comment", ""),
        "ExpiresAfter": sent + timedelta(seconds=row["deliver_seconds"] + row["run_seconds"]),
        "Parameters": said.get("Parameters", {}),
        "InstanceIds": [one.instance for one in invocations],
        "RequestedDateTime": sent,
        "Status": status,
        "StatusDetails": status,
        "MaxConcurrency": said.get("MaxConcurrency", "50"),
        "MaxErrors": said.get("MaxErrors", "0"),
        "TargetCount": len(states),
        "CompletedCount": sum(state in ENDED for state in states),
        "ErrorCount": sum(state == "Failed" for state in states),
        "DeliveryTimedOutCount": sum(one.details == "Delivery Timed Out" for one in invocations),
        "TimeoutSeconds": row["deliver_seconds"],
    }


def _together(states: Sequence[str]) -> str:
    """Return the state of a command with several invocations: the worst that is left."""
    for state in ("InProgress", "Pending", "Cancelling", "Failed", "TimedOut", "Cancelled"):
        if state in states:
            return state
    return "Success"


def invocation_answer(row: sqlite3.Row, one: Invocation) -> dict[str, Any]:
    """Return GetCommandInvocation's answer."""
    said = json.loads(row["document"])
    return {
        "CommandId": row["id"],
        "InstanceId": one.instance,
        "Comment": said.get("Comment", ""),
        "DocumentName": said["DocumentName"],
        "DocumentVersion": said.get("DocumentVersion", "$DEFAULT"),
        "PluginName": PLUGIN,
        "ResponseCode": one.code,
        "ExecutionStartDateTime": _text(one.begun),
        "ExecutionElapsedTime": _elapsed(one),
        "ExecutionEndDateTime": _text(one.ended),
        "Status": one.status,
        "StatusDetails": one.details,
        "StandardOutputContent": one.output,
        "StandardOutputUrl": "",
        "StandardErrorContent": one.error,
        "StandardErrorUrl": "",
        "CloudWatchOutputConfig": {"CloudWatchLogGroupName": "", "CloudWatchOutputEnabled": False},
    }


def _text(when: datetime | None) -> str:
    return write_time(when, "iso8601") if when is not None else ""


def _elapsed(one: Invocation) -> str:
    if one.begun is None or one.ended is None:
        return ""
    return f"PT{(one.ended - one.begun).total_seconds():.3f}S"
