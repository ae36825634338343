"""The search for a request that is allowed: exhaustive inside the fragment, and it says where not.

Why this is a proof. A request is a caller, an action, a document and the values of its other keys.
`callers`, `documents` and `value_classes` give one example of every kind that the rules can tell
apart, and `solve` looks at every combination. The callers' own policies are taken to allow
everything, so a request is allowed when one Allow or grant holds its caller and applies, and no
Deny applies: what `evaluate` says too, which is asked about every request that is found.

Outside the fragment two bounds are searched: with the opaque conditions of each Deny as if they
held (what is found is a path), and without them, each Allow as if it held (what is not found is
not there). Between the two the answer is `unknown`, and names what is opaque.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from nitro_workflow.policy.decide import Grant, Request, RequestContext, Situation, evaluate
from nitro_workflow.policy.language import Grip, PrincipalElement, PrincipalKind, Statement
from nitro_workflow.policy.reach.budget import Budget
from nitro_workflow.policy.reach.callers import Caller, Callers, caller_conditions, list_callers
from nitro_workflow.policy.reach.documents import DocumentClass
from nitro_workflow.policy.reach.request_space import (
    CALLER_KEYS,
    USER_ID,
    Rule,
    Space,
    UnlistedGrants,
)
from nitro_workflow.policy.reach.solve import solve
from nitro_workflow.policy.reach.witness import Witness, worst_case, write_request

__all__ = ["Outcome", "Search"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a search came to: a request, or why there may be one, or neither: there is none."""

    witness: Witness | None = None
    rule: Rule | None = None
    reasons: tuple[str, ...] = ()

    @property
    def proved(self) -> bool:
        """Say whether there is no such request."""
        return self.witness is None and not self.reasons


NONE = Outcome()


@dataclass(frozen=True, slots=True)
class _View:
    """The rules that hold one kind of caller; ``caller`` is None for one that stands for all."""

    caller: Caller | None
    allows: tuple[int, ...]
    denies: tuple[int, ...]
    knows_id: bool = False


