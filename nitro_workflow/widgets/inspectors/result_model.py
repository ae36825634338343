"""The opened result: the groups as a chart, and the suppressed drawn as suppressed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal

from nitro_workflow.widgets.drawing import Head

__all__ = ["Bar", "Measure", "ResultModel", "make_result"]

GROUPS: Final = 200
"""Groups that are drawn; of more, the view says how many are left out."""


_DECIMAL = re.compile(r"-?\d{1,30}(\.\d{1,30})?", re.ASCII)  # as the enclave writes sums and means


@dataclass(frozen=True, slots=True)
class Bar:
    """One group: ``share`` is the bar's length, 0 to 1; ``text`` its value as it was given."""

    group: str
    text: str
    share: float


@dataclass(frozen=True, slots=True)
class Measure:
    """One column of the result over all groups."""

    name: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class ResultModel:
    """The result. ``suppressed`` groups have fewer rows than ``threshold``: they are not told.

    ``unsaid`` stands in their place.
    """

    head: Head
    groups: tuple[str, ...]
    measures: tuple[Measure, ...]
    suppressed: int
    threshold: int
    hidden_rows: int
    note: str
    unsaid: str = ""
    left_out: int = 0
    kind: Literal["result"] = "result"


def make_result(result: Mapping[str, Any], *, receipt: str = "") -> ResultModel:
    """Return the view of a result: ``rows``, ``threshold``, ``groups``, ``suppressed``.

    ``receipt`` says in words who vouches for it. Raises nothing: what has another shape is left
    out, and a value that is not a number has no bar.
    """
    given = result.get("groups")
    every = [one for one in given if isinstance(one, Mapping)] if isinstance(given, list) else []
    groups = every[:GROUPS]
    by = next((key for one in groups for key, value in one.items() if isinstance(value, str)), "")
    suppressed, threshold = _whole(result.get("suppressed")), _whole(result.get("threshold"))
    total = _whole(result.get("rows"))
    hidden = max(total - sum(_whole(one.get("count")) for one in every), 0)
    return ResultModel(
        head=_head(len(every), suppressed, threshold, total, receipt),
        groups=tuple(str(one.get(by, "")) for one in groups),
        measures=tuple(_measures(groups, by)),
        suppressed=suppressed,
        threshold=threshold,
        hidden_rows=hidden,
        note=_note(suppressed, hidden),
        unsaid=_unsaid(suppressed, threshold),
        left_out=len(every) - len(groups),
    )


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def _head(shown: int, suppressed: int, threshold: int, rows: int, receipt: str) -> Head:
    what = f"The result, opened by the data owner · {rows:,} records"
    all_groups = shown + suppressed
    why = f"Groups below {threshold} records are suppressed inside the enclave: "
    why += f"{suppressed} of {all_groups}."
    if receipt:
        why = f"{why} {receipt}"
    if not shown and not suppressed:
        return Head(
            what, "No group at all", "warning", why, next="See what records were encrypted in P3."
        )
    said = (
        f"{shown} groups are told, {suppressed} is not"
        if suppressed == 1
        else f"{shown} groups are told, {suppressed} are not"
    )
    return Head(what, said, "good", why)


def _note(suppressed: int, hidden: int) -> str:
    """Return what the total gives away: whoever knows all but one group knows its number."""
    if not suppressed or not hidden:
        return ""
    each = (
        "the suppressed group has"
        if suppressed == 1
        else f"the {suppressed} suppressed groups have together"
    )
    return f"The total is told too, so that {each} {hidden:,} records; their sums are not told."


def _unsaid(suppressed: int, threshold: int) -> str:
    one = suppressed == 1
    few = f"of fewer than {threshold} records" + ("" if one else " each")
    return f"{suppressed} {'group' if one else 'groups'} {few}" if suppressed else ""


def _measures(groups: Sequence[Mapping[str, Any]], by: str) -> Iterator[Measure]:
    names = dict.fromkeys(key for one in groups for key in one if key != by)
    for name in sorted(names, key=lambda key: key != "count"):  # how many they are comes first
        values = [one.get(name) for one in groups]
        inner = dict.fromkeys(
            key for value in values if isinstance(value, Mapping) for key in value
        )
        if not inner:
            yield _measure(str(name), groups, by, values)
        for part in inner:
            got = [value.get(part) if isinstance(value, Mapping) else None for value in values]
            yield _measure(f"{name}, {part}", groups, by, got)


def _measure(
    name: str, groups: Sequence[Mapping[str, Any]], by: str, values: Sequence[Any]
) -> Measure:
    numbers = [_number(value) for value in values]
    most = max((number for number in numbers if number), default=Decimal(0))
    bars = (
        Bar(
            str(one.get(by, "")),
            _text(value),
            round(float(number / most), 4) if most > 0 and number > 0 else 0.0,
        )
        for one, value, number in zip(groups, values, numbers, strict=True)
    )
    return Measure(name, tuple(bars))


def _text(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    text = str(value)
    return f"{Decimal(text):,}" if _DECIMAL.fullmatch(text) else text


def _number(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return Decimal(0)
    try:
        number = Decimal(value)
    except (InvalidOperation, ValueError):
        return Decimal(0)
    return number if number.is_finite() else Decimal(0)
