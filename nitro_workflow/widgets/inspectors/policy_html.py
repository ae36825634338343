"""A decision as HTML without script: tiles, the request, statements with expected and found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nitro_workflow.widgets.drawing import (
    MARKS,
    Digest,
    Kid,
    Markup,
    card,
    code,
    diff_html,
    digest_html,
    digest_of,
    facts,
    fold,
    grouped,
    mark,
    rows,
    section,
    tag,
)
from nitro_workflow.widgets.inspectors.policy_checks import CheckView, StatementView
from nitro_workflow.widgets.inspectors.policy_form import FormField
from nitro_workflow.widgets.inspectors.policy_model import PolicyModel
from nitro_workflow.widgets.inspectors.policy_reach import AnswerTile

__all__ = ["draw_html"]

_GROUPS = 4  # of a digest beside the one it is compared with; both are whole further down
_STATES = {"bad": "stands in the way", "good": "holds", "neutral": "matched", "warning": ""}


def draw_html(model: PolicyModel) -> Markup:
    """Return the whole card."""
    opened = [view for view in model.statements if view.open]
    rest = [view for view in model.statements if not view.open]
    return card(
        model.head,
        tag("p", f"{model.said_by} ", tag("q", code(model.said)), class_="part quiet said")
        if model.said else None,
        tag("ul", *(tag("li", text) for text in model.also), class_="part also")
        if model.also else None,
        _tiles(model.answers, model.assumes),
        _request(model) if model.fields or model.request else None,
        tag("div", *map(_statement, opened), class_="statements") if opened else None,
        section(f"{len(rest)} more, none applies", _rest(rest)) if rest else None,
        _whole(opened, asked=bool(model.fields)),
        _who_can(model),
        _policy(model),
        tag("p", model.source, class_="part note") if model.source else None,
        label="A decision, explained",
    )  # fmt: skip


def _tiles(answers: Sequence[AnswerTile], assumes: Sequence[str]) -> Markup | None:
    if not answers:
        return None
    tiles = (
        tag("div", tag("p", one.title, class_="of-whom"), tag("p", mark(one.tone, one.verdict)),
            tag("p", one.says, class_="note"), class_="tile")
        for one in answers
    )  # fmt: skip
    provided = (tag("p", f"provided that {text}", class_="note") for text in assumes)
    grid = tag("div", *tiles, class_="tiles")
    title = tag("p", tag("b", "The three answers of this policy"), class_="title")
    return tag("div", title, grid, *provided, class_="part")


def _request(model: PolicyModel) -> Markup:
    asked = [one for one in model.fields if one.value]
    if not asked:
        return section("The request", facts((name, code(value)) for name, value in model.request))
    return section("The request", facts(_field(one) for one in asked))


def _field(one: FormField) -> tuple[str, Kid]:
    name = f"{one.label} ({one.hint})" if one.hint else one.label
    measured = one.group == "pcr" and not one.problem
    value = digest_html(digest_of(one.value)) if measured else code(one.value)
    changed = tag("b", " changed", class_="flip") if one.changed else None
    problem = tag("span", " ", mark("warning", one.problem)) if one.problem else None
    return name, tag("span", value, changed, problem, class_="asked")


def _statement(view: StatementView) -> Markup:
    told, held = view.told, [check for check in view.checks if check.tone != "bad"]
    flip = tag("b", "flipped", class_="flip") if view.flipped else None
    effect = tag("b", view.effect, class_=f"effect {view.effect.lower()}")
    place = tag("span", view.place, class_="place")
    head = tag("p", effect, " ", tag("b", view.name), " ", flip, place, class_="named")
    return tag("div", head, tag("p", view.says, class_="note"), *map(_check, told),
               _held(held, view), class_="statement")  # fmt: skip


def _check(check: CheckView) -> Markup:
    flip = tag("b", "flipped", class_="flip") if check.flipped else None
    name = tag(
        "p", tag("b", MARKS[check.tone], class_=f"sign t-{check.tone}"), " ", tag("b", check.name),
        " ", tag("span", check.about, class_="note"), " ", flip,
    )  # fmt: skip
    how = " · ".join(filter(None, (check.operator, _STATES[check.tone], check.note)))
    values = facts(((check.label, _value(check.expected, check.expected_digest, check.more)),
                    ("found", _value(check.found, check.found_digest, 0))))  # fmt: skip
    return tag("div", name, tag("p", how, class_="note"), values, class_=f"check {check.tone}")


def _value(text: str, digest: Digest | None, more: int) -> Kid:
    if digest is None:
        return code(text)
    others = tag("span", f" nearest of {more + 1}", class_="note") if more > 0 else None
    return tag("span", digest_html(digest, groups=_GROUPS), others)


def _held(checks: Sequence[CheckView], view: StatementView) -> Markup | None:
    if not checks:
        return None
    ticks = []
    for check in checks:
        flip = tag("b", " flipped", class_="flip") if check.flipped else None
        ticks += [mark(check.tone, check.name), flip, " "]
    lines = ((check.name, check.operator, code(grouped(f"{check.label} {check.expected}")),
              code(grouped(check.found))) for check in checks)  # fmt: skip
    table = rows(("", "operator", "policy", "request"), lines, label=f"What holds of {view.name}")
    return fold(tag("span", *ticks, class_="ticks"), table)


def _rest(views: Sequence[StatementView]) -> Markup:
    lines = ((view.name, view.effect, view.place, view.says) for view in views)
    return rows(("", "effect", "where", ""), lines, label="The other statements")


def _whole(views: Sequence[StatementView], *, asked: bool) -> Markup | None:
    """Return the digests that are cut above, whole and once; the request shows its own whole."""
    whole = dict.fromkeys(_digests(views, asked=asked))
    if not whole:
        return None
    lines = ((name, tag("code", digits)) for name, digits in whole)
    return tag("div", fold("the cut values, whole", rows(("", ""), lines)), class_="part")


def _digests(views: Sequence[StatementView], *, asked: bool) -> Iterator[tuple[str, str]]:
    for view in views:
        for check in view.told:
            found = None if asked else check.found_digest
            for label, one in ((check.label, check.expected_digest), ("found", found)):
                if one is not None and not one.zero:
                    yield f"{check.name}, {label}", one.hex


def _who_can(model: PolicyModel) -> Markup | None:
    if not model.ways:
        return None
    lines = (
        (
            tag("span", mark(way.tone, way.what), tag("div", way.action, class_="note")),
            tag("span", *(tag("div", code(name)) for name in way.who)),
            tag("span", way.how, tag("div", way.source, class_="note")),
        )
        for way in model.ways
    )
    table = tag("div", rows(("what", "who", "how, and by which statement"), lines, label="Who can"),
                class_="ways")  # fmt: skip
    found = rows(("", "", "mend it"), ((one.severity, f"{one.place}: {one.title}", one.fix)
                                       for one in model.findings))  # fmt: skip
    return section("Who can ever get the plaintext", table, found if model.findings else None)


def _policy(model: PolicyModel) -> Markup | None:
    if not model.policy:
        return None
    changed = diff_html((line, -1) for line in model.difference) if model.difference else None
    return section("The key policy", changed, fold("as JSON", tag("pre", model.policy)))
