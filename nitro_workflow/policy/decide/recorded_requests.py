"""CloudTrail's record of a KMS call as a request, to ask why it was denied.

Source: docs/reference/formats.md, What KMS answers; the KMS guide's ct-nitro-enclave page.
PCRs are base64 of the raw bytes there.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from nitro_workflow.errors import PolicyError
from nitro_workflow.policy.decide.request import Request, RequestContext
from nitro_workflow.policy.language import Principal

__all__ = ["cloudtrail_records", "record_requests", "requests_from_cloudtrail"]

MAX_LEVELS = 4  # a list of events, each with its record as text

_PCR = re.compile(r"attestationDocument(Enclave|NitroTPM)PCR([0-9]{1,2})")
_IMAGE = "attestationDocumentEnclaveImageDigest"
_ON_RESOURCE = re.compile(r"on resource: (arn:\S+)")
_USER = re.compile(r"User: (arn:\S+)")


def requests_from_cloudtrail(value: Any) -> tuple[Request, ...]:
    """Return the requests that CloudTrail recorded.

    Takes one record, ``{"Records": […]}`` of a log file, ``{"Events": […]}`` of LookupEvents, or
    one such event. A ReEncrypt is two requests: from one key, to another.

    Raises `PolicyError` for what is none of these, and for a record that names no caller or key.
    """
    records = cloudtrail_records(value)
    return tuple(request for record in records for request in record_requests(record))


def cloudtrail_records(value: Any) -> tuple[Mapping[str, Any], ...]:
    """Return the records in a value of the forms that `requests_from_cloudtrail` takes.

    Raises `PolicyError` where there is none.
    """
    records = tuple(_records(value, 0))
    if not records:
        raise PolicyError("no record", expected="a CloudTrail record", where="CloudTrail")
    return records


def record_requests(record: Mapping[str, Any]) -> tuple[Request, ...]:
    """Return the requests of one record; raises `PolicyError` where caller or key is not told."""
    return tuple(_requests(record))


def _records(value: Any, level: int) -> Iterator[Mapping[str, Any]]:
    if level > MAX_LEVELS:
        raise PolicyError(
            "records within records", expected="a CloudTrail record", where="CloudTrail"
        )
    if not isinstance(value, Mapping):
        raise PolicyError(
            type(value).__name__, expected="a CloudTrail record (an object)", where="CloudTrail"
        )
    for name in ("Records", "Events"):
        if isinstance(value.get(name), list):
            for entry in value[name]:
                yield from _records(entry, level + 1)
            return
    inner = value.get("CloudTrailEvent")
    if isinstance(inner, str):
        try:
            yield from _records(json.loads(inner), level + 1)
        except (ValueError, RecursionError) as error:
            raise PolicyError(str(error), expected="JSON", where="CloudTrailEvent") from None
        return
    yield value


def _requests(record: Mapping[str, Any]) -> Iterator[Request]:
    service = str(record.get("eventSource", "")).partition(".")[0]
    operation = str(record.get("eventName", ""))
    if not service or not operation:
        raise PolicyError(
            "no eventSource or no eventName", expected="a CloudTrail record", where="CloudTrail"
        )
    names = ("ReEncryptFrom", "ReEncryptTo") if operation == "ReEncrypt" else (operation,)
    principal, context = _caller(record), _context(record)
    for name, resource in zip(names, _resources(record, len(names)), strict=True):
        yield Request(principal, f"{service}:{name}", resource, context=context)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _caller(record: Mapping[str, Any]) -> Principal:
    identity = _mapping(record.get("userIdentity"))
    issuer = _mapping(_mapping(identity.get("sessionContext")).get("sessionIssuer"))
    said = _USER.search(str(record.get("errorMessage", "")))
    text = identity.get("arn") or identity.get("invokedBy") or (said.group(1) if said else "")
    if not text and identity.get("accountId"):
        text = f"arn:aws:iam::{identity['accountId']}:root"
    if not text:
        raise PolicyError("no userIdentity.arn", expected="the caller", where="CloudTrail")
    role = issuer.get("arn") if issuer.get("type") == "Role" else None
    return Principal.parse(str(text), role_arn=str(role) if role else None)


def _resources(record: Mapping[str, Any], wanted: int) -> tuple[str, ...]:
    named = record.get("resources")
    listed = named if isinstance(named, list) else []
    arns = [str(e.get("ARN") or e.get("arn") or "") for e in listed if isinstance(e, Mapping)]
    arns = [arn for arn in arns if arn]
    said = _ON_RESOURCE.search(str(record.get("errorMessage", "")))
    if not arns and said:
        arns = [said.group(1).rstrip(".,")]
    key = _mapping(record.get("requestParameters")).get("keyId")
    if not arns and isinstance(key, str) and key.startswith("arn:"):
        arns = [key]
    if not arns:
        raise PolicyError(
            "no resource", expected="the ARN of the key in `resources`", where="CloudTrail",
            next="ask with --request and name the key there",
        )  # fmt: skip
    return tuple((arns * wanted)[:wanted]) if len(arns) < wanted else tuple(arns[:wanted])


def _context(record: Mapping[str, Any]) -> RequestContext:
    values: dict[str, Any] = {"aws:SecureTransport": "true"}
    names = {"eventTime": "aws:CurrentTime", "userAgent": "aws:UserAgent",
             "awsRegion": "aws:RequestedRegion", "vpcEndpointId": "aws:SourceVpce"}  # fmt: skip
    values |= {key: str(record[name]) for name, key in names.items() if record.get(name)}
    source = str(record.get("sourceIPAddress", ""))
    if _is_address(source):
        values["aws:SourceIp"] = source
    elif source.endswith(".amazonaws.com"):
        region = record.get("awsRegion", "")
        values["kms:ViaService"] = f"{source.partition('.')[0]}.{region}.amazonaws.com"
    parameters = _mapping(record.get("requestParameters"))
    pairs = _mapping(parameters.get("encryptionContext"))
    values |= {f"kms:EncryptionContext:{key}": str(value) for key, value in pairs.items()}
    if pairs:
        values["kms:EncryptionContextKeys"] = [str(key) for key in pairs]
    if isinstance(parameters.get("encryptionAlgorithm"), str):
        values["kms:EncryptionAlgorithm"] = parameters["encryptionAlgorithm"]
    values |= _pcrs(_mapping(_mapping(record.get("additionalEventData")).get("recipient")))
    return RequestContext.what_if(values)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _pcrs(recipient: Mapping[str, Any]) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, encoded in recipient.items():
        found = _PCR.fullmatch(name)
        if name == _IMAGE:
            digest = _hex(name, encoded)
            values["kms:RecipientAttestation:ImageSha384"] = digest
            values["kms:RecipientAttestation:PCR0"] = digest
        elif found:
            prefix = "NitroTPM" if found.group(1) == "NitroTPM" else ""
            key = f"kms:RecipientAttestation:{prefix}PCR{int(found.group(2))}"
            values[key] = _hex(name, encoded)
    return values


def _hex(name: str, encoded: Any) -> str:
    try:
        return base64.b64decode(str(encoded), validate=True).hex()
    except (binascii.Error, ValueError):
        raise PolicyError(
            f"{encoded!r}", expected="base64 of a PCR", where=f"CloudTrail, recipient.{name}"
        ) from None
