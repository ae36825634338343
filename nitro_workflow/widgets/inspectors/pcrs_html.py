"""PCRs side by side as HTML without script: a table, what feeds each, how to compute PCR0."""

from __future__ import annotations

from nitro_workflow.widgets.drawing import (
    MARKS,
    Kid,
    Markup,
    card,
    chip,
    digest_html,
    fold,
    mark,
    rows,
    section,
    tag,
)
from nitro_workflow.widgets.formats import size
from nitro_workflow.widgets.inspectors.charts import chart_html
from nitro_workflow.widgets.inspectors.pcr_rows import PcrCell, PcrRow, listed
from nitro_workflow.widgets.inspectors.pcrs_model import PcrCase, PcrsModel

__all__ = ["draw_html"]

_WIDE = 2  # columns up to which a digest is shown whole in each, and that one needs for that
_CUT = 4  # groups of a digest that is cut


def draw_html(model: PcrsModel) -> Markup:
    """Return the whole card."""
    first, *others = model.cases
    return card(
        first.head,
        _table(model, first),
        tag("div", _whole(model, first), class_="part") if _whole(model, first) else None,
        *(
            tag(
                "div",
                fold(f"{case.label}: {case.head.verdict}", _other(model, case)),
                class_="case",
            )
            for case in others
        ),
        section(
            "What feeds each PCR",
            chart_html(model.chart),
            fold("as a table", _parts(model)),
            quiet=True,
        ),
        section(
            "Compute PCR0 yourself",
            tag("p", model.recipe_note, class_="note"),
            tag("pre", "\n".join(model.recipe)),
        )
        if model.recipe
        else None,
        tag("p", model.note, class_="part note"),
        label="PCRs",
    )


def _other(model: PcrsModel, case: PcrCase) -> Markup:
    head = case.head
    why = tag("p", mark(head.tone, head.verdict), ". ", head.why, class_="part")
    then = tag("p", "Next: ", tag("b", head.next), class_="part next") if head.next else None
    return tag("div", why, then, _table(model, case))


def _table(model: PcrsModel, case: PcrCase) -> Markup:
    columns = (
        tag("th", tag("b", name), f", {how}" if how else "", scope="col")
        for name, how in model.columns
    )
    head = tag("thead", tag("tr", tag("th", "register", scope="col"), *columns))
    body = tag("tbody", *(_row(row, len(model.columns)) for row in case.rows))
    return tag("table", head, body, class_="pcrs", aria_label=f"PCRs, {case.label.lower()}")


def _row(row: PcrRow, columns: int) -> Markup:
    state = tag("span", row.state, class_=f"state t-{row.tone}")
    name = tag(
        "th", tag("b", MARKS[row.tone], class_=f"sign t-{row.tone}"), " ", tag("b", row.name), " ",
        state, tag("div", row.feeds, class_="note"), scope="row",
    )  # fmt: skip
    cells = (_cell(cell, columns) for cell in row.cells)
    return tag("tr", name, *cells, class_=row.state.replace(" ", "-"))


def _cell(cell: PcrCell, columns: int) -> Markup:
    kids: list[Kid] = []
    if cell.digest is not None:
        kids.append(digest_html(cell.digest, groups=groups_shown(cell, columns)))
    if cell.same > 1 and (cell.span > 1 or cell.apart):
        kids.append(chip("good", f"identical ×{cell.same}"))
    if cell.apart:
        kids.append(tag("span", f"to {cell.apart}", class_="note"))
    if cell.said:
        kids.append(tag("span", cell.said, class_="said"))
    shade = "odd" if cell.odd else "same" if cell.span > 1 else "alone"
    value = tag("div", *kids, class_="value")
    return tag("td", value, colspan=cell.span if cell.span > 1 else None, class_=shade)


def groups_shown(cell: PcrCell, columns: int) -> int:
    """Return the groups of a digest that fit its cell; 0 is all of them."""
    return 0 if cell.span >= _WIDE or columns <= _WIDE else _CUT


def _whole(model: PcrsModel, case: PcrCase) -> Markup | None:
    """Return what the table cuts, whole and once."""
    cut = {
        cell.digest.hex: (f"{row.name}, {listed(cell.columns)}", tag("code", cell.digest.hex))
        for row in case.rows
        for cell in row.cells
        if cell.digest and not cell.digest.zero and groups_shown(cell, len(model.columns))
    }
    if not cut:
        return None
    return fold("the cut values, whole", rows(("", ""), cut.values(), label="Whole values"))


def _parts(model: PcrsModel) -> Markup:
    lines = (
        (part.name, size(part.size) if part.size >= 0 else "not known here",
         "in the image" if part.inside else "outside the image", ", ".join(part.pcrs))
        for part in model.parts
    )  # fmt: skip
    return rows(("what", "bytes", "where", "measured into"), lines, label="What feeds each PCR")
