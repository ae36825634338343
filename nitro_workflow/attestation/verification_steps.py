"""The numbered steps of verification: the one table that `verify`, `explain`, texts and tests read.

    1  shape       CBOR and COSE_Sign1, strictly, within limits          ┐
    2  fields      every field is there and keeps its rule               │
    3  chain       leaf to root: names, signatures, constraints          │ authenticity:
    4  validity    every certificate is valid at the chosen time         │ the verdict
    5  root        the chain's root is, byte for byte, the trusted one   │
    6  signature   the leaf's key signed the document                    ┘
    7  freshness   the document is not older than allowed                ┐
    8  nonce       it answers this caller                                │ the caller's
    9  pcrs        it is the expected image, role, instance              │ expectations
   10  debug       the enclave was not in debug mode                     │
   11  user_data   it carries the expected data                          │
   12  public_key  it carries the expected key                           ┘

A step that lacks what it needs is skipped and says so; a step that has it runs, whatever failed
before. No step trusts `cabundle[0]`: step 5 compares it with the root that the caller trusts.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from nitro_workflow.attestation.chain import Chain, check_validity
from nitro_workflow.attestation.document import Defect, seconds_hint, time_of
from nitro_workflow.attestation.expectations import Expected
from nitro_workflow.attestation.parse import Reading
from nitro_workflow.attestation.pcrs import PcrJudgement
from nitro_workflow.attestation.roots import fingerprint
from nitro_workflow.attestation.verification_report import StepOutcome, TimeSource
from nitro_workflow.encoding.cose import verify_sign1

__all__ = ["AUTHENTICITY", "CLOCK_SKEW", "STEPS", "Case", "VerificationStep"]

_NO_PAYLOAD = "no payload that can be read"

AUTHENTICITY = ("shape", "fields", "chain", "validity", "root", "signature")
"""The steps that the verdict is about."""

CLOCK_SKEW = timedelta(seconds=5)
"""How far a fresh document's time may be ahead of the verifier's clock (`freshness` only)."""


@dataclass(frozen=True, slots=True)
class Case:
    """One document before its judge. ``at`` is None where the document has no time of its own."""

    reading: Reading
    chain: Chain
    root: bytes
    root_fingerprint: str
    at: datetime | None
    time_source: TimeSource
    expected: Expected
    debug_allowed: bool
    judgement: PcrJudgement | None


class Result(NamedTuple):
    """A step's result before it gets its title: None in ``findings`` means skipped."""

    findings: tuple[Defect, ...] | None
    found: str
    detail: tuple[str, ...] = ()


class VerificationStep(NamedTuple):
    """A row of the table; ``next`` is what to do when the step fails."""

    id: str
    title: str
    clause: str
    next: str
    run: Callable[[Case], Result]

    def outcome(self, case: Case) -> StepOutcome:
        """Run the step on a case."""
        result = self.run(case)
        head = (self.id, self.title, self.clause)
        if result.findings is None:
            return StepOutcome(*head, "skipped", result.found)
        if not result.findings:
            return StepOutcome(*head, "passed", result.found, detail=result.detail)
        first, *rest = result.findings
        more = (*(f"{f.where}: {f.found}; expected {f.expected}" for f in rest), *result.detail)
        return StepOutcome(*head, "failed", *first, more, self.next)


def _passed(found: str, detail: tuple[str, ...] = ()) -> Result:
    return Result((), found, detail)


def _skipped(why: str) -> Result:
    return Result(None, why)


def _failed(found: str, expected: str, where: str, detail: tuple[str, ...] = ()) -> Result:
    return Result((Defect(found, expected, where),), found, detail)


def _shape(case: Case) -> Result:
    sign1 = case.reading.sign1
    tag = "tagged" if sign1 and sign1.tagged else "untagged"
    return Result(case.reading.shape, f"{len(case.reading.raw)} bytes, {tag} COSE_Sign1, ES384")


def _fields(case: Case) -> Result:
    if case.reading.payload is None:
        return _skipped(_NO_PAYLOAD)
    unknown = tuple(f"unknown field {name[:64]!r}, not judged" for name in case.reading.unknown)
    notes = (*unknown, *_seconds(case))
    return Result(case.reading.fields, f"{len(case.reading.payload)} fields", notes)


