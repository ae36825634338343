"""Conditions: operator, key and values, decided against the values of a request.

Source: reference_policies_elements_condition_operators (absent keys, negated operators, `IfExists`,
`Null`), reference_policies_condition-logic-multiple-context-keys-or-values (AND, OR, NOR),
reference_policies_condition-single-vs-multi-valued-context-keys (`ForAllValues`, `ForAnyValue`).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from nitro_workflow.policy.language.operators import BASE_OPERATORS, BaseOperator, Matcher
from nitro_workflow.policy.language.variables import Template
from nitro_workflow.policy.language.wildcard import literal

__all__ = ["Condition", "Operator", "nearest_operator", "parse_operator"]

Context = Mapping[str, Sequence[str]]
_SET_OPERATORS = {"foranyvalue": "ForAnyValue", "forallvalues": "ForAllValues"}
_NULL = BaseOperator("Null", False, lambda _text, _variables: None, family="Null")


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator as written: set operator (or ``""``), base, `IfExists`."""

    base: BaseOperator
    quantifier: str = ""
    if_exists: bool = False

    def __str__(self) -> str:
        prefix = f"{self.quantifier}:" if self.quantifier else ""
        return f"{prefix}{self.base.name}{'IfExists' if self.if_exists else ''}"

    @property
    def matches_absent(self) -> bool:
        """Say whether the condition holds when the request has no such key."""
        if self.quantifier == "ForAnyValue":
            return self.if_exists
        return self.if_exists or self.quantifier == "ForAllValues" or self.base.negated


def parse_operator(text: str) -> Operator | None:
    """Read ``ForAnyValue:StringLikeIfExists``; None when there is no such operator."""
    prefix, colon, rest = text.rpartition(":")
    quantifier = _SET_OPERATORS.get(prefix.lower(), "")
    if colon and not quantifier:
        return None
    if rest.lower() == "null":
        return Operator(_NULL, quantifier)
    if rest.lower().endswith("ifexists"):
        base = BASE_OPERATORS.get(rest[: -len("IfExists")].lower())
        return Operator(base, quantifier, if_exists=True) if base else None
    base = BASE_OPERATORS.get(rest.lower())
    return Operator(base, quantifier) if base else None


@dataclass(frozen=True, slots=True)
class Condition:
    """One key under one operator. ``folded`` is the key in lower case: keys ignore case.

    ``matchers`` has one entry a value; None marks a value that can never match (a date that is
    none, under a date operator).
    """

    operator: Operator
    key: str
    values: tuple[str, ...]
    variables: bool = field(default=True, compare=False)
    folded: str = field(init=False, default="")
    matchers: tuple[Matcher | None, ...] = field(init=False, default=(), compare=False, repr=False)
    holds: Callable[[Context], bool] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        compile_value = self.operator.base.compile
        matchers = tuple(compile_value(value, self.variables) for value in self.values)
        object.__setattr__(self, "folded", self.key.lower())
        object.__setattr__(self, "matchers", matchers)
        object.__setattr__(self, "holds", self._compile())

    @property
    def unusable(self) -> tuple[str, ...]:
        """The values that are nothing of the operator's type and so match nothing."""
        if self.operator.base is _NULL:
            return tuple(v for v in self.values if v.lower() not in ("true", "false"))
        pairs = zip(self.values, self.matchers, strict=True)
        return tuple(value for value, matcher in pairs if matcher is None)

    @property
    def plain(self) -> frozenset[str] | None:
        """The values of a String operator where none is a pattern or has a variable, else None.

        They are in lower case where the operator ignores case.
        """
        base = self.operator.base
        if base.family != "String":
            return None
        like = base.name.endswith("Like")
        found: set[str] = set()
        for text in self.values:
            template = Template.parse(text, variables=self.variables, wildcards=like)
            if template.constant is None or template.constant != literal(template.constant):
                return None
            found.add(template.constant if base.case_sensitive else template.constant.lower())
        return frozenset(found)

    @property
    def variables_used(self) -> tuple[str, ...]:
        """The context keys, in lower case, that policy variables in the values take values from."""
        if self.operator.base.family not in ("String", "Arn", "Bool"):
            return ()
        parsed = (Template.parse(v, variables=self.variables, wildcards=False) for v in self.values)
        return tuple(key for template in parsed for key in template.keys)

    def _compile(self) -> Callable[[Context], bool]:
        operator, key = self.operator, self.folded
        if operator.base is _NULL:
            return self._compile_null(key)
        matchers = [matcher for matcher in self.matchers if matcher is not None]
        negated, absent = operator.base.negated, operator.matches_absent
        quantifier, valid = operator.quantifier, operator.base.valid
        comparable = len(matchers) == len(self.matchers)
        plain, fold = self.plain, not operator.base.case_sensitive

        def matches(value: str, context: Context) -> bool:
            if plain is not None:
                hit = (value.lower() if fold else value) in plain
            else:
                hit = any(matches_one(value, context) for matches_one in matchers)
            return hit if not negated else not hit and comparable and valid(value)

        def holds(context: Context) -> bool:
            values = context.get(key)
            if not values:
                return absent
            if not quantifier:
                # "Multivalued context keys require a condition set operator."
                return len(values) == 1 and matches(values[0], context)
            if not any(values):  # only empty strings: "resolves to a null data set"
                return absent
            results = (matches(value, context) for value in values)
            return all(results) if quantifier == "ForAllValues" else any(results)

        return holds

    def _compile_null(self, key: str) -> Callable[[Context], bool]:
        wanted = {value.lower() for value in self.values}
        wanted_absent, wanted_present = "true" in wanted, "false" in wanted

        def holds(context: Context) -> bool:
            return wanted_present if context.get(key) else wanted_absent

        return holds


def nearest_operator(text: str) -> str:
    """Return the operator that an unknown one was probably meant to be."""
    names = {entry.name.lower(): entry.name for entry in BASE_OPERATORS.values()} | {"null": "Null"}
    close = difflib.get_close_matches(text.rpartition(":")[2].lower(), names, n=1, cutoff=0)
    return names[close[0]] if close else "StringEquals"
