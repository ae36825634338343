"""Who decrypted, from which image: CloudTrail's records looked back upon.

Source: the KMS guide's ct-nitro-enclave page: a record of a call with a document has its PCRs, in
base64, also where the call was refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from nitro_workflow.errors import PolicyError
from nitro_workflow.policy.decide import Policies, Request, cloudtrail_records, record_requests
from nitro_workflow.policy.language import Policy
from nitro_workflow.policy.reach.budget import Budget
from nitro_workflow.policy.reach.documents import named_registers
from nitro_workflow.policy.reach.plaintext_actions import DATA_KEYS, PLAINTEXT
from nitro_workflow.policy.reach.request_space import build_space, register_name
from nitro_workflow.policy.reach.value_classes import ZEROS
from nitro_workflow.policy.reach.witness import KEY_ARN

__all__ = ["DecryptHistory", "Decryption", "look_back", "render_history"]

Kind = Literal["none", "enclave", "nitrotpm"]
_ASKED = frozenset(action.lower() for action in (*PLAINTEXT, *DATA_KEYS))
_PREFIX = "kms:recipientattestation:"
_IMAGE: Mapping[Kind, str] = {"none": "", "enclave": f"{_PREFIX}pcr0",
                              "nitrotpm": f"{_PREFIX}nitrotpmpcr4"}  # fmt: skip


@dataclass(slots=True)
class Decryption:
    """All calls of one principal, operation and image.

    ``image`` is PCR0 (of a NitroTPM PCR4), ``""`` without a document. ``named`` says whether the
    policy names it, None where no policy was given. Times are CloudTrail's, ``""`` if there are
    none.
    """

    principal: str
    action: str
    document: Kind
    image: str
    debug: bool
    named: bool | None
    allowed: int = 0
    denied: int = 0
    first: str = ""
    last: str = ""

    def add(self, record: Mapping[str, Any]) -> None:
        """Count one more call."""
        if record.get("errorCode"):
            self.denied += 1
        else:
            self.allowed += 1
        time = str(record.get("eventTime", ""))
        self.first = min(filter(None, (self.first, time)), default="")
        self.last = max(self.last, time)

    @property
    def worrying(self) -> bool:
        """Say whether plaintext went out without a document, in debug mode, or to an unknown."""
        if not self.allowed or self.action.lower() not in {a.lower() for a in PLAINTEXT}:
            return False
        return self.document == "none" or self.debug or self.named is False

    def to_json(self) -> dict[str, Any]:
        """Return the record."""
        return {
            "principal": self.principal, "action": self.action, "document": self.document,
            "image": self.image, "debug": self.debug, "named": self.named,
            "allowed": self.allowed, "denied": self.denied, "first": self.first, "last": self.last,
            "worrying": self.worrying,
        }  # fmt: skip


@dataclass(slots=True)
class DecryptHistory:
    """What was looked back upon; ``unreadable`` has a line a record that tells too little."""

    decryptions: list[Decryption] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    records: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return ``{"records", "decryptions", "unreadable"}``."""
        return {
            "records": self.records,
            "decryptions": [entry.to_json() for entry in self.decryptions],
            "unreadable": self.unreadable,
        }


def look_back(values: Iterable[Any], policy: Policy | None = None) -> DecryptHistory:
    """Group the calls for plaintext that CloudTrail recorded; other records are passed over.

    ``values`` are the JSON values of files (see `cloudtrail_records`). Raises `PolicyError` for a
    value that holds no records, `OutOfBudget` for a policy too large to be read.
    """
    history, groups = DecryptHistory(), dict[tuple[str, ...], Decryption]()
    named = _named(policy) if policy else None
    for value in values:
        for record in cloudtrail_records(value):
            history.records += 1
            if not _is_asked(record):
                continue
            try:
                requests = record_requests(record)
            except PolicyError as error:
                history.unreadable.append(f"{record.get('eventID', 'no eventID')}: {error}")
                continue
            for request in requests:
                if request.action.lower() in _ASKED:
                    entry = _entry(request, named)
                    key = (entry.principal, entry.action, entry.document, entry.image)
                    groups.setdefault(key, entry).add(record)
    history.decryptions = sorted(
        groups.values(), key=lambda e: (not e.worrying, e.principal, e.action, e.image)
    )
    return history


def _is_asked(record: Mapping[str, Any]) -> bool:
    name = str(record.get("eventName", ""))
    names = ("ReEncryptFrom", "ReEncryptTo") if name == "ReEncrypt" else (name,)
    source = str(record.get("eventSource", ""))
    return source == "kms.amazonaws.com" and any(f"kms:{n}".lower() in _ASKED for n in names)


def _entry(request: Request, named: Mapping[str, frozenset[str]] | None) -> Decryption:
    context = request.context.values
    registers = {register_name(k): v[0] for k, v in context.items() if k.startswith(_PREFIX)}
    kind: Kind = "none"
    if registers:
        kind = "nitrotpm" if all("nitrotpm" in key for key in registers) else "enclave"
    image = registers.get(_IMAGE[kind], "")
    debug = kind == "enclave" and image == ZEROS
    principal = request.principal.role_arn or request.principal.arn
    known = None if named is None or kind == "none" else _is_named(registers, kind, named)
    return Decryption(principal, request.action, kind, image, debug, known)


def _named(policy: Policy) -> dict[str, frozenset[str]]:
    return named_registers(build_space(Policies(policy), KEY_ARN, Budget()))


def _is_named(
    registers: Mapping[str, str], kind: Kind, named: Mapping[str, frozenset[str]]
) -> bool:
    """Say whether the policy names the image: by its one register, or by kernel and application."""
    if registers.get(_IMAGE[kind], "") in named.get(_IMAGE[kind], frozenset()):
        return True
    halves = [f"{_PREFIX}pcr{index}" for index in (1, 2)]
    return all(registers.get(key, "") in named.get(key, frozenset()) for key in halves)


def render_history(history: DecryptHistory) -> str:
    """Return the lines of a history, joined: what is worrying first."""
    lines = [f"{history.records} records, {len(history.decryptions)} kinds of call for plaintext"]
    lines += [line for entry in history.decryptions for line in _lines(entry)]
    lines += [f"  ? not read: {text}" for text in history.unreadable]
    return "\n".join(lines)


def _lines(entry: Decryption) -> Iterator[str]:
    told = {"none": "without a document", "enclave": f"image {entry.image or 'unknown'}",
            "nitrotpm": f"NitroTPM, PCR4 {entry.image or 'unknown'}"}[entry.document]  # fmt: skip
    marks = [
        *(["in DEBUG MODE"] if entry.debug else []),
        *(["which the policy does not name"] if entry.named is False else []),
    ]
    counts = f"{entry.allowed} answered, {entry.denied} refused"
    when = f", {entry.first} to {entry.last}" if entry.first else ""
    yield f"  {'!' if entry.worrying else '·'} {entry.action:<18} {entry.principal}: {counts}{when}"
    yield "      " + ", ".join([told, *marks])
