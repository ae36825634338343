"""Service Quotas, as far as a launch depends on one: the vCPUs of on-demand instances.

Source: Service Quotas API Reference, GetServiceQuota.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.ec2 import MAX_VCPUS
from nitro_workflow.cloud.local.handler import Handler, Services

__all__ = ["OPERATIONS", "SCHEMA"]

SCHEMA = ""
_VCPUS = "L-1216C47A"


def get_service_quota(services: Services, call: Call) -> Mapping[str, Any]:
    """Answer the quota that RunInstances is held to."""
    service, code = str(call.params["ServiceCode"]), str(call.params["QuotaCode"])
    arn = f"arn:aws:servicequotas:{call.region}:{call.caller.account}:{service}/{code}"
    services.gate.authorize(
        call, "servicequotas:GetServiceQuota", arn, resource_account=call.caller.account
    )
    if (service, code) != ("ec2", _VCPUS):
        raise ServiceFault("NoSuchResourceException", "The quota is not one of this cloud's.")
    return {
        "Quota": {
            "ServiceCode": service,
            "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)",
            "QuotaArn": arn,
            "QuotaCode": code,
            "QuotaName": "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
            "Value": float(MAX_VCPUS),
            "Unit": "None",
            "Adjustable": True,
            "GlobalQuota": False,
        }
    }


OPERATIONS: Mapping[str, Handler] = {"GetServiceQuota": get_service_quota}
