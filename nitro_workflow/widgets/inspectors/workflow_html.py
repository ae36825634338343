"""The map of the 17 steps as HTML without script: a grid by party, and a table that says it all."""

from __future__ import annotations

from nitro_workflow.widgets.drawing import Kid, Markup, Tone, card, code, mark, rows, section, tag
from nitro_workflow.widgets.inspectors.workflow_model import (
    PARTIES,
    STATES,
    MapStep,
    State,
    WorkflowModel,
)

__all__ = ["draw_html"]

_TONES: dict[State, Tone] = {
    "done": "good",
    "stale": "warning",
    "to do": "neutral",
    "running": "neutral",
    "failed": "bad",
}


def draw_html(model: WorkflowModel) -> Markup:
    """Return the card."""
    asks = section("Sure?", tag("p", model.asks)) if model.asks else None
    return card(
        model.head, asks, _map(model), section("Step by step", _table(model)), label="Workflow"
    )


def _map(model: WorkflowModel) -> Markup:
    """Return a row a party, a column a step, its state where it acts."""
    body = [
        tag(
            "tr",
            tag("th", party, scope="row"),
            *(tag("td", _cell(step) if party in step.parties else None) for step in model.steps),
        )
        for party in PARTIES
    ]
    top = tag("tr", tag("th"), *(tag("th", step.number, scope="col") for step in model.steps))
    table = tag(
        "table", tag("thead", top), tag("tbody", *body), aria_label="Who acts in which step"
    )
    return tag("div", table, class_="map")


def _cell(step: MapStep) -> Markup:
    signs = {"done": "✓", "stale": "!", "to do": "·", "running": "▶", "failed": "✗"}
    return tag(
        "span",
        signs[step.state],
        class_=f"dot {step.state.replace(' ', '-')}",
        title=f"{step.number}: {STATES[step.state]}",
    )


def _table(model: WorkflowModel) -> Markup:
    lines: list[list[Kid]] = [
        [
            step.number,
            step.party,
            _what(step),
            tag(
                "span",
                mark(_TONES[step.state], STATES[step.state]),
                f" {step.took}",
                " ◀ this lesson" if step.here else "",
            ),
            ", ".join(step.rests_on) or "—",
            ", ".join(step.needed_by) or "—",
        ]
        for step in model.steps
    ]
    columns = ("step", "party", "what happens", "state", "rests on", "needed by")
    return rows(columns, lines, label="The 17 steps")


def _what(step: MapStep) -> Markup:
    facts = [tag("div", f"{name}: ", code(value), class_="note") for name, value in step.facts]
    error = tag("div", mark("bad", step.error)) if step.error else None
    return tag("div", step.title, *facts, error)
