"""Views of what the workflow makes: text, HTML without script, and a live inspector.

Example::

    >>> from nitro_workflow.widgets import Cell, Table, TableRow, View
    >>> row = TableRow("PCR0", (Cell("6be4…"),), "good")
    >>> View(Table("PCRs", ("document",), (row,), "as expected", "good"))
    ✓ PCRs: as expected
      ✓ PCR0  6be4…

What draws an object of another room (`document_inspection`, `image_inspection`, …) imports that
room; it is imported when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from nitro_workflow.widgets.decision_view import decision_model
    from nitro_workflow.widgets.document_view import chain_table, document_inspection
    from nitro_workflow.widgets.formats import duration, moment, short, size
    from nitro_workflow.widgets.image_view import image_inspection
    from nitro_workflow.widgets.listing import Listing, difference, json_listing
    from nitro_workflow.widgets.message_view import HEADER_LIMIT, message_inspection
    from nitro_workflow.widgets.pcr_view import pcr_table
    from nitro_workflow.widgets.question import Question
    from nitro_workflow.widgets.trace_view import trace_lanes
    from nitro_workflow.widgets.view import View
    from nitro_workflow.widgets.view_model import (
        Cell,
        CheckLine,
        DecisionModel,
        FieldNode,
        Inspection,
        Lanes,
        Message,
        StatementLine,
        Table,
        TableRow,
        Tone,
    )

_HOMES = {
    "Cell": "view_model",
    "CheckLine": "view_model",
    "DecisionModel": "view_model",
    "FieldNode": "view_model",
    "HEADER_LIMIT": "message_view",
    "Inspection": "view_model",
    "Lanes": "view_model",
    "Listing": "listing",
    "Message": "view_model",
    "Question": "question",
    "StatementLine": "view_model",
    "Table": "view_model",
    "TableRow": "view_model",
    "Tone": "view_model",
    "View": "view",
    "chain_table": "document_view",
    "decision_model": "decision_view",
    "difference": "listing",
    "document_inspection": "document_view",
    "duration": "formats",
    "image_inspection": "image_view",
    "json_listing": "listing",
    "message_inspection": "message_view",
    "moment": "formats",
    "pcr_table": "pcr_view",
    "short": "formats",
    "size": "formats",
    "trace_lanes": "trace_view",
}

__all__ = [
    "HEADER_LIMIT",
    "Cell",
    "CheckLine",
    "DecisionModel",
    "FieldNode",
    "Inspection",
    "Lanes",
    "Listing",
    "Message",
    "Question",
    "StatementLine",
    "Table",
    "TableRow",
    "Tone",
    "View",
    "chain_table",
    "decision_model",
    "difference",
    "document_inspection",
    "duration",
    "image_inspection",
    "json_listing",
    "message_inspection",
    "moment",
    "pcr_table",
    "short",
    "size",
    "trace_lanes",
]


__getattr__ = lazy_names(__name__, _HOMES)
