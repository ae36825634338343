"""One step that has run: its evidence, the calls that it made, and where its code is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from nitro_workflow.errors import NitroWorkflowError
from nitro_workflow.lab import STEPS, CallRecord, Step, StepResult, key_facts
from nitro_workflow.widgets.drawing import Digest, Head, Tone, digest_of
from nitro_workflow.widgets.formats import duration
from nitro_workflow.widgets.formats import size as bytes_of
from nitro_workflow.widgets.inspectors.call_text import (
    answer_text,
    boto3_text,
    cli_text,
    function_text,
    nitro_cli_text,
    request_text,
)
from nitro_workflow.widgets.inspectors.evidence_facts import fact, flat, is_digest, label_of
from nitro_workflow.widgets.inspectors.step_code import CODE

__all__ = [
    "Exchange",
    "StepModel",
    "Strip",
    "Tab",
    "Tile",
    "document_sha256",
    "make_step",
    "nsm_exchange",
    "strip_of",
]


_ABSENT: Final = frozenset(
    {"404", "NoSuchBucket", "NoSuchEntity", "NoSuchKey", "NotFoundException"}
)
_LOOKS: Final = ("Describe", "Get", "Head", "List")
"""A look-up that finds nothing is no refusal: whoever makes a thing looks first."""


@dataclass(frozen=True, slots=True)
class Tab:
    """One form of an exchange: its name, and its text, which is copied as it is."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call with its answer. ``source`` says whose word it is."""

    title: str
    tone: Tone
    said: str
    source: str
    tabs: tuple[Tab, ...]


@dataclass(frozen=True, slots=True)
class Tile:
    """One digest of the evidence."""

    label: str
    digest: Digest


@dataclass(frozen=True, slots=True)
class Strip:
    """One of the 17 on the strip: ``state`` is ``done``, ``here`` or ``to do``."""

    number: str
    state: Literal["done", "here", "to do"]


