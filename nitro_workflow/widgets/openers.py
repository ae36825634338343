"""From what was recognised to its inspector: one function for each kind, imported when needed."""

from __future__ import annotations

import importlib
from dataclasses import replace

from nitro_workflow.widgets.drawing import Head, grouped
from nitro_workflow.widgets.formats import size as bytes_of
from nitro_workflow.widgets.inspectors.bytes_model import BytesModel, make_bytes
from nitro_workflow.widgets.inspectors.diagnostic_notation import diagnostic
from nitro_workflow.widgets.opened import Ask, Opened
from nitro_workflow.widgets.recognising import Recognised

__all__ = ["OPENERS", "opened"]

OPENERS: dict[str, str] = {
    "certificates": "chain_open:open_certificates",
    "document": "document_open:open_document",
    "cloudtrail": "log_open:open_log",
    "eif": "image_open:open_image_file",
    "envelope": "sealed_open:open_envelope",
    "kms-ciphertext": "sealed_open:open_blob",
    "nitro-cli": "pcrs_open:open_measurements",
    "policy": "policy_open:open_policy",
    "sdk-message": "sealed_open:open_message",
}
"""Recognised kind → ``module:function`` below ``inspectors``; the function takes (found, ask)."""


def opened(found: Recognised, ask: Ask) -> Opened:
    """Return the inspector of what was recognised; bytes that nobody knows get the hex view.

    Raises errors of the package where ``ask`` does not make sense, as a root that is none.
    """
    if found.kind not in OPENERS:
        return Opened(_unopened(found))
    module, _, function = OPENERS[found.kind].partition(":")
    opener = getattr(
        importlib.import_module(f"nitro_workflow.widgets.inspectors.{module}"), function
    )
    made: Opened = opener(found, ask)
    return made


def _unopened(found: Recognised) -> BytesModel:
    guesses = found.guesses or (found.why,)
    model = make_bytes(found.data, name=found.name, guesses=guesses, total=found.size)
    if found.kind == "bytes":
        return model
    return replace(model, head=_named(found))


_NAMED = {
    "container": ("Container image", "nitro-workflow image build --image makes an EIF of it."),
    "nsm": ("NSM message", ""),
    "private-key": ("Private key", ""),
}
_SAID = 400  # characters of a message to the NSM, or of its answer


def _named(found: Recognised) -> Head:
    """Return the head of what is known but has no inspector of its own."""
    name, then = _NAMED.get(found.kind, ("Bytes", ""))
    size = bytes_of(found.size) if found.size else ""
    what = " · ".join(filter(None, (name, size, f"read as {found.form}", found.name)))
    said = found.why[:1].upper() + found.why[1:]
    why = grouped(" ".join(diagnostic(found.data).split())[:_SAID]) if found.kind == "nsm" else ""
    return Head(what, said, "neutral", why, then)
