"""From what was recognised to the inspectors of what is sealed: messages, envelopes, blobs."""

from __future__ import annotations

from nitro_workflow.widgets.inspectors.envelope_model import make_blob, make_envelope
from nitro_workflow.widgets.inspectors.message_model import make_message
from nitro_workflow.widgets.opened import Ask, Opened
from nitro_workflow.widgets.recognising import Recognised

__all__ = ["open_blob", "open_envelope", "open_message"]


def open_message(found: Recognised, _: Ask) -> Opened:
    """Return the inspector of an Encryption SDK message; of a large file, its parts are read."""
    if found.file is None:
        return Opened(make_message(found.data, total=found.size, name=found.name))
    with found.file.open("rb") as file:

        def read(offset: int, length: int) -> bytes:
            file.seek(offset)
            return file.read(length)

        return Opened(make_message(found.data, total=found.size, read=read, name=found.name))


def open_envelope(found: Recognised, _: Ask) -> Opened:
    """Return the inspector of a CMS envelope."""
    return Opened(make_envelope(found.data, name=found.name))


def open_blob(found: Recognised, _: Ask) -> Opened:
    """Return the inspector of a KMS ciphertext blob."""
    return Opened(make_blob(found.data, name=found.name))
