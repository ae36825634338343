"""The objects that nitro-cli prints for an enclave. [src: nitro-cli src/common/json_output.rs]."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nitro_workflow.host.control.enclave_machines import Enclave

__all__ = ["described", "started"]


def started(enclave: Enclave) -> dict[str, Any]:
    """Return run-enclave's object."""
    plan = enclave.plan
    return {
        "EnclaveName": plan.name,
        "EnclaveID": plan.enclave_id,
        "ProcessID": enclave.pid,
        "EnclaveCID": plan.cid,
        "NumberOfCPUs": len(plan.cpus),
        "CPUIDs": list(plan.cpus),
        "MemoryMiB": plan.memory_mib,
    }


def described(enclave: Enclave, *, metadata: bool) -> dict[str, Any]:
    """Return nitro-cli's object: its Measurements are the file's, also for a debug enclave."""
    body = {
        **started(enclave),
        "State": enclave.state,
        "Flags": "DEBUG_MODE" if enclave.plan.debug else "NONE",
    }
    if enclave.measured is None:
        return body
    body["Measurements"] = enclave.measured.measurements.to_json()
    details = enclave.measured.metadata or {}
    names = {"ImageName": "ImageName", "ImageVersion": "ImageVersion"}
    body.update({key: details[name] for key, name in names.items() if name in details})
    if metadata:
        body["Metadata"] = {
            **_mapping(details, "BuildMetadata"),
            **_mapping(details, "CustomMetadata"),
        }
        body["Metadata"]["DockerInfo"] = details.get("DockerInfo")
    return body


def _mapping(details: Mapping[str, object], key: str) -> dict[str, Any]:
    value = details.get(key)
    return dict(value) if isinstance(value, dict) else {}
