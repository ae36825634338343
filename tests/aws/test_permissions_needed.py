"""Each permission of the roles is taken away in turn, and a step fails; one that none needs is said.

Decided by our evaluator on every request of a whole walk, of its confirmation and of its end; some,
by `NITRO_AWS_FAULTS=1` all, are taken away from the roles of a lab that then walks, too.
"""

from __future__ import annotations

import copy
import json
import os
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from nitro_workflow.lab import (
    PARTIES,
    STEPS,
    Lab,
    confirm,
    leftovers,
    operator_policy,
    pre_flight,
    tagged_keys,
    teardown,
)
from nitro_workflow.lab.party_policies import PartyPolicies
from nitro_workflow.policy import parse_policy
from tests.aws.decision_log import Asked, decisions_of, logged_decisions
from tests.aws.saved_state import open_lab
from tests.aws.stand_in import StandIn, stand_in

EVERY = os.environ.get("NITRO_AWS_FAULTS") == "1"
NUMBERS = {step.number for step in STEPS}
SAMPLE = 2
"""Of the permissions, on every save: each costs a walk up to its step."""

Permission = tuple[str, str, str]
"""Party, Sid, action."""

NOT_ASKED: Mapping[Permission, str] = {
    ("developer", "PublishImages", "s3:ListBucket"): "without it S3 answers HeadObject of what is "
    "not there with 403 instead of 404 (S3 API Reference); the stand-in says 404 to both",
    ("administrator", "ReadTheTrail", "cloudtrail:LookupEvents"): "D1 in a lab of the local cloud, "
    "whose trail has GetObject; the policy is the same on both",
    ("administrator", "EndACommand", "ssm:CancelCommand"): "a command past its deadline is ended",
    ("instance", "GetTheCiphertext", "s3:GetObject"): "S3 asks for it where a GetObject names no "
    "version, as a parent of one's own may; this one names each",
}
"""What no request of this walk needs, and why it stays. Whatever else is not needed goes."""


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StandIn, Lab, list[Asked]]]:
    """Return the stand-in, a lab that walked, confirmed and ended, and all that was asked."""
    place = tmp_path_factory.mktemp("cloud")
    with logged_decisions(place / "log") as file, stand_in(place / "side") as at:

        def mark(step: str) -> None:
            with file.open("a") as log:
                log.write(json.dumps({"step": step}) + "\n")

        lab = Lab.open(place / "lab", cloud="aws", aws=at.settings, size=20_000, host="ec2")
        mark("pre-flight")
        list(pre_flight(lab.pair.aws, machine="x86_64"))
        lab.pair.agree()
        lab.progress = lambda one: mark(one.step) if one.state == "running" else None
        assert [one.error for one in lab.walk() if one.error] == []
        lab.progress = None
        mark("confirm")
        confirm(lab.bench)
        mark("lesson 3")
        look_at_the_bucket(lab)
        mark("P8 again")
        assert lab.run("P8").status == "done"
        a_teardown_died(lab)
        mark("P1 again")
        assert lab.run("P1").status == "done"
        mark("list")
        list(tagged_keys(lab.pair.aws, leftovers(lab.pair.aws)))
        mark("teardown")
        assert [one for one in teardown(lab.pair.aws) if one.state == "failed"] == []
        yield at, lab, [*decisions_of(file)]


def look_at_the_bucket(lab: Lab) -> None:
    """Ask as the owner what lesson 3 asks."""
    s3 = lab.bench.parties.session("owner").client("s3")
    put = lab.bench.produced("P4", "objects")["customers.csv.esdk"]
    where = {"Bucket": lab.bench.produced("P4", "bucket"), "Key": put["key"]}
    s3.head_object(**where)
    s3.get_object(**where, VersionId=put["version_id"])
    s3.get_bucket_policy(Bucket=where["Bucket"])
    s3.list_object_versions(Bucket=where["Bucket"])


def a_teardown_died(lab: Lab) -> None:
    """Leave what a teardown leaves that died between ScheduleKeyDeletion and DeleteAlias."""
    kms = lab.bench.parties.session("owner").client("kms")
    kms.schedule_key_deletion(KeyId=lab.bench.produced("P1", "key_arn"), PendingWindowInDays=7)
    lab.bench.folder.forget("P1")


def permissions(policies: PartyPolicies) -> Iterator[Permission]:
    for party in PARTIES:
        for statement in policies.identity_policy(party)["Statement"]:
            for action in statement["Action"]:
                yield party, statement["Sid"], action


def without(policy: Mapping[str, Any], sid: str, action: str) -> dict[str, Any]:
    """Return the policy less one action of one statement."""
    changed = copy.deepcopy(dict(policy))
    for statement in changed["Statement"]:
        if statement["Sid"] == sid:
            statement["Action"].remove(action)
    changed["Statement"] = [one for one in changed["Statement"] if one["Action"]]
    return changed


def needed_by(policies: PartyPolicies, asked: list[Asked], permission: Permission) -> list[str]:
    """Return the steps that fail without the permission, each once, in order."""
    party, sid, action = permission
    role = policies.role_arn(party)
    less = parse_policy(
        json.dumps(without(policies.identity_policy(party), sid, action)), kind="identity"
    )
    mine = [
        one
        for one in asked
        if one.role == role and one.effect == "allowed" and one.request.action == action
    ]
    return list(dict.fromkeys(one.step for one in mine if not one.allowed_by(less)))


