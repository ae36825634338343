"""The certificates in what was recognised: a chain, or a document's."""

from __future__ import annotations

from nitro_workflow.attestation import parse_document
from nitro_workflow.errors import DocumentError
from nitro_workflow.widgets.recognising.byte_signs import certificates_in
from nitro_workflow.widgets.recognising.recognised import Recognised

__all__ = ["ders_of"]


def ders_of(found: Recognised) -> list[bytes]:
    """Return certificates in DER; of a document root first, leaf last; else as they stand."""
    if found.kind == "certificates":
        return certificates_in(found.data)
    if found.kind == "document":
        try:
            document = parse_document(found.data)
        except DocumentError:
            return []
        return [*document.cabundle, document.certificate]
    return []