class Search:
    """The space of one key policy, ready to be asked about actions and documents."""

    def __init__(self, space: Space, budget: Budget) -> None:
        self.space, self.budget = space, budget
        self.policies = worst_case(space.policies)
        self._views: tuple[_View, ...] | None = None
        self._callers_opaque = ""
        self._all = self._anybody()

    def find(
        self,
        action: str,
        document: DocumentClass,
        *,
        only: Rule | None = None,
        within: Mapping[str, int] | None = None,
    ) -> Outcome:
        """Look for an allowed request, through one rule if it is given.

        ``within`` narrows keys down to some of their classes. Raises `OutOfBudget`.
        """
        asked = _Question(self, action, document, only, within or {})
        if not any(True for _ in asked.solutions(self._all, strict=False)):
            return NONE
        views = self.views()
        reasons: dict[str, None] = {}
        for strict in (True, False):
            for view in views:
                for rule, chosen in asked.solutions(view, strict=strict):
                    witness = asked.witness(view, rule, chosen)
                    if witness is not None:
                        return Outcome(witness, rule)
                    reasons |= dict.fromkeys(asked.opaque(view, rule))
        if not reasons and self._callers_opaque:
            reasons[self._callers_opaque] = None
        return Outcome(reasons=tuple(reasons))

    def closed_to_grants(self, document: DocumentClass) -> bool:
        """Say whether no grant, whatever it says, would give the plaintext of a key that decrypts.

        Only a Deny that holds everybody counts: a grant may be anybody's.
        """
        return not any(
            _Question(self, action, document, None, {}).open_to_a_grant(self._all)
            for action in ("kms:Decrypt", "kms:ReEncryptFrom")
        )

    def views(self) -> tuple[_View, ...]:
        """Return the kinds of callers, each with the rules that hold it."""
        if self._views is None:
            rules = self.space.rules
            elements = [e for rule in rules if (e := _element(rule)) is not None]
            conditions = caller_conditions(rules)
            found = list_callers(elements, conditions, self.space.key_arn, self.budget)
            self._callers_opaque = found.opaque
            self._views = tuple(self._distinct(found))
        return self._views

    def _distinct(self, found: Callers) -> Iterator[_View]:
        seen: set[tuple[object, ...]] = set()
        for caller in found.listed:
            self.budget.spend(2 + 2 * len(self.space.rules))
            view = self._view(caller)
            kind = (view.allows, view.denies, view.knows_id)
            if view.allows and kind not in seen:
                seen.add(kind)
                yield view
        foreign = [i for i, rule in enumerate(self.space.rules) if rule.foreign and rule.allow]
        if foreign:  # nobody can say who that is: all that may hold them does
            yield _View(None, tuple(foreign), self._all.denies)

    def _anybody(self) -> _View:
        rules = self.space.rules
        allows = tuple(i for i, rule in enumerate(rules) if rule.allow)
        denies = tuple(i for i, rule in enumerate(rules) if not rule.allow and self._for_all(rule))
        return _View(None, allows, denies)

    def _for_all(self, rule: Rule) -> bool:
        """Say whether a Deny of the key holds every caller, whoever they are."""
        source = rule.source
        return (
            isinstance(source, Statement)
            and source.principal is not None
            and source.principal.everyone
            and not source.not_principal
            and not rule.about_caller
            and (source.resources is None or source.resources.matches(self.space.key_arn, {}))
        )

    def _view(self, caller: Caller) -> _View:
        given = {"aws:userid": caller.user_id} if caller.user_id else {}
        context = RequestContext.what_if(given)
        request = Request(caller.principal, "kms:Decrypt", self.space.key_arn, context=context)
        situation = Situation(request)
        holding = [i for i, rule in enumerate(self.space.rules) if self._holds(rule, situation)]
        rules = self.space.rules
        return _View(
            caller,
            tuple(i for i in holding if rules[i].allow),
            tuple(i for i in holding if not rules[i].allow),
            USER_ID in situation.context,
        )

    def _holds(self, rule: Rule, situation: Situation) -> bool:
        """Say whether a rule holds the caller, and all that it asks about them."""
        source = rule.source
        if isinstance(source, UnlistedGrants):
            return True
        if isinstance(source, Grant):
            return _enough(source.names(situation.principal), situation)
        grip = situation.grip(source)
        if not (_enough(grip, situation) if rule.allow else grip):
            return False
        if not _about_key(source, situation):
            return False
        conditions = [*rule.about_caller, *(rule.user_id if USER_ID in situation.context else ())]
        return all(condition.holds(situation.context) for condition in conditions)


def _about_key(statement: Statement, situation: Situation) -> bool:
    """Say whether a statement is about the key, or may be: variables are opaque."""
    resources = statement.resources
    if resources is None or resources.templates:
        return True
    return resources.matches(situation.request.resource, situation.context)


def _enough(grip: Grip, situation: Situation) -> bool:
    """Say whether a grip lets the caller in, once their own policies allow everything.

    A federated user has no permissions without session policies: they must be named themselves, and
    be of the key's account (`evaluate`).
    """
    if situation.principal.kind is PrincipalKind.FEDERATED_USER:
        return grip is Grip.DIRECT and situation.same_account
    return bool(grip)


def _element(rule: Rule) -> PrincipalElement | None:
    source = rule.source
    if isinstance(source, Grant):
        return source.element
    return source.principal if isinstance(source, Statement) else None


