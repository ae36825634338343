"""The twelve broken set-ups, and two that refuse nothing where a refusal was promised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from nitro_workflow.lab.failures.practice_enclaves import Launch
from nitro_workflow.lab.failures.practice_images import BEFORE, SIGNED, TODAY
from nitro_workflow.lab.failures.practice_policy import allow, deny
from nitro_workflow.lab.failures.set_up import CONTEXT, Client, Facts, SetUp

__all__ = ["MISSING_DENIALS", "SET_UPS"]

_AGE_LIMIT: Final = 5
"""Seconds that the second cloud takes a document for; the lab's usual limit is 300."""
_AHEAD: Final = 20  # minutes: KMS takes five (SigV4)

Statements = list[dict[str, Any]]


def _pcrs(facts: Facts, image: str, *names: str) -> dict[str, str]:
    return {name: facts.pcrs[image][name] for name in names}


def _right(facts: Facts) -> Statements:
    """Return what fences today's image as it should."""
    ours = _pcrs(facts, TODAY, "PCR0")
    return [allow(facts.arns["instance"], ours), deny(ours)]


def _of_the_release_before(facts: Facts) -> Statements:
    before = _pcrs(facts, BEFORE, "PCR0")
    return [allow(facts.arns["instance"], before), deny(before)]


def _asks_for_a_signature(facts: Facts) -> Statements:
    signed = _pcrs(facts, SIGNED, "PCR0", "PCR8")
    return [allow(facts.arns["instance"], signed), deny(_pcrs(facts, TODAY, "PCR0"))]


def _in_capitals(facts: Facts) -> Statements:
    ours = _pcrs(facts, TODAY, "PCR0")
    shouted = {name: value.upper() for name, value in ours.items()}
    return [allow(facts.arns["instance"], shouted, operator="StringEquals"), deny(ours)]


def _with_a_backup(facts: Facts) -> Statements:
    ours = _pcrs(facts, TODAY, "PCR0")
    backup = {**allow(facts.arns["owner"], {}), "Sid": "NightlyBackup"}
    fence = deny(ours, operator="StringNotEqualsIgnoreCaseIfExists")
    return [allow(facts.arns["instance"], ours), backup, fence]


def _two_fences(facts: Facts) -> Statements:
    before, ours = (_pcrs(facts, image, "PCR0") for image in (BEFORE, TODAY))
    role = facts.arns["instance"]
    both = [allow(role, before), {**allow(role, ours), "Sid": "DecryptInsideTheNextEnclave"}]
    return [*both, deny(before), deny(ours, sid="NoDecryptOutsideTheNext")]


def _if_exists(facts: Facts) -> Statements:
    ours = _pcrs(facts, TODAY, "PCR0")
    return [allow(facts.arns["instance"], ours, operator="StringEqualsIgnoreCaseIfExists")]


def _three_in_one(facts: Facts) -> Statements:
    before = _pcrs(facts, BEFORE, "PCR0", "PCR1", "PCR2")
    return [allow(facts.arns["instance"], {}), deny(before)]


_CHANGED: Final[Mapping[str, str]] = {**CONTEXT, "version": "2"}

_TWELVE: Final = (
    SetUp(
        "rebuilt-image",
        "It worked yesterday. Nobody has touched the key.",
        _of_the_release_before,
        mended_by=("policy", "launch"),
    ),
    SetUp(
        "debug-mode",
        "describe-eif shows PCR0 exactly as the key policy has it.",
        _right,
        mended_by=("launch",),
        launch=Launch(TODAY, debug_mode=True),
    ),
    SetUp(
        "unsigned-image",
        "The security team has reviewed the key policy last week. PCR0 agrees.",
        _asks_for_a_signature,
        mended_by=("launch", "policy"),
    ),
    SetUp(
        "wrong-role",
        "The same image has the key on another instance.",
        _right,
        mended_by=("client",),
        client=Client(credentials="administrator"),
    ),
    SetUp(
        "capitals",
        "The values were copied from the ticket, and two people have compared them.",
        _in_capitals,
        mended_by=("policy",),
    ),
    SetUp(
        "no-recipient",
        "One library in the enclave gets its key. The other one, newer, does not.",
        _right,
        mended_by=("client",),
        client=Client(attested=False),
    ),
    SetUp(
        "ifexists-deny",
        "The owner's nightly backup. “The Deny has IfExists: it does not concern us.”",
        _with_a_backup,
        mended_by=("policy", "client"),
        client=Client(runs_in="laptop"),
    ),
    SetUp(
        "stale-document",
        "The first request after a start is answered. Later ones are not.",
        _right,
        mended_by=("client",),
        client=Client(document="kept"),
        max_age=_AGE_LIMIT,
    ),
    SetUp(
        "skewed-clock",
        "This host was paused over the weekend. Other hosts have no trouble.",
        _right,
        mended_by=("client",),
        client=Client(clock_minutes=-_AHEAD),
    ),
    SetUp(
        "wrong-context",
        "The application was told of the new month's data. The image is the same.",
        _right,
        mended_by=("request",),
        context=_CHANGED,
    ),
    SetUp(
        "swapped-envelope",
        "KMS's record shows no refusal. It began with two requests at a time.",
        _right,
        mended_by=("client",),
        client=Client(opens_with="newest key"),
    ),
    SetUp(
        "two-denys",
        "A roll-out: the old image and the new one are both refused.",
        _two_fences,
        mended_by=("policy",),
    ),
)

SET_UPS: Final[Mapping[str, SetUp]] = {one.cause: one for one in _TWELVE}
"""Cause → the set-up that has it."""

MISSING_DENIALS: Final[Mapping[str, SetUp]] = {
    "A": SetUp(
        "ifexists-allow",
        "The auditors were promised: no document, no key. They call without one.",
        _if_exists,
        mended_by=("policy",),
        client=Client(attested=False),
    ),
    "B": SetUp(
        "anded-deny",
        "The auditors were promised: only the image of release 1. This is release 2.",
        _three_in_one,
        mended_by=("policy",),
        promised=Launch(BEFORE),
    ),
}
"""Letter → a set-up whose call is answered where a refusal was promised."""
