"""A certificate chain: five lives on one line of time, and what holds between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from nitro_workflow.widgets.drawing import Head
from nitro_workflow.widgets.formats import moment
from nitro_workflow.widgets.inspectors.chain_certificates import (
    Certificate,
    ChainDifference,
    certificates_of,
    differences_of,
)

__all__ = ["ChainModel", "NamedTime", "make_chain", "place_of", "verdict_at"]

_MINUTE = 60
_YEAR = 365 * 86_400


@dataclass(frozen=True, slots=True)
class NamedTime:
    """A time that one may want to judge at, in seconds since 1970."""

    name: str
    at: float


@dataclass(frozen=True, slots=True)
class ChainModel:
    """Certificates root first; ``at`` is when they are judged, ``middle`` the axis' middle.

    Times are seconds since 1970. The axis is logarithmic to both sides of ``middle``, which is the
    document's own time where the chain came from one.
    """

    head: Head
    certificates: tuple[Certificate, ...]
    at: float
    middle: float
    middle_name: str
    times: tuple[NamedTime, ...]
    ticks: tuple[tuple[float, str], ...]
    differences: tuple[ChainDifference, ...] = ()
    kind: Literal["chain"] = "chain"


def make_chain(
    ders: Sequence[bytes],
    *,
    at: float,
    document_at: float | None = None,
    root: bytes | None = None,
    other: Sequence[bytes] = (),
    source: str = "",
) -> ChainModel:
    """Return the view of a chain, root first and leaf last; ``other`` is compared with it.

    Raises nothing: what is no certificate says so.
    """
    at = at if math.isfinite(at) else 0.0
    found = certificates_of(ders, root=root)
    readable = [one for one in found if not one.wrong]
    middle = document_at if document_at is not None else at
    differences = differences_of(found, certificates_of(other, root=root)) if other else ()
    return ChainModel(
        head=_head(found, at, source, differences),
        certificates=found,
        at=at,
        middle=middle,
        middle_name="document" if document_at is not None else "check",
        times=_times(readable, at, document_at),
        ticks=_ticks(readable, middle),
        differences=differences,
    )


def verdict_at(certificates: Sequence[Certificate], at: float) -> tuple[str, str]:
    """Return the verdict and its reason at a time: what ``static/chain.js`` says too."""
    for one in certificates:
        if one.wrong:
            return f"The {one.role} one cannot be read", one.wrong
        if one.link_tone == "bad":
            return "The chain does not hold", f"{one.role.capitalize()}: {one.link}."
    if not certificates:
        return "There are no certificates", "None could be read."
    late = [one for one in certificates if not one.start <= at <= one.end]
    if not late:
        return "Every link holds at this time", ""
    worst = late[-1]
    verdict = f"The {worst.role} is not valid at this time"
    more = f" {len(late) - 1} more are not valid either." if len(late) > 1 else ""
    if at > worst.end:
        return verdict, f"{worst.role.capitalize()} expired {_span(at - worst.end)} before.{more}"
    return verdict, f"{worst.role.capitalize()} begins {_span(worst.start - at)} later.{more}"


def _span(seconds: float) -> str:
    for size, name in ((_YEAR, "year"), (86_400, "day"), (3600, "hour"), (_MINUTE, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count:,} {name}{'s' if count > 1 else ''}"
    count = max(1, int(seconds))
    return f"{count} second{'s' if count > 1 else ''}"


def _head(
    found: Sequence[Certificate], at: float, source: str, differences: Sequence[ChainDifference]
) -> Head:
    links = max(0, len(found) - 1)
    some = f"{len(found)} certificate{'s' if len(found) != 1 else ''}"
    what = f"Certificate chain · {some}, {links} link{'s' if links != 1 else ''}"
    what += f" · {source}" if source else ""
    verdict, why = verdict_at(found, at)
    good = verdict.startswith("Every")
    if differences:
        same = sum(one.tone == "good" for one in differences)
        why = (
            f"{same} of {len(differences)} certificates are identical in both chains. {why}".strip()
        )
    why = why or f"Judged at {moment(at)}."
    late = verdict.endswith("not valid at this time")
    later = "Judge it at its own time, or ask the enclave for a new one: a leaf lives three hours."
    mend = later if late else "Do not believe it: find out who made these certificates."
    return Head(what, verdict, "good" if good else "bad", why, "" if good else mend)


def _times(
    found: Sequence[Certificate], at: float, document_at: float | None
) -> tuple[NamedTime, ...]:
    named = [NamedTime("document's time", document_at)] if document_at is not None else []
    if found:
        end = found[-1].end
        named += [
            NamedTime("leaf's last second", end),
            NamedTime("a minute later", end + _MINUTE),
            NamedTime("a year later", end + _YEAR),
        ]
    known = {one.at for one in named}
    return (*named, *(() if at in known else (NamedTime("time of the check", at),)))


def place_of(seconds: float, before: float, after: float) -> float:
    """Return where a time stands on the axis, 0 to 1; ``seconds`` is from the middle.

    ``before`` and ``after`` are how far the axis reaches. Logarithmic to both sides.
    """
    left, right = math.log1p(before / _MINUTE), math.log1p(after / _MINUTE)
    middle = left / ((left + right) or 1)
    if seconds < 0:
        return middle - middle * min(1, math.log1p(-seconds / _MINUTE) / (left or 1))
    return middle + (1 - middle) * min(1, math.log1p(seconds / _MINUTE) / (right or 1))


_TICKS = ((3600, "1 h"), (86_400, "1 day"), (30 * 86_400, "1 month"))


def _ticks(found: Sequence[Certificate], middle: float) -> tuple[tuple[float, str], ...]:
    """Return seconds from the middle, with their names; the first and last are the axis' ends."""
    before = max([_MINUTE, *(middle - one.start for one in found)])
    after = max([_MINUTE, *(one.end - middle for one in found)])
    left = [(-s, name) for s, name in reversed(_TICKS) if s < before / 3]
    right = [(s, name) for s, name in _TICKS if s < after / 3]
    return ((-before, _span(before)), *left, (0.0, ""), *right, (after, _span(after)))
