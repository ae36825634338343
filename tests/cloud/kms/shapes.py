"""Every answer of the KMS, as it stands on the wire, against botocore's model."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from nitro_workflow.cloud.local.protocol import load_model

# What every operation may answer (KMS API Reference, "Common Errors"), and what no model lists.
COMMON = {
    "AccessDeniedException",
    "InvalidGrantTokenException",
    "NotAuthorizedException",
    "UnsupportedOperationException",
    "ValidationException",
}
# Statuses other than 400 (KMS API Reference). 501: a whole operation that the cloud does not do.
STATUS = {"DryRunOperationException": (412,), "UnsupportedOperationException": (400, 501)}
TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "timestamp": (int, float),
    "blob": str,
}


def check_answer(operation: str, status: int, body: bytes) -> None:
    """Hold one HTTP answer against the operation's output shape or error shapes."""
    model = load_model("kms").operation_model(operation)
    value = json.loads(body) if body else {}
    if status == 200:
        if model.output_shape is None:
            assert value == {}, operation
        else:
            check(model.output_shape, value, operation)
        return
    code = value["__type"].rpartition("#")[2]
    modelled = {shape.name for shape in model.error_shapes}
    assert code in modelled | COMMON, f"{operation} answered {code}, which KMS does not"
    assert status in STATUS.get(code, (400,)), f"{operation} answered {code} with {status}"


def check(shape: Any, value: Any, path: str) -> None:
    """Hold a JSON value against a shape: known members, required ones, types, limits."""
    if shape.type_name == "structure":
        assert isinstance(value, dict), path
        assert set(value) <= set(shape.members), f"{path}: {set(value) - set(shape.members)}"
        assert set(shape.required_members) <= set(value), path
        for name, member in value.items():
            check(shape.members[name], member, f"{path}.{name}")
    elif shape.type_name == "list":
        assert isinstance(value, list), path
        for index, member in enumerate(value):
            check(shape.member, member, f"{path}[{index}]")
    elif shape.type_name == "map":
        for name, member in value.items():
            check(shape.key, name, path)
            check(shape.value, member, f"{path}.{name}")
    else:
        assert isinstance(value, TYPES[shape.type_name]), f"{path}: {value!r}"
        size = len(base64.b64decode(value)) if shape.type_name == "blob" else _size(value)
        limits = shape.metadata
        assert limits.get("min", size) <= size <= limits.get("max", size), f"{path}: {size}"
        assert value in (getattr(shape, "enum", None) or [value]), f"{path}: {value!r}"


def _size(value: Any) -> float:
    return len(value) if isinstance(value, str) else value
