"""A key policy and its grants as finitely many choices: the requests that they can tell apart.

Every rule (a statement, a grant) becomes, for each key that it asks about, the set of classes of
values in which it holds: bits of an integer. A rule applies when the class of every key is in its
set; that is how `solve` sees it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from nitro_workflow.policy.decide import ATTESTATION_PREFIX, Grant, Policies
from nitro_workflow.policy.language import Condition, Statement, parse_key
from nitro_workflow.policy.reach.budget import Budget
from nitro_workflow.policy.reach.value_classes import (
    ABSENT,
    KeyClasses,
    key_classes,
    register_classes,
)

__all__ = [
    "CALLER_KEYS",
    "USER_ID",
    "Rule",
    "Space",
    "UnlistedGrants",
    "build_space",
    "register_name",
]

# What follows from the caller and the key: a request never contradicts it.
CALLER_KEYS = frozenset(
    {"aws:principalarn", "aws:principalaccount", "aws:principaltype", "aws:username",
     "aws:principalisawsservice", "aws:principalservicename", "aws:resourceaccount",
     "kms:calleraccount"}
)  # fmt: skip
USER_ID = "aws:userid"  # known of some callers, a key like others for the rest
_CONTEXT = "kms:EncryptionContext:"
_KINDS = {"CanonicalUser": "canonical user", "Federated": "provider", "Service": "service"}


@dataclass(frozen=True, slots=True)
class UnlistedGrants:
    """Stands for every grant there may be, where the key's grants could not be read."""

    reason: str

    @property
    def label(self) -> str:
        """How a person finds it."""
        return self.reason


