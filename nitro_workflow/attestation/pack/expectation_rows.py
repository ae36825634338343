"""Authentic documents that are not what the verifier was told to expect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nitro_workflow.attestation.pack.document_forge import NONCE, PCRS, DocumentForge
from nitro_workflow.attestation.pack.pack_row import Row, row

__all__ = ["EXPECTATION_ROWS"]

_AWS = "AWS attestation_process.md"
_FRESH = f"{_AWS} §2.2.2, Nonce: not an older document reused"
_MILLISECONDS = f"{_AWS} §2.2: timestamp in milliseconds"
_NONCE = f"{_AWS} §2.2.2, Nonce"
_PCRS = "AWS user guide, cryptographic attestation: PCRs"
_DEBUG = "AWS user guide, debug mode: not for attestation"
_ZERO = bytes(48)

Make = Callable[[DocumentForge], bytes]


def _with(**changes: Any) -> Make:
    return lambda f: f.document(**changes)


def _old(seconds: int) -> Make:
    return lambda f: f.document(timestamp=f.timestamp - seconds * 1000)


def _pcrs(**changes: bytes) -> Make:
    return _with(pcrs={**PCRS, **{int(name[1:]): value for name, value in changes.items()}})


def _without(*indices: int) -> Make:
    return _with(pcrs={index: value for index, value in PCRS.items() if index not in indices})


_DEBUG_PCRS = {**PCRS, **dict.fromkeys((0, 1, 2), _ZERO)}

EXPECTATION_ROWS: tuple[Row, ...] = (
    # Freshness.
    row("old", "refuse", "freshness", "fifty minutes old, the leaf still valid", _FRESH,
        _old(3000)),
    row("just-too-old", "refuse", "freshness", "ten seconds older than allowed", _FRESH, _old(310)),
    row("within-the-age", "accept", "freshness", "four minutes old, five are allowed", _FRESH,
        _old(240)),
    row("timestamp-in-seconds", "refuse", "freshness",
        "timestamp in seconds: as milliseconds, a day of January 1970", _MILLISECONDS,
        lambda f: f.document(timestamp=f.timestamp // 1000)),
    row("timestamp-in-microseconds", "refuse", "freshness",
        "timestamp in microseconds: as milliseconds, tens of thousands of years ahead",
        _MILLISECONDS, lambda f: f.document(timestamp=f.timestamp * 1000)),
    row("ahead", "may", "freshness", "ten minutes ahead of the check", "none found", _old(-600),
        "AWS says nothing of clocks that differ"),
    # Nonce.
    row("another", "refuse", "nonce", "the nonce of another request", _NONCE,
        _with(nonce=bytes(32))),
    row("null", "refuse", "nonce", "nonce null, where one is expected", _NONCE,
        _with(nonce=None)),
    row("missing", "refuse", "nonce", "no nonce field, where one is expected", _NONCE,
        _with(nonce=...)),
    row("no-bytes", "refuse", "nonce", "nonce empty, where one is expected", _NONCE,
        _with(nonce=b"")),
    row("begins-alike", "refuse", "nonce", "the first half of the expected nonce", _NONCE,
        _with(nonce=NONCE[:16])),
    row("and-more", "refuse", "nonce", "the expected nonce and a byte more", _NONCE,
        _with(nonce=NONCE + b"\0")),
    row("in-user-data", "refuse", "nonce", "the expected nonce in user_data", _NONCE,
        _with(nonce=None, user_data=NONCE)),
    # PCRs.
    row("pcr0-differs", "refuse", "pcrs", "another image", _PCRS, _pcrs(p0=bytes([9]) * 48)),
    row("pcr0-last-byte", "refuse", "pcrs", "PCR0 that differs in its last byte", _PCRS,
        _pcrs(p0=PCRS[0][:-1] + bytes([PCRS[0][-1] ^ 1]))),
    row("pcr2-differs", "refuse", "pcrs", "the expected PCR0 and PCR1, another PCR2", _PCRS,
        _pcrs(p2=bytes([9]) * 48)),
    row("pcr0-absent", "refuse", "pcrs", "no PCR0: it cannot match what is expected", _PCRS,
        _without(0)),
    row("pcr2-absent", "refuse", "pcrs", "no PCR2: it cannot match what is expected", _PCRS,
        _without(2)),
    row("pcr8-zero", "refuse", "pcrs", "PCR8 zero, where a signed image is expected", _PCRS,
        _with(), pcrs={0: PCRS[0], 8: PCRS[1]}),
    row("pcrs-exchanged", "refuse", "pcrs", "the expected values at other indices", _PCRS,
        _pcrs(p0=PCRS[1], p1=PCRS[0])),
    row("pcr0-of-32-bytes", "refuse", "pcrs", "PCR0 is the expected one's first 32 bytes", _PCRS,
        _pcrs(p0=PCRS[0][:32])),
    # Debug mode.
    row("all-zero", "refuse", "debug", "PCR0, 1, 2 zero; the verifier expects no PCRs", _DEBUG,
        _with(pcrs=dict.fromkeys(range(16), _ZERO)), pcrs={}),
    row("role-and-instance", "refuse", "debug",
        "PCR0, 1, 2 zero, PCR3 and PCR4 not: debug mode keeps them", _DEBUG,
        _with(pcrs=_DEBUG_PCRS), pcrs={}),
    row("zeros-expected", "refuse", "debug", "debug mode, and zeros are what is expected", _DEBUG,
        _with(pcrs=_DEBUG_PCRS), pcrs=dict.fromkeys((0, 1, 2), _ZERO)),
    row("debug-unlike-pcrs", "refuse", "pcrs", "debug mode, and PCRs are expected", _DEBUG,
        _with(pcrs=_DEBUG_PCRS)),
)  # fmt: skip