def _chain(case: Case) -> Result:
    if case.reading.payload is None:
        return _skipped("no certificates to look at")
    count = len(case.chain.ders)
    return Result(case.chain.findings, f"{count} certificates, {count - 1} links hold")


def _validity(case: Case) -> Result:
    if not case.chain.windows:
        return _skipped("no certificates that can be read")
    if case.at is None:
        return _skipped("the document has no time of its own that can be read")
    whose = "the document's own time" if case.time_source == "document" else "the given time"
    findings = tuple(check_validity(case.chain, case.at))
    hint = _seconds(case) if findings and case.time_source == "document" else ()
    return Result(findings, f"all valid at {case.at.isoformat()}, {whose}", hint)


def _root(case: Case) -> Result:
    if case.reading.payload is None:
        return _skipped("no certificates to look at")
    trusted = case.root_fingerprint
    bundle = case.reading.values.get("cabundle", ())
    if not bundle:
        return _failed("no root in the document", f"SHA-256 {trusted}", "cabundle")
    if bundle[0] != case.root:
        found = f"SHA-256 {fingerprint(bundle[0])}"
        return _failed(found, f"SHA-256 {trusted}", "cabundle[0]")
    if case.chain.findings:
        return _skipped("the first certificate is the trusted root, the chain does not hold")
    return _passed(f"SHA-256 {trusted}")


def _signature(case: Case) -> Result:
    sign1, key = case.reading.sign1, case.chain.leaf_key
    if sign1 is None:
        return _skipped("no COSE_Sign1 to look at")
    if key is None:
        return _skipped("no leaf certificate with a P-384 key")
    if not verify_sign1(sign1, key):
        expected = "an ES384 signature by the leaf's key over header and payload"
        return _failed("signature does not hold", expected, "signature")
    return _passed("ES384 by the leaf's key")


def _freshness(case: Case) -> Result:
    limit = case.expected.max_age
    if limit is None:
        return _skipped("no maximum age was asked for")
    if case.reading.payload is None:
        return _skipped(_NO_PAYLOAD)
    timestamp = case.reading.values.get("timestamp_ms")
    if timestamp is None or case.at is None:
        return _failed("no time that can be read", f"at most {_span(limit)} old", "timestamp")
    age = case.at - time_of(timestamp)
    if age < -CLOCK_SKEW:
        found = f"{_span(-age)} ahead of the given time"
        return _failed(found, f"at most {_span(CLOCK_SKEW)} ahead", "timestamp")
    if age > limit:
        found = f"{_span(age)} old"
        return _failed(found, f"at most {_span(limit)} old", "timestamp", _seconds(case))
    return _passed(f"{_span(age)} old, at most {_span(limit)}")


def _seconds(case: Case) -> tuple[str, ...]:
    hint = seconds_hint(case.reading.values.get("timestamp_ms", 0))
    return (hint,) if hint else ()


def _span(age: timedelta) -> str:
    return f"{age.total_seconds():.3f} s"


def _same(case: Case, name: str, wanted: bytes | None) -> Result:
    if wanted is None:
        return _skipped("nothing was asked for")
    if case.reading.payload is None:
        return _skipped(_NO_PAYLOAD)
    value = case.reading.values.get(name)
    if value is None:
        return _failed("null or absent", f"{wanted.hex()[:64] or 'empty'}", name)
    if not hmac.compare_digest(value, wanted):
        return _failed(f"{value.hex()[:64] or 'empty'}", f"{wanted.hex()[:64] or 'empty'}", name)
    return _passed(f"{len(value)} bytes, as expected")


