"""The roles' policies do what the parties may, and our evaluator notices where they would not."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import pytest
from click.testing import CliRunner

from nitro_workflow.cli import cli
from nitro_workflow.cloud import AwsSettings
from nitro_workflow.errors import LabError
from nitro_workflow.lab import PARTIES, Lab, planned_policies, review
from nitro_workflow.policy import parse_policy

POLICIES = planned_policies(AwsSettings("eu-central-1"), "0011223344556677")


def failing(further: Mapping[str, Any]) -> set[tuple[str, str]]:
    changed = dataclasses.replace(POLICIES, further={**POLICIES.further, **further})
    return {(one.party, one.action) for one in review(changed) if not one.holds}


def test_every_claim_holds_for_what_the_set_up_puts() -> None:
    claims = list(review(POLICIES))
    assert [one for one in claims if not one.holds] == []
    assert {one.party for one in claims} == {*PARTIES, "anybody"}
    assert any(one.allowed for one in claims), "a policy that allows nothing would pass otherwise"


@pytest.mark.parametrize(
    ("party", "action"),
    [
        ("administrator", "iam:PutRolePolicy"),
        ("developer", "iam:UpdateAssumeRolePolicy"),
        ("instance", "iam:PutRolePolicy"),
    ],
)
def test_a_permission_too_many_is_noticed(party: str, action: str) -> None:
    more = {"Sid": "Slip", "Effect": "Allow", "Action": action, "Resource": "*"}
    assert failing({party: [more]}) == {(party, action)}


def test_a_wildcard_too_many_is_noticed() -> None:
    more = {"Sid": "Slip", "Effect": "Allow", "Action": "*", "Resource": "*"}
    found = failing({"administrator": [more]})
    assert {action for _, action in found} >= {"iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"}


@pytest.mark.parametrize("party", PARTIES)
def test_the_texts_are_iam_and_within_its_size(party: str) -> None:
    text = json.dumps(POLICIES.identity_policy(party), separators=(",", ":"))
    parse_policy(text, kind="identity")
    assert len(text) <= 10_240  # IAM quotas: all inline policies of a role together


def test_a_set_up_with_a_finding_is_not_agreed_to(tmp_path: Any, monkeypatch: Any) -> None:
    aws = AwsSettings("eu-central-1", data_account="111122223333", compute_account="444455556666")
    lab = Lab.open(tmp_path / "lab", cloud="aws", aws=aws)
    more = {"Sid": "Slip", "Effect": "Allow", "Action": "iam:*", "Resource": "*"}
    monkeypatch.setattr(
        "nitro_workflow.lab.aws.role_review.further_permissions", lambda *_, **__: (more,)
    )
    with pytest.raises(LabError, match="PutRolePolicy"):
        lab.pair.agree()
    assert not lab.pair.agreed


def test_the_roles_are_shown_without_credentials() -> None:
    done = CliRunner().invoke(cli, ["aws", "check", "--roles", "--region", "eu-central-1"])
    assert done.exit_code == 0, done.output
    assert "✓ administrator may not kms:Decrypt" in done.output
    assert "✓ instance may kms:Decrypt" in done.output
    assert "without_attestation: none" in done.output
