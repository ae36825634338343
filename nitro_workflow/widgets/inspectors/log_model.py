"""The cloud's records as a table: who asked for what, what came of it, and why, where it is told.

CloudTrail of AWS tells no reason; the local cloud adds its own decision under
``additionalEventData.nitroWorkflow``. Everything of a record is text that callers chose in part.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from nitro_workflow.errors import PolicyError, UsageError
from nitro_workflow.policy import (
    Policies,
    cloudtrail_records,
    parse_policy,
    requests_from_cloudtrail,
)
from nitro_workflow.widgets.drawing import Digest, Head, Tone, digest_of
from nitro_workflow.widgets.inspectors.policy_checks import text_of
from nitro_workflow.widgets.inspectors.policy_inquiry import Inquiry, inquire
from nitro_workflow.widgets.inspectors.policy_model import PolicyModel, make_policy

__all__ = ["LogModel", "LogRecord", "log_answers", "make_log"]

MAX_RECORDS: Final = 2_000
"""Records of one view; of a longer log the newest."""
_CUT: Final = 400  # characters of one field of a row
_ID = re.compile(r"\b([0-9a-f]{8})-[0-9a-f-]{18,20}([0-9a-f]{8})\b")
_OWN = {
    "Version": "2012-10-17",
    "Statement": {"Sid": "Taken", "Effect": "Allow", "Action": "*", "Resource": "*"},
}
_TAKEN = "the caller's own policies, taken to allow it"
_IMAGE = "kms:RecipientAttestation:PCR0"


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One call. ``outcome`` is ``done`` or an error's code; ``why`` is empty where nobody tells.

    ``brief`` is the resource as a person calls it, the middle of a key's id left out.
    """

    number: int
    at: str
    action: str
    who: str
    resource: str
    brief: str
    outcome: str
    tone: Tone
    why: str
    said: str
    document: Digest | None = None


@dataclass(frozen=True, slots=True)
class LogModel:
    """The records, newest first; ``left_out`` counts older ones."""

    head: Head
    records: tuple[LogRecord, ...]
    left_out: int = 0
    kind: Literal["log"] = "log"


def make_log(value: Any) -> LogModel:
    """Return the view of CloudTrail records: one, a log file, LookupEvents' answer, or a list.

    Raises `PolicyError` for what is none of these.
    """
    return _drawn(_records(value))


def _records(value: Any) -> list[Mapping[str, Any]]:
    listed = {"Records": value} if isinstance(value, list) else value
    found = [dict(one) for one in cloudtrail_records(listed)]
    return sorted(found, key=lambda one: text_of(one, "eventTime", ""), reverse=True)


def _drawn(records: Sequence[Mapping[str, Any]]) -> LogModel:
    shown = tuple(_record(number, one) for number, one in enumerate(records[:MAX_RECORDS]))
    refused = sum(one.tone == "bad" for one in shown)
    what = (
        f"Decision log · {len(shown):,} {'record' if len(shown) == 1 else 'records'}, newest first"
    )
    last = next((one for one in shown if one.tone == "bad"), None)
    verdict = f"{refused:,} refused" if refused else "Nothing was refused"
    why = f"The last one: {last.action} by {last.who}" if last else ""
    told = f", {last.why or last.outcome}." if last else ""
    then = "Open a record: which statement, which value." if refused else ""
    head = Head(what, verdict, "bad" if refused else "good", f"{why}{told}", then)
    return LogModel(head, shown, max(0, len(records) - len(shown)))


