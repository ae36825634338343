"""Who sent what to whom, as lanes."""

from __future__ import annotations

from collections.abc import Sequence

from nitro_workflow.lab import TraceEvent
from nitro_workflow.widgets.formats import size
from nitro_workflow.widgets.view_model import Lanes, Message

__all__ = ["trace_lanes"]

# From the people on the left to AWS on the right; another name joins before the cloud.
_ORDER = ("data owner", "developer", "administrator", "parent", "proxy", "enclave", "hypervisor")
_CLOUD = {"kms": "cloud", "s3": "cloud"}


def trace_lanes(events: Sequence[TraceEvent], *, title: str = "Who sent what to whom") -> Lanes:
    """Return one lane a party that took part, and its messages in order.

    What went the same way for the same step is drawn once, with its sizes added: how many pieces a
    stream was cut into says nothing. Reading CloudTrail is left out: that is how a step's evidence
    is looked up afterwards, not a message of the workflow.
    """
    together: dict[tuple[str, ...], list[TraceEvent]] = {}
    for event in (one for one in events if not one.what.startswith("cloudtrail:")):
        way = (event.step, _lane(event.source), _lane(event.target), event.what, event.told_by)
        together.setdefault(way, []).append(event)
    messages = tuple(_message(group) for group in together.values())
    names = {name for message in messages for name in (message.source, message.target)}
    lanes = [name for name in _ORDER if name in names] + sorted(names - {*_ORDER, "cloud"})
    return Lanes(title, (*lanes, *({"cloud"} & names)), messages)


def _lane(name: str) -> str:
    return _CLOUD.get(name, name)


def _message(group: Sequence[TraceEvent]) -> Message:
    first, total = group[0], sum(event.size for event in group)
    return Message(
        step=first.step,
        source=_lane(first.source),
        target=_lane(first.target),
        text=f"{first.what}, {size(total)}" if total else first.what,
        detail=f"SHA-256 {first.sha256}" if len(group) == 1 and first.sha256 else "",
        seen_by=tuple(dict.fromkeys(map(_lane, first.visible_to))),
        told_by=first.told_by,
    )
