"""Answers into bytes: results by the model's output shapes, faults in each protocol's own form."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from nitro_workflow.cloud.local.call import ServiceFault
from nitro_workflow.cloud.local.protocol.http_messages import FileSlice, RawResponse
from nitro_workflow.cloud.local.protocol.models import protocol_of
from nitro_workflow.cloud.local.protocol.scalars import write_text

__all__ = ["write_fault", "write_result"]

_JSON = "application/x-amz-json-1.1"
_XML = "text/xml;charset=UTF-8"
# A parser reads a CR that stands for itself as LF (XML 1.0 §2.11); what no XML 1.0 document can
# hold (§2.2) is shown as the character that stands for what can not be shown.
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
_MARKUP = re.compile("[&<>\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_S3_SPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_CONTROLS = re.compile("[\x00-\x1f\x7f]")
_PROLOGUE = '<?xml version="1.0" encoding="UTF-8"?>\n'


def write_result(
    model: Any, operation: str, result: Mapping[str, Any], request_id: str
) -> RawResponse:
    """Return the response of a handler's result (the output shape's members)."""
    shape = model.operation_model(operation).output_shape
    protocol = protocol_of(model)
    if protocol == "json":
        body = b"" if shape is None else json.dumps(_json(shape, result)).encode()
        return RawResponse(200, {"content-type": _JSON, "x-amzn-requestid": request_id}, body)
    if protocol == "rest-xml":
        return _rest(shape, result, request_id)
    inner = "" if shape is None else "".join(_members(shape, result))
    space = model.metadata["xmlNamespace"]
    if protocol == "ec2":
        content = f"<requestId>{request_id}</requestId>{inner}"
    else:
        wrapper = shape.serialization.get("resultWrapper", "") if shape is not None else ""
        content = f"<{wrapper}>{inner}</{wrapper}>" if wrapper else inner
        content += f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
    text = f'{_PROLOGUE}<{operation}Response xmlns="{space}">{content}</{operation}Response>'
    return RawResponse(200, {"content-type": _XML, "x-amzn-requestid": request_id}, text.encode())


def write_fault(protocol: str, fault: ServiceFault, request_id: str) -> RawResponse:
    """Return the response of a fault, in the words of the protocol."""
    headers = {"content-type": _XML, "x-amzn-requestid": request_id}
    code, message = escape(fault.code), escape(fault.message)
    if protocol == "json":
        document = {"__type": fault.code, "message": fault.message, **fault.members}
        headers["content-type"] = _JSON
        return RawResponse(fault.status, headers, json.dumps(document).encode())
    if protocol == "ec2":
        inner = f"<Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
        text = f"<Response>{inner}<RequestID>{request_id}</RequestID></Response>"
    elif protocol == "rest-xml":
        named = {"x-amz-request-id": request_id, **fault.headers}
        if fault.status == 304:
            return RawResponse(304, named)  # RFC 9110 §15.4.5: no content, nothing said of it
        further = "".join(f"<{k}>{escape(str(v))}</{k}>" for k, v in fault.members.items())
        text = (
            f"<Error><Code>{code}</Code><Message>{message}</Message>{further}"
            f"<RequestId>{request_id}</RequestId><HostId>nitro-lab</HostId></Error>"
        )
        headers = {"content-type": "application/xml", **named}
        if "Region" in fault.members:  # HEAD has no body: SDKs look for a bucket's region here
            headers["x-amz-bucket-region"] = fault.members["Region"]
    else:
        kind = "Sender" if fault.status < 500 else "Receiver"
        inner = f"<Type>{kind}</Type><Code>{code}</Code><Message>{message}</Message>"
        identity = f"<RequestId>{request_id}</RequestId>"
        text = f"<ErrorResponse><Error>{inner}</Error>{identity}</ErrorResponse>"
    return RawResponse(fault.status, headers, (_PROLOGUE + text).encode())


def escape(text: str) -> str:
    """Return text for the inside of an element, well-formed whatever it holds."""
    return _MARKUP.sub(lambda found: _ESCAPES.get(found[0], "\ufffd"), text)


def _json(shape: Any, value: Any) -> Any:
    kind = shape.type_name
    if kind == "structure":
        members = shape.members
        return {n: _json(members[n], item) for n, item in value.items() if item is not None}
    if kind == "list":
        return [_json(shape.member, item) for item in value]
    if kind == "map":
        return {key: _json(shape.value, item) for key, item in value.items()}
    if kind == "blob":
        return base64.b64encode(value).decode()
    if kind == "timestamp":
        return value.timestamp() if isinstance(value, datetime) else value
    return value


def _rest(shape: Any, result: Mapping[str, Any], request_id: str) -> RawResponse:
    headers = {"x-amz-request-id": request_id, "x-amz-id-2": "nitro-lab"}
    # A handler says 204 or 206 in its own words; the model has no member for it.
    status = int(result.get("__status__", 200))
    body: bytes | FileSlice = b""
    if shape is not None:
        headers.update(_headers(shape, result))
        body = _rest_body(shape, result)
    if isinstance(body, bytes) and body and "content-type" not in headers:
        headers["content-type"] = "application/xml"
    return RawResponse(status, headers, body)


def _headers(shape: Any, result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, member in shape.members.items():
        value = result.get(name)
        location = member.serialization.get("location")
        if value is None or location is None:
            continue
        wire = member.serialization["name"].lower()
        if location == "headers":
            yield from ((wire + key, _in_metadata(text)) for key, text in value.items())
        elif location == "header":
            yield wire, _in_header(write_text(member, value, "rfc822"))


def _in_header(text: str) -> str:
    """Return text that cannot end its header: what is kept may have come by another door."""
    return _CONTROLS.sub(" ", text)


def _in_metadata(text: str) -> str:
    """Return a value of metadata for its header: RFC 2047 where it is not US-ASCII.

    S3 takes the bytes of a header for Latin-1 (User Guide, "User-defined object metadata").
    """
    if text.isascii():
        return _in_header(text)
    return f"=?UTF-8?B?{base64.b64encode(text.encode()).decode()}?="


def _rest_body(shape: Any, result: Mapping[str, Any]) -> bytes | FileSlice:
    payload = shape.serialization.get("payload")
    if payload is not None:
        value, member = result.get(payload), shape.members[payload]
        if value is None or isinstance(value, bytes | FileSlice):
            return value or b""
        if member.type_name == "string":
            return str(value).encode()
        shape, result = member, value
        name = member.serialization.get("name", payload)
    else:
        inside = [n for n, m in shape.members.items() if "location" not in m.serialization]
        if not inside:
            return b""
        name = shape.name.removesuffix("Output") + "Result"
    name = _ROOTS.get(name, name)
    if name in _UNWRAPPED:
        return (_PROLOGUE + "".join(_unwrapped(shape, result))).encode()
    inner = "".join(_members(shape, result))
    return f'{_PROLOGUE}<{name} xmlns="{_S3_SPACE}">{inner}</{name}>'.encode()


# Root elements that S3 names otherwise than its output shapes.
_ROOTS = {
    "ListObjectsV2Result": "ListBucketResult",
    "ListObjectsResult": "ListBucketResult",
    "ListObjectVersionsResult": "ListVersionsResult",
    "ListBucketsResult": "ListAllMyBucketsResult",
    "CreateMultipartUploadResult": "InitiateMultipartUploadResult",
    "GetBucketVersioningResult": "VersioningConfiguration",
    "DeleteObjectsResult": "DeleteResult",
    "GetBucketAccelerateConfigurationResult": "AccelerateConfiguration",
    "GetBucketAclResult": "AccessControlPolicy",
    "GetBucketLoggingResult": "BucketLoggingStatus",
    "NotificationConfigurationResult": "NotificationConfiguration",
    "GetBucketRequestPaymentResult": "RequestPaymentConfiguration",
    "GetBucketTaggingResult": "Tagging",
    "GetObjectAclResult": "AccessControlPolicy",
    "GetObjectAttributesResult": "GetObjectAttributesResponse",
    "GetObjectTaggingResult": "Tagging",
}


# Operations whose one member is the root element itself (Smithy: ``s3UnwrappedXmlOutput``).
_UNWRAPPED = frozenset({"GetBucketLocationResult"})


def _unwrapped(shape: Any, value: Mapping[str, Any]) -> Iterator[str]:
    for name, member in shape.members.items():
        yield f'<{name} xmlns="{_S3_SPACE}">{escape(write_text(member, value[name]))}</{name}>'


def _members(shape: Any, value: Mapping[str, Any]) -> Iterator[str]:
    for name, member in shape.members.items():
        item, serialization = value.get(name), member.serialization
        inside = "location" not in serialization and not serialization.get("xmlAttribute")
        if item is not None and inside:
            yield from _element(member, item, member.serialization.get("name", name))


def _element(shape: Any, value: Any, name: str) -> Iterator[str]:
    kind = shape.type_name
    if kind == "list" and shape.serialization.get("flattened"):
        wire = shape.member.serialization.get("name", name)
        for item in value:
            yield from _element(shape.member, item, wire)
        return
    attributes = "".join(_attributes(shape, value)) if kind == "structure" else ""
    yield f"<{name}{attributes}>"
    if kind == "structure":
        yield from _members(shape, value)
    elif kind == "list":
        wire = shape.member.serialization.get("name", "member")
        for item in value:
            yield from _element(shape.member, item, wire)
    elif kind == "map":
        yield from _entries(shape, value)
    else:
        yield escape(write_text(shape, value))
    yield f"</{name}>"


def _attributes(shape: Any, value: Mapping[str, Any]) -> Iterator[str]:
    """Yield a structure's XML attributes: the type of an ACL's grantee (``xsi:type``)."""
    space = shape.serialization.get("xmlNamespace", {})
    if isinstance(space, Mapping) and "prefix" in space:
        yield f' xmlns:{space["prefix"]}="{space["uri"]}"'
    for name, member in shape.members.items():
        if member.serialization.get("xmlAttribute") and name in value:
            text = escape(str(value[name])).replace('"', "&quot;")
            yield f' {member.serialization["name"]}="{text}"'


def _entries(shape: Any, value: Mapping[str, Any]) -> Iterator[str]:
    key = shape.key.serialization.get("name", "key")
    wire = shape.value.serialization.get("name", "value")
    for name, item in value.items():
        yield f"<entry><{key}>{escape(name)}</{key}>"
        yield from _element(shape.value, item, wire)
        yield "</entry>"
