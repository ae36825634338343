"""The REST-XML protocol (S3): routes, labels, query, headers, XML bodies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree as ET

from nitro_workflow.cloud.local.call import ServiceFault
from nitro_workflow.cloud.local.protocol.http_messages import RawRequest, decode_uri
from nitro_workflow.cloud.local.protocol.scalars import read_scalar

__all__ = ["match_route", "parse_rest", "split_address"]

# Tags of one document: 10,000 parts of an upload with four elements each have fewer.
_MAX_TAGS = 120_000
# Query names that say nothing about the operation: SDKs add x-id, presigned URLs the X-Amz-*.
_NEUTRAL = frozenset({"x-id"})
_FORM = "multipart/form-data"
# RFC 9110 §13.1.3, §13.1.4: of these, what is no date is ignored.
_CONDITIONAL_DATES = frozenset({"If-Modified-Since", "If-Unmodified-Since"})


@dataclass(frozen=True, slots=True)
class _Route:
    operation: str
    method: str
    has_bucket: bool
    has_key: bool
    literals: frozenset[tuple[str, str]]
    required_query: frozenset[str]
    required_headers: frozenset[str]

    def fits(self, request: RawRequest, bucket: str, key: str) -> bool:
        query = request.query_values
        return (
            self.method == request.method
            and self.has_bucket == bool(bucket)
            and self.has_key == bool(key)
            and all(name in query and query[name] == value for name, value in self.literals)
            and self.required_query <= query.keys()
            and self.required_headers <= request.headers.keys()
        )

    @property
    def weight(self) -> tuple[int, int]:
        return len(self.literals), len(self.required_query) + len(self.required_headers)


# S3 User Guide, "Virtual hosting of buckets": the bucket stands before the endpoint's name.
_VIRTUAL_HOST = re.compile(
    r"(?P<bucket>(?!s3\.)[a-z0-9][a-z0-9.-]{1,61}?[a-z0-9])\."
    r"((s3\.)?localhost|s3([.-][a-z]{2}-[a-z]+-[0-9]+)?\.(amazonaws\.com|nitro-lab\.internal))"
    r"(:[0-9]+)?",
    re.ASCII,
)


def split_address(request: RawRequest) -> tuple[str, str]:
    """Return bucket and key (decoded) of a path-style or a virtual-hosted address.

    Raises `ServiceFault`: InvalidURI.
    """
    hosted = _VIRTUAL_HOST.fullmatch(request.headers.get("host", "").lower())
    if hosted:
        return hosted["bucket"], decode_uri(request.path.removeprefix("/"))
    bucket, _, key = request.path.lstrip("/").partition("/")
    return decode_uri(bucket), decode_uri(key)


def match_route(model: Any, request: RawRequest) -> str:
    """Return the operation whose route says most about the request.

    Raises `ServiceFault`: no operation has this method and path.
    """
    bucket, key = split_address(request)
    if request.method == "POST" and request.headers.get("content-type", "").startswith(_FORM):
        text = "This cloud does not do POST Object (an upload by a browser's form)."
        raise ServiceFault("NotImplemented", text, 501)
    fitting = [route for route in _routes(model) if route.fits(request, bucket, key)]
    if not fitting:
        raise ServiceFault(
            "MethodNotAllowed", "The specified method is not allowed against this resource.", 405
        )
    return max(fitting, key=lambda route: route.weight).operation


@lru_cache(maxsize=4)
def _routes(model: Any) -> tuple[_Route, ...]:
    # Four operations of 2006 have the routes of those that took their place.
    operations = [model.operation_model(name) for name in sorted(model.operation_names)]
    return tuple(_route(operation) for operation in operations if not operation.deprecated)


def _route(operation: Any) -> _Route:
    path, _, query = operation.http["requestUri"].partition("?")
    literals = [part.partition("=") for part in query.split("&") if part]
    shape = operation.input_shape
    required = [shape.members[n] for n in shape.required_members] if shape else []
    placed = [(m.serialization.get("location"), m.serialization.get("name", "")) for m in required]
    return _Route(
        operation=operation.name,
        method=operation.http["method"],
        has_bucket="{Bucket}" in path,
        has_key="{Key+}" in path,
        literals=frozenset((n, v) for n, _, v in literals if n not in _NEUTRAL),
        required_query=frozenset(n for where, n in placed if where == "querystring"),
        required_headers=frozenset(n.lower() for where, n in placed if where == "header"),
    )


def parse_rest(shape: Any, request: RawRequest) -> dict[str, Any]:
    """Return the input structure.

    Raises `ServiceFault`: MalformedXML, or a header or query value of another type.
    """
    bucket, key = split_address(request)
    labels = {"Bucket": bucket, "Key": key}
    params: dict[str, Any] = {}
    try:
        for name, member in shape.members.items():
            value = _located(member, request, labels)
            if value is not None:
                params[name] = value
        params.update(_body(shape, request.body))
    except (ValueError, TypeError) as error:
        raise ServiceFault("InvalidArgument", f"A parameter is not valid: {error}") from None
    return params


def _located(member: Any, request: RawRequest, labels: Mapping[str, str]) -> Any:
    location = member.serialization.get("location")
    name = member.serialization.get("name", "")
    if location == "uri":
        return labels[name]
    if location == "headers":
        prefix = name.lower()
        pairs = request.headers.items()
        return {k[len(prefix) :]: v for k, v in pairs if k.startswith(prefix)} or None
    if location == "querystring":
        text = request.query_values.get(name)
    elif location == "header":
        text = request.headers.get(name.lower())
    else:
        return None
    if text is None:
        return None
    if not (location == "querystring" and name in _NAMES_OF_KEYS):
        _check_printable(text)
    if name in _CONDITIONAL_DATES:
        return _date_or_none(member, text)
    if member.type_name == "list":
        return [_read(member.member, part.strip()) for part in text.split(",")]
    return _read(member, text)


def _date_or_none(member: Any, text: str) -> Any:
    try:
        return read_scalar(member, text)
    except ValueError:
        return None


# Members of a query that name keys, or parts of keys, in which any character may stand.
_NAMES_OF_KEYS = frozenset(
    {"continuation-token", "delimiter", "key-marker", "marker", "prefix", "start-after"}
)


def _check_printable(text: str) -> None:
    """Refuse what no header of an answer can carry: it is echoed, once all is done."""
    if any(ord(letter) < 0x20 or 0x7F <= ord(letter) < 0xA0 for letter in text):
        raise ValueError("control characters")


def _read(shape: Any, text: str) -> Any:
    """Return a value of a header or the query; S3 reads its enumerations in any case there."""
    for spelled in shape.metadata.get("enum", ()):
        if text.lower() == spelled.lower():
            return spelled
    return read_scalar(shape, text)


def _body(shape: Any, body: bytes) -> dict[str, Any]:
    payload = shape.serialization.get("payload")
    if payload is not None:
        member = shape.members[payload]
        if member.type_name == "blob":
            return {}
        if member.type_name == "string":
            return {payload: _utf8(body)} if body else {}
        return {payload: _xml(member, _parse_xml(body))} if body else {}
    inside = [m for m in shape.members.values() if "location" not in m.serialization]
    return _structure(shape, _parse_xml(body)) if inside and body else {}


def _parse_xml(body: bytes) -> ET.Element:
    # S3's XML is UTF-8, whatever encoding it declares. A DOCTYPE may declare entities that expand
    # without end; S3 knows none.
    text = _utf8(body)
    if "<!DOCTYPE" in text or "<!ENTITY" in text or text.count("<") > _MAX_TAGS:
        raise _malformed()
    try:
        return ET.fromstring(text)  # noqa: S314 - see above
    except ET.ParseError:
        raise _malformed() from None


def _utf8(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise _malformed() from None


def _malformed() -> ServiceFault:
    return ServiceFault(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _xml(shape: Any, element: ET.Element) -> Any:
    if shape.type_name == "structure":
        return _structure(shape, element)
    if shape.type_name == "list":
        return [_xml(shape.member, child) for child in element]
    text = element.text or ""
    return read_scalar(shape, text if shape.type_name == "string" else text.strip())


def _structure(shape: Any, element: ET.Element) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, member in shape.members.items():
        if "location" in member.serialization:
            continue
        flattened = member.type_name == "list" and member.serialization.get("flattened")
        wire = member.serialization.get("name", name)
        if flattened:
            wire = member.member.serialization.get("name", wire)
        children = [child for child in element if _local(child) == wire]
        if children:
            found[name] = (
                [_xml(member.member, c) for c in children]
                if flattened
                else _xml(member, children[0])
            )
    return found
