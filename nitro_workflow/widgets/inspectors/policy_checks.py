"""Statements of a policy against a request: what stands in the way first, what holds folded.

They are drawn from an explanation's JSON record, so that a decision met in a record of the cloud
and one made for a question look alike. Whatever a record does not tell is shown as not told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nitro_workflow.policy import FEEDS, parse_key
from nitro_workflow.widgets.drawing import Digest, Tone, digest_of, first_difference
from nitro_workflow.widgets.formats import short

__all__ = ["UNTOLD", "CheckView", "StatementView", "mappings", "statements_of", "text_of"]

UNTOLD = "not told"
_HEX = 96  # digits of a PCR
_SHOWN = 4  # values of a list that a check shows before it counts the rest
_CONTEXT = "kms:EncryptionContext:"


@dataclass(frozen=True, slots=True)
class CheckView:
    """One comparison. ``tone`` bad: it stands in the way; good: it holds; neutral: it matched.

    ``label`` says what the policy's value is here: expected, all but, forbids, not.
    """

    id: str
    name: str
    about: str
    operator: str
    tone: Tone
    label: str
    expected: str
    found: str
    expected_digest: Digest | None = None
    found_digest: Digest | None = None
    more: int = 0
    note: str = ""
    matched: bool = False
    flipped: bool = False


@dataclass(frozen=True, slots=True)
class StatementView:
    """One statement; ``open``: its checks are shown one by one, else it is one line."""

    id: str
    effect: str
    name: str
    place: str
    tone: Tone
    says: str
    checks: tuple[CheckView, ...]
    open: bool
    applies: bool = False
    flipped: bool = False

    @property
    def told(self) -> tuple[CheckView, ...]:
        """The checks that are shown with both values."""
        return tuple(check for check in self.checks if check.tone == "bad")


def text_of(record: Mapping[str, Any], key: str, otherwise: str = UNTOLD) -> str:
    """Return a value of a record as one short text; what is not there is ``otherwise``."""
    value = record.get(key)
    return otherwise if value is None or value == "" else short(value)


def mappings(value: object) -> list[Mapping[str, Any]]:
    """Return the objects of a JSON list; of anything else none."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def statements_of(
    record: Mapping[str, Any], before: Mapping[str, bool] | None = None
) -> tuple[StatementView, ...]:
    """Return the statements of an explanation, what decided first, then the nearest Allow.

    ``before`` maps ids of statements and checks to what they came to earlier: what is another now
    has flipped.
    """
    listed = mappings(record.get("statements"))
    decided = _place(_mapping(record.get("nearest")))
    nearest = [_nearest_allow(listed, policy) for policy in {text_of(o, "policy") for o in listed}]
    views = [_statement(one, nearest=any(one is near for near in nearest)) for one in listed]
    if before is not None:
        views = [_marked(view, before) for view in views]
    return tuple(sorted(views, key=lambda view: _order(view, decided)))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _place(statement: Mapping[str, Any]) -> str:
    return f"{text_of(statement, 'policy')}#{text_of(statement, 'statement')}"


def _order(view: StatementView, decided: str) -> tuple[bool, bool, bool, bool]:
    return view.id != decided, not view.open, view.effect != "Allow", view.applies


def _nearest_allow(
    statements: Iterable[Mapping[str, Any]], policy: str
) -> Mapping[str, Any] | None:
    """Return the Allow of a policy that comes nearest to the request; an applying one is none."""
    allows = [
        one
        for one in statements
        if one.get("effect") == "Allow" and text_of(one, "policy") == policy
    ]
    nearest = max(allows, key=_nearness, default=None)
    return None if nearest is None or nearest.get("applies") is True else nearest


def _nearness(statement: Mapping[str, Any]) -> tuple[bool, bool, bool, int]:
    missed = [text_of(c, "element") for c in _checks(statement) if c.get("matched") is not True]
    return (
        not any("Action" in name for name in missed),
        not any("Principal" in name for name in missed),
        not any("Resource" in name for name in missed),
        -len(missed),
    )


