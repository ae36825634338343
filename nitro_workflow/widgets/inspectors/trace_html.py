"""A trace as HTML without script: the diagram, and all that it says in tables."""

from __future__ import annotations

from collections.abc import Mapping

from nitro_workflow.widgets.drawing import (
    Kid,
    Markup,
    card,
    chip,
    code,
    digest_html,
    dump_lines,
    facts,
    fold,
    rows,
    section,
    tag,
)
from nitro_workflow.widgets.formats import size as bytes_of
from nitro_workflow.widgets.inspectors.trace_model import Seen, TraceMessage, TraceModel, count_of
from nitro_workflow.widgets.inspectors.trace_svg import sequence_svg
from nitro_workflow.widgets.inspectors.trace_text import titles

__all__ = ["draw_html"]


def draw_html(model: TraceModel) -> Markup:
    """Return the card."""
    names = titles(model)
    left_out = f"{model.left_out:,} more messages are not drawn." if model.left_out else None
    return card(
        model.head,
        tag("div", sequence_svg(model), class_="dia") if model.messages else None,
        section(
            "The messages, in order",
            _table(model, names),
            tag("p", left_out, class_="note") if left_out else None,
        ),
        section("What could each of them read?", _readers(model), quiet=True),
        section("Each message as each party saw it", *(_detail(m, names) for m in model.messages))
        if model.messages
        else None,
        label="Trace",
    )


def _table(model: TraceModel, names: Mapping[str, str]) -> Markup:
    lines: list[list[Kid]] = [
        [
            m.step,
            f"{names[m.source]} → {names[m.target]}",
            _relay(m, names),
            code(m.what),
            tag("span", bytes_of(m.size), class_="nb"),
            tag("span", f"{m.after_ms:,} ms", class_="nb"),
            ", ".join(names.get(one, one) for one in m.readable) or "nobody said so",
            m.told_by,
        ]
        for m in model.messages
    ]
    columns = ("step", "from → to", "through", "what", "size", "after", "readable by", "told by")
    return rows(columns, lines, label="Messages")


def _relay(message: TraceMessage, names: Mapping[str, str]) -> Kid:
    """Say in words who carried a message: the picture may be gone."""
    if not message.via:
        return "—"
    carried = ", ".join(names[one] for one in message.via)
    blind = not set(message.via) & set(message.readable)
    return (
        chip("good", f"{carried}: relays, cannot open")
        if blind
        else chip("bad", f"{carried}: could read it")
    )


def _readers(model: TraceModel) -> Markup:
    total = len(model.messages)
    lines: list[list[Kid]] = []
    for lane in model.lanes:
        steps = ", ".join(dict.fromkeys(m.step for m in model.messages if lane.id in m.readable))
        lines.append([lane.title, f"{count_of(model, lane.id)} of {total} messages", steps or "—"])
    return rows(("party", "could read", "of the steps"), lines, label="Readers")


def _detail(message: TraceMessage, names: Mapping[str, str]) -> Markup:
    head = f"{message.step}: {names[message.source]} to {names[message.target]}: {message.what}"
    begins = tag("pre", "\n".join(dump_lines(message.beginning))) if message.beginning else None
    return fold(
        head,
        facts(
            [
                ("path", message.path),
                *((names[seen.lane], _saw(seen)) for seen in message.seen),
                ("SHA-256", digest_html(message.digest, picture=False) if message.digest else None),
                ("begins", begins),
            ]
        ),
    )


def _saw(seen: Seen) -> Markup:
    words = {"reads": "reads it", "relays": "relays, cannot open", "nothing": "is not on its way"}
    return tag(
        "span",
        words[seen.how],
        ": " if seen.how != "nothing" else "",
        code(seen.text) if seen.how != "nothing" else None,
    )
