"""Views of what the workflow makes: text, HTML without script, and a live inspector.

Example::

    >>> from nitro_workflow.widgets import Cell, Row, Table, View
    >>> row = Row("PCR0", (Cell("6be4…"),), "good")
    >>> View(Table("PCRs", ("document",), (row,), "as expected", "good"))
    ✓ PCRs: as expected
      ✓ PCR0  6be4…
"""

from nitro_workflow.widgets.question import Question
from nitro_workflow.widgets.view import View
from nitro_workflow.widgets.view_model import (
    Cell,
    Check,
    Decision,
    Inspection,
    Lanes,
    Message,
    Node,
    Row,
    Statement,
    Table,
)

__all__ = [
    "Cell",
    "Check",
    "Decision",
    "Inspection",
    "Lanes",
    "Message",
    "Node",
    "Question",
    "Row",
    "Statement",
    "Table",
    "View",
]