def _checks(statement: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return mappings(statement.get("checks"))


def _statement(record: Mapping[str, Any], *, nearest: bool) -> StatementView:
    applies, effect = record.get("applies") is True, text_of(record, "effect")
    place = _place(record)
    checks = tuple(
        _check(f"{place}/{at}", one, applies=applies, effect=effect)
        for at, one in enumerate(_checks(record))
    )
    tone: Tone = "neutral" if not applies else "bad" if effect == "Deny" else "good"
    return StatementView(
        id=place,
        effect=effect,
        name=text_of(record, "sid", f"statement {text_of(record, 'statement')}"),
        place=f"{_policy_name(record)}, statement {text_of(record, 'statement')}",
        tone=tone,
        says=_says(checks, effect, applies=applies, nearest=nearest),
        checks=checks,
        open=applies or nearest or _fence(checks, effect),
        applies=applies,
    )


def _policy_name(record: Mapping[str, Any]) -> str:
    return text_of(record, "policy").rpartition("/")[2]


def _fence(checks: Sequence[CheckView], effect: str) -> bool:
    """Say whether a Deny is about this request, and only its conditions do not hold."""
    about = [check.matched for check in checks if not check.operator]
    return effect == "Deny" and bool(about) and all(about)


def _says(checks: Sequence[CheckView], effect: str, *, applies: bool, nearest: bool) -> str:
    held = sum(check.matched for check in checks)
    missed = ", ".join(check.name for check in checks if not check.matched)
    if effect == "Deny":
        if not applies:
            return (
                f"Does not apply: {missed} {'are' if ', ' in missed else 'is'} not what it denies."
            )
        conditions = sum(bool(check.operator) for check in checks)
        why = "its condition holds" if conditions == 1 else "its conditions hold"
        why = why if conditions else "it is about every such request"
        return f"Decides: {why}, and a Deny outweighs every Allow."
    if applies:
        return f"Applies: all {len(checks)} hold."
    return f"{'Nearest Allow' if nearest else 'Does not apply'}: {held} of {len(checks)} hold" + (
        f", not {missed}." if missed else "."
    )


def _check(id_: str, record: Mapping[str, Any], *, applies: bool, effect: str) -> CheckView:
    matched, key = record.get("matched") is True, text_of(record, "key", "")
    operator, deny = text_of(record, "operator", ""), effect == "Deny"
    found = record.get("found")
    expected = _values(record.get("expected"))
    nearest = max(expected, key=lambda one: _common(one, _values(found)), default="")
    view = CheckView(
        id=id_,
        name=_name(key, text_of(record, "element")),
        about=_about(key),
        operator=operator,
        tone=_tone(matched=matched, deny=deny, applies=applies, condition=bool(operator)),
        label=_label(operator, deny=deny),
        expected=_some(expected),
        found=_absent(key) if found is None else _some(_values(found)),
        note=text_of(record, "note", "") if found is not None else "",
        matched=matched,
    )
    return _with_digests(view, nearest, _values(found), len(expected) - 1)


def _tone(*, matched: bool, deny: bool, applies: bool, condition: bool) -> Tone:
    """✗ means “this stands in your way”: of an Allow what fails, of a Deny what makes it apply."""
    if not deny:
        return "good" if matched else "bad"
    if applies:
        return "bad" if condition else "neutral"
    return "neutral" if matched else "good"


def _label(operator: str, *, deny: bool) -> str:
    negated = "Not" in operator
    if deny:
        return "all but" if negated else "forbids"
    return "not" if negated else "expected"


def _name(key: str, element: str) -> str:
    if (pcr := parse_key(key)) is not None:
        return pcr.label
    return f"{key[len(_CONTEXT) :]}" if key.startswith(_CONTEXT) else key or element


def _about(key: str) -> str:
    if (pcr := parse_key(key)) is not None:
        return "" if pcr.nitrotpm else FEEDS.get(pcr.index, "")
    return "encryption context" if key.startswith(_CONTEXT) else ""


def _absent(key: str) -> str:
    if parse_key(key):
        return "nothing: the request has no such measurement"
    return "nothing: the request has no such key"


def _values(value: object) -> list[str]:
    if isinstance(value, list | tuple):
        return [short(one) for one in value]
    return [] if value is None else [short(value)]


def _some(values: Sequence[str]) -> str:
    more = len(values) - _SHOWN
    return ", ".join(values[:_SHOWN]) + (f" and {more} more" if more > 0 else "") or "—"


def _common(one: str, found: Sequence[str]) -> int:
    at = first_difference(one, found[0]) if found else 0
    return len(one) if at < 0 else at


def _with_digests(view: CheckView, expected: str, found: Sequence[str], more: int) -> CheckView:
    """Add the digests, where the values are: then the first difference can be seen."""
    if not _is_digest(expected):
        return view
    value = found[0] if len(found) == 1 else ""
    at = _unlike(expected, value, view.operator) if value else -1
    seen = _as_spelt(value, at) if _is_digest(value) else None
    return replace(view, expected_digest=_as_spelt(expected, at), found_digest=seen, more=more)


def _unlike(one: str, other: str, operator: str) -> int:
    """Return the first character in which two values differ for an operator, or -1."""
    at = first_difference(one, other)
    if at >= 0 or "IgnoreCase" in operator:
        return at
    pairs = zip(one, other, strict=False)  # alike but for capitals, which this operator minds
    return next((at for at, (a, b) in enumerate(pairs) if a != b), -1)


def _as_spelt(value: str, difference: int) -> Digest:
    """Return a digest with the letters that the policy or the request has, capitals too."""
    return replace(digest_of(value, difference), hex=value)


def _is_digest(text: str) -> bool:
    return len(text) == _HEX and not set(text.lower()) - set("0123456789abcdef")


def _marked(view: StatementView, before: Mapping[str, bool]) -> StatementView:
    checks = tuple(
        replace(check, flipped=before.get(check.id, check.matched) is not check.matched)
        for check in view.checks
    )
    flipped = before.get(view.id, view.applies) is not view.applies
    return replace(view, checks=checks, flipped=flipped, open=view.open or flipped)
