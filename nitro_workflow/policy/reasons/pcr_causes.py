"""Causes that lie in the attestation document: another image, another role, debug mode, none.

Source: docs/reference/formats.md, Registers at run time and Condition keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nitro_workflow.policy.decide import ATTESTATION_PREFIX, Situation
from nitro_workflow.policy.language import HEX_LENGTH, PcrKey, feeds, parse_key
from nitro_workflow.policy.reasons.cause import Cause
from nitro_workflow.policy.reasons.outcomes import StatementCheck, StatementOutcome

__all__ = ["pcr_cause", "which_part"]


def pcr_cause(situation: Situation, check: StatementCheck, pcr: PcrKey) -> Cause:
    """Return why a measurement is not what the policy compares it with."""
    if not check.found:
        return _no_pcr(situation, check, pcr)
    found, expected = check.found[0], check.nearest
    if found.lower() == expected.lower():
        return Cause(
            "upper_case",
            f"{pcr.label} is right, but the policy spells it in upper case and {check.operator}"
            " minds the case",
            "use StringEqualsIgnoreCase, or write the value in lower case",
            check,
        )
    if len(expected) != HEX_LENGTH:
        return Cause(
            "wrong_length",
            f"the policy's {pcr.label} has {len(expected)} characters; a PCR has {HEX_LENGTH}",
            "copy the whole value again from the image's measurements",
            check,
        )
    if not found.strip("0"):
        return _zero(check, pcr)
    return _differs(check, pcr)


def _no_pcr(situation: Situation, check: StatementCheck, pcr: PcrKey) -> Cause:
    attested = any(key.startswith(ATTESTATION_PREFIX) for key in situation.context)
    if not attested:
        return Cause(
            "no_document",
            f"the request carried no attestation document, so it has no {pcr.label}",
            "call from inside the enclave with Recipient: the document of its NSM",
            check,
        )
    if pcr.nitrotpm or any("nitrotpm" in key for key in situation.context):
        return Cause(
            "other_kind_of_document",
            f"the document has no {pcr.label}: NitroTPM and enclave documents have different keys",
            "use kms:RecipientAttestation:NitroTPMPCR<n> for instances, :PCR<n> for enclaves",
            check,
        )
    return Cause(
        "pcr_absent",
        f"the document has no {pcr.label}",
        "an enclave's document has PCR0 to PCR15: ask for one of these, with the whole document",
        check,
    )


def _zero(check: StatementCheck, pcr: PcrKey) -> Cause:
    if pcr.index == 8:
        return Cause(
            "unsigned_image",
            "PCR8 is all zeros: the image that runs is not signed",
            "build the image with the signing certificate and key, and run that file",
            check,
        )
    if pcr.index <= 2:
        return Cause(
            "debug_mode",
            f"{pcr.label} is all zeros: the enclave runs in debug mode",
            "run the enclave without --debug-mode; its PCRs are then the image's",
            check,
        )
    return Cause(
        "pcr_zero", f"{pcr.label} is all zeros: nothing was measured into it",
        f"{pcr.label} is the measurement of {feeds(pcr)}", check,
    )  # fmt: skip


_DIFFERS = {
    3: ("other_role", "the enclave's parent instance has another IAM role",
        "run it on an instance with the role the policy expects, or put that role's PCR3 in"),
    4: ("other_instance", "the enclave runs on another instance",
        "run it on the instance the policy expects, or put the new instance's PCR4 in"),
    8: ("other_signer", "the image was signed with another certificate",
        "sign the image with the expected certificate, or put the new certificate's PCR8 in"),
}  # fmt: skip


def _differs(check: StatementCheck, pcr: PcrKey) -> Cause:
    if pcr.nitrotpm:
        code, text, step = "other_boot", "the instance booted something else", "compare the AMI"
    elif pcr.index in _DIFFERS:
        code, text, step = _DIFFERS[pcr.index]
    elif pcr.index >= 16:
        code, text = "other_extension", f"the enclave extended {pcr.label} with something else"
        step = "compare what the application measures into it"
    else:
        code, text = "rebuilt_image", "the image that runs is not the one the policy names"
        step = "run the image the policy names, or have its owner review the new one and its PCRs"
    return Cause(code, f"{pcr.label} differs: {text}", step, check)


def which_part(cause: Cause, outcomes: Sequence[StatementOutcome]) -> Cause:
    """Say which half of the image changed, where PCR1 and PCR2 are compared anywhere."""
    same: dict[int, bool] = {}
    for outcome in outcomes:
        for check in outcome.checks:
            pcr = parse_key(check.key)
            if pcr and not pcr.nitrotpm and check.found and check.condition:
                same[pcr.index] = check.found[0].lower() in map(str.lower, check.expected)
    parts = {(True, False): "application", (False, True): "boot"}
    part = parts.get((same.get(1, False), same.get(2, False))) if {1, 2} <= same.keys() else None
    if part is None:
        return cause
    text = {
        "application": "kernel and boot ramdisk are the same (PCR1), the application is not (PCR2)",
        "boot": "the application is the same (PCR2), kernel or boot ramdisk differ (PCR1): probably"
        " built with another release of the tools",
    }[part]
    return replace(cause, text=f"{cause.text}; {text}")
