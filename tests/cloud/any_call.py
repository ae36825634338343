"""Calls of every operation with every member odd, made from botocore's models.

One member of a call is odd, the others are as plain as the model allows. What is odd is drawn from
fixed lists with a seed: the same seed makes the same calls.
"""

from __future__ import annotations

import json
import random
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from nitro_workflow.cloud.local.catalogue import SERVICES
from nitro_workflow.cloud.local.protocol import load_model

TEXTS = (
    "", " ", "\x00", "a\x00b", "\ud800", "\u202ex", "\ufeff", "\r\nX: y", "\x1b]0;t\x07", "²", "٣",
    "-1", "0", "NaN", "null", "9" * 5_000, "x" * 5_000, str(2**64), "../../etc", "*", "<x>", "%00",
    "{}", "[", "a/b", "arn:::::", "arn:aws:kms:us-east-1:111122223333:key/\ud800", "alias/\ud800",
    "2026-13-45", "true²", "é" * 300, "\uffff",
)  # fmt: skip
VALUES = (
    None, True, [], {}, -1, 0, 1.5, 2**31, 2**63, 10**30, 1e308, "x", [None], {"a": None},
    [[]] * 50, {"\ud800": "x"}, ["x"] * 3_000, "9" * 5_000, "ab" * 50_000,
)  # fmt: skip
BODIES = (
    b"", b"\xff\xfe", b"{", b"[" * 20_000, b"null", b'"x"', b"\x00", b"NaN", b"<" * 500,
    b"<a>" * 5_000, b'<?xml version="1.0" encoding="utf-7"?><a/>', b"a" + b".a" * 20_000 + b"=x",
    b"&".join(b"a%d=b" % n for n in range(2_500)), b"Action=%ff", b'{"a":1e400}', b"\xef\xbb\xbf{}",
    b"<Delete><Object><Key>&#xd800;</Key></Object></Delete>", b"<!DOCTYPE a []><a/>",
)  # fmt: skip
VERSIONS = {"iam": "2010-05-08", "sts": "2011-06-15", "ec2": "2016-11-15"}


@dataclass(frozen=True, slots=True)
class AnyCall:
    """One request before it is signed; `what` names the operation and the odd member."""

    service: str
    operation: str
    what: str
    method: str = "POST"
    url: str = "/"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def any_calls(seed: int, each: int) -> Iterator[AnyCall]:
    """Yield calls of all operations there are, `each` odd values a member."""
    draw = random.Random(seed)
    for service in sorted(SERVICES):
        model = load_model(service)
        for name in sorted(model.operation_names):
            known = name in SERVICES[service].operations
            yield from _calls(service, model.operation_model(name), draw, each if known else 0)


def _calls(service: str, operation: Any, draw: random.Random, each: int) -> Iterator[AnyCall]:
    make = {"json": _json, "rest-xml": _rest}.get(SERVICES[service].protocol, _form)
    shape = operation.input_shape
    base = plain(shape) if shape is not None else {}
    yield make(service, operation, "plain", base, None)
    if each:
        for body in draw.sample(BODIES, min(len(BODIES), 2 * each)):
            yield make(service, operation, f"body {body[:16]!r}", base, body)
    for path in list(paths(shape))[:80] if shape is not None and each else ():
        for _ in range(each):
            odd = draw.choice(TEXTS if draw.random() < 0.6 else VALUES)
            changed = put(base, path, odd)
            yield make(service, operation, f"{'.'.join(map(str, path))} {odd!r:.24}", changed, None)


def plain(shape: Any, name: str = "", depth: int = 0) -> Any:
    """Return the plainest value of a shape."""
    kind = shape.type_name
    if kind == "structure":
        required = shape.required_members if depth < 5 else ()
        return {member: plain(shape.members[member], member, depth + 1) for member in required}
    if kind == "list":
        return [plain(shape.member, name, depth + 1)]
    if kind == "map":
        return {"a": plain(shape.value, "", depth + 1)}
    if shape.metadata.get("enum"):
        return shape.metadata["enum"][0]
    if "Policy" in name and kind == "string" and "Arn" not in name and "Name" not in name:
        return '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*"}]}'
    numbers = {"integer": 1, "long": 1, "float": 1.0, "double": 1.0, "timestamp": 1.0}
    texts = {"blob": b64encode(b"abcd" * 8).decode(), "boolean": False}
    return numbers.get(kind, texts.get(kind, "any-bucket" if name == "Bucket" else "abc"))


