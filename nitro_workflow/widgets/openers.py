"""From what was recognised to its inspector: one function for each kind, imported when needed."""

from __future__ import annotations

import importlib
from dataclasses import replace

from nitro_workflow.widgets.inspectors.bytes_model import BytesModel, make_bytes
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
    said = "A private key: nothing of it is shown" if found.kind == "private-key" else found.why
    return replace(model, head=replace(model.head, verdict=said, why=found.form, next=""))
