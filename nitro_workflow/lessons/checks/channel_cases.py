"""Who may stand at the other end of a channel: documents of a lab's hypervisor, and the judgement.

What a caller should answer in each case is asked of `ChannelVerifier`, not written down here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from nitro_workflow.attestation import (
    PUBLISHED_AT,
    ChannelVerifier,
    Expected,
    HypervisorPki,
    PcrExpectation,
    Verifier,
    bound_to_public_key,
    exactly,
)
from nitro_workflow.errors import VerificationError
from nitro_workflow.lessons.checks.steps_by_hand import Case

__all__ = ["channel_cases"]

_INSTANCE: Final = "i-0123456789abcdef0"
_PCRS: Final = {0: hashlib.sha384(b"a practice image").digest()}
_NONCE, _EARLIER, _KEY, _OTHER_KEY = (
    hashlib.sha256(what.encode()).digest()
    for what in ("nonce", "an earlier nonce", "the enclave's key", "the relay's key")
)


def channel_cases() -> Iterator[Case]:
    """Yield the honest case first, then those in which somebody stands between."""
    now = PUBLISHED_AT
    pki = HypervisorPki.create(now)
    issuer, verifier = pki.instance(_INSTANCE, now), Verifier.local(pki.root_der)

    def case(told: str, nonce: bytes | None, key: bytes | None, shown: bytes) -> Case:
        document = issuer.issue(
            module_id=f"{_INSTANCE}-enc0123456789abcdef",
            pcrs=_PCRS, nonce=nonce, public_key=key, now=now,
        )  # fmt: skip
        verified = verifier.verify(document, at=now, expected=Expected(pcrs=_expected()))
        believed = _accepted(verifier, document, shown, now)
        return Case(told, (verified, _NONCE, shown), believed)

    yield case("the enclave itself, asked now", _NONCE, _KEY, _KEY)
    yield case("a relay that shows its own key", _NONCE, _KEY, _OTHER_KEY)
    yield case("a document that answered an earlier question", _EARLIER, _KEY, _KEY)
    yield case("a document without a nonce", None, _KEY, _KEY)
    yield case("a document whose nonce only begins alike", _NONCE[:16], _KEY, _KEY)
    yield case("a document that names no key", _NONCE, None, _OTHER_KEY)
    yield case("a document with the first half of the shown key", _NONCE, _KEY[:16], _KEY)


def _expected() -> PcrExpectation:
    return exactly(_PCRS, "the practice image")


def _accepted(verifier: Verifier, document: bytes, shown: bytes, now: datetime) -> bool:
    caller = ChannelVerifier(verifier, pcrs=_expected(), random=lambda _: _NONCE)
    nonce = caller.challenge(now)
    try:
        caller.accept(document, nonce=nonce, channel=bound_to_public_key(shown), now=now)
    except VerificationError:
        return False
    return True
