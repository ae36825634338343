"""D4 is completed: the record that AWS makes of the Decrypt has come, or has not come yet.

CloudTrail's event history has it within some minutes, and gives no reason. The record is joined by
the request id that the enclave's receipt states, and must tell of the same module and PCRs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import LabError, UntrustedAnswer
from nitro_workflow.lab.evidence import decision_lookup
from nitro_workflow.lab.evidence.known import Known
from nitro_workflow.lab.steps import jobs_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nitro_workflow.lab.workbench import Workbench

__all__ = ["Confirmation", "confirm"]

STEP: Final = "D4"
MARGIN: Final = timedelta(minutes=5)
"""Of clocks: a record's time is AWS's, D2's is this machine's."""
WINDOW: Final = timedelta(days=90)
"""How far CloudTrail's event history reaches."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What became of one form's D4. ``known``: ``observed``, or as before while it is awaited."""

    form: str
    known: str
    request_id: str
    event: Mapping[str, Any] | None = None

    @property
    def pending(self) -> bool:
        """Tell whether the record has not come yet."""
        return self.event is None

    def to_json(self) -> dict[str, Any]:
        """Return ``{"form", "known", "request_id", "event_time", "event_id", "caller"}``."""
        event = self.event or {}
        return {
            "form": self.form,
            "known": self.known,
            "request_id": self.request_id,
            "event_time": str(event.get("eventTime", "")),
            "event_id": str(event.get("eventID", "")),
            "caller": str((event.get("userIdentity") or {}).get("arn", "")),
        }


def confirm(bench: Workbench) -> list[Confirmation]:
    """Look for the records of D4's requests, and complete the step's record with those found.

    Raises `LabError` where D4 was not done, and `UntrustedAnswer` for a record that contradicts it.
    IAM: cloudtrail:LookupEvents of the data owner.
    """
    with bench.folder.lock("confirming D4"):
        record = bench.folder.record(STEP)
        if record is None:
            raise LabError(
                "D4 has not been done",
                expected="a decision to confirm",
                where=STEP,
                next="run step D4 first",
            )
        evidence = record["evidence"]
        found = [_look(bench, form, evidence[form]) for form in jobs_of(bench) if form in evidence]
        for one in found:
            if one.event is not None:
                evidence[one.form] |= _completed(one)
        bench.folder.keep(STEP, record)
    return found


def _look(bench: Workbench, form: str, decided: Mapping[str, Any]) -> Confirmation:
    identity = str(decided.get("request_id", ""))
    known = str(decided.get("known") or Known.OBSERVED)
    sent = bench.result("D2")
    since = datetime.fromisoformat(sent.at) - MARGIN if sent else datetime.now(UTC) - WINDOW
    events = decision_lookup.decrypts_of_key(
        bench.parties.session("owner").client("cloudtrail"),
        bench.produced("P1", "key_arn"),
        since,
        bench.cloud.trail.pause,
    )
    event = next((one for one in events if identity and one.get("requestID") == identity), None)
    if event is None:
        return Confirmation(form, known, identity)
    _require_the_same(form, decided, event)
    return Confirmation(form, Known.OBSERVED.value, identity, event)


def _require_the_same(form: str, decided: Mapping[str, Any], event: Mapping[str, Any]) -> None:
    """Raise `UntrustedAnswer` where the record tells of a refusal, another module or other PCRs."""
    seen = decision_lookup.recipient_pcrs(event)
    other = [
        f"PCR{index} {value}"
        for index, value in seen.items()
        if decided["pcrs"].get(f"PCR{index}") != value
    ]
    module = decision_lookup.recipient_module(event)
    if event.get("errorCode"):
        other.append(str(event["errorCode"]))
    if module and module != decided["module_id"]:
        other.append(f"module {module}")
    if other or not seen:
        raise UntrustedAnswer(
            f"AWS's record of request {decided['request_id']}: {', '.join(other) or 'no PCRs'}",
            expected="the module and PCRs of the document that the receipt speaks of",
            where=f"{STEP}, {form}",
            next="do not rely on this run: look at the record with `aws cloudtrail lookup-events`",
        )


def _completed(one: Confirmation) -> dict[str, Any]:
    event = one.event or {}
    which = f"{event.get('eventID', '')} of {event.get('eventTime', '')}"
    return {
        "known": one.known,
        "summary": "allowed, as AWS's record has it",
        "caller": str((event.get("userIdentity") or {}).get("arn", "")),
        "confirmed_by": f"CloudTrail event {which}",
    }
