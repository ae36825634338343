"""Attestation documents under a root of their own, as a hypervisor makes them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from nitro_workflow.attestation import HypervisorPki, Verifier
from nitro_workflow.registers import PCR_BYTES, ZERO_PCR

__all__ = ["DocumentMaker"]

INSTANCE = "i-0123456789abcdef0"
MODULE = f"{INSTANCE}-enc0123456789abcdef"
PCRS: Mapping[int, bytes] = {index: bytes([index + 1]) * PCR_BYTES for index in (0, 1, 2)}
_PAST = timedelta(days=365)
"""How old a document may be made: its root begins that long ago."""


class DocumentMaker:
    """Makes documents; the private keys are in this process's memory only.

    ``root``: the root certificate (DER) for other verifiers. ``verifier``: ours, of that root.
    """

    def __init__(self, pki: HypervisorPki) -> None:
        self._pki = pki

    @classmethod
    def new(cls, now: datetime) -> DocumentMaker:
        """Make a root that is good for documents of the last year, too; ``now`` is aware."""
        return cls(HypervisorPki.create(now - _PAST))

    @property
    def root(self) -> bytes:
        """Return the root certificate, DER."""
        return self._pki.root_der

    @property
    def verifier(self) -> Verifier:
        """Return a `Verifier` of this root."""
        return Verifier.local(self.root)

    def __call__(
        self,
        *,
        pcrs: Mapping[int, bytes | str] | None = None,
        debug: bool = False,
        public_key: bytes | None = None,
        user_data: bytes | None = None,
        nonce: bytes | None = None,
        at: datetime | None = None,
    ) -> bytes:
        """Return a signed document (COSE_Sign1).

        ``pcrs``: index → 48 bytes, or 96 hex digits; three by default. ``debug``: PCR0 to PCR2 all
        zero, whatever ``pcrs`` says, as an enclave in debug mode has them. ``at``: the time it
        says; now by default. Raises `UsageError` for what breaks a limit of the format, and
        ValueError for text that is no hex.
        """
        now = at or datetime.now(UTC)
        given = PCRS if pcrs is None else pcrs
        values = {
            index: bytes.fromhex(value) if isinstance(value, str) else value
            for index, value in given.items()
        }
        values |= dict.fromkeys(PCRS, ZERO_PCR) if debug else {}
        return self._pki.instance(INSTANCE, now).issue(
            module_id=MODULE,
            pcrs=values,
            public_key=public_key,
            user_data=user_data,
            nonce=nonce,
            now=now,
        )
