"""The verifier: the steps of `STEPS`, raising (`verify…`) or reporting (`explain…`)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from datetime import UTC, datetime
from threading import Lock
from typing import Literal

from nitro_workflow.attestation.certificate import parse_certificate
from nitro_workflow.attestation.chain import Chain, Links, build_chain
from nitro_workflow.attestation.document import AttestationDocument, time_of
from nitro_workflow.attestation.expectations import AUTHENTIC, Expected
from nitro_workflow.attestation.parse import Reading, examine
from nitro_workflow.attestation.roots import aws_root, fingerprint, parse_root
from nitro_workflow.attestation.verification_report import Report, StepOutcome, VerifiedAttestation
from nitro_workflow.attestation.verification_steps import (
    AUTHENTICITY,
    STEPS,
    Case,
)
from nitro_workflow.errors import UsageError, VerificationError

__all__ = ["CACHED_CHAINS", "At", "Verifier"]

At = datetime | Literal["document"]

CACHED_CHAINS = 256
"""Chains that a verifier remembers, some 6 KiB each: an instance keeps a leaf for three hours."""


class Verifier:
    """Believes documents of one root. Safe to share between threads.

    Each method takes the document's bytes or a parsed document (whose bytes are read again), and
    ``at``: an aware `datetime`, or ``"document"`` for the document's own time, which is right for
    archives and says nothing about today. ``expected`` is what the caller expects beyond
    authenticity. Revocation lists are not consulted, as AWS's process asks ("We do not use CRL");
    leaves live for three hours.
    """

    def __init__(self, *, root: bytes) -> None:
        self._root = parse_root(root)
        self._fingerprint = fingerprint(self._root)
        self._chains: OrderedDict[tuple[bytes, ...], Chain] = OrderedDict()
        self._links = Links(parse_certificate(self._root))
        self._lock = Lock()

    @classmethod
    def aws(cls) -> Verifier:
        """Trust AWS's Nitro Enclaves root G1, which comes with the package."""
        return cls(root=aws_root())

    @classmethod
    def local(cls, root_der: bytes) -> Verifier:
        """Trust the root of a lab. Raises `UsageError` for AWS's root, which no lab has."""
        verifier = cls(root=root_der)
        if verifier.root_fingerprint == fingerprint(aws_root()):
            raise UsageError(
                "AWS's root", expected="the root of a lab", next="Use Verifier.aws().", where="root"
            )
        return verifier

    @classmethod
    def with_root(cls, root: bytes) -> Verifier:
        """Trust a given root certificate, DER or PEM. Raises `CertificateError`."""
        return cls(root=root)

    @property
    def root_fingerprint(self) -> str:
        """SHA-256 of the trusted root's DER, in lower-case hex."""
        return self._fingerprint

    def verify(
        self,
        document: bytes | AttestationDocument,
        *,
        at: At,
        expected: Expected = AUTHENTIC,
    ) -> VerifiedAttestation:
        """Return the document as verified; an enclave in debug mode is refused.

        Raises `VerificationError` of the first step that fails (``error.step``), and `UsageError`
        for a time without zone, or a maximum age at the document's own time.
        """
        return self._verify(document, at, expected)

    def verify_including_debug(
        self,
        document: bytes | AttestationDocument,
        *,
        at: At,
        expected: Expected = AUTHENTIC,
    ) -> VerifiedAttestation:
        """Do as `verify`, and let debug mode pass: the parent can read such an enclave's console.

        KMS accepts such documents too: there the key policy's PCR0 decides.
        """
        return self._verify(document, at, expected, debug_allowed=True)

    def explain(
        self,
        document: bytes | AttestationDocument,
        *,
        at: At,
        expected: Expected = AUTHENTIC,
    ) -> Report:
        """Return the outcome of every step that can be run; bad documents do not raise."""
        return self._explain(document, at, expected)

    def explain_including_debug(
        self,
        document: bytes | AttestationDocument,
        *,
        at: At,
        expected: Expected = AUTHENTIC,
    ) -> Report:
        """Do as `explain`, and let debug mode pass."""
        return self._explain(document, at, expected, debug_allowed=True)

    def _explain(
        self,
        document: bytes | AttestationDocument,
        at: At,
        expected: Expected,
        *,
        debug_allowed: bool = False,
    ) -> Report:
        case = self._case(document, at, expected, debug_allowed=debug_allowed, first_only=False)
        steps = tuple(step.outcome(case) for step in STEPS)
        failed = tuple(step.id for step in steps if step.status == "failed")
        authentic = all(step.status == "passed" for step in steps if step.id in AUTHENTICITY)
        return Report(
            reading=case.reading,
            steps=steps,
            verdict="valid" if authentic else "refused",
            failed=failed,
            checked_at=case.at,
            time_source=case.time_source,
            root_fingerprint=self._fingerprint,
        )

    def _verify(
        self,
        document: bytes | AttestationDocument,
        at: At,
        expected: Expected,
        *,
        debug_allowed: bool = False,
    ) -> VerifiedAttestation:
        case = self._case(document, at, expected, debug_allowed=debug_allowed, first_only=True)
        outcomes = []
        for step in STEPS:
            outcome = step.outcome(case)
            if outcome.status == "failed" or (
                outcome.status == "skipped" and step.id in AUTHENTICITY
            ):
                raise _refusal(outcome)
            outcomes.append(outcome)
        verified = case.reading.document()
        return VerifiedAttestation(
            document=verified,
            root_fingerprint=self._fingerprint,
            checked_at=case.at or verified.timestamp,
            time_source=case.time_source,
            matched=case.judgement.label if case.judgement else None,
            debug=verified.is_debug,
            steps=tuple(outcomes),
        )

    def _case(
        self,
        document: bytes | AttestationDocument,
        at: At,
        expected: Expected,
        *,
        debug_allowed: bool,
        first_only: bool,
    ) -> Case:
        raw = document.raw if isinstance(document, AttestationDocument) else bytes(document)
        reading = examine(raw)
        moment = _moment(reading, at, expected)
        judgement = None
        if expected.pcrs is not None:
            judgement = expected.pcrs.judge(reading.pcrs, reading.kind or "enclave")
            if reading.kind is None:
                judgement = replace(judgement, matched=False, note="a document of a known kind")
        return Case(
            reading=reading,
            chain=self._chain(reading, first_only=first_only),
            root=self._root,
            root_fingerprint=self._fingerprint,
            at=moment,
            time_source="document" if at == "document" else "given",
            expected=expected,
            debug_allowed=debug_allowed,
            judgement=judgement,
        )

    def _chain(self, reading: Reading, *, first_only: bool) -> Chain:
        """Return the chain, from the cache where these very bytes held before.

        A cached chain says that its links hold, which does not depend on the time; validity is
        judged again for every document. Chains that do not hold are not kept.
        """
        leaf: bytes | None = reading.values.get("certificate")
        bundle: tuple[bytes, ...] = reading.values.get("cabundle", ())
        key = bundle if leaf is None else (*bundle, leaf)
        with self._lock:
            chain = self._chains.get(key)
            if chain is not None:
                self._chains.move_to_end(key)
                return chain
        chain = build_chain(bundle, leaf, links=self._links, first_only=first_only)
        if not chain.findings:
            with self._lock:
                self._chains[key] = chain
                if len(self._chains) > CACHED_CHAINS:
                    self._chains.popitem(last=False)
        return chain


def _moment(reading: Reading, at: At, expected: Expected) -> datetime | None:
    if at == "document":
        if expected.max_age is not None:
            raise UsageError(
                "a maximum age at the document's own time",
                expected="a clock's time: at its own time every document is new",
                where="max_age",
            )
        timestamp = reading.values.get("timestamp_ms")
        return None if timestamp is None else time_of(timestamp)
    if at.tzinfo is None:
        raise UsageError(
            f"the time {at!r}", expected="a datetime with a time zone, or 'document'", where="at"
        )
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise UsageError(
            f"the time {at.isoformat()}",
            expected="a time in the years 1 to 9999, in UTC too",
            where="at",
        ) from error


def _refusal(outcome: StepOutcome) -> VerificationError:
    return VerificationError(
        outcome.found,
        step=outcome.id,
        expected=outcome.expected or outcome.title,
        where=f"{outcome.id} ({outcome.where})" if outcome.where else outcome.id,
        next=outcome.next,
    )
