"""Does a function that a learner wrote judge as it must? Links and signatures, good and broken."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cbor2
from cryptography import x509

from nitro_workflow.attestation import Verifier
from nitro_workflow.lessons.document_pile import pack_document

__all__ = ["Case", "Said", "ask", "link_cases", "signature_cases", "signed_bytes", "works"]

_BAD_LINKS: Final = {
    "leaf-signed-by-another-key": "a leaf that another key of the same name has signed",
    "issuer-name-differs": "a leaf that names another issuer than the one above it",
    "leaf-signature-changed": "a leaf with one bit of its signature changed",
}
_BAD_SIGNATURES: Final = {
    "pcr0-changed": "a document whose PCR0 was changed after signing",
    "bit-changed": "a document with the last bit of its signature changed",
    "another-leafs-key": "a document that another leaf's key has signed",
}


@dataclass(frozen=True, slots=True)
class Case:
    """What a function is called with, what it is, and what it must say."""

    told: str
    arguments: tuple[Any, ...]
    holds: bool


@dataclass(frozen=True, slots=True)
class Said:
    """What a learner's function returned; ``raised`` is the exception instead, in words."""

    value: Any = None
    raised: str = ""

    @property
    def is_answer(self) -> bool:
        """Whether it is yes or no."""
        return isinstance(self.value, bool)


def ask(function: Callable[..., Any], arguments: Sequence[Any]) -> Said:
    """Call a function that may do anything a learner can write."""
    try:
        return Said(function(*arguments))
    except Exception as error:  # noqa: BLE001 - whatever a learner's function raises is its answer
        return Said(raised=f"{type(error).__name__} {error}".strip()[:120])


def works(function: Any, cases: Sequence[Case]) -> bool:
    """Tell whether the cells below can go on with a function: yes or no each time, never raises."""
    return callable(function) and all(ask(function, one.arguments).is_answer for one in cases)


def _opened(name: str) -> tuple[Any, ...]:
    """Return a document of the pack: its four parts, and its certificates from root to leaf."""
    parts = cbor2.loads(pack_document(name).data)
    fields = cbor2.loads(parts[2])
    ders = (*fields["cabundle"], fields["certificate"])
    return parts, [x509.load_der_x509_certificate(der) for der in ders]


def _engine_finds(name: str, step: str) -> bool:
    document = pack_document(name)
    found = Verifier.with_root(document.root).explain(document.data, at=document.at)
    return found.step(step).status == "passed"


def link_cases() -> Iterator[Case]:
    """Yield the links of a good chain, then links that must not hold, each the last of a chain."""
    _, good = _opened("good")
    for above, below in itertools.pairwise(good):
        yield Case("a certificate and the one that issued it", (below, above), holds=True)
    yield Case("the leaf and the root, three above it", (good[-1], good[0]), holds=False)
    for name, told in _BAD_LINKS.items():
        _, chain = _opened(name)
        yield Case(told, (chain[-1], chain[-2]), _engine_finds(name, "chain"))


def signed_bytes(parts: Sequence[Any]) -> bytes:
    """Return what COSE_Sign1's signature is over (RFC 9052 §4.4): the Sig_structure."""
    return cbor2.dumps(["Signature1", parts[0], b"", parts[2]])


def signature_cases() -> Iterator[Case]:
    """Yield a good signature, then those that must not hold: ``(signed, signature, key)`` each."""
    for name, told in {"good": "a genuine document", **_BAD_SIGNATURES}.items():
        parts, chain = _opened(name)
        arguments = (signed_bytes(parts), parts[3], chain[-1].public_key())
        yield Case(told, arguments, _engine_finds(name, "signature"))
