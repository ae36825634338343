"""A decision as lines: verdict, the three answers, the request, what stands in the way."""

from __future__ import annotations

from collections.abc import Iterator

from nitro_workflow.widgets.drawing import (
    MARKS,
    digest_lines,
    fact_lines,
    grouped,
    head_lines,
    indented,
)
from nitro_workflow.widgets.inspectors.policy_checks import CheckView, StatementView
from nitro_workflow.widgets.inspectors.policy_model import PolicyModel

__all__ = ["draw_text"]


def draw_text(model: PolicyModel) -> Iterator[str]:
    """Yield the lines of the whole view."""
    yield from head_lines(model.head)
    yield from fact_lines(
        (
            (model.said_by, model.said),
            ("also", "\n".join(model.also)),
        )
    )
    for one in model.answers:
        yield f"  {MARKS[one.tone]} {one.title}: {one.verdict}. {one.says}"
    yield from (f"    provided that {text}" for text in model.assumes)
    asked = [(one.label, f"{grouped(one.value)}{f'   ! {one.problem}' if one.problem else ''}")
             for one in model.fields]  # fmt: skip
    yield from fact_lines(asked or model.request, "    ")
    for view in model.statements:
        yield from _statement(view)
    yield from _who_can(model)
    yield from indented(model.difference, "    ")
    yield from (f"  flipped: {text}" for text in model.flipped)
    if model.source:
        yield f"  {model.source}"


def _statement(view: StatementView) -> Iterator[str]:
    flip = " (flipped)" if view.flipped else ""
    yield f"  {MARKS[view.tone]} {view.effect} {view.name}, {view.place}{flip}: {view.says}"
    if not view.open:
        return
    for check in view.told:
        yield from _check(check)
    held = [f"{MARKS[check.tone]} {check.name}" for check in view.checks if check.tone != "bad"]
    if held:
        yield f"      {'  '.join(held)}"


def _check(check: CheckView) -> Iterator[str]:
    flip = "  (flipped)" if check.flipped else ""
    about = "  ".join(filter(None, (check.operator, check.about, check.note)))
    yield f"      {MARKS[check.tone]} {check.name}  {about}{flip}".rstrip()
    for label, text, digest in (
        (check.label, check.expected, check.expected_digest),
        ("found", check.found, check.found_digest),
    ):
        lines = list(digest_lines(digest)) if digest else [text]
        if digest and check.more > 0 and label == check.label:
            lines.append(f"nearest of {check.more + 1}")
        yield from fact_lines(((f"{label:<8}", "\n".join(lines)),), "        ")


def _who_can(model: PolicyModel) -> Iterator[str]:
    if model.ways:
        yield "  Who can ever get the plaintext"
    for way in model.ways:
        yield f"    {MARKS[way.tone]} {way.what}: {way.action}, {', '.join(way.who)}: {way.how}"
        yield f"        {way.source}"
    for one in model.findings:
        yield f"    ! {one.severity}: {one.place}: {one.title}"
        yield f"        fix: {one.fix}"
