"""Attestation for a service that uses no KMS: a nonce, a document, and the channel it is bound to.

A document alone says that *some* enclave of an image exists; whoever can relay it can show it.
It speaks for the other end of a channel only when it holds something of that channel: the key that
the channel is encrypted to (``public_key``), or a digest of what only its two ends share, such as a
TLS exporter (``user_data``). The caller's nonce makes it an answer to this caller, now.

>>> from datetime import UTC, datetime
>>> from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
>>> from nitro_workflow.attestation import Verifier, exactly
>>> from nitro_workflow.attestation.issue import HypervisorPki
>>> now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
>>> pki = HypervisorPki.create(now)
>>> module, image = "i-0123456789abcdef0-enc0123456789abcdef", {0: bytes([1]) * 48}

The caller makes a challenge and sends its nonce:

>>> caller = ChannelVerifier(Verifier.local(pki.root_der), pcrs=exactly(image, "release 1"))
>>> nonce = caller.challenge(now)

The enclave makes a key for this channel and has it attested together with that nonce:

>>> enclave_key = X25519PrivateKey.generate()
>>> public = enclave_key.public_key().public_bytes_raw()
>>> issuer = pki.instance("i-0123456789abcdef0", now)
>>> document = issuer.issue(
...     module_id=module, pcrs=image, public_key=public, nonce=nonce, now=now
... )

The caller believes the key only together with the document, and only once:

>>> channel = bound_to_public_key(public)
>>> caller.accept(document, nonce=nonce, channel=channel, now=now).matched
'release 1'
>>> caller.accept(document, nonce=nonce, channel=channel, now=now)
Traceback (most recent call last):
    ...
nitro_workflow.errors.VerificationError: nonce: a nonce that is not outstanding; expected one that \
was given out, not used and not too old
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from nitro_workflow.attestation.expectations import Expected
from nitro_workflow.attestation.pcrs import PcrExpectation
from nitro_workflow.attestation.verification_report import VerifiedAttestation
from nitro_workflow.attestation.verify import Verifier
from nitro_workflow.errors import VerificationError

__all__ = [
    "MAX_AGE",
    "MAX_OUTSTANDING",
    "NONCE_BYTES",
    "ChannelBinding",
    "ChannelVerifier",
    "bound_to_public_key",
    "bound_to_user_data",
    "channel_digest",
]

NONCE_BYTES = 32
"""Bytes of a nonce: twice what is needed against guessing, half of what the NSM would take."""

MAX_OUTSTANDING = 10_000
"""Nonces that are remembered at a time; the oldest is forgotten, so that memory is bounded."""

MAX_AGE = timedelta(seconds=60)
"""How long a nonce may be answered, and how old the document may be."""

_LABEL = b"nitro-workflow channel 1"


@dataclass(frozen=True, slots=True)
class ChannelBinding:
    """What the document must hold: ``public_key`` or ``user_data``, in bytes."""

    public_key: bytes | None = None
    user_data: bytes | None = None


def bound_to_public_key(public_key: bytes) -> ChannelBinding:
    """Bind to the key that the channel is encrypted to.

    For TLS that is the DER SubjectPublicKeyInfo of the certificate which the peer has shown.
    """
    return ChannelBinding(public_key=public_key)


def bound_to_user_data(secret_of_the_channel: bytes) -> ChannelBinding:
    """Bind to what only the two ends of the channel have, as a TLS exporter (RFC 9266)."""
    return ChannelBinding(user_data=channel_digest(secret_of_the_channel))


def channel_digest(secret_of_the_channel: bytes) -> bytes:
    """Return what the enclave puts into ``user_data``: 32 bytes that do not tell the secret."""
    return hashlib.sha256(_LABEL + hashlib.sha256(secret_of_the_channel).digest()).digest()


class ChannelVerifier:
    """Gives out nonces, and accepts a document for each of them once. Safe between threads.

    ``pcrs`` is asked for: without it any enclave of anyone would do. ``random`` returns that many
    bytes and is there for tests.
    """

    def __init__(
        self,
        verifier: Verifier,
        *,
        pcrs: PcrExpectation,
        max_age: timedelta = MAX_AGE,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._verifier = verifier
        self._pcrs = pcrs
        self._max_age = max_age
        self._random = random
        self._outstanding: OrderedDict[bytes, datetime] = OrderedDict()
        self._lock = Lock()

    def challenge(self, now: datetime) -> bytes:
        """Return a new nonce, of 32 bytes, which may be answered until ``max_age`` has passed."""
        nonce = self._random(NONCE_BYTES)
        with self._lock:
            self._outstanding[nonce] = now
            if len(self._outstanding) > MAX_OUTSTANDING:
                self._outstanding.popitem(last=False)
        return nonce

    def accept(
        self, document: bytes, *, nonce: bytes, channel: ChannelBinding, now: datetime
    ) -> VerifiedAttestation:
        """Return the verified document of the enclave at the other end of ``channel``.

        The nonce is used up, whatever the outcome. Raises `VerificationError` where it is not
        outstanding, where the channel is bound to nothing, and of the first step that fails.
        """
        with self._lock:
            given_out = self._outstanding.pop(nonce, None)
        if given_out is None or now - given_out > self._max_age:
            raise VerificationError(
                "a nonce that is not outstanding",
                step="nonce",
                expected="one that was given out, not used and not too old",
                next="Ask for a new challenge, and for a document that holds it.",
            )
        if not channel.public_key and not channel.user_data:
            raise VerificationError(
                "a channel that is bound to nothing",
                step="public_key",
                expected="a public key or a secret of the channel",
                next="Use bound_to_public_key or bound_to_user_data.",
            )
        return self._verifier.verify(
            document,
            at=now,
            expected=Expected(
                nonce=nonce,
                max_age=self._max_age,
                pcrs=self._pcrs,
                user_data=channel.user_data,
                public_key=channel.public_key,
            ),
        )
