"""Models as plain text: what a terminal, a diff and a screen reader get."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nitro_workflow.widgets.view_model import (
    MARKS,
    CheckLine,
    FieldNode,
    Inspection,
    Model,
    Table,
    TableRow,
    Tone,
)

__all__ = ["render_text"]


def render_text(model: Model) -> str:
    """Return the model as lines of text, without colour."""
    match model:
        case Inspection():
            lines = _inspection(model)
        case Table():
            lines = _table(model)
    return "\n".join(lines)


def _headline(title: str, verdict: str, tone: Tone) -> str:
    return f"{MARKS[tone]} {title}: {verdict}" if verdict else title


def _check_lines(checks: Sequence[CheckLine], indent: str = "  ") -> Iterator[str]:
    width = max((len(check.title) for check in checks), default=0)
    for check in checks:
        yield f"{indent}{MARKS[check.tone]} {check.title:<{width}}  {check.outcome}".rstrip()
        if check.tone in {"bad", "warning"}:
            for label, text in (("found", check.found), ("expected", check.expected)):
                if text:
                    yield f"{indent}    {label:>8}  {text}"


def _node_lines(nodes: Sequence[FieldNode], depth: int = 1) -> Iterator[str]:
    for node in nodes:
        note = f"  ({node.note})" if node.note else ""
        yield f"{'  ' * depth}{node.label}: {node.value}{note}"
        yield from _node_lines(node.children, depth + 1)


def _inspection(model: Inspection) -> Iterator[str]:
    yield _headline(model.title, model.verdict, model.tone)
    if model.trust:
        yield f"  {model.trust}"
    yield from _check_lines(model.checks)
    yield from _node_lines(model.nodes)
    yield from (f"  | {line}".rstrip() for line in model.detail.splitlines())


def _table(model: Table) -> Iterator[str]:
    yield _headline(model.title, model.verdict, model.tone)
    if len(model.columns) == 1:
        yield from _facts(model.rows)
        return
    for row in model.rows:
        note = f"  {row.note}" if row.note else ""
        yield f"  {MARKS[row.tone]} {row.label}{note}"
        for column, cell in zip(model.columns, row.cells, strict=False):
            yield f"      {column:>10}  {cell.text}"
            if cell.difference >= 0:
                yield f"      {'':>10}  {' ' * cell.difference}^ first difference"


def _facts(rows: Sequence[TableRow]) -> Iterator[str]:
    width = max((len(row.label) for row in rows), default=0)
    for row in rows:
        value = row.cells[0].text if row.cells else ""
        yield f"  {MARKS[row.tone]} {row.label:<{width}}  {value}"
