"""Views of what the workflow makes: text, HTML without script, and a live inspector.

Example::

    >>> from nitro_workflow.widgets import Cell, Table, TableRow, View
    >>> row = TableRow("PCR0", (Cell("6be4…"),), "good")
    >>> View(Table("PCRs", ("document",), (row,), "as expected", "good"))
    ✓ PCRs: as expected
      ✓ PCR0  6be4…

What draws an object of another room (`document_inspection`, `make_image`, …) imports that
room; it is imported when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from nitro_workflow.widgets.document_view import chain_table, document_inspection
    from nitro_workflow.widgets.formats import duration, moment, short, size
    from nitro_workflow.widgets.inspectors.image_answers import image_answers, make_comparison
    from nitro_workflow.widgets.inspectors.image_model import ImageModel, make_image
    from nitro_workflow.widgets.inspectors.pcr_sources import PcrSource, pcr_source
    from nitro_workflow.widgets.inspectors.pcrs_model import PcrsModel, make_pcrs, pcr_answers
    from nitro_workflow.widgets.inspectors.policy_inquiry import Inquiry, inquire, make_reach
    from nitro_workflow.widgets.inspectors.policy_model import PolicyModel, make_policy
    from nitro_workflow.widgets.listing import Listing, difference, json_listing
    from nitro_workflow.widgets.message_view import HEADER_LIMIT, message_inspection
    from nitro_workflow.widgets.question import Question
    from nitro_workflow.widgets.trace_view import trace_lanes
    from nitro_workflow.widgets.view import View
    from nitro_workflow.widgets.view_model import (
        Cell,
        CheckLine,
        FieldNode,
        Inspection,
        Lanes,
        Message,
        Table,
        TableRow,
        Tone,
    )

_HOMES = {
    "Cell": "view_model",
    "CheckLine": "view_model",
    "FieldNode": "view_model",
    "HEADER_LIMIT": "message_view",
    "ImageModel": "inspectors.image_model",
    "Inquiry": "inspectors.policy_inquiry",
    "Inspection": "view_model",
    "Lanes": "view_model",
    "Listing": "listing",
    "Message": "view_model",
    "PcrSource": "inspectors.pcr_sources",
    "PcrsModel": "inspectors.pcrs_model",
    "PolicyModel": "inspectors.policy_model",
    "Question": "question",
    "Table": "view_model",
    "TableRow": "view_model",
    "Tone": "view_model",
    "View": "view",
    "chain_table": "document_view",
    "difference": "listing",
    "document_inspection": "document_view",
    "duration": "formats",
    "image_answers": "inspectors.image_answers",
    "inquire": "inspectors.policy_inquiry",
    "json_listing": "listing",
    "make_comparison": "inspectors.image_answers",
    "make_image": "inspectors.image_model",
    "make_pcrs": "inspectors.pcrs_model",
    "make_policy": "inspectors.policy_model",
    "make_reach": "inspectors.policy_inquiry",
    "message_inspection": "message_view",
    "moment": "formats",
    "pcr_answers": "inspectors.pcrs_model",
    "pcr_source": "inspectors.pcr_sources",
    "short": "formats",
    "size": "formats",
    "trace_lanes": "trace_view",
}

__all__ = [
    "HEADER_LIMIT",
    "Cell",
    "CheckLine",
    "FieldNode",
    "ImageModel",
    "Inquiry",
    "Inspection",
    "Lanes",
    "Listing",
    "Message",
    "PcrSource",
    "PcrsModel",
    "PolicyModel",
    "Question",
    "Table",
    "TableRow",
    "Tone",
    "View",
    "chain_table",
    "difference",
    "document_inspection",
    "duration",
    "image_answers",
    "inquire",
    "json_listing",
    "make_comparison",
    "make_image",
    "make_pcrs",
    "make_policy",
    "make_reach",
    "message_inspection",
    "moment",
    "pcr_answers",
    "pcr_source",
    "short",
    "size",
    "trace_lanes",
]


__getattr__ = lazy_names(__name__, _HOMES)
