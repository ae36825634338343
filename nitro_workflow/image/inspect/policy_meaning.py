"""What equal and different PCRs mean for a key policy that names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_KEY: Final = "kms:RecipientAttestation:"
_ABOUT: Final = {
    "PCR0": f"{_KEY}ImageSha384 and {_KEY}PCR0 (the whole image)",
    "PCR1": f"{_KEY}PCR1 (kernel, command line and bootstrap)",
    "PCR2": f"{_KEY}PCR2 (the application)",
    "PCR8": f"{_KEY}PCR8 (the signing certificate)",
}


def policy_meaning(pcrs: Mapping[str, tuple[str | None, str | None]]) -> tuple[str, ...]:
    """Return one sentence a register: whether a policy made for image A takes image B.

    ``pcrs`` maps ``PCR0``, ``PCR1``, ``PCR2``, ``PCR8`` to the values of both, None when unsigned.

    >>> policy_meaning({"PCR8": (None, None)})
    ('PCR8: neither image is signed: a policy on PCR8 takes neither.',)
    """
    return tuple(_sentence(name, *values) for name, values in pcrs.items())


def _sentence(name: str, a: str | None, b: str | None) -> str:
    if a is None and b is None:
        return f"{name}: neither image is signed: a policy on {name} takes neither."
    if a == b:
        return f"{name}: equal: a key policy on {_ABOUT[name]} that takes A takes B."
    if a is None:
        return f"{name}: only B is signed: a policy on {_ABOUT[name]} takes B at most."
    if b is None:
        return f"{name}: only A is signed: a policy on {_ABOUT[name]} made for A refuses B."
    return (
        f"{name}: different: a policy on {_ABOUT[name]} made for A refuses B until it is changed."
    )