@dataclass(frozen=True, slots=True)
class Opaque:
    """Why a part of a rule is outside the fragment.

    ``key`` is what a condition asks about, ``""`` for other parts; ``absent`` says whether it holds
    where the key is absent, which is certain whatever else is not.
    """

    reason: str
    key: str = ""
    absent: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A statement or a grant: ``needs`` maps each free key to the classes in which it holds.

    ``about_caller`` are conditions on what follows from the caller. ``opaque`` says what in it is
    outside the fragment; those conditions are in neither.
    """

    source: Statement | Grant | UnlistedGrants
    allow: bool
    acts: Callable[[str], bool]
    needs: Mapping[str, int] = field(default_factory=dict)
    about_caller: tuple[Condition, ...] = ()
    user_id: tuple[Condition, ...] = ()
    opaque: tuple[Opaque, ...] = ()
    foreign: bool = False  # it names somebody whom only AWS can resolve


@dataclass(frozen=True, slots=True)
class Space:
    """The rules, and the classes of each key that they ask about."""

    policies: Policies
    key_arn: str
    rules: tuple[Rule, ...]
    keys: Mapping[str, KeyClasses]

    def full(self, key: str) -> int:
        """Return the set of all classes of a key."""
        return (1 << len(self.keys[key].examples)) - 1

    def mask(self, key: str, wanted: Callable[[str], bool], *, absent: bool = False) -> int:
        """Return the classes of single values that are wanted, and absence too where it is."""
        bits = 1 if absent else 0
        for index, values in enumerate(self.keys[key].examples):
            if len(values) == 1 and wanted(values[0]):
                bits |= 1 << index
        return bits


def register_name(key: str) -> str:
    """Return the one name of a register: ImageSha384 is PCR0."""
    register = parse_key(key)
    if register is None:
        return key.lower()
    kind = "nitrotpm" if register.nitrotpm else ""
    return f"{ATTESTATION_PREFIX}{kind}pcr{register.index}"


def build_space(
    policies: Policies,
    key_arn: str,
    budget: Budget,
    *,
    unlisted: str = "",
    extra: Mapping[str, Iterable[str]] | None = None,
) -> Space:
    """Return the space of a key policy; ``extra`` maps registers to more values of interest.

    Raises `OutOfBudget`.
    """
    statements = policies.resource.statements if policies.resource else ()
    asked: dict[str, list[Condition]] = defaultdict(list)
    for statement in statements:
        for condition in statement.conditions:
            asked[register_name(condition.key)].append(condition)
    wanted: dict[str, list[str]] = defaultdict(list)
    for grant in policies.grants:
        for key, value in {**(grant.equals or {}), **(grant.subset or {})}.items():
            wanted[f"{_CONTEXT}{key}".lower()].append(value)
    for key, values in (extra or {}).items():
        wanted[key] += values
    keys = {
        key: _classes(key, asked.get(key, []), wanted.get(key, ()), budget)
        for key in (*asked, *(key for key in wanted if key not in asked))
    }
    rules = [_statement_rule(statement, keys, budget) for statement in statements]
    rules += [_grant_rule(grant, keys) for grant in policies.grants]
    if unlisted:
        rules.append(Rule(UnlistedGrants(unlisted), True, _grantable(rules)))
    return Space(policies, key_arn, tuple(rules), keys)


def _grantable(rules: Sequence[Rule]) -> Callable[[str], bool]:
    """Return which operations a grant may be for: of shared secrets only if the key is for them.

    KMS takes no grant for what a key cannot do, and a key that decrypts derives no shared secrets.
    """
    derives = any(rule.allow and rule.acts("kms:derivesharedsecret") for rule in rules)
    return lambda action: derives or action != "kms:derivesharedsecret"


def _classes(
    key: str, conditions: Sequence[Condition], wanted: Iterable[str], budget: Budget
) -> KeyClasses:
    name = conditions[0].key if conditions else key
    register = parse_key(key)
    if register is not None and register.in_range:
        return register_classes(name, conditions, budget, first=wanted)
    if key.startswith(ATTESTATION_PREFIX):  # no document fills it
        return KeyClasses(key, name, (ABSENT,))
    if key in CALLER_KEYS:
        return KeyClasses(key, name, (ABSENT,), _beyond_text(name, conditions))
    return key_classes(name, conditions, budget, first=wanted)


def _beyond_text(name: str, conditions: Iterable[Condition]) -> str:
    """Say why the callers that `callers` lists may not be all, ``""`` where they are."""
    families = {c.operator.base.family for c in conditions} - {"String", "Arn", "Null"}
    if not families or name.lower() == "aws:principalisawsservice":
        return ""
    return f"{min(families)} operators on {name}"


def _statement_rule(statement: Statement, keys: Mapping[str, KeyClasses], budget: Budget) -> Rule:
    needs: dict[str, int] = {}
    about_caller: list[Condition] = []
    user_id: list[Condition] = []
    opaque: list[Opaque] = []
    for condition in statement.conditions:
        key = register_name(condition.key)
        reason = _reason(condition, keys[key])
        if reason:
            opaque.append(Opaque(reason, key, condition.holds({})))
        elif key in CALLER_KEYS:
            about_caller.append(condition)
        else:
            holds = _holds_in(condition, keys[key], budget)
            needs[key] = needs.get(key, -1) & holds
            if key == USER_ID:
                user_id.append(condition)
    if statement.resources is not None and statement.resources.templates:
        opaque.append(Opaque(f"a policy variable in the Resource of {statement.label}"))
    foreign = _foreign(statement)
    opaque += map(Opaque, foreign if statement.allow and not statement.not_principal else [])
    return Rule(
        statement, statement.allow, statement.actions.matches, needs, tuple(about_caller),
        tuple(user_id), tuple(opaque), bool(foreign),
    )  # fmt: skip


def _reason(condition: Condition, classes: KeyClasses) -> str:
    if condition.variables_used:
        return f"the policy variable ${{{condition.variables_used[0]}}} under {condition.operator}"
    return classes.opaque


def _foreign(statement: Statement) -> list[str]:
    """Name the principals of whom only AWS knows who they are.

    AWS documents no wildcard in a service's or a provider's name: nobody is named, or everybody.
    """
    entries = statement.principal.entries if statement.principal else ()
    return [
        f"the {_KINDS[kind]} {value}"
        for kind, value in entries
        if kind == "CanonicalUser" or (kind in _KINDS and set(value) & set("*?"))
    ]


def _holds_in(condition: Condition, classes: KeyClasses, budget: Budget) -> int:
    each = 1 if condition.plain is not None else len(condition.values)
    budget.spend(each * len(classes.examples))
    bits = 0
    for index, values in enumerate(classes.examples):
        if condition.holds({condition.folded: values} if values else {}):
            bits |= 1 << index
    return bits


def _grant_rule(grant: Grant, keys: Mapping[str, KeyClasses]) -> Rule:
    """Return the rule of a grant; its constraints look at the first value of each key."""
    needs: dict[str, int] = {}
    equals = _folded(grant.equals) if grant.equals is not None else None
    for key, value in {**(equals or {}), **_folded(grant.subset or {})}.items():
        needs[key] = needs.get(key, -1) & _having(keys[key], value)
    if equals is not None:
        others = (key for key in keys if key.startswith(_CONTEXT.lower()) and key not in equals)
        needs |= dict.fromkeys(others, 1)  # "equals" leaves no room for more
    return Rule(grant, True, grant.covers, needs)


def _folded(pairs: Mapping[str, str]) -> dict[str, str]:
    return {f"{_CONTEXT}{key}".lower(): value for key, value in pairs.items()}


def _having(classes: KeyClasses, value: str) -> int:
    listed = enumerate(classes.examples)
    return sum(1 << index for index, values in listed if values[:1] == (value,))
