"""Public parameters that name machine images: GetParameter.

Source: Systems Manager API Reference, GetParameter; User Guide, "Calling AMI public parameters".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.ec2 import image_of_parameter
from nitro_workflow.cloud.local.handler import Handler, Services

__all__ = ["OPERATIONS"]

_MADE = datetime(2025, 11, 1, tzinfo=UTC)


def get_parameter(services: Services, call: Call) -> Mapping[str, Any]:
    """Answer the id of the machine image that a public parameter names."""
    name = str(call.params["Name"])
    arn = f"arn:aws:ssm:{call.region}::parameter{name}"
    services.gate.authorize(call, "ssm:GetParameter", arn, resource_account=call.caller.account)
    try:
        value = image_of_parameter(call, name)
    except KeyError:
        raise ServiceFault("ParameterNotFound", "") from None
    return {
        "Parameter": {
            "Name": name,
            "Type": "String",
            "Value": value,
            "Version": 1,
            "LastModifiedDate": _MADE,
            "ARN": arn,
            "DataType": "aws:ec2:image",
        }
    }


OPERATIONS: Mapping[str, Handler] = {"GetParameter": get_parameter}
