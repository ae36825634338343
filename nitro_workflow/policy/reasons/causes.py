"""The likely cause of a decision, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

from nitro_workflow.policy.decide import (
    Decision,
    Policies,
    Situation,
    always_allows,
    lacking_allows,
    never_allows,
)
from nitro_workflow.policy.language import is_placeholder, is_unique_id, parse_key
from nitro_workflow.policy.reasons.cause import Cause
from nitro_workflow.policy.reasons.outcomes import StatementCheck, StatementOutcome
from nitro_workflow.policy.reasons.pcr_causes import pcr_cause, which_part

__all__ = ["find_cause", "further_obstacles"]

_ENCRYPTION_CONTEXT = "kms:encryptioncontext:"


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
    return which_part(cause, outcomes) if cause.code == "rebuilt_image" else cause


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
    return Cause("allowed", "the account's root user may do everything in their own account")


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
    situation: Situation, nearest: StatementOutcome, check: StatementCheck, lacks: str
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


def _check(situation: Situation, nearest: StatementOutcome, check: StatementCheck) -> Cause | None:
    action, caller = situation.request.action, situation.principal.arn
    blank = next((text for text in check.expected if is_placeholder(text)), None)
    if blank and (check.element == "Principal" or parse_key(check.key)):
        return Cause(
            "placeholder",
            f"{nearest.label} is still a template: {blank} has to be filled in",
            "write the ARN or the measurement there, and read the policy again",
            check,
        )
    if check.element == "Principal" and (gone := next(filter(is_unique_id, check.expected), "")):
        return Cause(
            "deleted_principal",
            f"{nearest.label} allows {action} to {gone}, the id of a user or role that is"
            " deleted: whoever is made again under its name is another",
            "put the policy again with the ARN of whom it is to name",
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


def _condition(situation: Situation, check: StatementCheck) -> Cause | None:
    pcr = parse_key(check.key)
    if pcr is not None:
        return pcr_cause(situation, check, pcr)
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


def _encryption_context(check: StatementCheck) -> Cause:
    name = check.key[len(_ENCRYPTION_CONTEXT) :]
    found = "is missing" if not check.found else f"is {_shown(check.found)}"
    return Cause(
        "encryption_context",
        f"the encryption context “{name}” {found};"
        f" the policy compares with {_shown(check.expected)}",
        "decrypt with exactly the context the data was encrypted with",
        check,
    )


def _shown(values: tuple[str, ...]) -> str:
    return " or ".join(map(repr, values)) if values else "nothing"