@pytest.fixture(scope="module")
def needs(walked: tuple[StandIn, Lab, list[Asked]]) -> dict[Permission, list[str]]:
    """Return permission → the steps that fail without it."""
    _, lab, asked = walked
    policies = lab.bench.policies
    return {one: needed_by(policies, asked, one) for one in permissions(policies)}


def test_every_permission_is_needed_by_a_step_or_said_why_not(
    needs: dict[Permission, list[str]],
) -> None:
    unneeded = {one for one, steps in needs.items() if not steps}
    # What SSM's agent asks for: AWS's program, which nothing here runs.
    agent = {one for one in unneeded if one[:2] == ("instance", "BeCommanded")}
    assert sorted(unneeded - agent - NOT_ASKED.keys()) == [], "remove it, or say why it stays"
    assert sorted(NOT_ASKED.keys() - unneeded) == [], "it is needed: it needs no reason here"
    assert len(needs) - len(unneeded) >= 40


OPERATOR_NOT_ASKED: Mapping[str, str] = {
    "iam:GetRole": "an operator who has assumed a role (SSO) is asked for its path",
    "iam:SimulatePrincipalPolicy": "the pre-flight; the stand-in does not simulate",
    "iam:TagInstanceProfile": "AWS asks for it where a profile is made with tags",
    "iam:TagRole": "AWS asks for it where a role is made with tags (IAM API Reference)",
    "s3:AbortMultipartUpload": "teardown of a bucket in which an upload was cut",
    "sts:AssumeRole": "a trust policy that names the operator is enough in the same account (IAM "
    "User Guide); an organisation's boundary may ask for both",
}


@pytest.mark.parametrize("side", ["data", "compute"])
def test_the_printed_policy_is_what_an_operator_needs_and_no_more(
    walked: tuple[StandIn, Lab, list[Asked]], side: str
) -> None:
    """Of each request that the operator made: allowed by what `aws check --policy` prints."""
    _, lab, asked = walked
    account = getattr(lab.pair.aws.accounts, side)
    policy = operator_policy(side, lab.bench.cloud.region, account)
    role = f"arn:aws:iam::{account}:user/operator"
    # The stand-in's EC2 gives no tags of resources to its gate; AWS's does.
    tagged = {"aws:ResourceTag/nitro-workflow:lab": lab.bench.folder.identity}
    mine = [one.knowing(**tagged) for one in asked if one.role == role and one.effect == "allowed"]
    whole = parse_policy(json.dumps(policy), kind="identity")
    lacks = {one.request.action for one in mine if not one.allowed_by(whole)}
    needed, unneeded = set(), set()
    for statement in policy["Statement"]:
        for action in statement["Action"]:
            less = parse_policy(
                json.dumps(without(policy, statement["Sid"], action)), kind="identity"
            )
            same = all(one.allowed_by(less) for one in mine if one.request.action == action)
            (unneeded if same else needed).add(action)
    assert sorted(lacks) == [], "the walk would be refused"
    assert sorted(unneeded - OPERATOR_NOT_ASKED.keys()) == [], "remove it, or say why it stays"
    assert sorted(needed & OPERATOR_NOT_ASKED.keys()) == [], "it is needed: no reason is"


def test_no_request_was_allowed_by_what_is_not_in_the_policies(
    walked: tuple[StandIn, Lab, list[Asked]],
) -> None:
    """The evaluation that is taken again here is the stand-in's own: same answers, whole policy."""
    _, lab, asked = walked
    policies = lab.bench.policies
    whole = {
        policies.role_arn(party): parse_policy(
            json.dumps(policies.identity_policy(party)), kind="identity"
        )
        for party in PARTIES
    }
    mine = [one for one in asked if one.role in whole]
    assert len(mine) > 50
    assert {one.effect for one in mine} == {"allowed", "implicitDeny"}
    for one in mine:
        assert one.allowed_by(whole[one.role]) == (one.effect == "allowed"), one


def test_a_lab_whose_role_lacks_a_permission_fails_in_that_step(
    walked: tuple[StandIn, Lab, list[Asked]],
    needs: dict[Permission, list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not the evaluator on a record: the walk itself, with the role put so."""
    at, _, _ = walked
    real = PartyPolicies.identity_policy
    tried = sorted(one for one, steps in needs.items() if steps and steps[0] in NUMBERS)
    for number, one in enumerate(tried if EVERY else random.Random(18).sample(tried, SAMPLE)):
        lab = open_lab(at, tmp_path / f"lab-{number}")

        def less(policies: PartyPolicies, party: str, one: Permission = one) -> dict[str, Any]:
            whole = real(policies, party)
            return without(whole, *one[1:]) if party == one[0] else whole

        with monkeypatch.context() as patch:
            patch.setattr(PartyPolicies, "identity_policy", less)
            last = list(lab.walk())[-1]
        first = needs[one][0]
        # The enclave's job runs while D1 to D4 look at it: the first that cannot go on says so.
        assert last.step == first or (first[0] == "D" == last.step[0] and first < last.step), one
        # An answer to HEAD has no body: S3 says 403 there, and the error names the call.
        refused = ("AccessDenied", "Unauthorized", "HeadObject")
        assert any(word in str(last.error) for word in refused), one
        assert [it for it in teardown(lab.pair.aws) if it.state == "failed"] == [], one
