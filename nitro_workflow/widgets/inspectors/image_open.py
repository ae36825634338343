"""Opening an enclave image: its view, and its PCRs as a view of their own."""

from __future__ import annotations

import io

from nitro_workflow.image import Readable
from nitro_workflow.widgets.inspectors.image_answers import image_answers
from nitro_workflow.widgets.inspectors.image_model import make_image, make_layout
from nitro_workflow.widgets.inspectors.pcr_sources import pcr_source
from nitro_workflow.widgets.inspectors.pcrs_model import make_pcrs, pcr_answers
from nitro_workflow.widgets.opened import Ask, Opened
from nitro_workflow.widgets.recognising import Recognised

__all__ = ["MEASURED_AT_ONCE", "open_image_file"]

MEASURED_AT_ONCE = 8 << 20
"""Bytes of an image that is measured before anything is shown: some 100 ms."""


def open_image_file(found: Recognised, _ask: Ask) -> Opened:
    """Return the view of an EIF; ``view.pcrs`` are its PCRs."""
    source: Readable = found.file if found.file is not None else io.BytesIO(found.data)
    answers = image_answers(source, name=found.name or "this image")
    related = {"pcrs": lambda: _pcrs(source)}
    if found.size < MEASURED_AT_ONCE:
        return Opened(make_image(source), answers, related)
    return Opened(make_layout(source), answers, related, lambda: make_image(source))


def _pcrs(source: Readable) -> Opened:
    columns = {"image": pcr_source("image", source)}
    model = make_pcrs(columns, image=source)
    return Opened(model, pcr_answers(columns))
