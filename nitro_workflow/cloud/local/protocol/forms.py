"""The query and EC2 protocols: nested parameters in a form (``Tags.member.1.Key=…``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from nitro_workflow.cloud.local import budgets
from nitro_workflow.cloud.local.call import ServiceFault
from nitro_workflow.cloud.local.protocol.http_messages import RawRequest
from nitro_workflow.cloud.local.protocol.page_token import read_decimal
from nitro_workflow.cloud.local.protocol.scalars import read_scalar

__all__ = ["parse_form", "read_form"]

# Names of a form nest: EC2's deepest has eight parts. A name of thousands would make as many
# dictionaries.
_MAX_PARTS = 16
# EC2's model states no lengths. Its longest text is UserData: 16 KB, in base64.
_MAX_EC2_TEXT = 24 * budgets.KIB
# Items of a list are numbered from one; AWS's longest lists have 1,000.
_MAX_NUMBER = 10_000


def parse_form(request: RawRequest) -> dict[str, str]:
    """Return the fields of the body (POST) or of the query (GET, presigned).

    Raises `ServiceFault`: not a form, or one with too many fields.
    """
    try:
        text = request.query if request.method == "GET" else request.body.decode()
        pairs = parse_qsl(
            text, keep_blank_values=True, errors="strict", max_num_fields=budgets.FIELDS
        )
    except ValueError as error:
        kind = "text that is not UTF-8" if isinstance(error, UnicodeError) else str(error)
        raise ServiceFault("MalformedQueryString", f"The form has {kind}.", 400) from None
    if any(name.count(".") >= _MAX_PARTS for name, _ in pairs):
        raise ServiceFault("MalformedQueryString", "A name of the form has too many parts.", 400)
    return dict(pairs)


def read_form(shape: Any, form: Mapping[str, str], *, ec2: bool) -> dict[str, Any]:
    """Return the input structure of the form.

    Raises `ServiceFault`: a field that does not hold what its shape says.
    """
    root = _tree(form)
    try:
        value = _value(shape, root, ec2)
    except (ValueError, TypeError, AttributeError) as error:
        code = "InvalidParameterValue" if ec2 else "ValidationError"
        raise ServiceFault(code, f"A parameter is not valid: {error}") from None
    return dict(value)


def _tree(form: Mapping[str, str]) -> dict[str, Any]:
    """Turn dotted names into nested dictionaries; a leaf beside branches is kept under ""."""
    root: dict[str, Any] = {}
    for name, text in form.items():
        node = root
        for part in name.split("."):
            node = node.setdefault(part, {})
        node[""] = text
    return root


def _value(shape: Any, node: dict[str, Any], ec2: bool) -> Any:
    if shape.type_name == "structure":
        return _structure(shape, node, ec2)
    if shape.type_name == "list":
        items = node if ec2 or shape.serialization.get("flattened") else _inner(shape, node)
        return [_value(shape.member, item, ec2) for item in _numbered(items)]
    if shape.type_name == "map":
        entries = node if shape.serialization.get("flattened") else node.get("entry", {})
        return dict(_entry(shape, item, ec2) for item in _numbered(entries))
    if "" not in node:
        raise ValueError("a value was expected where there are further names")
    if ec2 and len(node[""]) > _MAX_EC2_TEXT:
        raise ValueError(f"a text of more than {_MAX_EC2_TEXT} characters")
    return read_scalar(shape, node[""])


def _entry(shape: Any, node: dict[str, Any], ec2: bool) -> tuple[str, Any]:
    key, value = _entry_names(shape)
    if key not in node or "" not in node[key] or value not in node:
        raise ValueError("an entry of a map has no name or no value")
    return node[key][""], _value(shape.value, node[value], ec2)


def _structure(shape: Any, node: dict[str, Any], ec2: bool) -> dict[str, Any]:
    found = {}
    for name, member in shape.members.items():
        wire = _ec2_name(name, member) if ec2 else _query_name(name, member)
        if wire in node:
            found[name] = _value(member, node[wire], ec2)
    return found


def _query_name(name: str, member: Any) -> str:
    # A flattened list is named by its member; no other list is (AWS query protocol).
    if member.type_name == "list" and member.serialization.get("flattened"):
        return str(member.member.serialization.get("name", name))
    return str(member.serialization.get("name", name))


def _ec2_name(name: str, member: Any) -> str:
    serialization = member.serialization
    if "queryName" in serialization:
        return str(serialization["queryName"])
    wire = str(serialization.get("name", name))
    return wire[0].upper() + wire[1:]


def _inner(shape: Any, node: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = node.get(shape.member.serialization.get("name", "member"), {})
    return found


def _entry_names(shape: Any) -> tuple[str, str]:
    return (
        shape.key.serialization.get("name", "key"),
        shape.value.serialization.get("name", "value"),
    )


def _numbered(node: dict[str, Any]) -> list[dict[str, Any]]:
    numbers = {name: read_decimal(name, most=_MAX_NUMBER) for name in node if name}
    if None in numbers.values():
        raise ValueError(f"the items of a list are numbered from 1 to {_MAX_NUMBER}")
    return [node[name] for name in sorted(numbers, key=lambda name: numbers[name] or 0)]
