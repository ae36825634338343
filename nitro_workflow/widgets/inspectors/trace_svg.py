"""The sequence diagram of a trace: lanes from left to right, messages from top to bottom."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from nitro_workflow.widgets.drawing import Kid, Markup, drawn_text, tag
from nitro_workflow.widgets.inspectors.trace_model import Lane, TraceMessage, TraceModel

__all__ = ["places_of", "sequence_svg"]

WIDTH: Final = 820
TOP: Final = 72
ROW: Final = 56
LEFT, RIGHT = 110, 690  # of the outermost lanes: the step's number and the size stand beside them
LINE: Final = 1.0  # half a lane's line
BROAD: Final = 5.0  # half the parent's
TIP: Final = 11.0  # of an arrow
RELAY: Final = 13.0  # half the relay's square
_LOCK: Final = "M5 11h14v9H5zM8 11V8a4 4 0 0 1 8 0v3"


def places_of(lanes: tuple[Lane, ...]) -> dict[str, float]:
    """Return lane → x of its line."""
    step = (RIGHT - LEFT) / max(len(lanes) - 1, 1)
    return {lane.id: round(LEFT + at * step, 1) for at, lane in enumerate(lanes)}


def sequence_svg(model: TraceModel) -> Markup:
    """Return the diagram, each message in the order in which it was sent."""
    places, height = places_of(model.lanes), TOP + ROW * len(model.messages) + 8
    lanes = [_lane(lane, places[lane.id], height, len(model.lanes)) for lane in model.lanes]
    messages = [_message(m, TOP + ROW * at, places) for at, m in enumerate(model.messages)]
    label = f"Sequence diagram of {len(model.messages)} messages; the table below says the same"
    return tag(
        "svg",
        *lanes,
        drawn_text("bytes", x=812, y=67, class_="sub size"),
        *messages,
        class_="seq",
        viewBox=f"0 0 {WIDTH} {height}",
        role="img",
        aria_label=label,
    )


def _lane(lane: Lane, x: float, height: int, count: int) -> Markup:
    width = min(180.0, (RIGHT - LEFT) / max(count - 1, 1) - 12)
    parent = lane.id == "parent"
    note = lane.note if len(lane.note) * 5.6 < width else ""
    return tag(
        "g",
        tag("line", x1=x, x2=x, y1=58, y2=height, class_="lane broad" if parent else "lane"),
        tag(
            "rect",
            x=x - width / 2,
            y=8,
            width=width,
            height=44,
            rx=9,
            class_="party relaying" if parent else "party",
        ),
        drawn_text(lane.title[:22], x=x, y=27 if note else 35, class_="name"),
        drawn_text(note, x=x, y=43, class_="sub") if note else None,
    )


def _message(message: TraceMessage, top: int, places: dict[str, float]) -> Markup:
    y = top + 30
    stops = [message.source, *message.via, message.target]
    kids: list[Kid] = [drawn_text(message.step, x=16, y=y + 4, class_="step")]
    if message.source == message.target:
        x = places[message.source]
        kids.append(tag("path", d=f"M{x + 2} {y - 7}h26v14h-26", class_="wire"))
    else:
        for at, (one, other) in enumerate(pairwise(stops)):
            kids += _wire(message, places, one, other, y, last=at == len(stops) - 2)
    kids += [_relay(places[lane], y) for lane in message.via]
    x = (places[stops[0]] + places[stops[1]]) / 2
    kids.append(drawn_text(message.label, x=x, y=y - 16, class_="said"))
    kids.append(drawn_text(f"{message.size:,}", x=812, y=y + 4, class_="size"))
    return tag("g", *kids, class_="msg")


def _edge(lane: str, via: tuple[str, ...]) -> float:
    """Return how far from a lane's middle an arrow begins or ends."""
    return RELAY if lane in via else BROAD if lane == "parent" else LINE


def _wire(
    message: TraceMessage, places: dict[str, float], one: str, other: str, y: int, *, last: bool
) -> list[Markup]:
    way = 1 if places[other] > places[one] else -1
    begin = places[one] + way * _edge(one, message.via)
    end = places[other] - way * _edge(other, message.via)
    stop = end - way * TIP if last else end
    lines = [y - 3, y + 3] if message.tls else [y]
    d = "".join(f"M{begin:g} {at}H{stop:g}" for at in lines)
    wire = tag("path", d=d, class_="wire tls" if message.tls else "wire")
    if not last:
        return [wire]
    return [wire, tag("path", d=f"M{end:g} {y}l{-way * TIP:g} -6.5v13z", class_="tip")]


def _relay(x: float, y: int) -> Markup:
    lock = tag(
        "path", d=_LOCK, transform=f"translate({x - 8:g} {y - 8}) scale(.667)", class_="lock"
    )
    return tag(
        "g",
        tag("rect", x=x - RELAY, y=y - RELAY, width=26, height=26, rx=7, class_="relay"),
        lock,
        drawn_text("relays, cannot open", x=x + 20, y=y + 20, class_="sub start"),
    )