def _pcrs(case: Case) -> Result:
    judgement = case.judgement
    if judgement is None:
        return _skipped("no PCRs were asked for")
    if case.reading.payload is None:
        return _skipped(_NO_PAYLOAD)
    rows = tuple(
        f"PCR{row.index} {'matches' if row.matched else 'differs'}: "
        f"{row.found.hex() if row.found is not None else 'absent'}"
        for row in judgement.rows
    )
    if judgement.matched:
        return _passed(judgement.label, rows)
    if judgement.note:
        return _failed(f"a document of kind {case.reading.kind}", judgement.note, "pcrs", rows)
    for row in judgement.rows:
        if not row.matched:
            found = row.found.hex() if row.found is not None else "absent"
            wanted = " or ".join(value.hex() for value in row.expected)
            return _failed(found, f"{wanted} ({judgement.label})", f"PCR{row.index}", rows)
    return _failed("PCRs that do not match", judgement.label, "pcrs", rows)


def _debug(case: Case) -> Result:
    if case.reading.kind == "nitrotpm":
        return _skipped("a NitroTPM document: there is no debug mode")
    if not case.reading.pcrs:
        return _skipped("no PCRs that can be read")
    mode = case.reading.mode
    if mode == "production":
        return _passed("PCR0 is not all zero")
    if mode is None:
        return _failed("no PCR0", "a PCR0 that is not all zero", "PCR0")
    if case.debug_allowed:
        return _passed("debug mode: PCR0 is all zero; allowed by the caller")
    return _failed("PCR0 is all zero: debug mode", "an enclave that is not in debug mode", "PCR0")


_PROCESS = "AWS attestation_process.md"

STEPS: tuple[VerificationStep, ...] = (
    VerificationStep(
        "shape",
        "CBOR and COSE are well-formed",
        f"{_PROCESS} §3.1, RFC 8949 §4.1, RFC 9052 §4.2",
        "Check that the bytes are a whole document, as the NSM returned it.",
        _shape,
    ),
    VerificationStep(
        "fields",
        "Every field keeps its rule",
        f"{_PROCESS} §3.2.2",
        "Check which NSM, or which stand-in for one, made the document.",
        _fields,
    ),
    VerificationStep(
        "chain",
        "Each certificate is issued by the one above",
        f"{_PROCESS} §3.2.3, RFC 5280 §6.1",
        "Do not believe the document: its certificates do not belong together.",
        _chain,
    ),
    VerificationStep(
        "validity",
        "All certificates are valid at the time",
        f"{_PROCESS} §3.2.3.1",
        "Judge a fresh document now, an archived one at its own time: `--at document`, or "
        'at="document".',
        _validity,
    ),
    VerificationStep(
        "root",
        "The chain ends at the trusted root",
        f"{_PROCESS} §3.2.4",
        "Check which root the document is meant for: AWS's, or a lab's.",
        _root,
    ),
    VerificationStep(
        "signature",
        "The leaf's key signed the document",
        f"{_PROCESS} §3.2.1, RFC 9052 §4.4",
        "Do not believe the document: it was changed, or signed by another key.",
        _signature,
    ),
    VerificationStep(
        "freshness",
        "The document is recent enough",
        f"{_PROCESS} §2.2",
        "Ask the enclave for a new document.",
        _freshness,
    ),
    VerificationStep(
        "nonce",
        "The nonce is the caller's",
        f"{_PROCESS} §2.2.2, Nonce",
        "Ask for a document with this nonce: this one answers another request.",
        lambda case: _same(case, "nonce", case.expected.nonce),
    ),
    VerificationStep(
        "pcrs",
        "The PCRs are the expected ones",
        "AWS Nitro Enclaves user guide, PCRs",
        "Compare the PCRs with those of the image that was inspected.",
        _pcrs,
    ),
    VerificationStep(
        "debug",
        "The enclave is not in debug mode",
        "AWS user guide, debug mode",
        "Start the enclave without debug mode: its console can be read.",
        _debug,
    ),
    VerificationStep(
        "user_data",
        "The user data is the expected",
        f"{_PROCESS} §2.2.2, User data",
        "Check what the document was made to bind.",
        lambda case: _same(case, "user_data", case.expected.user_data),
    ),
    VerificationStep(
        "public_key",
        "The public key is the expected",
        f"{_PROCESS} §2.2.2, Public Key",
        "Check whose key the document was made for.",
        lambda case: _same(case, "public_key", case.expected.public_key),
    ),
)
