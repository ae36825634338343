"""An error of the package as a person meets it in a notebook: in a box, as text and as HTML.

IPython asks the error itself (`NitroWorkflowError._render_traceback_`), so that this needs no
setting of JupyterLab's, no command of ours, and no lesson.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from html import escape
from typing import Final, Protocol

__all__ = ["html_box", "text_box"]

_WIDTH: Final = 96
"""Characters of a line: a digest of SHA-384 stands whole."""

_LABEL: Final = 8
_CELL: Final = ' style="text-align:left;vertical-align:top"'
"""JupyterLab would set cells to the right."""

_COLOUR: Final = "var(--jp-error-color1, #c62828)"


class Refusal(Protocol):
    """What a box needs of an error: `NitroWorkflowError` has it."""

    def diagnostics(self) -> str:
        """Return a code, and lines of a label and a text."""


def text_box(error: Refusal) -> list[str]:
    """Return the box as lines, without control characters.

    >>> from nitro_workflow.errors import LabError
    >>> for line in text_box(LabError("no record", where="P3", next="run step P3")):
    ...     print(line)
    ┌─ LabError
    │    where  P3
    │    found  no record
    │     next  run step P3
    └─
    """
    code, *rows = error.diagnostics().splitlines()
    lines = [f"┌─ {code}"]
    for row in rows:
        lines += [f"│ {line}" for line in _wrapped(row)]
    explanation = _explanation(error)
    if explanation:
        lines.append("│")
        lines += [f"│ {line}" for row in explanation.splitlines() for line in _wrapped(row)]
    return [*lines, "└─"]


def html_box(error: Refusal) -> str:
    """Return the box as HTML without script, every text escaped."""
    code, *rows = error.diagnostics().splitlines()
    cells = (row.strip().partition("  ") for row in rows)
    body = "".join(
        f"<tr><th{_CELL}>{escape(label)}</th><td{_CELL}>{escape(said.strip())}</td></tr>"
        for label, _, said in cells
    )
    explanation = _explanation(error)
    more = f"<details><summary>Why</summary><pre>{escape(explanation)}</pre></details>"
    return (
        f'<section aria-label="Refused" style="border:1px solid {_COLOUR};padding:6px 10px">'
        f'<p><b style="color:{_COLOUR}">✗</b> <b>{escape(code)}</b></p>'
        f"<table><tbody>{body}</tbody></table>{more if explanation else ''}</section>"
    )


def _explanation(error: Refusal) -> str:
    text = str(getattr(error, "explanation", "") or "")
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def _wrapped(row: str) -> Iterator[str]:
    indent = " " * (_LABEL + 2 if row[:_LABEL].strip() else 0)
    yield from textwrap.wrap(
        row, _WIDTH, subsequent_indent=indent, drop_whitespace=False, break_on_hyphens=False
    ) or [""]
