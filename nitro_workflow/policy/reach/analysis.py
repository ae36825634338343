"""Who can ever get the plaintext, under which PCRs, and who can change that.

`analyse` answers three questions about a key policy and its grants, in the worst case: as if
everybody's own IAM policies allowed everything. Can the plaintext be had *without a document*? With
a genuine document of *another image*? From a *debug enclave*? Each answer is `path`, with a request
that the evaluator allows; `none`, with a proof (`search`) inside the fragment; or `unknown`.

The fragment is called *constants of one kind*: every condition compares its key with constants
(no policy variables), each key by operators of one kind, and the patterns, lists and choices of a
policy are few enough for the budget.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from nitro_workflow.policy.decide import Grant, Policies
from nitro_workflow.policy.language import Policy, fill_placeholders
from nitro_workflow.policy.reach.budget import Budget, OutOfBudget
from nitro_workflow.policy.reach.documents import (
    DocumentClass,
    debug_enclaves,
    no_document,
    other_images,
)
from nitro_workflow.policy.reach.plaintext_actions import (
    CHANGERS,
    DATA_KEYS,
    PLAINTEXT,
    carries_document,
)
from nitro_workflow.policy.reach.policy_finding import PolicyFinding, Severity, Subject
from nitro_workflow.policy.reach.policy_findings import list_findings
from nitro_workflow.policy.reach.request_space import build_space
from nitro_workflow.policy.reach.search import Search
from nitro_workflow.policy.reach.the_key import infer_key
from nitro_workflow.policy.reach.ways import Way, list_ways
from nitro_workflow.policy.reach.witness import Witness

__all__ = ["FRAGMENT", "QUESTIONS", "Analysis", "Unproved", "Verdict", "analyse"]

FRAGMENT = "constants of one kind"
Verdict = Literal["none", "path", "unknown"]
Question = Literal["without_attestation", "any_image", "debug"]
QUESTIONS: tuple[Question, ...] = ("without_attestation", "any_image", "debug")
NO_GRANTS = "the key has no grants"
_ORDER: dict[Severity, int] = {"critical": 0, "high": 1, "medium": 2, "low": 3}


@dataclass(frozen=True, slots=True)
class Unproved:
    """Why a question has no answer: the operation, and what put it outside the fragment."""

    question: Question
    action: str
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Return ``{"question", "action", "reason"}``."""
        return {"question": self.question, "action": self.action, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Analysis:
    """What a key policy lets happen: three answers, who they are about, and what to mend.

    ``witnesses`` has a request for each operation by which a question's answer is `path`.
    """

    without_attestation: Verdict
    any_image: Verdict
    debug: Verdict
    witnesses: Mapping[Question, tuple[Witness, ...]]
    unknown: tuple[Unproved, ...]
    assumes: tuple[str, ...]
    ways: tuple[Way, ...]
    changers: tuple[Way, ...]
    data_keys: tuple[Way, ...]
    findings: tuple[PolicyFinding, ...]
    fragment: str = FRAGMENT

    @property
    def answers(self) -> dict[str, Verdict]:
        """The three answers by question."""
        verdicts = (self.without_attestation, self.any_image, self.debug)
        return dict(zip(QUESTIONS, verdicts, strict=True))

    @property
    def worst(self) -> Severity | None:
        """The severity of the worst finding, None where there is none."""
        return self.findings[0].severity if self.findings else None

    def to_json(self) -> dict[str, Any]:
        """Return the whole analysis."""
        return {
            **self.answers,
            "fragment": self.fragment,
            "witnesses": {
                question: [witness.to_json() for witness in found]
                for question, found in self.witnesses.items()
            },
            "unknown": [entry.to_json() for entry in self.unknown],
            "assumes": list(self.assumes),
            "who_can_decrypt": [way.to_json() for way in self.ways],
            "who_can_change_that": [way.to_json() for way in self.changers],
            "who_can_make_data_keys": [way.to_json() for way in self.data_keys],
            "findings": [finding.to_json() for finding in self.findings],
        }


def analyse(
    policy: Policy,
    *,
    grants: Sequence[Grant] | None = None,
    key_arn: str | None = None,
    unlisted: str = "",
) -> Analysis:
    """Analyse a key policy, and the key's grants where they are known.

    ``grants`` is ListGrants' answer; None says that they were not looked at, and the analysis names
    that as what it assumes. ``unlisted`` says why grants could not be read: nothing is assumed
    then. Without ``key_arn`` the key is taken from what the policy says of itself.
    """
    arn, said = (key_arn, "") if key_arn else infer_key(policy)
    policy, filled = fill_placeholders(policy, arn)
    policies = Policies(policy, grants=tuple(grants or ()))
    answers = _Answers()
    ways, changers, data_keys = list[Way](), list[Way](), list[Way]()
    findings: list[PolicyFinding] = []
    budget, cut, fenced = Budget(), list[str](), False
    try:
        search = Search(build_space(policies, arn, budget, unlisted=unlisted), budget)
        answers.ask_all(search)
        fenced = search.closed_to_grants(no_document(search.space))
        search.budget = Budget(budget.steps // 2)
        ways.extend(list_ways(search, PLAINTEXT, deep=True))
        changers.extend(list_ways(search, tuple(CHANGERS), deep=False))
        data_keys.extend(list_ways(search, DATA_KEYS, deep=False))
        findings.extend(list_findings(Subject(search, ways, changers, data_keys)))
    except OutOfBudget:
        answers.stop(budget.reason)
        cut = [f"what is listed is not all: {budget.reason}"]
    assumes = cut + [
        f"{name} is filled in; here it stands for {value}" for name, value in filled.items()
    ]
    assumes += [said] if said else []
    if grants is None and not unlisted and not fenced:
        assumes.append(NO_GRANTS)
    verdicts = [answers.verdict(question) for question in QUESTIONS]
    return Analysis(
        verdicts[0], verdicts[1], verdicts[2], answers.witnesses(), tuple(answers.unproved),
        tuple(assumes), tuple(ways), tuple(changers), tuple(data_keys),
        tuple(sorted(findings, key=lambda finding: _ORDER[finding.severity])),
    )  # fmt: skip


@dataclass
class _Answers:
    """The answers as they come in; a question that is not reached is unproved."""

    found: dict[Question, list[Witness]] = field(default_factory=dict)
    unproved: list[Unproved] = field(default_factory=list)
    asked: set[Question] = field(default_factory=set)

    def ask_all(self, search: Search) -> None:
        """Ask the three questions, each about every operation that gives the plaintext."""
        space = search.space
        self._ask(search, "without_attestation", PLAINTEXT, (no_document(space),))
        attested = tuple(action for action in PLAINTEXT if carries_document(action))
        self._ask(search, "any_image", attested, other_images(space))
        self._ask(search, "debug", attested, (debug_enclaves(space),))

    def _ask(
        self,
        search: Search,
        question: Question,
        actions: Iterable[str],
        documents: Sequence[DocumentClass],
    ) -> None:
        for action in actions:
            outcomes = [search.find(action, document) for document in documents]
            witnesses = [o.witness for o in outcomes if o.witness is not None]
            self.found.setdefault(question, []).extend(witnesses[:1])
            if not witnesses:
                reasons = dict.fromkeys(reason for o in outcomes for reason in o.reasons)
                self.unproved += [Unproved(question, action, reason) for reason in reasons]
        self.asked.add(question)

    def stop(self, reason: str) -> None:
        """Say of every question that has no answer yet why it has none."""
        for question in QUESTIONS:
            if question not in self.asked:
                self.unproved.append(Unproved(question, "kms:Decrypt", reason))

    def verdict(self, question: Question) -> Verdict:
        """Return the answer to a question."""
        if self.found.get(question):
            return "path"
        open_ = any(entry.question == question for entry in self.unproved)
        return "unknown" if open_ else "none"

    def witnesses(self) -> dict[Question, tuple[Witness, ...]]:
        """Return the requests by question."""
        return {question: tuple(self.found.get(question, ())) for question in QUESTIONS}
