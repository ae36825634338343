"""Views of what the workflow makes: text, HTML without script, and a live inspector.

Example::

    >>> from nitro_workflow.widgets import Fact, Head, PlainModel, View
    >>> head = Head("attestation document", "PCR0 is as expected", "good")
    >>> View(PlainModel(head, (Fact("PCR0", "6be4…", "good"),)))
    ✓ PCR0 is as expected
      attestation document
      PCR0  ✓ 6be4…

What draws an object of another room (`make_image`, `make_pcrs`, …) imports that
room; it is imported when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from nitro_workflow.widgets.drawing import Head, Model, Tone, tag, to_json
    from nitro_workflow.widgets.drop_zone import DropZone
    from nitro_workflow.widgets.formats import duration, file_count, moment, sentence, short, size
    from nitro_workflow.widgets.inspecting import Views, found_in, inspect, view_of
    from nitro_workflow.widgets.inspectors.bytes_model import SHOWN_BYTES, make_bytes
    from nitro_workflow.widgets.inspectors.changes_model import ChangesModel, make_changes
    from nitro_workflow.widgets.inspectors.enclave_model import EnclaveModel, make_enclaves
    from nitro_workflow.widgets.inspectors.envelope_model import (
        EnvelopeModel,
        make_blob,
        make_envelope,
    )
    from nitro_workflow.widgets.inspectors.image_answers import image_answers, make_comparison
    from nitro_workflow.widgets.inspectors.image_model import ImageModel, make_image
    from nitro_workflow.widgets.inspectors.message_model import MessageModel, make_message
    from nitro_workflow.widgets.inspectors.pcr_sources import PcrSource, pcr_source
    from nitro_workflow.widgets.inspectors.pcrs_model import PcrsModel, make_pcrs, pcr_answers
    from nitro_workflow.widgets.inspectors.plain_model import Fact, PlainModel
    from nitro_workflow.widgets.inspectors.policy_inquiry import Inquiry, inquire, make_reach
    from nitro_workflow.widgets.inspectors.policy_model import PolicyModel, make_policy
    from nitro_workflow.widgets.inspectors.result_model import ResultModel, make_result
    from nitro_workflow.widgets.inspectors.sdk_message import SDK_HEADER_LIMIT
    from nitro_workflow.widgets.inspectors.step_card_model import (
        Exchange,
        StepModel,
        document_sha256,
        make_step,
        nsm_exchange,
    )
    from nitro_workflow.widgets.inspectors.trace_model import TraceModel, make_trace
    from nitro_workflow.widgets.inspectors.workflow_model import WorkflowModel, make_workflow
    from nitro_workflow.widgets.listing import Listing, json_listing
    from nitro_workflow.widgets.loopback_page import drop_server
    from nitro_workflow.widgets.opened import Ask
    from nitro_workflow.widgets.page_of_views import saved_page
    from nitro_workflow.widgets.question import Question
    from nitro_workflow.widgets.recognising import MAX_RECOGNISED_BYTES, Recognised, recognise
    from nitro_workflow.widgets.samples import sample
    from nitro_workflow.widgets.view import View

_HOMES = {
    "Ask": "opened",
    "ChangesModel": "inspectors.changes_model",
    "DropZone": "drop_zone",
    "EnclaveModel": "inspectors.enclave_model",
    "EnvelopeModel": "inspectors.envelope_model",
    "Exchange": "inspectors.step_card_model",
    "Fact": "inspectors.plain_model",
    "Head": "drawing",
    "ImageModel": "inspectors.image_model",
    "Inquiry": "inspectors.policy_inquiry",
    "Listing": "listing",
    "MAX_RECOGNISED_BYTES": "recognising",
    "MessageModel": "inspectors.message_model",
    "Model": "drawing",
    "PcrSource": "inspectors.pcr_sources",
    "PcrsModel": "inspectors.pcrs_model",
    "PlainModel": "inspectors.plain_model",
    "PolicyModel": "inspectors.policy_model",
    "Question": "question",
    "Recognised": "recognising",
    "ResultModel": "inspectors.result_model",
    "SDK_HEADER_LIMIT": "inspectors.sdk_message",
    "SHOWN_BYTES": "inspectors.bytes_model",
    "StepModel": "inspectors.step_card_model",
    "Tone": "drawing",
    "TraceModel": "inspectors.trace_model",
    "View": "view",
    "Views": "inspecting",
    "WorkflowModel": "inspectors.workflow_model",
    "document_sha256": "inspectors.step_card_model",
    "drop_server": "loopback_page",
    "duration": "formats",
    "file_count": "formats",
    "found_in": "inspecting",
    "image_answers": "inspectors.image_answers",
    "inquire": "inspectors.policy_inquiry",
    "inspect": "inspecting",
    "json_listing": "listing",
    "make_blob": "inspectors.envelope_model",
    "make_bytes": "inspectors.bytes_model",
    "make_changes": "inspectors.changes_model",
    "make_comparison": "inspectors.image_answers",
    "make_enclaves": "inspectors.enclave_model",
    "make_envelope": "inspectors.envelope_model",
    "make_image": "inspectors.image_model",
    "make_message": "inspectors.message_model",
    "make_pcrs": "inspectors.pcrs_model",
    "make_policy": "inspectors.policy_model",
    "make_reach": "inspectors.policy_inquiry",
    "make_result": "inspectors.result_model",
    "make_step": "inspectors.step_card_model",
    "make_trace": "inspectors.trace_model",
    "make_workflow": "inspectors.workflow_model",
    "moment": "formats",
    "nsm_exchange": "inspectors.step_card_model",
    "pcr_answers": "inspectors.pcrs_model",
    "pcr_source": "inspectors.pcr_sources",
    "recognise": "recognising",
    "sample": "samples",
    "saved_page": "page_of_views",
    "sentence": "formats",
    "short": "formats",
    "size": "formats",
    "tag": "drawing",
    "to_json": "drawing",
    "view_of": "inspecting",
}

__all__ = [
    "MAX_RECOGNISED_BYTES",
    "SDK_HEADER_LIMIT",
    "SHOWN_BYTES",
    "Ask",
    "ChangesModel",
    "DropZone",
    "EnclaveModel",
    "EnvelopeModel",
    "Exchange",
    "Fact",
    "Head",
    "ImageModel",
    "Inquiry",
    "Listing",
    "MessageModel",
    "Model",
    "PcrSource",
    "PcrsModel",
    "PlainModel",
    "PolicyModel",
    "Question",
    "Recognised",
    "ResultModel",
    "StepModel",
    "Tone",
    "TraceModel",
    "View",
    "Views",
    "WorkflowModel",
    "document_sha256",
    "drop_server",
    "duration",
    "file_count",
    "found_in",
    "image_answers",
    "inquire",
    "inspect",
    "json_listing",
    "make_blob",
    "make_bytes",
    "make_changes",
    "make_comparison",
    "make_enclaves",
    "make_envelope",
    "make_image",
    "make_message",
    "make_pcrs",
    "make_policy",
    "make_reach",
    "make_result",
    "make_step",
    "make_trace",
    "make_workflow",
    "moment",
    "nsm_exchange",
    "pcr_answers",
    "pcr_source",
    "recognise",
    "sample",
    "saved_page",
    "sentence",
    "short",
    "size",
    "tag",
    "to_json",
    "view_of",
]


__getattr__ = lazy_names(__name__, _HOMES)
