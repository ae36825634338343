"""Who sent what to whom, as lanes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nitro_workflow.lab.trace import TraceEvent
from nitro_workflow.widgets.formats import size
from nitro_workflow.widgets.model import Lanes, Message

__all__ = ["trace_lanes"]

# From the people on the left to AWS on the right; another name joins before the cloud.
_ORDER = ("data owner", "developer", "administrator", "parent", "proxy", "enclave", "hypervisor")


def trace_lanes(events: Sequence[TraceEvent], *, title: str = "Who sent what to whom") -> Lanes:
    """Return one lane a party that took part, and one message an event, in order."""
    names = {name for event in events for name in (event.source, event.target)}
    lanes = [name for name in _ORDER if name in names]
    lanes += sorted(names - {*_ORDER, "cloud"})
    lanes += ["cloud"] if "cloud" in names else []
    return Lanes(title=title, lanes=tuple(lanes), messages=tuple(_messages(events)))


def _messages(events: Sequence[TraceEvent]) -> Iterable[Message]:
    for event in events:
        digest = f"SHA-256 {event.sha256}" if event.sha256 else ""
        yield Message(
            step=event.step,
            source=event.source,
            target=event.target,
            text=f"{event.what}, {size(event.size)}" if event.size else event.what,
            detail=digest,
            seen_by=event.visible_to,
        )
