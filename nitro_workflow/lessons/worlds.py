"""Who may ask, and with which document: the worlds in which a policy is tried.

Six documents: none at all, the learner's image, another with its kernel, another with its
application, one that shares nothing, and a debug enclave, whose PCR0 to PCR2 are zeros. A policy
that is asked with all of them has nowhere to hide a side door.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from nitro_workflow.lab import Workbench
from nitro_workflow.lessons.lesson_views import evidence
from nitro_workflow.policy import (
    KEY_ARN,
    Explanation,
    Grant,
    Policies,
    Principal,
    Request,
    RequestContext,
    explain,
    parse_policy,
)

__all__ = [
    "DOCUMENTS",
    "ask_policy",
    "callers_of",
    "document_of_world",
    "image_pcrs",
    "in_words",
    "policies_of",
    "policy_from",
    "request_of",
]

DOCUMENTS: Final[Mapping[str, str]] = {
    "none": "no document",
    "ours": "your image's document",
    "same-kernel": "another image with your kernel",
    "same-application": "your application on another kernel",
    "other": "an image that shares nothing",
    "debug": "a debug enclave: zeros",
}
"""Name → what it is, in words."""

_ZEROS: Final = "0" * 96


def image_pcrs(bench: Workbench) -> dict[str, str]:
    """Return PCR0, PCR1 and PCR2 of the image that P6 built, 96 lower-case hex digits each."""
    found: Mapping[str, str] = evidence(bench, "P6")["measurements"]
    return {name: found[name] for name in ("PCR0", "PCR1", "PCR2")}


def document_of_world(pcrs: Mapping[str, str], name: str) -> dict[str, str]:
    """Return the PCRs of a document of `DOCUMENTS`; {} for none. Raises KeyError for no name."""
    ours = dict(pcrs)
    foreign = {pcr: hashlib.sha384(f"another {pcr}".encode()).hexdigest() for pcr in ours}
    return {
        "none": {},
        "ours": ours,
        "same-kernel": {**foreign, "PCR1": ours["PCR1"]},
        "same-application": {**foreign, "PCR2": ours["PCR2"]},
        "other": foreign,
        "debug": dict.fromkeys(ours, _ZEROS),
    }[name]


_ROLES: Final = {
    "ParentInstance": "instance",
    "DataOwner": "owner",
    "ParentAdministrator": "administrator",
}


def callers_of(bench: Workbench) -> dict[str, str]:
    """Return name → ARN of six callers: three roles, a role of the key's account, two strangers.

    A role has one name in the course, whatever the cloud calls it.
    """
    data = bench.cloud.accounts.data
    return {
        **{name: bench.policies.role_arn(party) for name, party in _ROLES.items()},
        "Backup": f"arn:aws:iam::{data}:role/Backup",
        "account root": f"arn:aws:iam::{data}:root",
        "another account": "arn:aws:iam::999988887777:role/Stranger",
    }


def policy_from(thing: object) -> Mapping[str, Any]:
    """Return a whole policy: of one statement, of a list of them, or the policy as it is."""
    if isinstance(thing, Mapping) and "Statement" in thing:
        return thing
    return {"Version": "2012-10-17", "Statement": thing if isinstance(thing, list) else [thing]}


def policies_of(policy: object, grants: Sequence[Grant] = ()) -> Policies:
    """Return the key policy, beside an IAM policy of the caller that says yes to everything.

    Raises `PolicyError` for what is no policy.
    """
    everything = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
    return Policies(
        resource=parse_policy(policy_from(policy), kind="resource", name="key policy"),
        identity=(
            parse_policy(
                policy_from(everything), kind="identity", name="the caller's IAM policy, assumed"
            ),
        ),
        grants=grants,
    )


def request_of(
    caller: str,
    document: Mapping[str, str],
    *,
    action: str = "kms:Decrypt",
    context: Mapping[str, str] | None = None,
) -> Request:
    """Return a request for the key. ``document`` are the PCRs of its document, {} for none."""
    keys = {f"kms:RecipientAttestation:{name}": value for name, value in document.items()}
    if "PCR0" in document:
        keys["kms:RecipientAttestation:ImageSha384"] = document["PCR0"]
    asked = RequestContext.what_if({**(context or {}), **keys})
    return Request(Principal.parse(caller), action, KEY_ARN, context=asked)


def in_words(asked: Explanation) -> str:
    """Return a decision as one says it: `allowed` or `denied`."""
    return "allowed" if asked.decision.allowed else "denied"


def ask_policy(
    policy: object,
    caller: str,
    document: Mapping[str, str],
    *,
    action: str = "kms:Decrypt",
    grants: Sequence[Grant] = (),
    context: Mapping[str, str] | None = None,
) -> Explanation:
    """Return the engine's decision, with its reasons, where the caller's own IAM policy says yes.

    Raises `PolicyError` for what is no policy.
    """
    request = request_of(caller, document, action=action, context=context)
    return explain(request, policies_of(policy, grants))
