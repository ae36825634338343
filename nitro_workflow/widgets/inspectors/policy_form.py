"""The request as a form: what can be edited of it, and the request that the edits make."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from nitro_workflow.errors import PolicyError
from nitro_workflow.policy import (
    FEEDS,
    Policies,
    Principal,
    Request,
    RequestContext,
    parse_key,
)
from nitro_workflow.widgets.drawing import Picture, digest_of

__all__ = ["Asked", "FormField", "asked_of", "form_fields", "request_of", "values_of"]

PCR = "kms:RecipientAttestation:PCR"
IMAGE = "kms:RecipientAttestation:ImageSha384"
DOCUMENT, WITH, WITHOUT = "document", "a document", "none"
_ALWAYS = (0, 1, 2, 3, 4, 8)
_NETWORK = ("aws:SourceIp", "aws:SourceVpc", "aws:SourceVpce", "aws:SecureTransport")
_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext",
            "kms:GenerateRandom", "kms:DeriveSharedSecret", "kms:Encrypt", "kms:ReEncryptFrom",
            "kms:CreateGrant", "kms:PutKeyPolicy", "kms:DescribeKey")  # fmt: skip
_CONTEXT = "kms:EncryptionContext:"
_HEX = re.compile(r"[0-9a-fA-F]{96}")


@dataclass(frozen=True, slots=True)
class FormField:
    """One value of the request; ``group`` is ``who``, ``document``, ``pcr``, ``context``, ….

    ``problem`` says why the value cannot be asked with. A PCR has a ``picture``, None for zeros.
    """

    key: str
    label: str
    hint: str
    value: str
    group: str
    options: tuple[str, ...] = ()
    picture: Picture | None = None
    changed: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked: texts by field. Nothing of it is judged yet."""

    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def document(self) -> bool:
        """Whether the request carries a document: every document has a PCR0."""
        return self.values.get(DOCUMENT) != WITHOUT and bool(self.values.get(f"{PCR}0", "").strip())

    def edited(self, edits: Mapping[str, str]) -> Asked:
        """Return these values with some of them others; a new PCR0 brings a document."""
        known = {key: value for key, value in edits.items() if key in self.values}
        return Asked({**self.values, **known})


def values_of(request: Request) -> dict[str, str]:
    """Return the texts of a request by field."""
    context = request.context
    names = context.names
    told = {names.get(key, key): ", ".join(values) for key, values in context.values.items()}
    image = told.pop(IMAGE, "")
    told = {_spelt(key): value for key, value in told.items()}
    if image:
        told.setdefault(f"{PCR}0", image)
    document = WITH if f"{PCR}0" in told else WITHOUT
    return {
        "principal": request.principal.arn,
        "action": request.action,
        DOCUMENT: document,
        **told,
    }


def _spelt(key: str) -> str:
    pcr = parse_key(key)
    return f"{PCR}{pcr.index}" if pcr and not pcr.nitrotpm else key


def asked_of(request: Request, policies: Policies) -> Asked:
    """Return a request as texts, with an empty text for each further key that matters."""
    told = values_of(request)
    wanted = [_spelt(key) for key in _keys_of(policies) if key.lower() != IMAGE.lower()]
    keys = [f"{PCR}{index}" for index in _ALWAYS] + wanted + list(_NETWORK)
    known = {key.lower() for key in told}
    for key in keys:
        if key.lower() not in known:
            known.add(key.lower())
            told[key] = ""
    return Asked(told)


def _keys_of(policies: Policies) -> Iterable[str]:
    for _, policy in policies.named():
        for statement in policy.statements:
            yield from (condition.key for condition in statement.conditions)


def form_fields(asked: Asked, start: Asked, principals: Sequence[str]) -> tuple[FormField, ...]:
    """Return the fields of the form, in the order in which one reads a request."""
    fields = [_field(key, value, start, principals) for key, value in asked.values.items()]
    groups = ("who", "action", "document", "pcr", "context", "network", "other")
    return tuple(sorted(fields, key=lambda one: (groups.index(one.group), *_place(one.key))))


def _place(key: str) -> tuple[int, str]:
    pcr = parse_key(key)
    return (pcr.index if pcr else 0, key)


def _field(key: str, value: str, start: Asked, principals: Sequence[str]) -> FormField:
    changed = value.strip() != start.values.get(key, "").strip()
    if key == "principal":
        return FormField(
            key, "Principal", "who asks", value, "who", tuple(principals), None, changed
        )
    if key == "action":
        return FormField(key, "Action", "", value, "action", _ACTIONS, None, changed)
    if key == DOCUMENT:
        return FormField(key, "Attestation document", "", value, DOCUMENT, (WITH, WITHOUT), None,
                         changed)  # fmt: skip
    pcr = parse_key(key)
    if pcr is not None:
        text = value.strip()
        picture = digest_of(text).picture if _HEX.fullmatch(text) else None
        problem = "" if not text or _HEX.fullmatch(text) else f"no PCR: {_no_pcr(text)}"
        return FormField(key, pcr.label, _brief(pcr.index), value, "pcr", (), picture, changed,
                         problem)  # fmt: skip
    if key.startswith(_CONTEXT):
        return FormField(key, key[len(_CONTEXT) :], "encryption context", value, "context",
                         changed=changed)  # fmt: skip
    group = "network" if key in _NETWORK else "other"
    return FormField(key, key, "", value, group, changed=changed)


def _brief(index: int) -> str:
    short = {0: "whole image", 1: "kernel, boot", 2: "application", 3: "role ARN",
             4: "instance id", 8: "signer"}  # fmt: skip
    return short.get(index, FEEDS.get(index, "extended by the enclave"))


def _no_pcr(text: str) -> str:
    """Return what is wrong with a text that should be a PCR."""
    odd = [char for char in text if char not in "0123456789abcdefABCDEF"]
    what = f"“{odd[0]}” is not a hex digit" if odd else f"{len(text):,} digits"
    return f"{what}; a PCR of SHA-384 has 96 hex digits"


def request_of(asked: Asked, given: Request) -> Request:
    """Return the request that the texts make of a given one.

    Without a document no measurement is asked with, whatever stands in the fields. A key that has
    several values in the given request has those between commas. Raises `PolicyError` for a text
    that is no value.
    """
    values = asked.values
    several = {key for key, listed in given.context.values.items() if len(listed) > 1}
    context = {
        key: [one.strip() for one in text.split(",")] if key.lower() in several else text
        for key, text in _context(asked)
    }
    return Request(
        Principal.parse(values["principal"].strip()),
        values["action"].strip(),
        given.resource,
        given.resource_account,
        RequestContext.what_if(context),
    )


def _context(asked: Asked) -> Iterable[tuple[str, str]]:
    for key, text in asked.values.items():
        value = text.strip()
        if key in ("principal", "action", DOCUMENT) or not value:
            continue
        pcr = parse_key(key)
        if pcr is None:
            yield key, value
        elif asked.document:
            if not _HEX.fullmatch(value):
                raise PolicyError(
                    f"{pcr.label} is not a PCR",
                    expected=_no_pcr(value),
                    where=pcr.label,
                    next="write 96 hex digits, or leave the field empty",
                )
            yield key, value.lower()
            if pcr.index == 0 and not pcr.nitrotpm:
                yield IMAGE, value.lower()
