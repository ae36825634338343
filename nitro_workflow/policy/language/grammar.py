"""Reading a policy document, strictly: each error says the JSON path, and line and column.

Source: reference_policies_grammar and the pages of its elements. What AWS refuses to save for its
grammar is refused here; what AWS saves but can never match is kept, and reported by `check`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from nitro_workflow.errors import PolicyError
from nitro_workflow.policy.language.conditions import Condition, nearest_operator, parse_operator
from nitro_workflow.policy.language.json_reading import (
    Path,
    decode_text,
    locate,
    path_text,
    read_json,
)
from nitro_workflow.policy.language.policy_document import (
    KINDS,
    Policy,
    PolicyKind,
    Statement,
)
from nitro_workflow.policy.language.principals import PrincipalElement
from nitro_workflow.policy.language.targets import ActionElement, ResourceElement

__all__ = ["parse_policy", "parse_policy_leniently"]

VERSIONS = ("2012-10-17", "2008-10-17")
MAX_STATEMENTS = 10_000
_POLICY_KEYS = ("Version", "Id", "Statement")
_STATEMENT_KEYS = (
    "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource",
    "NotResource", "Condition",
)  # fmt: skip
_PRINCIPAL_TYPES = ("AWS", "Service", "Federated", "CanonicalUser")


class _Reader:
    """Reads one document; errors carry the path, and line and column when there is text."""

    def __init__(self, text: str | None, kind: PolicyKind, name: str, *, lenient: bool) -> None:
        self.text = text
        self.kind = kind
        self.name = name or f"{kind} policy"
        self.lenient = lenient
        self.warnings: list[str] = []
        self.variables = False

    def object(self, path: Path, found: str, expected: str, next_step: str = "") -> None:
        """Refuse what AWS would not save but can be evaluated; in lenient reading only note it."""
        error = self.error(path, found, expected, next_step)
        if not self.lenient:
            raise error
        self.warnings.append(str(error))

    def error(self, path: Path, found: str, expected: str, next_step: str = "") -> PolicyError:
        place = locate(self.text, path) if self.text is not None else ""
        where = f"{self.name}, {path_text(path)}" + (f" ({place})" if place else "")
        return PolicyError(
            found,
            expected=expected,
            where=where,
            next=next_step or f"correct {path_text(path)} and read the policy again",
        )

    def policy(self, value: Any) -> Policy:
        if not isinstance(value, Mapping):
            raise self.error((), _kind_of(value), "an object with Version and Statement")
        self.known(value, (), _POLICY_KEYS)
        version = self.text_at(value, "Version", (), default="2008-10-17")
        if version not in VERSIONS:
            raise self.error(("Version",), f"the version {version!r}", " or ".join(VERSIONS))
        self.variables = version == "2012-10-17"
        if "Statement" not in value:
            raise self.error((), "no Statement", "a statement or a list of statements")
        listed = value["Statement"]
        entries = listed if isinstance(listed, list) else [listed]
        if not entries or len(entries) > MAX_STATEMENTS:
            found = f"{len(entries)} statements"
            raise self.error(("Statement",), found, f"1 to {MAX_STATEMENTS}")
        statements = tuple(
            self.statement(
                entry, index, ("Statement", index) if isinstance(listed, list) else ("Statement",)
            )
            for index, entry in enumerate(entries)
        )
        identifier = self.text_at(value, "Id", (), default="")
        return Policy(
            self.kind, version, identifier, statements, self.name, tuple(self.warnings), value
        )

    def statement(self, value: Any, index: int, path: Path) -> Statement:
        if not isinstance(value, Mapping):
            raise self.error(path, _kind_of(value), "a statement object")
        self.known(value, path, _STATEMENT_KEYS)
        effect = self.text_at(value, "Effect", path)
        if effect not in ("Allow", "Deny"):
            raise self.error((*path, "Effect"), f"the effect {effect!r}", '"Allow" or "Deny"')
        not_principal, principal = self.principal(value, path)
        return Statement(
            index=index,
            sid=self.text_at(value, "Sid", path, default=""),
            allow=effect == "Allow",
            principal=principal,
            not_principal=not_principal,
            actions=self.actions(value, path),
            resources=self.resources(value, path),
            conditions=self.conditions(value, path),
        )

    def known(self, value: Mapping[str, Any], path: Path, names: tuple[str, ...]) -> None:
        for name in value:
            if name in names:
                continue
            alike = [known for known in names if known.lower() == str(name).lower()]
            hint = f"element names are case-sensitive: write {alike[0]!r}" if alike else ""
            raise self.error((*path, name), f"the element {name!r}", ", ".join(names), hint)

    def text_at(
        self, value: Mapping[str, Any], name: str, path: Path, *, default: str | None = None
    ) -> str:
        if name not in value:
            if default is None:
                raise self.error(path, f"no {name}", f"a {name} element")
            return default
        found = value[name]
        if not isinstance(found, str):
            raise self.error((*path, name), _kind_of(found), "a string")
        return found

    def one_of(self, value: Mapping[str, Any], path: Path, name: str) -> tuple[bool, str] | None:
        """Return (is it the Not… form, the name), or None where neither is there."""
        negative = f"Not{name}"
        if name in value and negative in value:
            raise self.error((*path, negative), f"{name} and {negative} together", "one of them")
        if name in value:
            return False, name
        return (True, negative) if negative in value else None

    def principal(
        self, value: Mapping[str, Any], path: Path
    ) -> tuple[bool, PrincipalElement | None]:
        form = self.one_of(value, path, "Principal")
        if self.kind in ("identity", "boundary", "session"):
            if form:
                self.object(
                    (*path, form[1]), f"{form[1]} in {_an(self.kind)} policy", "no such element",
                    "whom the policy is attached to is its principal; remove the element",
                )  # fmt: skip
            return False, None
        if form is None:
            self.object(path, "no Principal", "a Principal: this policy is on a resource")
            return False, PrincipalElement(())
        negated, name = form
        if negated and self.kind == "trust":
            self.object((*path, name), "NotPrincipal in a trust policy", "a Principal")
        return negated, self.principal_element(value[name], (*path, name))

    def principal_element(self, value: Any, path: Path) -> PrincipalElement:
        if value == "*":
            return PrincipalElement((("AWS", "*"),))
        form = 'an object such as {"AWS": "arn:…"}, or "*"'
        if isinstance(value, str):
            self.object(path, repr(value), form)
            return PrincipalElement((("AWS", value),))
        if not isinstance(value, Mapping) or not value:
            raise self.error(path, _kind_of(value), form)
        self.known(value, path, _PRINCIPAL_TYPES)
        entries = [
            (kind, text)
            for kind, listed in value.items()
            for text in self.strings(listed, (*path, kind))
        ]
        return PrincipalElement(tuple(entries))

    def actions(self, value: Mapping[str, Any], path: Path) -> ActionElement:
        form = self.one_of(value, path, "Action")
        if form is None:
            raise self.error(path, "no Action", "an Action or NotAction element")
        negated, name = form
        texts = self.strings(value[name], (*path, name))
        for number, text in enumerate(texts):
            service, colon, operation = text.partition(":")
            named = service and colon and operation and text.isascii()
            if text.strip("*") and not named:
                place = (*path, name, number) if isinstance(value[name], list) else (*path, name)
                self.object(place, f"the action {text!r}", '"service:Operation" or "*"')
        return ActionElement(texts, negated)

    def resources(self, value: Mapping[str, Any], path: Path) -> ResourceElement | None:
        form = self.one_of(value, path, "Resource")
        if self.kind == "trust":
            if form:
                self.object(
                    (*path, form[1]), f"{form[1]} in a trust policy", "no such element",
                    "the role that carries the policy is its resource; remove the element",
                )  # fmt: skip
            else:
                return None
        if form is None:
            raise self.error(path, "no Resource", "a Resource or NotResource element")
        negated, name = form
        texts = self.strings(value[name], (*path, name))
        completes = self.kind in ("identity", "boundary")
        return ResourceElement(texts, negated, self.variables, completes)

    def conditions(self, value: Mapping[str, Any], path: Path) -> tuple[Condition, ...]:
        block = value.get("Condition", {})
        place = (*path, "Condition")
        if not isinstance(block, Mapping):
            raise self.error(place, _kind_of(block), "an object of operators")
        found: list[Condition] = []
        for name, keys in block.items():
            operator = parse_operator(name)
            if operator is None:
                found_operator = f"the condition operator {name!r}"
                expected = "an operator such as StringEquals or ForAnyValue:StringLikeIfExists"
                hint = f"did you mean {nearest_operator(name)}?"
                raise self.error((*place, name), found_operator, expected, hint)
            if not isinstance(keys, Mapping) or not keys:
                raise self.error((*place, name), _kind_of(keys), "an object of condition keys")
            for key, listed in keys.items():
                values = self.condition_values(listed, (*place, name, key))
                if not key.strip():
                    raise self.error((*place, name, key), "an empty key", "a condition key")
                found.append(Condition(operator, key, values, self.variables))
        return tuple(found)

    def strings(self, value: Any, path: Path) -> tuple[str, ...]:
        listed = value if isinstance(value, list) else [value]
        if not listed:
            raise self.error(path, "an empty list", "at least one string")
        for number, entry in enumerate(listed):
            place = (*path, number) if isinstance(value, list) else path
            if not isinstance(entry, str):
                raise self.error(place, _kind_of(entry), "a string")
            if not entry.strip():
                raise self.error(place, "an empty string", "a name, an ARN or a pattern")
        return tuple(listed)

    def condition_values(self, value: Any, path: Path) -> tuple[str, ...]:
        listed = value if isinstance(value, list) else [value]
        texts: list[str] = []
        for number, entry in enumerate(listed):
            if isinstance(entry, bool):
                texts.append("true" if entry else "false")
            elif isinstance(entry, str | int | float):
                texts.append(_number_text(entry))
            else:
                place = (*path, number) if isinstance(value, list) else path
                raise self.error(place, _kind_of(entry), "a string, a number or true/false")
        return tuple(texts)


def _number_text(value: str | float) -> str:
    return value if isinstance(value, str) else repr(value)


def _an(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _kind_of(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}
    names |= {int: "a number", float: "a number", type(None): "null"}
    if value in ({}, []):
        return "an empty object" if value == {} else "an empty list"
    return names.get(type(value), type(value).__name__)


def parse_policy(
    source: str | bytes | Mapping[str, Any], *, kind: PolicyKind = "resource", name: str = ""
) -> Policy:
    """Read a policy document.

    ``kind`` says where the policy stands: on a resource (a key policy, a bucket policy), on an
    identity, as a permissions boundary, as a session policy, or as a role's trust policy. ``name``
    is what errors and explanations call it.

    >>> parse_policy('{"Version": "2012-10-17", "Statement": []}')
    Traceback (most recent call last):
    nitro_workflow.errors.PolicyError: ...

    Raises `PolicyError` with the JSON path, and with line and column when ``source`` is text.
    """
    return _parse(source, kind, name, lenient=False)


def parse_policy_leniently(
    source: str | bytes | Mapping[str, Any], *, kind: PolicyKind = "resource", name: str = ""
) -> Policy:
    """Read a policy that AWS would not save but whose meaning is plain, and say so in `warnings`.

    These are taken: a Principal in an identity policy (ignored), no Principal in a resource policy
    (matches nobody), a Principal that is a bare ARN, NotPrincipal or Resource in a trust policy, an
    action without service or operation (matches nothing). Everything else is refused as by
    `parse_policy`, with `PolicyError`.
    """
    return _parse(source, kind, name, lenient=True)


def _parse(
    source: str | bytes | Mapping[str, Any], kind: PolicyKind, name: str, *, lenient: bool
) -> Policy:
    if kind not in KINDS:
        raise PolicyError(f"the policy kind {kind!r}", expected=", ".join(KINDS), where="kind")
    what = name or f"{kind} policy"
    if isinstance(source, Mapping):
        return _Reader(None, kind, name, lenient=lenient).policy(_plain(source, what))
    value = read_json(source, what=what)
    text = source if isinstance(source, str) else decode_text(source, what)
    return _Reader(text, kind, name, lenient=lenient).policy(value)


def _plain(source: Mapping[str, Any], what: str) -> Any:
    """Bring a mapping to what its JSON text would say, so that both are read alike."""
    try:
        text = json.dumps(source)
    except (TypeError, ValueError, RecursionError) as error:
        raise PolicyError(str(error), expected="values that JSON knows", where=what) from None
    return read_json(text, what=what)
