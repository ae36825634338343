"""The finitely many values of a condition key that a policy can tell apart.

Conditions ask about one key at a time, and only whether its values match the policy's. So two
values that match the same ones are one class, and one example of each class is enough:

- *text* (String and Arn operators): every literal, every spelling of it by case that the operators
  can tell apart, one value of every cell of the patterns (`pattern_cells`), one that is nothing of
  these, and the empty text;
- *numbers and dates*: every literal, one value in every gap and beyond each end, one that is none;
- *addresses*: membership in networks changes only where one begins or has just ended; each range
  that is named; one that is none;
- *Bool, Binary*: each literal, its opposite, one that is none;
- *absence*; and *lists*: a list is told from another only by what some and what all of its values
  match, and those pairs are closed under adding a value.

A key that is compared by operators of two of these kinds, or with a policy variable, is outside the
fragment: `opaque` says so.
"""

from __future__ import annotations

import base64
import ipaddress
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, localcontext

from nitro_workflow.policy.language import (
    HEX_LENGTH,
    Condition,
    Template,
    literal,
    parse_date,
    parse_network,
    parse_number,
)
from nitro_workflow.policy.reach.budget import Budget
from nitro_workflow.policy.reach.pattern_cells import (
    HEX_DOMAIN,
    Pattern,
    TooManyCells,
    arn_patterns,
    cells,
    glob,
)

__all__ = [
    "ABSENT",
    "ZEROS",
    "KeyClasses",
    "Values",
    "is_register",
    "key_classes",
    "register_classes",
    "text_parts",
]

Values = tuple[str, ...]
ABSENT: Values = ()
ZEROS = "0" * HEX_LENGTH  # PCR0 to PCR2 of every enclave in debug mode
_OTHER = "anything-else"
MAX_LISTS = 2_000


@dataclass(frozen=True, slots=True)
class KeyClasses:
    """One example of each class of values of a key, the plainest first; the first is absence.

    ``opaque`` says why the examples are not known to be complete, ``""`` where they are.
    """

    key: str
    name: str
    examples: tuple[Values, ...]
    opaque: str = ""


def key_classes(
    name: str, conditions: Sequence[Condition], budget: Budget, *, first: Iterable[str] = ()
) -> KeyClasses:
    """Return the classes of one key; ``first`` are values that a grant compares with."""
    plain = [c for c in conditions if not c.variables_used]
    families = {_kind(c) for c in plain} - {"Null"}
    wanted = tuple(dict.fromkeys(first))
    families |= {"Text"} if wanted else set()
    opaque = _beyond(name, plain, families)
    singles: dict[str, None] = {}
    try:
        for family in sorted(families or {"Text"}):
            singles |= dict.fromkeys(_EXAMPLES[family](plain, wanted, budget))
    except TooManyCells:
        opaque = f"too many patterns on {name}"
        singles |= dict.fromkeys((*wanted, *_tried(plain), _OTHER))
    examples: list[Values] = [ABSENT, *((value,) for value in singles)]
    try:
        examples += _lists(plain, tuple(singles), wanted, budget)
    except TooManyCells:
        opaque = f"too many different lists of {name}"
    return KeyClasses(name.lower(), name, tuple(dict.fromkeys(examples)), opaque)


def register_classes(
    name: str, conditions: Sequence[Condition], budget: Budget, *, first: Iterable[str] = ()
) -> KeyClasses:
    """Return the classes of a register: absent, zeros, and other lower-case measurements."""
    plain = [c for c in conditions if not c.variables_used]
    families = {_kind(c) for c in plain} - {"Null", "Text"}
    opaque = f"{min(families)} operators on {name}" if families else ""
    exact, folded, patterns = text_parts(plain)
    literals = dict.fromkeys(t for t in (*exact, *map(str.lower, folded), *first) if is_register(t))
    literals.setdefault(ZEROS)
    try:
        others = cells(patterns, budget, literals=literals, domain=HEX_DOMAIN) if patterns else ()
    except TooManyCells:
        opaque, others = f"too many patterns on {name}", ()
    fresh = next(t for t in _registers() if t not in literals)
    examples = (ABSENT, *((text,) for text in (*literals, fresh, *others)))
    return KeyClasses(name.lower(), name, tuple(dict.fromkeys(examples)), opaque)


def _registers() -> Iterator[str]:
    yield from (f"{number:02x}" * 48 for number in range(0xB1, 0x100))
    yield from (f"{number:096x}" for number in itertools.count(1))


def is_register(text: str) -> bool:
    """Say whether a text is a measurement as KMS writes it."""
    return len(text) == HEX_LENGTH and not set(text) - set("0123456789abcdef")


def _beyond(name: str, conditions: Sequence[Condition], families: set[str]) -> str:
    if len(families) > 1:
        return f"operators of different kinds on {name}"
    _, folded, _ = text_parts(conditions)
    if not all(map(str.isascii, folded)):
        return f"letters beyond ASCII without regard to case on {name}"
    return ""


def _kind(condition: Condition) -> str:
    family = condition.operator.base.family
    return "Text" if family in ("String", "Arn") else family


def _tried(conditions: Iterable[Condition]) -> Iterator[str]:
    """Yield values worth trying where the cells are too many to list."""
    for condition in conditions:
        for text in condition.values:
            yield from (text.replace("*", "").replace("?", "x"), text.replace("*", "x"))


# ---------------------------------------------------------------------------------------- text