def paths(shape: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where a value can be odd: every member, the first item, a map's value."""
    if len(before) > 4:
        return
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield (*before, name)
            yield from paths(member, (*before, name))
    elif shape.type_name in ("list", "map"):
        step = 0 if shape.type_name == "list" else "a"
        yield (*before, step)
        inner = shape.member if step == 0 else shape.value
        yield from paths(inner, (*before, step))


def put(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    """Return a copy with the odd value at the path."""
    if not path:
        return odd
    if path[0] == 0:
        return [put(value[0] if isinstance(value, list) and value else {}, path[1:], odd)]
    old = value if isinstance(value, dict) else {}
    return {**old, path[0]: put(old.get(path[0], {}), path[1:], odd)}


def _json(service: str, operation: Any, what: str, params: Any, body: bytes | None) -> AnyCall:
    prefix = load_model(service).metadata["targetPrefix"]
    headers = {"X-Amz-Target": f"{prefix}.{operation.name}",
               "Content-Type": "application/x-amz-json-1.1"}  # fmt: skip
    content = json.dumps(params).encode() if body is None else body
    return AnyCall(service, operation.name, what, headers=headers, body=content)


def _form(service: str, operation: Any, what: str, params: Any, body: bytes | None) -> AnyCall:
    fields = {"Action": operation.name, "Version": VERSIONS[service]}
    if params:
        _flatten(operation.input_shape, params, "", service == "ec2", fields)
    text = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in fields.items())
    content = text.encode() + (b"&" + body if body else b"")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return AnyCall(service, operation.name, what, headers=headers, body=content)


def _flatten(shape: Any, value: Any, prefix: str, ec2: bool, fields: dict[str, str]) -> None:
    if (
        isinstance(value, dict)
        and shape.type_name == "structure"
        and value.keys() <= shape.members.keys()
    ):
        for name, item in value.items():
            member = shape.members[name]
            wire = member.serialization.get("name", name)
            wire = member.serialization.get(
                "queryName", wire[0].upper() + wire[1:] if ec2 else wire
            )
            _flatten(member, item, f"{prefix}.{wire}".lstrip("."), ec2, fields)
    elif isinstance(value, list) and shape.type_name == "list":
        for number, item in enumerate(value[:200], 1):
            step = number if ec2 else f"member.{number}"
            _flatten(shape.member, item, f"{prefix}.{step}", ec2, fields)
    else:
        fields[prefix] = value if isinstance(value, str) else json.dumps(value)


def _rest(service: str, operation: Any, what: str, params: Any, body: bytes | None) -> AnyCall:
    path, _, query = operation.http["requestUri"].partition("?")
    parts, headers = [query] if query else [], {}
    content = body or b""
    shape = operation.input_shape
    for name, value in params.items():
        member = shape.members[name]
        wire, text = member.serialization.get("name", name), _text(value)
        location = member.serialization.get("location")
        if location == "uri":
            path = path.replace(f"{{{wire}}}", _quoted(text) or "x")
            path = path.replace(f"{{{wire}+}}", _quoted(text) or "x")
        elif location == "querystring":
            parts.append(f"{_quoted(wire)}={_quoted(text)}")
        elif location in ("header", "headers"):
            headers[wire if location == "header" else wire + "a"] = _header(text)
        elif body is None:
            content = _xml(member, value, wire).encode("utf-8", "surrogatepass")
    url = path.replace("{Bucket}", "any-bucket").replace("{Key+}", "key")
    url = f"{url}?{'&'.join(parts)}" if parts else url
    return AnyCall(service, operation.name, what, operation.http["method"], url, headers, content)


def _xml(shape: Any, value: Any, name: str) -> str:
    if (
        isinstance(value, dict)
        and shape.type_name == "structure"
        and value.keys() <= shape.members.keys()
    ):
        inner = "".join(
            _xml(shape.members[k], v, shape.members[k].serialization.get("name", k))
            for k, v in value.items()
        )
    elif isinstance(value, list) and shape.type_name == "list":
        flat = shape.serialization.get("flattened")
        wire = name if flat else shape.member.serialization.get("name", "member")
        inner = "".join(_xml(shape.member, item, wire) for item in value)
        if flat:
            return inner
    else:
        inner = _text(value).replace("&", "&amp;").replace("<", "&lt;")
    return f"<{name}>{inner}</{name}>"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def _header(text: str) -> str:
    """Return what an HTTP server lets through to the application: no controls, bytes alone."""
    raw = text.encode("utf-8", "surrogatepass").decode("latin-1")
    return "".join(letter for letter in raw if ord(letter) >= 0x20).strip()[:8_000]
