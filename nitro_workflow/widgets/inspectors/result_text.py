"""The opened result as text: a table, a bar a group, and the suppressed named as such."""

from __future__ import annotations

from collections.abc import Iterator

from nitro_workflow.widgets.drawing import head_lines, table_lines
from nitro_workflow.widgets.inspectors.result_model import ResultModel

__all__ = ["draw_text"]

WIDE = 24


def draw_text(model: ResultModel) -> Iterator[str]:
    """Yield the head, a table with bars of the first measure, what is suppressed."""
    yield from head_lines(model.head)
    first = model.measures[0].bars if model.measures else ()
    lines = [
        (
            group,
            *(m.bars[at].text for m in model.measures),
            "█" * max(round(first[at].share * WIDE), 1) if first else "",
        )
        for at, group in enumerate(model.groups)
    ]
    lines += (
        [(f"suppressed: {model.unsaid}", *("not told" for _ in model.measures), "▒" * 3)]
        if model.suppressed
        else []
    )
    yield from table_lines(("group", *(measure.name for measure in model.measures), ""), lines)
    if model.left_out:
        yield f"  … {model.left_out:,} more groups"
    if model.note:
        yield f"  {model.note}"