class _Question:
    """One action and one class of documents, with the sets that every view shares."""

    def __init__(
        self,
        search: Search,
        action: str,
        document: DocumentClass,
        only: Rule | None,
        within: Mapping[str, int],
    ) -> None:
        self.search, self.space, self.action = search, search.space, action
        self.document, self.only = document, only
        self.folded = action.lower()
        self.start: dict[str, int] = {}
        for key in self.space.keys:
            if key not in CALLER_KEYS:
                self.start[key] = document.masks.get(key, self.space.full(key))
                self.start[key] &= within.get(key, -1)
        self.others = self._without_named_ids()

    def _without_named_ids(self) -> int:
        """Return the user ids of callers whom no Principal names by one."""
        if USER_ID not in self.start:
            return 0
        rules = self.space.rules
        named = {v for rule in rules if (e := _element(rule)) for v in e.exact}
        bits = self.start[USER_ID]
        for index, values in enumerate(self.space.keys[USER_ID].examples):
            if values and values[0].partition(":")[0] in named:
                bits &= ~(1 << index)
        return bits

    def solutions(self, view: _View, *, strict: bool) -> Iterator[tuple[Rule, dict[str, int]]]:
        """Yield, for each Allow of a view that can apply undenied, the classes of such a request.

        Strictly, the opaque conditions of a Deny hold; else the Deny does not count.
        """
        rules = self.space.rules
        start = dict(self.start)
        if USER_ID in start:
            if view.knows_id:
                del start[USER_ID]
            elif view.caller is not None:
                start[USER_ID] = self.others
        denies = [rules[i] for i in view.denies if rules[i].acts(self.folded)]
        choices = self._choices(start, denies, strict=strict)
        if choices is None:
            return
        for index in view.allows:
            rule = rules[index]
            if not rule.acts(self.folded) or (self.only is not None and rule is not self.only):
                continue
            needs, _ = self._resolved(rule)
            domains = {k: mask & needs.get(k, -1) for k, mask in start.items()}
            chosen = solve(domains, choices, self.search.budget)
            if chosen is not None:
                yield rule, chosen

    def open_to_a_grant(self, view: _View) -> bool:
        """Say whether a rule that asks for nothing would let a request through."""
        rules = self.space.rules
        denies = [rules[i] for i in view.denies if rules[i].acts(self.folded)]
        choices = self._choices(self.start, denies, strict=False)
        if choices is None:
            return False
        return solve(dict(self.start), choices, self.search.budget) is not None

    def _choices(
        self, start: Mapping[str, int], denies: Iterable[Rule], *, strict: bool
    ) -> list[Mapping[str, int]] | None:
        """Return how each Deny can be broken; None where one cannot be."""
        choices: list[Mapping[str, int]] = list(self.document.apart)
        for rule in denies:
            self.search.budget.spend(1 + len(rule.needs))
            asked, reasons = self._resolved(rule)
            if reasons and not strict:
                continue
            needs = {key: mask for key, mask in asked.items() if key in start}
            if any(not start[key] & mask for key, mask in needs.items()):
                continue  # it never applies here
            breaking = {k: start[k] & ~mask for k, mask in needs.items() if start[k] & ~mask}
            if not breaking:
                return None
            choices.append(breaking)
        return choices

    def _resolved(self, rule: Rule) -> tuple[Mapping[str, int], Sequence[str]]:
        """Return what a rule needs, and what is opaque in it; a key that is absent never is."""
        if not rule.opaque:
            return rule.needs, ()
        needs, reasons = dict(rule.needs), list[str]()
        for part in rule.opaque:
            if self.start.get(part.key) == 1:
                needs[part.key] = needs.get(part.key, -1) & part.absent
            else:
                reasons.append(part.reason)
        return needs, reasons

    def witness(self, view: _View, rule: Rule, chosen: Mapping[str, int]) -> Witness | None:
        """Return the request of a solution where the evaluator allows it, else None."""
        if view.caller is None or isinstance(rule.source, UnlistedGrants):
            return None
        values = {key: self.space.keys[key].examples[index] for key, index in chosen.items()}
        conditions = rule.source.conditions if isinstance(rule.source, Statement) else ()
        for request in write_request(
            view.caller.principal, self.action, self.space, self.document, values,
            user_id=view.caller.user_id, conditions=conditions,
        ):  # fmt: skip
            if evaluate(request, self.search.policies).allowed:
                return Witness(request, self.search.policies, "allowed")
        return None

    def opaque(self, view: _View, rule: Rule) -> Sequence[str]:
        """Say what may stand between the rule and a request."""
        rules = self.space.rules
        denies = [rules[i] for i in view.denies if rules[i].acts(self.folded)]
        found = [reason for entry in (rule, *denies) for reason in self._resolved(entry)[1]]
        if isinstance(rule.source, UnlistedGrants):
            found = [rule.source.reason]
        return found or [f"the evaluator does not allow what {rule.source.label} should"]
