"""A trace as text: one line a message, its relay named, and below it who could read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nitro_workflow.widgets.drawing import fact_lines, head_lines
from nitro_workflow.widgets.formats import size as bytes_of
from nitro_workflow.widgets.inspectors.trace_model import TraceMessage, TraceModel, count_of

__all__ = ["draw_text", "line_of", "titles", "who_reads"]


def draw_text(model: TraceModel) -> Iterator[str]:
    """Yield the head, the messages in order, then what each party could read."""
    yield from head_lines(model.head)
    names = titles(model)
    for message in model.messages:
        yield f"  {message.step:>3}  {line_of(message, names)}"
        yield from fact_lines(_facts(message, names), "       ")
    if model.left_out:
        yield f"  … {model.left_out:,} more messages"
    yield "  What could each of them read?"
    yield from fact_lines(((lane.title, _count(model, lane.id)) for lane in model.lanes), "    ")


def titles(model: TraceModel) -> dict[str, str]:
    """Return lane → title, as it stands within a sentence."""
    fixed = {"enclave": "enclave", "parent": "parent", "owner": "data owner"}
    return {lane.id: fixed.get(lane.id, lane.title) for lane in model.lanes}


def line_of(message: TraceMessage, names: Mapping[str, str]) -> str:
    """Return who sent what to whom, and through whom, in one line."""
    way = f"{names[message.source]} → {names[message.target]}"
    relay = (
        f", relayed by the {', '.join(names[one] for one in message.via)}" if message.via else ""
    )
    return f"{way}{relay}: {message.what}, {bytes_of(message.size)}"


def who_reads(message: TraceMessage, names: Mapping[str, str]) -> str:
    """Return who could read a message, and who carried it blind."""
    readers = ", ".join(names.get(one, one) for one in message.readable) or "nobody said so"
    blind = [names[one] for one in message.via if one not in message.readable]
    return readers + (f"; the {', '.join(blind)} relays, cannot open" if blind else "")


def _facts(message: TraceMessage, names: Mapping[str, str]) -> list[tuple[str, str]]:
    relays = [seen for seen in message.seen if seen.how == "relays"]
    return [
        ("path", message.path),
        ("after", f"{message.after_ms:,} ms"),
        ("readable by", who_reads(message, names)),
        *((f"{names[one.lane]} saw", one.text) for one in relays),
        ("SHA-256", message.digest.hex if message.digest else ""),
        ("begins", message.beginning[:16].hex(" ") if message.beginning else ""),
        ("told by", message.told_by),
    ]


def _count(model: TraceModel, lane: str) -> str:
    steps = dict.fromkeys(m.step for m in model.messages if lane in m.readable)
    listed = f": {', '.join(steps)}" if steps else ""
    return f"{count_of(model, lane)} of {len(model.messages)} messages{listed}"