def _record(number: int, record: Mapping[str, Any]) -> LogRecord:
    identity = _mapping(record.get("userIdentity"))
    service = text_of(record, "eventSource", "").partition(".")[0]
    outcome = text_of(record, "errorCode", "done")
    decision = _decision(record)
    resource = _cut(_last(_resource(record)))
    return LogRecord(
        number=number,
        at=text_of(record, "eventTime"),
        action=_cut(f"{service}:{text_of(record, 'eventName')}"),
        who=_cut(_last(text_of(identity, "arn", text_of(identity, "invokedBy")))),
        resource=resource,
        brief=_ID.sub(r"\1…\2", resource),
        outcome=_cut(outcome),
        tone="good" if outcome == "done" else "bad",
        why=_cut(text_of(decision, "summary", _refused_document(record))),
        said=_cut(text_of(record, "errorMessage", "")),
        document=_image(record),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _cut(text: str) -> str:
    return text if len(text) <= _CUT else f"{text[:_CUT]}…"


def _last(arn: str) -> str:
    return arn.split(":", 5)[5] if arn.count(":") >= 5 else arn


def _resource(record: Mapping[str, Any]) -> str:
    listed = record.get("resources")
    first = _mapping(listed[0]) if isinstance(listed, list) and listed else {}
    return text_of(first, "ARN", "")


def _extra(record: Mapping[str, Any]) -> Mapping[str, Any]:
    return _mapping(record.get("additionalEventData"))


def _decision(record: Mapping[str, Any]) -> Mapping[str, Any]:
    return _mapping(_extra(record).get("nitroWorkflow"))


def _refused_document(record: Mapping[str, Any]) -> str:
    seen = _mapping(_extra(record).get("attestation"))
    if seen.get("verified") is not False:
        return ""
    return f"document refused at its check {text_of(seen, 'failed')}: {text_of(seen, 'found', '')}"


def _image(record: Mapping[str, Any]) -> Digest | None:
    """Return PCR0 of the document that came with the call, as KMS saw it."""
    try:
        request = requests_from_cloudtrail(record)[0]
    except PolicyError:
        return None
    values = request.context.values.get(_IMAGE.lower(), ())
    return digest_of(values[0]) if values else None


def log_answers(
    value: Any, *, policy: Mapping[str, Any] | str | None = None
) -> dict[str, Callable[[Mapping[str, Any]], Any]]:
    """Return what the live form may ask: ``open`` a record, and ``decide`` it again.

    With a key ``policy`` each record is put to it, also one of AWS's, which tells no reason.
    """
    records = _records(value)[:MAX_RECORDS]
    parsed = None if policy is None else parse_policy(policy, name="key policy")

    def chosen(values: Mapping[str, Any]) -> Mapping[str, Any]:
        number = values.get("record")
        if (
            isinstance(number, bool)
            or not isinstance(number, int)
            or not 0 <= number < len(records)
        ):
            raise UsageError("no such record", expected=f"0 to {len(records) - 1}", where="record")
        return records[number]

    def opened(values: Mapping[str, Any]) -> PolicyModel:
        record = chosen(values)
        return _told(record) if parsed is None else asked(record).model({})

    def asked(record: Mapping[str, Any]) -> Inquiry:
        if parsed is None:
            raise UsageError("no key policy", expected="the log with its policy", where="decide",
                             next="give it: log_answers(records, policy=…)")  # fmt: skip
        policies = Policies(parsed, (parse_policy(_OWN, kind="identity", name=_TAKEN),))
        return inquire(requests_from_cloudtrail(record)[0], policies)

    return {"open": opened, "decide": lambda values: asked(chosen(values)).answer(values)}


def _told(record: Mapping[str, Any]) -> PolicyModel:
    """Return what a record itself tells of its decision."""
    decision, said = _decision(record), text_of(record, "errorMessage", "")
    explained = _mapping(decision.get("record")) or decision
    if explained.get("decision"):
        return make_policy(explained, said=said)
    outcome = text_of(record, "errorCode", "done")
    verdict = "Allowed" if outcome == "done" else f"Refused: {outcome}"
    why = _refused_document(record) or "The record tells no reason, as AWS's never do."
    then = "Put it to the key policy: nitro-workflow policy explain --cloudtrail"
    row = _record(0, record)
    head = Head(f"{row.action} by {row.who}", verdict, "good" if outcome == "done" else "bad",
                why, then)  # fmt: skip
    return PolicyModel(head, _request(record), (), said=said)


def _request(record: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    parameters = json.dumps(record.get("requestParameters"), ensure_ascii=False)
    identity = _mapping(record.get("userIdentity"))
    return (
        ("principal", text_of(identity, "arn", text_of(identity, "invokedBy"))),
        ("resource", _resource(record)),
        ("parameters", _cut(parameters)),
    )
