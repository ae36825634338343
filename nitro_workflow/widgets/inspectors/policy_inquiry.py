"""Asking again: a request and its policies, edited by a reader, decided by the one engine.

An inquiry keeps nothing of what was asked: each question brings all edits, and those of the moment
before it, so that the answer can say what flipped. Texts that are no values decide nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from nitro_workflow.errors import PolicyError, UsageError
from nitro_workflow.policy import (
    Analysis,
    Explanation,
    Policies,
    Policy,
    Request,
    analyse,
    denial_text,
    explain,
    parse_policy,
    parse_policy_leniently,
)
from nitro_workflow.widgets.drawing import Head
from nitro_workflow.widgets.formats import sentence
from nitro_workflow.widgets.inspectors.policy_checks import StatementView, statements_of
from nitro_workflow.widgets.inspectors.policy_form import Asked, asked_of, form_fields, request_of
from nitro_workflow.widgets.inspectors.policy_model import PolicyModel, make_policy
from nitro_workflow.widgets.inspectors.policy_reach import (
    answer_tiles,
    finding_lines,
    reach_head,
    way_lines,
)

__all__ = ["Inquiry", "inquire", "make_reach"]

_POLICY = "policy"  # the edit that is no field of the request
_LONGEST = 131_072  # characters of one edit; a key policy has 32 KiB at most
_EXAMPLE = "The request is an example of one that the policy lets through; nothing was verified."
_HYPOTHETICAL = "Hypothetical: the request is taken as given, nothing was verified."


@dataclass(frozen=True, slots=True)
class _Decided:
    asked: Asked
    policies: Policies
    explanation: Explanation


class Inquiry:
    """A request put to policies. ``title`` stands over each answer.

    ``example``: nobody asked, the request only shows what the policy lets through. Until something
    is edited the verdict is then on the policy.
    """

    def __init__(
        self, request: Request, policies: Policies, *, title: str = "", example: bool = False
    ) -> None:
        self._request, self._policies, self._title = request, policies, title
        self._example = example
        self._start = asked_of(request, policies)
        self._text = policies.resource.to_text() if policies.resource else ""

    def model(
        self, edits: Mapping[str, str], before: Mapping[str, str] | None = None
    ) -> PolicyModel:
        """Return the view of the request with ``edits``; ``before`` are those of the moment before.

        Raises `UsageError` for edits that are no texts, or too long.
        """
        edits = _texts(edits)
        asked = self._asked(edits)
        try:
            policies = self._with_policy(edits)
        except PolicyError as error:
            return self._undecided(asked, self._policies, edits, error)
        try:
            decided = self._decide(asked, policies)
        except PolicyError as error:
            return self._undecided(asked, policies, edits, error)
        earlier = None if before is None else self._earlier(_texts(before))
        return self._drawn(decided, edits, earlier)

    def answer(self, values: Mapping[str, Any]) -> PolicyModel:
        """Answer the live form: ``{"edits": …, "before": … or nothing}``."""
        edits, before = values.get("edits"), values.get("before")
        return self.model(_mapping(edits), None if before is None else _mapping(before))

    def _asked(self, edits: Mapping[str, str]) -> Asked:
        return asked_of(self._request, self._policies).edited(edits)

    def _with_policy(self, edits: Mapping[str, str]) -> Policies:
        text = edits.get(_POLICY)
        if text is None or text == self._text:
            return self._policies
        name = self._policies.resource.name if self._policies.resource else "key policy"
        return replace(self._policies, resource=parse_policy(text, name=name))

    def _decide(self, asked: Asked, policies: Policies) -> _Decided:
        request = self._request
        changed = asked.values != self._start.values
        if changed:
            request = request_of(asked, request)
        return _Decided(asked, policies, explain(request, policies))

    def _earlier(self, before: Mapping[str, str]) -> dict[str, bool] | None:
        """Return what statements and checks came to with other edits; None: nothing was decided."""
        try:
            decided = self._decide(self._asked(before), self._with_policy(before))
        except PolicyError:
            return None
        views = statements_of(decided.explanation.to_json())
        told = {view.id: view.applies for view in views}
        return told | {check.id: check.matched for view in views for check in view.checks}

    def _drawn(
        self, decided: _Decided, edits: Mapping[str, str], earlier: dict[str, bool] | None
    ) -> PolicyModel:
        record = decided.explanation.to_json()
        model = make_policy(record, title=self._title)
        statements = statements_of(record, earlier)
        return replace(
            self._framed(model, decided.asked, decided.policies, edits),
            statements=statements,
            said=_aws_says(decided.explanation),
            said_by="AWS would say",
            flipped=tuple(_flips(statements)),
            source=_EXAMPLE
            if self._example and not edits
            else _HYPOTHETICAL
            if edits
            else model.source,
        )

    def _undecided(
        self, asked: Asked, policies: Policies, edits: Mapping[str, str], error: PolicyError
    ) -> PolicyModel:
        """Return the view of texts that nothing can be asked with: nothing was decided."""
        what, then = self._title or "What if?", error.next or "Correct the text, or reset the form"
        why = f"{error.expected}. Nothing was asked with this text, at {error.where}."
        head = Head(what, f"Not decided: {error.found}", "warning", why, sentence(then))
        return self._framed(PolicyModel(head, (), ()), asked, policies, edits)

    def _analysis(self, policies: Policies) -> Analysis | None:
        if policies.resource is None:
            return None
        return _analysed(policies.resource.to_text(), self._request.resource)

    def _framed(
        self, model: PolicyModel, asked: Asked, policies: Policies, edits: Mapping[str, str]
    ) -> PolicyModel:
        """Add what does not depend on the decision: the form, the three answers, who can."""
        text = edits.get(_POLICY, self._text)
        found = self._analysis(policies)
        principals = _principals(found, self._request)
        framed = replace(
            model,
            fields=form_fields(asked, self._start, principals),
            policy=text,
            difference=tuple(_difference(self._text, text)),
        )
        if found is None:
            return framed
        if self._example and not edits:
            framed = replace(framed, head=reach_head(found))
        return replace(framed, answers=answer_tiles(found, self._start.values),
                       assumes=found.assumes, ways=way_lines(found),
                       findings=finding_lines(found))  # fmt: skip


def inquire(
    request: Request, policies: Policies, *, title: str = "", example: bool = False
) -> Inquiry:
    """Return the inquiry about a request; its ``model({})`` is the decision as it stands."""
    return Inquiry(request, policies, title=title, example=example)


def make_reach(document: Policy, *, key_arn: str = "") -> PolicyModel:
    """Return what a key policy lets happen, whoever asks: its answers, who can, what to mend."""
    found = _analysed(document.to_text(), key_arn)
    return PolicyModel(
        head=reach_head(found),
        request=(),
        statements=(),
        answers=answer_tiles(found, {}),
        assumes=found.assumes,
        ways=way_lines(found),
        findings=finding_lines(found),
        policy=document.to_text(),
    )


@lru_cache(maxsize=32)
def _analysed(text: str, key_arn: str) -> Analysis:
    # Of a policy that was taken leniently, too: whoever shows one has it as somebody wrote it.
    return analyse(parse_policy_leniently(text), key_arn=key_arn or None)


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UsageError("edits that are not an object")
    return value


def _texts(edits: Mapping[str, Any]) -> dict[str, str]:
    """Return edits that are texts of a length that the engine takes."""
    for key, value in edits.items():
        if not isinstance(value, str):
            raise UsageError("an edit that is not text", expected="texts by field", where="edits")
        if len(value) > _LONGEST:
            raise UsageError(f"{len(value):,} characters", expected=f"at most {_LONGEST:,}",
                             where=key[:80])  # fmt: skip
    return dict(edits)


def _principals(found: Analysis | None, request: Request) -> list[str]:
    """Return whom one may ask about: those whom the policy names, and who asked."""
    ways = (*found.ways, *found.changers, *found.data_keys) if found else ()
    named = {name for way in ways for name in way.principals if name.startswith("arn:")}
    return sorted(named | {request.principal.arn})


def _flips(statements: tuple[StatementView, ...]) -> list[str]:
    """Say in words what came out otherwise than before."""
    said = []
    for view in statements:
        if view.flipped:
            now = "applies now" if view.applies else "no longer applies"
            said.append(f"{view.effect} {view.name} {now}")
        for check in view.checks:
            if check.flipped:
                now = "holds now" if check.matched else "no longer holds"
                said.append(f"{check.name} of {view.name} {now}")
    return said


def _aws_says(explanation: Explanation) -> str:
    """Return the sentence that KMS answers a refusal with; an answered request has none."""
    request, decision = explanation.request, explanation.decision
    if decision.allowed or decision.lacking[:1] == ("service",):
        return ""
    text = denial_text(_as_named(request.principal.arn), request.action, request.resource, decision)
    return f"AccessDeniedException: {text}"


def _as_named(principal: str) -> str:
    """Return a principal as AWS's sentence names it: a role is met as one of its sessions."""
    head, role, path = principal.partition(":role/")
    if not role or ":iam::" not in head:
        return principal
    account = head.rpartition(":iam::")[2]
    partition = head.split(":")[1]
    return f"arn:{partition}:sts::{account}:assumed-role/{path.rpartition('/')[2]}/<session>"


def _now(verb: str, does: bool) -> str:
    return f"{verb} now" if does else f"no longer {verb}"


def _difference(one: str, other: str) -> list[str]:
    if one == other:
        return []
    lines = difflib.unified_diff(one.splitlines(), other.splitlines(), lineterm="", n=2)
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]
