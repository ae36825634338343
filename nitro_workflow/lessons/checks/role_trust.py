"""What is said to a role's trust policy: by who could become the owner through it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nitro_workflow.lab import Workbench
from nitro_workflow.lessons.verdict import Verdict
from nitro_workflow.lessons.worlds import policy_from
from nitro_workflow.policy import Policies, Principal, Request, evaluate, parse_policy

__all__ = ["judge_trust"]

OPERATOR, COLLEAGUE = "the owner's operator", "another user of the owner's account"


def judge_trust(trust: Any, bench: Workbench) -> Verdict:
    """Say who may become the owner. Raises `PolicyError` for what is no policy."""
    inside = _who(trust, bench)
    if inside == [OPERATOR]:
        return Verdict.right("The owner's operator becomes the owner, and nobody else does.")
    if OPERATOR not in inside:
        others = f" {', '.join(inside)} can." if inside else ""
        return Verdict.wrong(
            f"The owner's operator cannot become the owner.{others}",
            "The card above says whom the real trust policy expects.",
        )
    strangers = [name for name in inside if name != OPERATOR]
    if strangers == [COLLEAGUE]:
        return Verdict.wrong(
            "Every user of that account can, if their own IAM policy says so.",
            "Name one user, not the account.",
        )
    return Verdict.wrong(f"These can, too: {', '.join(strangers)}.", "Whom does Principal name?")


def _who(trust: Any, bench: Workbench) -> list[str]:
    """Return who may assume the owner's role, where their own IAM policies say yes."""
    role = bench.policies.role_arn("owner")
    yes = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
    policies = Policies(
        resource=parse_policy(policy_from(trust), kind="trust", name="trust policy"),
        identity=(parse_policy(policy_from(yes), kind="identity", name="own policy, assumed"),),
    )

    def may(arn: str) -> bool:
        account = bench.policies.account("owner")
        request = Request(Principal.parse(arn), "sts:AssumeRole", role, account)
        return evaluate(request, policies).effect == "allowed"

    return [name for name, arn in _callers(bench).items() if may(arn)]


def _callers(bench: Workbench) -> Mapping[str, str]:
    texts, cloud = bench.policies, bench.cloud
    data, compute = cloud.accounts.data, cloud.accounts.compute
    return {
        OPERATOR: cloud.operator_arn(data),
        COLLEAGUE: f"arn:aws:iam::{data}:user/colleague",
        texts.role_name("administrator"): texts.role_arn("administrator"),
        texts.role_name("developer"): texts.role_arn("developer"),
        "the other account's operator": cloud.operator_arn(compute),
        "a stranger": "arn:aws:iam::999988887777:user/stranger",
    }
