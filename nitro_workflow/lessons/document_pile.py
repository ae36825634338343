"""Eight documents to be judged by hand: three are bad, and some of the good ones look odd.

They are of the published test pack: the same bytes for everyone, so that learners can compare.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

import cbor2
from cryptography import x509

from nitro_workflow.attestation import PUBLISHED_AT, Expected, PackDocument, build_pack
from nitro_workflow.widgets import Head, PlainModel, View

__all__ = ["DocumentPile", "open_pile", "pack_document"]

_ROWS: Final[Mapping[str, str]] = {
    "amber": "within-the-age",
    "birch": "pcr0-changed",
    "cedar": "pcrs-32",
    "dune": "mock-root",
    "ember": "last-second",
    "fjord": "pcr0-last-byte",
    "grove": "map-unordered",
    "heath": "extension-not-critical",
}
"""The pile's name → the pack's row; all of one root, checked at one time, one image expected."""

_DIGITS: Final = 8
"""Hex digits of a digest that are shown: enough to tell apart, not enough to compare."""


@dataclass(frozen=True, slots=True, repr=False)
class DocumentPile:
    """Name → document, and what whoever judges them knows from elsewhere.

    ``root`` is DER, ``at`` the time of the judgement; ``pcr0`` has 48 bytes, ``nonce`` 32.
    ``expected`` says the same, and the maximum age, as `Verifier` takes it.
    """

    documents: Mapping[str, bytes]
    root: bytes
    at: datetime
    pcr0: bytes
    nonce: bytes
    expected: Expected

    def __repr__(self) -> str:
        age = self.expected.max_age
        return "\n".join(
            [
                f"{len(self.documents)} documents: {', '.join(self.documents)}",
                f'the bytes of one: pile.documents["{next(iter(self.documents))}"]',
                f"to be judged at {self.at.isoformat()}",
                f"at most {age.total_seconds():.0f} seconds old" if age else "of any age",
                f"expected PCR0   {self.pcr0.hex()}",
                f"expected nonce  {self.nonce.hex()}",
            ]
        )

    def by_hand(
        self,
        issued: Callable[[Any, Any], bool],
        to_be_signed: Callable[[bytes, bytes], bytes],
        holds: Callable[[bytes, bytes, Any], bool],
    ) -> View:
        """Show each document with what three functions say of it, and the first digits of others.

        ``issued`` takes a certificate and the one above, ``to_be_signed`` the protected header and
        the payload, ``holds`` what is signed, the signature and the leaf's key.
        """

        def line(name: str, document: bytes) -> tuple[str, ...]:
            header, _, payload, signature = cbor2.loads(document)
            fields = cbor2.loads(payload)
            ders = (*fields["cabundle"], fields["certificate"])
            chain = [x509.load_der_x509_certificate(der) for der in ders]
            links = [issued(below, above) for above, below in itertools.pairwise(chain)]
            signed = to_be_signed(header, payload)
            return (
                name,
                f"{sum(links)} of {len(links)}",
                hashlib.sha256(ders[0]).hexdigest()[:_DIGITS],
                "holds" if holds(signed, signature, chain[-1].public_key()) else "does not hold",
                f"{self.at.timestamp() - fields['timestamp'] / 1000:.0f} s",
                f"{fields['pcrs'][0].hex()[:_DIGITS]}, of {len(fields['pcrs'])}",
                (fields["nonce"] or b"").hex()[:_DIGITS],
            )

        root = hashlib.sha256(self.root).hexdigest()[:_DIGITS]
        head = Head("Looked at by hand", f"{len(self.documents)} documents", "neutral",
                    f"The root to trust is {root}.")  # fmt: skip
        columns = ("document", "links hold", "root", "signature", "age", "PCR0", "nonce")
        return View(
            PlainModel(
                head, columns=columns, rows=tuple(itertools.starmap(line, self.documents.items()))
            )
        )


@cache
def _pack() -> Mapping[str, PackDocument]:
    return {document.row.name: document for document in build_pack(PUBLISHED_AT)}


def pack_document(name: str) -> PackDocument:
    """Return a document of the published pack. Raises KeyError for a name that it does not have."""
    return _pack()[name]


def open_pile() -> DocumentPile:
    """Return the pile of lesson 12."""
    good = pack_document("good")
    return DocumentPile(
        documents={name: pack_document(row).data for name, row in _ROWS.items()},
        root=good.root,
        at=good.at,
        pcr0=good.row.wanted.pcrs[0],
        nonce=good.row.wanted.nonce or b"",
        expected=good.expected,
    )
