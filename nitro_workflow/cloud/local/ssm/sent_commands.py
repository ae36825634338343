"""SendCommand and CancelCommand: a shell script for instances that have an agent.

Source: Systems Manager API Reference; AWS-RunShellScript's own parameters.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Handler, Services
from nitro_workflow.cloud.local.protocol import read_decimal
from nitro_workflow.cloud.local.ssm.command_records import ENDED, command_row, invocations_of
from nitro_workflow.cloud.local.ssm.command_shapes import command_shape
from nitro_workflow.cloud.local.ssm.managed_instances import everything, managed

__all__ = ["OPERATIONS"]

DOCUMENT: Final = "AWS-RunShellScript"
DELIVER_SECONDS: Final = 3600  # API Reference: the default of TimeoutSeconds
RUN_SECONDS: Final = 3600  # of AWS-RunShellScript: the default of executionTimeout
MOST_RUN_SECONDS: Final = 172_800
SCRIPT_CHARACTERS: Final = 64 * 1024  # of all parameters (ours: AWS limits the whole document so)
KEPT: Final = 500  # commands of an account in a region; AWS keeps them for 30 days

# What a command may say. Whatever else of the model would be passed over is refused by name.
_DONE: Final = frozenset(
    {
        *("Comment", "DocumentName", "DocumentVersion", "InstanceIds", "MaxConcurrency"),
        *("MaxErrors", "Parameters", "TimeoutSeconds"),
    }
)
_PARAMETERS: Final = frozenset({"commands", "executionTimeout", "workingDirectory"})


def send_command(services: Services, call: Call) -> Mapping[str, Any]:
    """Keep a command for the agents of the instances that are named."""
    params, account = call.params, call.caller.account
    undone = sorted(set(params) - _DONE)
    if undone:
        text = f"This local cloud does not do SendCommand with {', '.join(undone)}."
        raise ServiceFault("UnsupportedOperationException", text)
    instances = list(params.get("InstanceIds", ()))
    _allow(services, call, instances)
    if params["DocumentName"] != DOCUMENT:
        raise ServiceFault("InvalidDocument", f"This local cloud has the document {DOCUMENT}.")
    run_seconds = _run_seconds(params.get("Parameters", {}))
    command = str(uuid.uuid4())
    document = {name: params[name] for name in params}
    with services.store.transaction() as db:
        _check_instances(db, call, instances)
        values = (
            command, account, call.region, call.now.isoformat(),
            params.get("TimeoutSeconds", DELIVER_SECONDS), run_seconds, json.dumps(document),
        )  # fmt: skip
        db.execute("INSERT INTO ssm_commands VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        for instance in instances:
            pending = (command, instance, "Pending", "Pending", None, None, -1, "", "")
            db.execute("INSERT INTO ssm_invocations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", pending)
        _forget_old(db, call)
        row = command_row(db, call, command)
        assert row is not None  # noqa: S101 - just inserted
        return {"Command": command_shape(row, invocations_of(db, row, call.now))}


def _allow(services: Services, call: Call, instances: Sequence[str]) -> None:
    """Ask for the document, and for each instance with its tags."""
    account = call.caller.account
    document = f"arn:aws:ssm:{call.region}::document/{call.params['DocumentName']}"
    services.gate.authorize(call, "ssm:SendCommand", document, resource_account=account)
    tags = _tags(services, call)
    for instance in instances:
        arn = f"arn:aws:ec2:{call.region}:{account}:instance/{instance}"
        context = {
            f"{prefix}/{tag['Key']}": tag["Value"]
            for tag in tags.get(instance, ())
            for prefix in ("ssm:resourceTag", "aws:ResourceTag")
        }
        services.gate.authorize(
            call, "ssm:SendCommand", arn, resource_account=account, context=context
        )


def _tags(services: Services, call: Call) -> Mapping[str, Sequence[Mapping[str, str]]]:
    found = managed(services.store.read(), call)
    return {name: json.loads(row["tags"]) for name, row in found.items()}


def _run_seconds(parameters: Mapping[str, Sequence[str]]) -> int:
    """Return the execution timeout, once the parameters are AWS-RunShellScript's."""
    unknown = sorted(set(parameters) - _PARAMETERS)
    if unknown or not parameters.get("commands"):
        found = ", ".join(unknown)[:200] or "no commands"
        raise ServiceFault("InvalidParameters", f"{DOCUMENT} does not take {found}.")
    if sum(len(text) for values in parameters.values() for text in values) > SCRIPT_CHARACTERS:
        text = f"The parameters have more than {SCRIPT_CHARACTERS} characters."
        raise ServiceFault("MaxDocumentSizeExceeded", text)
    stated = parameters.get("executionTimeout", [str(RUN_SECONDS)])
    seconds = read_decimal(stated[0], most=MOST_RUN_SECONDS) if len(stated) == 1 else None
    if not seconds:
        text = f"executionTimeout: one number of seconds, 1 to {MOST_RUN_SECONDS}."
        raise ServiceFault("InvalidParameters", text)
    return seconds


def _check_instances(db: sqlite3.Connection, call: Call, instances: Sequence[str]) -> None:
    if not instances:
        raise ServiceFault("InvalidInstanceId", "InstanceIds must be specified.")
    if len(set(instances)) < len(instances):
        raise ServiceFault("DuplicateInstanceId", "An instance is named twice.")
    known = managed(db, call)
    missing = [name for name in instances if name not in known]
    if missing:
        listed = ", ".join(missing)
        text = f"Instances [[{listed}]] not in a valid state for account {call.caller.account}"
        raise ServiceFault("InvalidInstanceId", text)


def _forget_old(db: sqlite3.Connection, call: Call) -> None:
    of_account = "SELECT id FROM ssm_commands WHERE account = ? AND region = ?"
    query = (
        f"DELETE FROM ssm_commands WHERE id IN ({of_account} ORDER BY sent DESC LIMIT -1 OFFSET ?)"  # noqa: S608
    )
    db.execute(query, (call.caller.account, call.region, KEPT))


def cancel_command(services: Services, call: Call) -> Mapping[str, Any]:
    """End a command where it has not ended: an agent that runs it is told."""
    account = call.caller.account
    services.gate.authorize(call, "ssm:CancelCommand", everything(call), resource_account=account)
    with services.store.transaction() as db:
        row = command_row(db, call, call.params["CommandId"])
        if row is None:
            raise ServiceFault("InvalidCommandId", "")
        found = {one.instance: one for one in invocations_of(db, row, call.now)}
        wanted = call.params.get("InstanceIds", list(found))
        if not set(wanted) <= found.keys():
            raise ServiceFault("InvalidInstanceId", "The command was not sent there.")
        for name in wanted:
            if found[name].status not in ENDED:
                _cancel(db, row["id"], name, call)
    return {}


def _cancel(db: sqlite3.Connection, command: str, instance: str, call: Call) -> None:
    where = "WHERE command = ? AND instance = ?"
    query = f"SELECT status FROM ssm_invocations {where}"  # noqa: S608
    status = db.execute(query, (command, instance)).fetchone()["status"]
    now = "Cancelled" if status == "Pending" else "Cancelling"
    ended = call.now.isoformat() if status == "Pending" else None
    query = f"UPDATE ssm_invocations SET status = ?, details = ?, ended = ? {where}"  # noqa: S608
    db.execute(query, (now, now, ended, command, instance))


OPERATIONS: Mapping[str, Handler] = {
    "CancelCommand": cancel_command,
    "SendCommand": send_command,
}
