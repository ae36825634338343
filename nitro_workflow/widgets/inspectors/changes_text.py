"""How a text was changed, as text."""

from __future__ import annotations

from collections.abc import Iterator

from nitro_workflow.widgets.drawing import head_lines
from nitro_workflow.widgets.inspectors.changes_model import ChangedLine, ChangesModel

__all__ = ["draw_text", "legend", "signed"]


def draw_text(model: ChangesModel) -> Iterator[str]:
    """Yield the head, what the signs say, then each line with its sign."""
    yield from head_lines(model.head)
    if model.lines:
        yield f"  {legend(model)}"
    for line in model.lines:
        text, place = signed(line)
        yield f"    {text}".rstrip()
        if place >= 0:
            yield f"    {' ' * place}^ first difference"


def legend(model: ChangesModel) -> str:
    """Return what the signs stand for."""
    signs = {line.sign for line in model.lines}
    said = [f"- {model.before}"] if "-" in signs else []
    said += [f"+ {model.after}"] if "+" in signs else []
    return ", ".join([*said, "unsigned: in both"])


def signed(line: ChangedLine) -> tuple[str, int]:
    """Return a line with its sign in front, and where the first difference is in that, or -1."""
    place = line.difference + 2 if line.difference >= 0 else -1
    return f"{line.sign} {line.text}", place
