"""Files of questions: requests one a line, ListGrants' answer, measurements as tools print them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import PolicyError, UsageError
from nitro_workflow.policy.decide.kms_grants import Grant
from nitro_workflow.policy.decide.request import ATTESTATION_PREFIX, Request, RequestContext
from nitro_workflow.policy.language import read_json

if TYPE_CHECKING:
    from nitro_workflow.attestation import AttestationDocument

_IAM_ARN: Final = re.compile(r"arn:aws[\w-]*:iam::\d{12}:[\w+=,.@/:-]+", re.ASCII)

__all__ = ["check_arns", "parse_grants", "parse_measurements", "parse_requests", "with_document"]


def check_arns(given: Mapping[str, str | None]) -> None:
    """Raise `UsageError` for an option that is no ARN of IAM: KMS would refuse the policy."""
    for option, arn in given.items():
        if arn is not None and not _IAM_ARN.fullmatch(arn):
            raise UsageError(f"{option} {arn}", expected="arn:aws:iam::ACCOUNT:role/NAME")


def parse_requests(source: bytes, *, where: str = "request") -> list[Request]:
    """Read one request, a JSON list of requests, or one request a line.

    Raises `PolicyError` with the line of the text that is no request.
    """
    try:
        value = read_json(source, what=where)
    except PolicyError:
        lines = [(n, line) for n, line in enumerate(source.splitlines(), 1) if line.strip()]
        if len(lines) < 2 or not lines[0][1].strip().endswith(b"}"):
            raise
        value = [read_json(line, what=f"{where}, line {number}") for number, line in lines]
    return [Request.from_json(entry) for entry in (value if isinstance(value, list) else [value])]


def with_document(request: Request, document: AttestationDocument) -> Request:
    """Return the request with the PCRs of a document, which nobody verified, and no others."""
    context = request.context
    plain = {
        context.names[key]: values
        for key, values in context.values.items()
        if not key.startswith(ATTESTATION_PREFIX)
    }
    return replace(request, context=RequestContext.what_if(plain, document=document))


def parse_grants(source: bytes, *, where: str = "grants") -> tuple[Grant, ...]:
    """Read ListGrants' answer, a list of grants, or one grant.

    Raises `PolicyError` for what is none of these.
    """
    value = read_json(source, what=where)
    listed = value.get("Grants", [value]) if isinstance(value, Mapping) else value
    if not isinstance(listed, list) or not all(isinstance(entry, Mapping) for entry in listed):
        raise PolicyError("no grants", expected="the answer of ListGrants", where=where)
    return tuple(Grant.from_json(entry) for entry in listed)


def parse_measurements(source: bytes, *, where: str = "measurements") -> dict[str, str]:
    """Read ``{"PCR0": hex, …}``, bare or as nitro-cli's ``{"Measurements": {…}}``.

    Raises `PolicyError` where there is no PCR.
    """
    value: Any = read_json(source, what=where)
    if isinstance(value, Mapping):
        value = value.get("Measurements", value)
    pcrs = value.items() if isinstance(value, Mapping) else ()
    found = {k: v for k, v in pcrs if isinstance(v, str) and k.upper().startswith("PCR")}
    if not found:
        raise PolicyError("no measurements", expected='{"PCR0": "…"}', where=where)
    return found
