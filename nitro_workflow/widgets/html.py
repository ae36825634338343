"""Models as HTML without script: what GitHub, nbconvert and an untrusted notebook show.

Only tables, lists and `details`: it reads well where a viewer drops every style. Colours are
JupyterLab's variables, so that light and dark both work, and never the only sign: each mark is a
word too.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from nitro_workflow.widgets.view_model import (
    MARKS,
    Cell,
    CheckLine,
    FieldNode,
    Inspection,
    Model,
    Table,
    TableRow,
    Tone,
)

__all__ = ["render_html"]

_COLOURS: dict[Tone, str] = {
    "good": "var(--jp-success-color0, #1b5e20)",
    "bad": "var(--jp-error-color0, #b71c1c)",
    "warning": "var(--jp-warn-color0, #a04000)",
    "neutral": "inherit",
}
_WORDS: dict[Tone, str] = {"good": "holds", "bad": "fails", "warning": "look", "neutral": ""}
# Three columns of 96 hex digits fit a page only if they may break anywhere.
_BREAK = ' style="word-break:break-all;white-space:normal"'
_LEFT = ' style="text-align:left;vertical-align:top"'


def render_html(model: Model) -> str:
    """Return the model as one HTML fragment; every text of it is escaped."""
    match model:
        case Inspection():
            body = _inspection(model)
        case Table():
            body = _table(model)
    return f'<section aria-label="{escape(model.title)}">{body}</section>'


def _toned(tone: Tone, text: str) -> str:
    if tone == "neutral":
        return escape(text)
    return f'<span style="color:{_COLOURS[tone]}"><b>{MARKS[tone]}</b> {escape(text)}</span>'


def _headline(title: str, verdict: str, tone: Tone) -> str:
    said = f": {_toned(tone, verdict)}" if verdict else ""
    return f"<p><b>{escape(title)}</b>{said}</p>"


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th{_LEFT}>{escape(name)}</th>" for name in head)
    body = "".join(
        "<tr>" + "".join(f"<td{_LEFT}>{cell}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _check_row(check: CheckLine) -> list[str]:
    outcome = escape(check.outcome)
    if check.tone in {"bad", "warning"}:
        for label, text in (("found", check.found), ("expected", check.expected)):
            outcome += f"<br>{label}: <code>{escape(text)}</code>" if text else ""
    return [_toned(check.tone, _WORDS[check.tone]), escape(check.title), outcome]


def _nodes(nodes: Sequence[FieldNode]) -> str:
    items = []
    for node in nodes:
        note = f" <i>({escape(node.note)})</i>" if node.note else ""
        text = f"<b>{escape(node.label)}</b> <code>{escape(node.value)}</code>{note}"
        if node.children:
            inner = _nodes(node.children)
            items.append(f"<li><details><summary>{text}</summary>{inner}</details></li>")
        else:
            items.append(f"<li>{text}</li>")
    return f"<ul>{''.join(items)}</ul>"


def _inspection(model: Inspection) -> str:
    parts = [_headline(model.title, model.verdict, model.tone)]
    if model.trust:
        parts.append(f"<p><i>{escape(model.trust)}</i></p>")
    if model.checks:
        parts.append(_rows(("", "check", "outcome"), [_check_row(check) for check in model.checks]))
    if model.nodes:
        parts.append(_nodes(model.nodes))
    if model.detail:
        text = f"<pre>{escape(model.detail)}</pre>"
        parts.append(f"<details><summary>The whole explanation</summary>{text}</details>")
    return "".join(parts)


def _cell(cell: Cell) -> str:
    if cell.difference < 0:
        return f"<code{_BREAK}>{escape(cell.text)}</code>"
    same, other = cell.text[: cell.difference], cell.text[cell.difference :]
    return f"<code{_BREAK}>{escape(same)}<mark><b>{escape(other)}</b></mark></code>"


def _table_row(row: TableRow) -> list[str]:
    note = f"<br>{escape(row.note)}" if row.note else ""
    return [
        _toned(row.tone, _WORDS[row.tone]),
        f"<b>{escape(row.label)}</b>{note}",
        *map(_cell, row.cells),
    ]


def _table(model: Table) -> str:
    rows = [_table_row(row) for row in model.rows]
    return _headline(model.title, model.verdict, model.tone) + _rows(("", "", *model.columns), rows)
