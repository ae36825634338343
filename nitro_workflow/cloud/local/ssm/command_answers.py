"""GetCommandInvocation: what became of a command on one instance.

Source: Systems Manager API Reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Handler, Services
from nitro_workflow.cloud.local.ssm.command_records import command_row, invocations_of
from nitro_workflow.cloud.local.ssm.command_shapes import PLUGIN, invocation_answer
from nitro_workflow.cloud.local.ssm.managed_instances import everything

__all__ = ["OPERATIONS"]


def get_command_invocation(services: Services, call: Call) -> Mapping[str, Any]:
    """Answer state and output, of the output its beginning."""
    account = call.caller.account
    services.gate.authorize(
        call, "ssm:GetCommandInvocation", everything(call), resource_account=account
    )
    if call.params.get("PluginName", PLUGIN) not in (PLUGIN, PLUGIN.replace(":", "")):
        raise ServiceFault("InvalidPluginName", "")
    db = services.store.read()
    row = command_row(db, call, call.params["CommandId"])
    if row is None:
        raise ServiceFault("InvocationDoesNotExist", "")
    for one in invocations_of(db, row, call.now):
        if one.instance == call.params["InstanceId"]:
            return invocation_answer(row, one)
    raise ServiceFault("InvocationDoesNotExist", "")


OPERATIONS: Mapping[str, Handler] = {"GetCommandInvocation": get_command_invocation}
