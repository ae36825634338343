"""A few instance types: those that carry enclaves, and some that do not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.ec2.ec2_common import described
from nitro_workflow.cloud.local.handler import Handler, Services

__all__ = ["OPERATIONS", "TYPES", "check_type"]

# vCPUs, GiB, architecture, enclaves (EC2 User Guide: at least 4 vCPUs on x86, 2 on Graviton).
# Which do is AWS's to say: ask DescribeInstanceTypes there.
TYPES = {
    "c6g.large": (2, 4, "arm64", True),
    "m5.large": (2, 8, "x86_64", False),
    "m5.xlarge": (4, 16, "x86_64", True),
    "m6i.xlarge": (4, 16, "x86_64", True),
    "r6i.xlarge": (4, 32, "x86_64", True),
    "t3.micro": (2, 1, "x86_64", False),
}


def check_type(kind: str, *, enclave: bool) -> None:
    """Refuse a type that is not here, or that carries no enclaves where one is wanted.

    Raises `ServiceFault`: InvalidParameterValue, UnsupportedOperation.
    """
    if kind not in TYPES:
        text = f"Invalid value '{kind}' for InstanceType. This cloud has {', '.join(TYPES)}."
        raise ServiceFault("InvalidParameterValue", text)
    if enclave and not TYPES[kind][3]:
        text = f"The instance type '{kind}' does not support Nitro Enclaves."
        raise ServiceFault("UnsupportedOperation", text)


def describe_instance_types(services: Services, call: Call) -> Mapping[str, Any]:
    """Say which of this cloud's few instance types carry enclaves."""
    wanted = call.params.get("InstanceTypes", list(TYPES))
    for name in wanted:
        check_type(name, enclave=False)
    filters = {
        "instance-type": lambda item: [item["InstanceType"]],
        "nitro-enclaves-support": lambda item: [item["NitroEnclavesSupport"]],
        "processor-info.supported-architecture": (
            lambda item: item["ProcessorInfo"]["SupportedArchitectures"]
        ),
    }
    return described(services, call, "InstanceTypes", [_shape(name) for name in wanted], filters)


def _shape(name: str) -> dict[str, Any]:
    cpus, memory_gib, architecture, enclaves = TYPES[name]
    return {
        "InstanceType": name,
        "Hypervisor": "nitro",
        "VCpuInfo": {"DefaultVCpus": cpus},
        "MemoryInfo": {"SizeInMiB": memory_gib * 1024},
        "ProcessorInfo": {"SupportedArchitectures": [architecture]},
        "NitroEnclavesSupport": "supported" if enclaves else "unsupported",
    }


OPERATIONS: Mapping[str, Handler] = {"DescribeInstanceTypes": describe_instance_types}
