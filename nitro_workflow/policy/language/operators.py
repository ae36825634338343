"""The condition operators: how one value of the request is compared with the values of the policy.

Source: reference_policies_elements_condition_operators. Each comparison is positive here; negation,
absence, `IfExists` and the set operators are `conditions`' business.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

from nitro_workflow.policy.language.variables import Template
from nitro_workflow.policy.language.wildcard import Glob

__all__ = [
    "BASE_OPERATORS",
    "BaseOperator",
    "Matcher",
    "parse_date",
    "parse_network",
    "parse_number",
]

Context = Mapping[str, Sequence[str]]
# (value of the request, context) -> does it match one value of the policy?
Matcher = Callable[[str, Context], bool]


@dataclass(frozen=True, slots=True)
class BaseOperator:
    """An operator without its prefix and suffix.

    ``compile`` turns one value of the policy into a matcher, or None when the value is nothing of
    this type; ``valid`` says whether a value of the request is of the type. What cannot be compared
    neither matches nor differs: the condition does not hold, negated or not.
    """

    name: str
    negated: bool
    compile: Callable[[str, bool], Matcher | None]
    case_sensitive: bool = True
    family: str = "String"
    valid: Callable[[str], bool] = lambda _value: True


_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,9})?", re.ASCII)
_PREFIX = re.compile(r"[^/]+(?:/\d{1,3})?", re.ASCII)


def parse_number(text: str) -> Decimal | None:
    """Return an integer or decimal value, or None."""
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if abs(number.adjusted()) < 1000 else None


_DATE = re.compile(
    r"(\d{4})(?:-?(\d{2})(?:-?(\d{2})"
    r"(?:[T ](\d{2}):?(\d{2})(?::?(\d{2})(?:\.(\d{1,9}))?)?\s*(Z|[+-]\d{2}:?\d{2})?)?)?)?",
    re.IGNORECASE | re.ASCII,
)
_EPOCH = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)
_YEAR = re.compile(r"\d{4}", re.ASCII)


def parse_date(text: str) -> Decimal | None:
    """Return seconds since 1970 for a W3C ISO 8601 date or an epoch time, or None.

    A date without a time zone is UTC; four digits alone are a year.
    """
    text = text.strip()
    if _EPOCH.fullmatch(text) and not _YEAR.fullmatch(text):
        number = parse_number(text)
        # Epoch time is in seconds; thirteen digits are milliseconds.
        return number / 1000 if number is not None and abs(number) >= 10**11 else number
    found = _DATE.fullmatch(text)
    if not found:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        moment = datetime(
            int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0),
            min(int(second or 0), 59), tzinfo=UTC,
        )  # fmt: skip
        moment -= _offset(zone)
    except (ValueError, OverflowError):
        return None
    whole = Decimal(int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()))
    return whole + Decimal(f"0.{fraction or 0}")


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone in "Zz":
        return timedelta()
    sign = -1 if zone[0] == "-" else 1
    return sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))


def _string(*, fold: bool = False, like: bool = False) -> Callable[[str, bool], Matcher | None]:
    def compile_value(text: str, variables: bool) -> Matcher:
        template = Template.parse(text, variables=variables, wildcards=like)
        constant = template.constant
        if constant is None:
            return lambda value, context: _dynamic_string(template, value, context, fold, like)
        if fold:
            folded = constant.lower()
            return lambda value, _context: value.lower() == folded
        if not like:
            return lambda value, _context: value == constant
        matches = Glob.of(constant).matches
        return lambda value, _context: matches(value)

    return compile_value


def _dynamic_string(
    template: Template, value: str, context: Context, fold: bool, like: bool
) -> bool:
    expected = template.resolve(context)
    if expected is None:
        return False
    if like:
        return Glob.of(expected).matches(value)
    return value.lower() == expected.lower() if fold else value == expected


def _arn(text: str, variables: bool) -> Matcher | None:
    template = Template.parse(text, variables=variables, wildcards=True)
    constant = template.constant
    if constant is None:
        return lambda value, context: _dynamic_arn(template, value, context)
    globs = _arn_globs(constant)
    return None if globs is None else lambda value, _context: _arn_matches(globs, value)


def _dynamic_arn(template: Template, value: str, context: Context) -> bool:
    expected = template.resolve(context)
    globs = None if expected is None else _arn_globs(expected)
    return globs is not None and _arn_matches(globs, value)


def _arn_globs(pattern: str) -> tuple[Glob, ...] | None:
    """Each of the six colon-delimited components is checked separately."""
    if Glob.of(pattern).matches("\0"):  # `*` alone: any ARN
        return (Glob.of(pattern),)
    parts = pattern.split(":", 5)
    return tuple(map(Glob.of, parts)) if len(parts) == 6 else None


def _arn_matches(globs: tuple[Glob, ...], value: str) -> bool:
    if not _is_arn(value):
        return False
    parts = value.split(":", 5)
    if len(globs) == 1:
        return True
    return all(glob.matches(part) for glob, part in zip(globs, parts, strict=True))


def _number(compare: Callable[[Decimal, Decimal], bool]) -> Callable[[str, bool], Matcher | None]:
    return _ordered(parse_number, compare)


def _date(compare: Callable[[Decimal, Decimal], bool]) -> Callable[[str, bool], Matcher | None]:
    return _ordered(parse_date, compare)


def _ordered(
    parse: Callable[[str], Decimal | None], compare: Callable[[Decimal, Decimal], bool]
) -> Callable[[str, bool], Matcher | None]:
    def compile_value(text: str, _variables: bool) -> Matcher | None:
        expected = parse(text)
        if expected is None:
            return None

        def matches(value: str, _context: Context) -> bool:
            found = parse(value)
            return found is not None and compare(found, expected)

        return matches

    return compile_value


def _bool(text: str, variables: bool) -> Matcher | None:
    # The table of operators allows policy variables here, and only here beside strings and ARNs.
    template = Template.parse(text, variables=variables, wildcards=False)
    if template.constant is None:
        return lambda value, context: _same_bool(template.resolve(context), value)
    if text.lower() not in ("true", "false"):
        return None
    return lambda value, _context: _same_bool(text, value)


def _same_bool(expected: str | None, value: str) -> bool:
    return expected is not None and value.lower() == expected.lower() in ("true", "false")


def _decode(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _binary(text: str, _variables: bool) -> Matcher | None:
    expected = _decode(text)
    if expected is None:
        return None
    return lambda value, _context: _decode(value) == expected


_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _ip(text: str, _variables: bool) -> Matcher | None:
    network = parse_network(text)
    if network is None:
        return None

    def matches(value: str, _context: Context) -> bool:
        # A range in the request (aws:SourceIp never is one) must lie within the policy's.
        found = parse_network(value)
        if found is None or found.version != network.version:
            return False
        low, high = int(network.network_address), int(network.broadcast_address)
        return low <= int(found.network_address) and int(found.broadcast_address) <= high

    return matches


def parse_network(text: str) -> _Network | None:
    """Return the network of a CIDR range or an address, or None."""
    text = text.strip()
    if not _PREFIX.fullmatch(text):  # a netmask is no CIDR
        return None
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _is_arn(value: str) -> bool:
    return value.startswith("arn:") and value.count(":") >= 5


def _is_address(value: str) -> bool:
    return parse_network(value) is not None


def _equal(found: Decimal, expected: Decimal) -> bool:
    return found == expected


def _ordering(
    family: str,
    make: Callable[..., Callable[[str, bool], Matcher | None]],
    parse: Callable[[str], Decimal | None],
) -> list[BaseOperator]:
    comparisons: list[tuple[str, bool, Callable[[Decimal, Decimal], bool]]] = [
        ("Equals", False, _equal),
        ("NotEquals", True, _equal),
        ("LessThan", False, lambda found, expected: found < expected),
        ("LessThanEquals", False, lambda found, expected: found <= expected),
        ("GreaterThan", False, lambda found, expected: found > expected),
        ("GreaterThanEquals", False, lambda found, expected: found >= expected),
    ]
    return [
        BaseOperator(
            family + name,
            negated,
            make(compare),
            family=family,
            valid=lambda value: parse(value) is not None,
        )
        for name, negated, compare in comparisons
    ]


_ALL = [
    BaseOperator("StringEquals", False, _string()),
    BaseOperator("StringNotEquals", True, _string()),
    BaseOperator("StringEqualsIgnoreCase", False, _string(fold=True), case_sensitive=False),
    BaseOperator("StringNotEqualsIgnoreCase", True, _string(fold=True), case_sensitive=False),
    BaseOperator("StringLike", False, _string(like=True)),
    BaseOperator("StringNotLike", True, _string(like=True)),
    *_ordering("Numeric", _number, parse_number),
    *_ordering("Date", _date, parse_date),
    BaseOperator("Bool", False, _bool, family="Bool"),
    BaseOperator("BinaryEquals", False, _binary, family="Binary"),
    BaseOperator("IpAddress", False, _ip, family="IpAddress", valid=_is_address),
    BaseOperator("NotIpAddress", True, _ip, family="IpAddress", valid=_is_address),
    BaseOperator("ArnEquals", False, _arn, family="Arn", valid=_is_arn),
    BaseOperator("ArnLike", False, _arn, family="Arn", valid=_is_arn),
    BaseOperator("ArnNotEquals", True, _arn, family="Arn", valid=_is_arn),
    BaseOperator("ArnNotLike", True, _arn, family="Arn", valid=_is_arn),
]
BASE_OPERATORS: Mapping[str, BaseOperator] = {entry.name.lower(): entry for entry in _ALL}
