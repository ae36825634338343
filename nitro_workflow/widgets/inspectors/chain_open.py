"""Opens certificates, and the chain of a document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from nitro_workflow.attestation import Reading, aws_root, parse_root
from nitro_workflow.errors import InputError
from nitro_workflow.widgets.inspectors.chain_certificates import certificates_of, differences_of
from nitro_workflow.widgets.inspectors.chain_model import make_chain
from nitro_workflow.widgets.opened import Ask, Opened
from nitro_workflow.widgets.recognising import Recognised, ders_of, recognise

__all__ = ["chain_of_reading", "open_certificates"]


def open_certificates(found: Recognised, ask: Ask) -> Opened:
    """Return the inspector of certificates, as they stand: a leaf that comes first is put last."""
    ders = _root_first(ders_of(found))
    at = ask.at if isinstance(ask.at, datetime) else datetime.now(UTC)
    root = _root(ask) if len(ders) > 1 or ask.root else None
    model = make_chain(ders, at=at.timestamp(), root=root, source=found.name or found.form)
    return Opened(model, _answers(ders, root))


def chain_of_reading(reading: Reading, ask: Ask, at: datetime | None) -> Opened:
    """Return the chain of a document that was read."""
    leaf = reading.values.get("certificate")
    ders = [*reading.values.get("cabundle", ()), *([leaf] if leaf else [])]
    own = reading.values.get("timestamp_ms")
    own_at = None if own is None else own / 1000
    moment = at.timestamp() if at else own_at or 0.0
    root = _root(ask)
    model = make_chain(ders, at=moment, document_at=own_at, root=root, source="from the document")
    return Opened(model, _answers(ders, root))


def _root(ask: Ask) -> bytes:
    return parse_root(ask.root) if ask.root else aws_root()


def _root_first(ders: Sequence[bytes]) -> list[bytes]:
    """Return a chain root first; PEM files have the leaf first as a rule."""
    found = certificates_of(ders)
    names = [(one.subject, one.issuer) for one in found]
    leaf_first = len(names) > 1 and names[0][1] == names[1][0] != names[0][0]
    return [*reversed(ders)] if leaf_first else [*ders]


def _answers(
    ders: Sequence[bytes], root: bytes | None
) -> Mapping[str, Callable[[Mapping[str, Any]], Any]]:
    """``compare`` takes ``text``: another document or other certificates, in any encoding."""

    def compare(values: Mapping[str, Any]) -> Any:
        text = str(values.get("text", ""))
        found = recognise(text.encode("utf-8", "surrogatepass"))
        other = ders_of(found)
        if not other:
            raise InputError(found.why, expected="a document or certificates", where="the text")
        mine = certificates_of(ders, root=root)
        return differences_of(mine, certificates_of(_root_first(other), root=root))

    return {"compare": compare}
