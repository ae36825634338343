"""Requests into operations and parameters, by the model's input shapes."""

from __future__ import annotations

import json
from typing import Any

from nitro_workflow.cloud.local.call import ServiceFault
from nitro_workflow.cloud.local.protocol.forms import parse_form, read_form
from nitro_workflow.cloud.local.protocol.http_messages import RawRequest
from nitro_workflow.cloud.local.protocol.models import protocol_of
from nitro_workflow.cloud.local.protocol.rest import match_route, parse_rest
from nitro_workflow.cloud.local.protocol.scalars import read_scalar, read_text
from nitro_workflow.cloud.local.protocol.validate import check_constraints

__all__ = ["find_operation", "read_request"]

_SHOWN = 64  # characters of a name that is none; the longest operation's has 50


def find_operation(model: Any, request: RawRequest) -> str:
    """Return the operation that the request names.

    Raises `ServiceFault`: the model has no such operation.
    """
    protocol = protocol_of(model)
    if protocol == "rest-xml":
        return match_route(model, request)
    if protocol == "json":
        prefix, _, name = request.headers.get("x-amz-target", "").rpartition(".")
        known = prefix == model.metadata["targetPrefix"] and name in model.operation_names
    else:
        name = parse_form(request).get("Action", "")
        known = name in model.operation_names
    if not known:
        code = "UnknownOperationException" if protocol == "json" else "InvalidAction"
        raise ServiceFault(code, f"The action {name[:_SHOWN]!r} is not valid for this endpoint.")
    return name


def read_request(model: Any, operation: str, request: RawRequest) -> dict[str, Any]:
    """Return the parameters of the input shape; constraints of the model are checked.

    Raises `ServiceFault`: a body that is not of this protocol, or a value that breaks its shape.
    """
    shape = model.operation_model(operation).input_shape
    if shape is None:
        return {}
    protocol = protocol_of(model)
    if protocol == "json":
        params = _parse_json(shape, request.body)
    elif protocol == "rest-xml":
        params = parse_rest(shape, request)
    else:
        params = read_form(shape, parse_form(request), ec2=protocol == "ec2")
    check_constraints(shape, params, protocol)
    return params


def _parse_json(shape: Any, body: bytes) -> dict[str, Any]:
    try:
        # AWS's JSON is UTF-8 alone; `json` itself would take UTF-16 and UTF-32.
        document = json.loads(body.decode() or "{}", parse_constant=_refuse_constant)
        return dict(_json_value(shape, document))
    except (ValueError, TypeError, RecursionError) as error:
        raise ServiceFault("SerializationException", f"The request is not valid: {error}") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")


def _json_value(shape: Any, value: Any) -> Any:
    """Return `value` as the shape types it; members the model does not know are dropped."""
    if shape.type_name == "structure":
        _expect(value, dict)
        members = shape.members
        return {
            name: _json_value(members[name], item)
            for name, item in value.items()
            if name in members and item is not None
        }
    if shape.type_name == "list":
        _expect(value, list)
        return [_json_value(shape.member, item) for item in value]
    if shape.type_name == "map":
        _expect(value, dict)
        return {read_text(key): _json_value(shape.value, item) for key, item in value.items()}
    if shape.type_name in _NO_TEXT:
        _expect_no_text(value)
    return read_scalar(shape, value)


# JSON has numbers and truth values of its own: what is quoted is none of them.
_NO_TEXT = frozenset({"boolean", "double", "float", "integer", "long"})


def _expect_no_text(value: Any) -> None:
    if isinstance(value, str):
        raise TypeError("STRING_VALUE can not be converted to a number or a boolean")


def _expect(value: Any, kind: type) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{type(value).__name__} can not be converted to {kind.__name__}")
