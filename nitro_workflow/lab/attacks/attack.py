"""What an attack is, and its three honest outcomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from nitro_workflow.cloud import refusal
from nitro_workflow.errors import AccessRefused, NitroWorkflowError, UntrustedAnswer
from nitro_workflow.lab.evidence import decision_lookup

if TYPE_CHECKING:
    from nitro_workflow.lab.workbench import Workbench

__all__ = [
    "Attack",
    "AttackOutcome",
    "Result",
    "Stopped",
    "explained",
    "refused_by_cloud",
    "succeeded",
]

Result = Literal["refused", "useless", "detected"]

Finder = Callable[[str, Callable[[Mapping[str, Any]], bool]], dict[str, Any]]
"""``find(operation, wanted)`` → the newest record that is wanted."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """How an attack ended: ``by`` names the service, step or check that stopped it.

    ``reason`` is what the attacker is told; ``why`` is what only the cloud's own record says.
    """

    outcome: Result
    by: str
    reason: str
    next: str
    code: str = ""
    explanation: str = ""
    why: str = ""

    @classmethod
    def from_error(cls, by: str, error: NitroWorkflowError, outcome: Result = "refused") -> Stopped:
        """Return the end that an error of the package tells."""
        explanation = error.explanation if isinstance(error, AccessRefused) else ""
        return cls(outcome, by, error.found, error.next, error.code, explanation)


@dataclass(frozen=True, slots=True)
class Attack:
    """One thing somebody might try: ``party`` tries ``what``.

    ``needs`` is the step that it rests on, "" for none.
    """

    name: str
    title: str
    what: str
    attempt: Callable[[Workbench], Stopped]
    needs: str
    party: str


@dataclass(frozen=True, slots=True)
class AttackOutcome:
    """What came of an attack.

    ``outcome``: ``refused`` (somebody said no), ``useless`` (answered, and nothing won) or
    ``detected`` (the owner sees it before they rely on it).
    """

    name: str
    title: str
    party: str
    outcome: Result
    by: str
    reason: str
    next: str
    code: str = ""
    explanation: str = ""
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the record, all values texts."""
        return asdict(self)


def refused_by_cloud(
    bench: Workbench,
    call: Callable[[], object],
    *,
    by: str,
    operation: str,
    party: str = "administrator",
    find: Finder | None = None,
) -> Stopped:
    """Make the call; return the cloud's refusal with the reason that its record holds.

    ``party`` is whose trail is read; an empty ``operation`` is a request that nobody is known to
    have made, of which there is no record. Raises `UntrustedAnswer` when the call is answered.
    """
    from botocore.exceptions import ClientError

    try:
        call()
    except ClientError as error:
        stopped = Stopped.from_error(by, refusal(error, by))
        if not operation:
            return stopped
        request = error.response.get("ResponseMetadata", {}).get("RequestId", "")
        look = find or (
            lambda name, wanted: decision_lookup.find_event(bench, name, wanted, party=party)
        )
        return explained(stopped, look(operation, lambda it: it.get("requestID") == request))
    raise succeeded(by)


def explained(stopped: Stopped, event: Mapping[str, Any]) -> Stopped:
    """Add what the cloud's record says: the check of the document, or the policy's explanation."""
    seen = (event.get("additionalEventData") or {}).get("attestation") or {}
    record = decision_lookup.decision(event).get("record") or {}
    return replace(
        stopped,
        explanation=decision_lookup.explanation(event),
        by=f"{stopped.by}: check {seen['failed']}" if seen.get("failed") else stopped.by,
        why=str(record.get("summary", "")).partition(": ")[2],
        next=str(record.get("next") or stopped.next),
    )


def succeeded(by: str) -> UntrustedAnswer:
    """Return the error for an attack that was not stopped: a defect of the lab."""
    return UntrustedAnswer(
        f"{by} let the attack through",
        expected="a refusal, a useless answer, or a detection",
        where=by,
        next="report this: it is a weakness of the lab",
    )