@dataclass(frozen=True, slots=True)
class StepModel:
    """The card of a step. ``code``: (file, function); ``openable``: (name, what it is, size)."""

    head: Head
    number: str
    strip: tuple[Strip, ...]
    basis: str
    tiles: tuple[Tile, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    code: tuple[tuple[str, str], ...] = ()
    openable: tuple[tuple[str, str], ...] = ()
    kind: Literal["step_card"] = "step_card"


def make_step(
    result: StepResult,
    *,
    done: Sequence[str] = (),
    calls: Sequence[Mapping[str, Any]] | None = None,
    exchanges: Sequence[Exchange] = (),
    openable: Sequence[tuple[str, str]] = (),
    jobs: Mapping[str, str] | None = None,
    region: str = "us-east-1",
) -> StepModel:
    """Return the card of a step's run. Raises `UsageError` for what is no step.

    ``calls`` are records of `CallRecord` (default: the result's own); a bent one is left out.
    ``exchanges`` are further ones, such as the NSM's; ``openable`` (name, what) may be inspected.
    ``jobs`` names, by its document's SHA-256, the job that a call to KMS belongs to.
    """
    step = next(one for one in STEPS if one.number == result.step)
    facts = list(flat(key_facts(result)))
    records = result.calls if calls is None else calls
    return StepModel(
        head=_head(step, result),
        number=step.number,
        strip=strip_of(done, step.number),
        basis=str(result.evidence.get("basis", "")),
        tiles=tuple(
            Tile(label_of(name), digest_of(value)) for name, value in facts if is_digest(value)
        ),
        facts=tuple(fact(name, value) for name, value in facts if not is_digest(value)),
        notes=tuple(_notes(result)),
        exchanges=tuple(_numbered((*exchanges, *_exchanges(records, region, jobs or {})))),
        code=tuple(_places(step)),
        openable=tuple(openable),
    )


def strip_of(done: Sequence[str], here: str = "") -> tuple[Strip, ...]:
    """Return the strip of the 17 steps."""
    return tuple(
        Strip(
            step.number,
            "here" if step.number == here else "done" if step.number in done else "to do",
        )
        for step in STEPS
    )


# -- the head and the facts ------------------------------------------------------------------------


def _head(step: Step, result: StepResult) -> Head:
    rests = f" · rests on {', '.join(step.needs)}" if step.needs else ""
    what = f"{step.number} · {step.party}{rests}"
    if result.status != "done":
        error = result.error or {}
        return Head(
            what,
            f"{step.title}: {error.get('found', 'not done')}",
            "bad",
            why=f"Expected: {error.get('expected', 'an end')}",
            next=str(error.get("next", "")),
        )
    at = STEPS.index(step) + 1
    following = STEPS[at] if at < len(STEPS) else None
    then = (
        f'lesson.run("{following.number}"): {following.title}' if following else "lesson.result()"
    )
    return Head(what, step.title, "good", why=f"Done in {duration(result.seconds)}.", next=then)


def _notes(result: StepResult) -> Iterator[str]:
    yield from result.notes
    if result.caught_up:
        yield f"ran first: {', '.join(result.caught_up)}"


def _places(step: Step) -> Iterator[tuple[str, str]]:
    """Yield (file, function): what did the work, then what gathers it."""
    gathers = f"{step.function.__module__}:{step.function.__qualname__}"
    for place in dict.fromkeys((*CODE.get(step.number, ()), gathers)):
        module, _, function = place.partition(":")
        yield f"{module.replace('.', '/')}.py", function


def _numbered(exchanges: Sequence[Exchange]) -> Iterator[Exchange]:
    """Yield them with titles of which no two are alike, unless they are alike in all."""
    seen: dict[str, list[tuple[Tab, ...]]] = {}
    for one in exchanges:
        same = seen.setdefault(one.title, [])
        if one.tabs not in same:
            same.append(one.tabs)
        number = same.index(one.tabs) + 1
        yield replace(one, title=f"{one.title}, {number}") if number > 1 else one


# -- exchanges -------------------------------------------------------------------------------------


def document_sha256(parameters: Mapping[str, Any]) -> str:
    """Return the digest of the document that a call carried; empty where there was none."""
    recipient = parameters.get("Recipient")
    document = recipient.get("AttestationDocument") if isinstance(recipient, Mapping) else None
    return str(document.get("sha256", "")) if isinstance(document, Mapping) else ""


def _exchanges(
    calls: Sequence[Mapping[str, Any]], region: str, jobs: Mapping[str, str]
) -> Iterator[Exchange]:
    for record in calls:
        try:
            call = CallRecord.from_json(record)
        except (KeyError, TypeError, ValueError, AttributeError):
            continue  # written by another version, or by hand
        yield _exchange(call, region, jobs.get(document_sha256(call.parameters), ""))


def _exchange(call: CallRecord, region: str, job: str) -> Exchange:
    names = {
        "aws": f"{call.service}:{call.operation}",
        "function": call.operation,
        "nitro-cli": f"nitro-cli {call.operation}",
        "parent": f"parent application: {call.operation}",
    }
    absent = call.error in _ABSENT and call.operation.startswith(_LOOKS)
    refused = f"not there yet: {call.error}" if absent else f"refused: {call.error}"
    said = refused if call.error else "answered"
    took = f" in {duration(call.seconds)}" if call.seconds else ""
    return Exchange(
        title=f"{names.get(call.kind, call.operation)} · {call.party}{f', {job}' if job else ''}",
        tone="neutral" if absent else "bad" if call.error else "good",
        said=said + took,
        source=f"as {call.source} tells it" if call.source else "",
        tabs=tuple(_tabs(call, region)),
    )


def _tabs(call: CallRecord, region: str) -> Iterator[Tab]:
    asked = call.parameters
    if call.kind == "aws":
        yield Tab("boto3", boto3_text(call.service, call.operation, asked))
        yield Tab("AWS CLI", cli_text(call.service, call.operation, asked, region))
        if call.request:
            yield Tab("Request", request_text(call.request))
    elif call.kind == "nitro-cli":
        yield Tab("nitro-cli", nitro_cli_text(call.operation, asked))
    elif call.kind == "function":
        yield Tab("Python", function_text(call.service, call.operation, asked))
    else:
        yield Tab("Request", answer_text({"body": asked}).strip())
    if call.answer:
        yield Tab(
            "Answer",
            answer_text(call.answer if call.kind == "aws" else {"body": call.answer}).strip(),
        )


def nsm_exchange(document: bytes, *, what: str) -> Exchange | None:
    """Return what the NSM was asked and answered for a document; None where it cannot be read.

    The module puts the three fields of the request into the document unchanged, so the request
    follows from it byte for byte.
    """
    from nitro_workflow.attestation import parse_document
    from nitro_workflow.nsm import messages

    try:
        read = parse_document(document)
    except NitroWorkflowError:
        return None
    fields = {"user_data": read.user_data, "nonce": read.nonce, "public_key": read.public_key}
    request = messages.encode_request(messages.Attestation(**fields))
    return Exchange(
        title=f"NSM Attestation · {what}",
        tone="good",
        said=f"answered with {bytes_of(len(document))}",
        source="as the document's own fields tell it",
        tabs=(
            Tab("NSM request", _nsm_request(fields, request)),
            Tab(
                "NSM answer",
                f'{{"Attestation": {{"document": h\'…\'}}}}\n\ndocument  {bytes_of(len(document))}',
            ),
        ),
    )


def _nsm_request(fields: Mapping[str, bytes | None], request: bytes) -> str:
    said = [f"  {name:<11} {_bytes(value)}" for name, value in fields.items()]
    rows = [request[at : at + 16].hex(" ") for at in range(0, min(len(request), 64), 16)]
    more = [f"… {len(request) - 64} more bytes"] if len(request) > 64 else []
    return "\n".join([f"Attestation, {bytes_of(len(request))} of CBOR", *said, "", *rows, *more])


def _bytes(value: bytes | None) -> str:
    return "null" if value is None else bytes_of(len(value))