def text_parts(
    conditions: Iterable[Condition],
) -> tuple[list[str], list[str], list[Pattern]]:
    """Return the literals, those compared without case, and the patterns of text conditions."""
    exact: list[str] = []
    folded: list[str] = []
    patterns: list[Pattern] = []
    for condition in conditions:
        base = condition.operator.base
        if _kind(condition) != "Text":
            continue
        like = base.family == "Arn" or base.name.endswith("Like")
        for text in condition.values:
            template = Template.parse(text, variables=condition.variables, wildcards=like)
            marked = template.constant or ""
            if marked == literal(marked):
                (exact if base.case_sensitive else folded).append(marked)
            else:
                patterns += arn_patterns(marked) if base.family == "Arn" else [glob(marked)]
        if base.family == "Arn":
            patterns += arn_patterns("")
    return exact, folded, list(dict.fromkeys(patterns))


def _text(conditions: Sequence[Condition], wanted: Sequence[str], budget: Budget) -> Iterator[str]:
    exact, folded, patterns = text_parts(conditions)
    literals = dict.fromkeys((*exact, *wanted))
    yield from literals
    lowers = set(map(str.lower, folded))
    if patterns:
        yield from cells(patterns, budget, literals=(*literals, ""), folded=lowers)
        yield from () if "" in literals else ("",)
        return
    for text in dict.fromkeys(map(str.lower, folded)):
        yield from itertools.islice(
            (spelt for spelt in _spellings(text) if spelt not in literals), 1
        )
    yield next(t for t in _fresh() if t not in literals and t.lower() not in lowers)
    yield from () if "" in literals else ("",)


def _fresh() -> Iterator[str]:
    yield _OTHER
    yield from (f"{_OTHER}-{number}" for number in itertools.count(2))


def _spellings(lower: str) -> Iterator[str]:
    """Yield the texts whose lower case is this one, the usual ones first."""
    yield from (lower, lower.upper(), lower.title())
    letters = [(c, c.upper(), *("\u212a" if c == "k" else "")) for c in lower]
    # Lower case is not letter by letter for some letters beyond ASCII: those are left out.
    spelt = ("".join(chosen) for chosen in itertools.product(*letters))
    yield from (text for text in spelt if text.lower() == lower)


# ------------------------------------------------------------------------- numbers, dates, others


def _between(found: Iterable[Decimal | None]) -> Iterator[Decimal]:
    values = sorted({value for value in found if value is not None})
    with localcontext(prec=2_200):  # a number has at most a thousand digits before and after
        for left, right in itertools.pairwise(values):
            yield (left + right) / 2
        if values:
            yield values[0] - 1
            yield values[-1] + 1


def _values(conditions: Sequence[Condition], family: str) -> list[str]:
    chosen = (c for c in conditions if c.operator.base.family == family)
    return list(dict.fromkeys(value for c in chosen for value in c.values))


def _numbers(conditions: Sequence[Condition], _: Sequence[str], __: Budget) -> Iterator[str]:
    texts = _values(conditions, "Numeric")
    yield from texts
    yield from map(str, _between(map(parse_number, texts)))
    yield "not-a-number"


def _dates(conditions: Sequence[Condition], _: Sequence[str], __: Budget) -> Iterator[str]:
    texts = _values(conditions, "Date")
    yield from texts
    yield from map(_date_text, _between(map(parse_date, texts)))
    yield "not-a-date"


def _date_text(seconds: Decimal) -> str:
    whole = int(seconds)
    if whole == seconds and 0 <= whole < 250_000_000_000:
        return datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    # Epoch time of twelve digits and more is read as milliseconds.
    text = format(seconds if abs(seconds) < 10**11 else seconds * 1000, "f")
    return text if "." in text else f"{text}.0"  # four digits alone would be a year


def _addresses(conditions: Sequence[Condition], _: Sequence[str], __: Budget) -> Iterator[str]:
    texts = _values(conditions, "IpAddress")
    networks = [network for text in texts if (network := parse_network(text)) is not None]
    for network in networks:
        yield str(network.network_address)
        after = int(network.broadcast_address) + 1
        if after < 1 << network.max_prefixlen:
            yield str(type(network.broadcast_address)(after))
    yield from ("192.0.2.1", str(ipaddress.IPv4Address(0)), str(ipaddress.IPv6Address(0)))
    yield from texts
    yield "not-an-address"


def _bools(_: Sequence[Condition], __: Sequence[str], ___: Budget) -> Iterator[str]:
    yield from ("true", "false", "neither")


def _binaries(conditions: Sequence[Condition], _: Sequence[str], __: Budget) -> Iterator[str]:
    texts = _values(conditions, "Binary")
    yield from texts
    other = (base64.b64encode(f"{_OTHER}{n}".encode()).decode() for n in itertools.count())
    yield next(text for text in other if text not in texts)
    yield "!"


_EXAMPLES = {
    "Text": _text,
    "Numeric": _numbers,
    "Date": _dates,
    "IpAddress": _addresses,
    "Bool": _bools,
    "Binary": _binaries,
}


# --------------------------------------------------------------------------------------- lists


def _lists(
    conditions: Sequence[Condition], singles: Sequence[str], wanted: Sequence[str], budget: Budget
) -> Iterator[Values]:
    """Yield one list of every kind: by what some and what all of the values match."""
    other = next((value for value in reversed(singles) if value), _OTHER)
    yield from ((other, other), ("", ""))
    yield from ((value, other) for value in wanted)
    asking = [c for c in conditions if c.operator.quantifier]
    if not asking:
        return
    seen: set[tuple[bool, ...]] = set()
    edge: list[Values] = [(value,) for value in singles if value]
    while edge:
        following: list[Values] = []
        for listed, value in itertools.product(edge, singles):
            budget.spend(len(asking))
            longer = (*listed, value)
            context = {c.folded: longer for c in asking}
            kind = tuple(c.holds(context) for c in asking)
            if kind not in seen:
                seen.add(kind)
                following.append(longer)
                yield longer
        if len(seen) > MAX_LISTS:
            raise TooManyCells
        edge = following
