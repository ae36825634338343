"""The likely cause of a decision, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nitro_workflow.policy.evaluate import Decision, Policies, Situation, lacking_allows
from nitro_workflow.policy.outcomes import Check, StatementOutcome
from nitro_workflow.policy.pcrs import HEX_LENGTH, PcrKey, feeds, parse_key
from nitro_workflow.policy.placeholders import is_placeholder
from nitro_workflow.policy.request import ATTESTATION_PREFIX
from nitro_workflow.policy.services import always_allows, never_allows

__all__ = ["Cause", "find_cause", "further_obstacles"]

_ENCRYPTION_CONTEXT = "kms:encryptioncontext:"


@dataclass(frozen=True, slots=True)
class Cause:
    """``code`` is stable and for programs; ``text`` is one sentence; ``next_step`` is an order."""

    code: str
    text: str
    next_step: str = ""
    check: Check | None = None


def find_cause(
    situation: Situation,
    policies: Policies,
    decision: Decision,
    nearest: StatementOutcome | None,
    outcomes: Sequence[StatementOutcome] = (),
) -> Cause:
    """Return the cause of a decision; for a denial the first thing to change."""
    if decision.allowed:
        return _allowed(situation, decision, nearest)
    if decision.effect == "explicitDeny" and nearest is not None:
        cause = _denied(situation, nearest)
    else:
        cause = _missing(situation, policies, decision, nearest)
    return _which_part(cause, outcomes) if cause.code == "rebuilt_image" else cause


def further_obstacles(
    situation: Situation,
    policies: Policies,
    decision: Decision,
    outcomes: Sequence[StatementOutcome],
) -> tuple[str, ...]:
    """Say what else an allow would lack, once the cause is out of the way."""
    if decision.allowed or decision.lacking[:1] == ("service",):
        return ()
    denied = decision.effect == "explicitDeny"
    lacking = lacking_allows(situation, policies) if denied else decision.lacking[1:]
    action = situation.request.action
    return tuple(
        f"nothing in {_WHOSE[name]} allows {action} to this caller"
        for name in lacking
        if not (denied and _only_measurements_differ(name, outcomes))
    )


def _only_measurements_differ(role: str, outcomes: Sequence[StatementOutcome]) -> bool:
    """Say whether an Allow lacks nothing but what the Deny lacks too: the right document."""
    return any(
        all(parse_key(check.key) for check in outcome.failed)
        for outcome in outcomes
        if outcome.role == role and outcome.statement.allow
    )


_WHOSE = {
    "resource": "the resource's policy",
    "identity": "the caller's identity policies",
    "boundary": "the caller's permissions boundary",
    "session": "the session policy",
}


def _allowed(situation: Situation, decision: Decision, nearest: StatementOutcome | None) -> Cause:
    if always_allows(situation.action):
        return Cause("allowed", f"{situation.request.action} needs no permission")
    if nearest is not None:
        return Cause("allowed", f"{nearest.label} allows it and nothing denies it")
    if decision.deciding:
        return Cause("allowed", f"{getattr(decision.deciding[0], 'label', 'a grant')} allows it")
    return Cause("allowed", "the account's root user may do everything in his own account")


def _denied(situation: Situation, nearest: StatementOutcome) -> Cause:
    for check in nearest.checks:
        condition = check.condition
        if condition is None:
            continue
        if not (condition.operator.base.negated or condition.operator.base.family == "Null"):
            continue  # a value that is forbidden: there is nothing it should have been
        cause = _condition(situation, check)
        if cause is not None:
            return cause
    met = [check for check in nearest.checks if check.condition is not None]
    state = f"is {_shown(met[0].found)}" if met and met[0].found else "is absent"
    where = f" because {met[0].key} {state}" if met else ""
    return Cause(
        "explicit_deny",
        f"{nearest.label} denies it{where}, and a Deny is stronger than any Allow",
        "change the request so that the Deny no longer applies, or ask the owner of that policy",
    )


def _missing(
    situation: Situation, policies: Policies, decision: Decision, nearest: StatementOutcome | None
) -> Cause:
    lacks = decision.lacking[0] if decision.lacking else "resource"
    if lacks == "service":
        why = never_allows(situation.action, situation.request.resource)
        return Cause("belongs_to_aws", why, "make one of your own and change that")
    if lacks == "resource" and policies.resource is None and not policies.grants:
        return _no_resource_policy(situation)
    if lacks == "session" and policies.session is None:
        return Cause(
            "no_session_policy",
            "a federated user's session without a session policy has no permissions of its own",
            "pass session policies to GetFederationToken, or name the session in the resource's"
            " policy",
        )
    if nearest is None:
        return _no_statement(situation, lacks)
    actions = [c for c in nearest.failed if c.element in ("Action", "NotAction")]
    if actions:  # the nearest is chosen by its action first: no statement names it then
        return _wrong_action(situation, nearest, actions[0], lacks)
    for check in nearest.failed:
        cause = _check(situation, nearest, check)
        if cause is not None:
            return cause
    return _no_statement(situation, lacks)


def _wrong_action(
    situation: Situation, nearest: StatementOutcome, check: Check, lacks: str
) -> Cause:
    action = situation.request.action
    about = ", ".join(check.expected[:3]) + (", …" if len(check.expected) > 3 else "")
    verb = "is about all but" if check.element == "NotAction" else "is about"
    return Cause(
        "wrong_action",
        f"no Allow in {_WHOSE[lacks]} is about {action}; the nearest, {nearest.statement.label},"
        f" {verb} {about}",
        f"have {action} allowed by the owner of {_WHOSE[lacks]}, or call what is allowed",
        check,
    )


def _no_resource_policy(situation: Situation) -> Cause:
    what = "key policy" if situation.action.startswith("kms:") else "resource-based policy"
    if situation.needs_resource_policy:
        text = f"no {what} was given, and identity policies alone never decide about this resource"
    else:
        text = f"the resource is another account's, and no {what} was given that lets the caller in"
    return Cause("no_resource_policy", text, f"give the {what} of {situation.request.resource}")


def _no_statement(situation: Situation, lacks: str) -> Cause:
    cross = situation.principal.account != situation.owner
    why = ": across accounts both sides must allow" if cross and lacks == "identity" else ""
    return Cause(
        f"no_{lacks}_allow",
        f"nothing in {_WHOSE[lacks]} allows {situation.request.action}{why}",
        f"add an Allow of {situation.request.action} to {_WHOSE[lacks]}",
    )


def _check(situation: Situation, nearest: StatementOutcome, check: Check) -> Cause | None:
    action, caller = situation.request.action, situation.principal.arn
    blank = next((text for text in check.expected if is_placeholder(text)), None)
    if blank and (check.element == "Principal" or parse_key(check.key)):
        return Cause(
            "placeholder",
            f"{nearest.label} is still a template: {blank} has to be filled in",
            "write the ARN or the measurement there, and read the policy again",
            check,
        )
    if check.element in ("Principal", "NotPrincipal"):
        return Cause(
            "wrong_principal",
            f"{nearest.label} allows {action}, but not to {caller}",
            "call with the credentials of a principal that it names, or have this one added",
            check,
        )
    if check.element in ("Resource", "NotResource"):
        return Cause(
            "wrong_resource",
            f"{nearest.label} is about other resources than {situation.request.resource}",
            'compare the ARN with the statement\'s; in a key policy write "*"',
            check,
        )
    return _condition(situation, check)


def _condition(situation: Situation, check: Check) -> Cause | None:
    pcr = parse_key(check.key)
    if pcr is not None:
        return _pcr(situation, check, pcr)
    if check.key.lower().startswith(_ENCRYPTION_CONTEXT):
        return _encryption_context(check)
    if not check.found:
        return Cause(
            "key_absent",
            f"the request has no {check.key}, which {check.operator} looks at",
            f"send the request so that {check.key} is present",
            check,
        )
    return Cause(
        "condition",
        f"{check.key} is {_shown(check.found)};"
        f" {check.operator} compares with {_shown(check.expected)}",
        f"change {check.key} of the request, or the condition",
        check,
    )


def _encryption_context(check: Check) -> Cause:
    name = check.key[len(_ENCRYPTION_CONTEXT) :]
    found = "is missing" if not check.found else f"is {_shown(check.found)}"
    return Cause(
        "encryption_context",
        f"the encryption context “{name}” {found};"
        f" the policy compares with {_shown(check.expected)}",
        "decrypt with exactly the context the data was encrypted with",
        check,
    )


def _pcr(situation: Situation, check: Check, pcr: PcrKey) -> Cause:
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


def _no_pcr(situation: Situation, check: Check, pcr: PcrKey) -> Cause:
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
        "pcr_absent", f"the document has no {pcr.label}", f"do not ask for {pcr.label}", check
    )


def _zero(check: Check, pcr: PcrKey) -> Cause:
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


def _differs(check: Check, pcr: PcrKey) -> Cause:
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


def _which_part(cause: Cause, outcomes: Sequence[StatementOutcome]) -> Cause:
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


def _shown(values: tuple[str, ...]) -> str:
    return " or ".join(map(repr, values)) if values else "nothing"
