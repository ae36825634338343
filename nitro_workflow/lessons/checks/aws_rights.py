"""What IAM would say on AWS: to who administers an account's roles, to who hands one on.

Decided by the package's own evaluator, as its review of the set-up is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from nitro_workflow.cloud import AwsSettings
from nitro_workflow.lab import planned_policies
from nitro_workflow.policy import (
    Explanation,
    Policies,
    Principal,
    Request,
    RequestContext,
    explain,
    parse_policy,
)

__all__ = ["LAB", "Handed", "becomes_owner", "handed_on"]

LAB: Final = "0011223344556677"
"""The id of a lab that is only planned."""

_EC2: Final = {"iam:PassedToService": "ec2.amazonaws.com"}


@dataclass(frozen=True, slots=True)
class Handed:
    """One thing that a statement lets the administrator do, or must not. ``what``: in words."""

    what: str
    wanted: bool
    found: Explanation

    @property
    def holds(self) -> bool:
        """Tell whether the evaluator's answer is the wanted one."""
        return (self.found.decision.effect == "allowed") == self.wanted


def becomes_owner(settings: AwsSettings) -> Explanation:
    """Ask whether who administers IAM in the compute account may rewrite who becomes the owner.

    The accounts must be 12 digits each. Raises `PolicyError` for others.
    """
    everything = {"Effect": "Allow", "Action": "iam:*", "Resource": "*"}
    caller = f"arn:aws:iam::{settings.compute_account}:role/IamAdministrator"
    owner = planned_policies(settings, LAB).role_arn("owner")
    return _asked(everything, caller, "iam:UpdateAssumeRolePolicy", owner)


def handed_on(statement: Mapping[str, Any], settings: AwsSettings) -> Iterator[Handed]:
    """Try a statement of the administrator's: one role they hand to EC2, and nothing beyond.

    Raises `PolicyError` for what is no statement of an identity policy.
    """
    policies = planned_policies(settings, LAB)
    caller, instance = policies.role_arn("administrator"), policies.role_arn("instance")
    others = f"arn:aws:iam::{policies.accounts.compute}:role/Administrators"
    tried = (
        ("hand the instance's role to EC2", True, "iam:PassRole", instance),
        ("hand the account's most powerful role to EC2", False, "iam:PassRole", others),
        ("hand the developer's role on", False, "iam:PassRole", policies.role_arn("developer")),
        ("rewrite what the instance's role may do", False, "iam:PutRolePolicy", instance),
        ("rewrite who gets the instance's role", False, "iam:UpdateAssumeRolePolicy", instance),
    )
    for what, wanted, action, resource in tried:
        yield Handed(what, wanted, _asked(statement, caller, action, resource))


def _asked(statement: Mapping[str, Any], caller: str, action: str, resource: str) -> Explanation:
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    own = parse_policy(policy, kind="identity", name="the caller's IAM policy")
    account = resource.split(":")[4]
    request = Request(
        Principal.parse(caller),
        action,
        resource,
        resource_account=account,
        context=RequestContext.what_if(dict(_EC2)),
    )
    return explain(request, Policies(None, (own,)))
