"""What AWS does not know everywhere yet is asked again, and the person hears why."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from nitro_workflow.cloud import AwsCloud, AwsSettings, Patience
from nitro_workflow.lab.settling import POLICY_NAMES_NOBODY, settled
from nitro_workflow.lab.steps.p1_p2_keys import create_key

SETTINGS = AwsSettings("us-east-1", data_account="111122223333", compute_account="444455556666")


def error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, "Operation")


class Bench:
    """As much of a workbench as waiting needs."""

    def __init__(self, seconds: float) -> None:
        self.cloud = SimpleNamespace(settling=Patience(seconds, 0.001), tags={})
        self.said: list[str] = []
        self.say = self.said.append


def answers(*codes: str) -> Any:
    left = list(codes)

    def call() -> str:
        if left:
            raise error(left.pop(0))
        return "answer"

    return call


@pytest.mark.parametrize("code", sorted(POLICY_NAMES_NOBODY))
def test_a_role_that_is_not_known_yet_is_waited_for(code: str) -> None:
    bench = Bench(60)
    assert settled(bench, "A new role", answers(code, code), POLICY_NAMES_NOBODY) == "answer"
    assert len(bench.said) == 2
    assert "A new role is not known everywhere yet" in bench.said[0]


def test_patience_has_an_end_and_the_refusal_is_awss_own() -> None:
    bench = Bench(0.02)
    with pytest.raises(ClientError, match="MalformedPolicyDocument"):
        settled(
            bench, "A new role", answers(*["MalformedPolicyDocument"] * 10_000), POLICY_NAMES_NOBODY
        )


def test_another_error_is_not_waited_for() -> None:
    bench = Bench(60)
    with pytest.raises(ClientError, match="LimitExceeded"):
        settled(bench, "A new role", answers("LimitExceeded"), POLICY_NAMES_NOBODY)
    assert bench.said == []


def test_the_local_cloud_is_asked_once() -> None:
    bench = Bench(0)
    with pytest.raises(ClientError):
        settled(bench, "A new role", answers("AccessDenied"))
    assert bench.said == []


def test_a_new_role_is_assumed_when_sts_knows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    cloud = AwsCloud(SETTINGS, "00", said.append)
    monkeypatch.setattr(AwsCloud, "settling", Patience(60, 0.001))
    call = answers("AccessDenied", "AccessDenied")

    class Sts:
        def assume_role(self, **_: Any) -> dict[str, Any]:
            return {"Credentials": {"AccessKeyId": call()}}

    assert cloud._assume(Sts(), "arn:aws:iam::111122223333:role/Owner")["AccessKeyId"] == "answer"
    assert said == ["AWS does not know the role Owner everywhere yet: asking again …"] * 2


class Kms:
    """Refuses DescribeKey of an alias, as AWS does to who may not describe all keys."""

    def __init__(self, aliases: list[str]) -> None:
        self.aliases = aliases
        self.made: list[str] = []

    def describe_key(self, KeyId: str) -> dict[str, Any]:  # noqa: N803 - AWS's name
        raise error("AccessDeniedException")

    def get_paginator(self, _: str) -> Any:
        listed = [{"AliasName": name} for name in self.aliases]
        return SimpleNamespace(paginate=lambda: [{"Aliases": listed}])

    def create_key(self, **_: Any) -> dict[str, Any]:
        self.made.append("key")
        raise error("LimitExceededException")


@pytest.mark.parametrize("there", [True, False])
def test_a_refusal_is_not_taken_for_not_found(there: bool) -> None:
    """With the alias there, a second key would have been made beside the first."""
    alias = "alias/nitro-workflow-00-data"
    kms = Kms([alias] if there else [])
    session = SimpleNamespace(client=lambda _: kms)
    bench: Any = Bench(0)
    bench.cloud.names = SimpleNamespace(data_alias=alias, given={})
    bench.parties = SimpleNamespace(session=lambda _: session)
    bench.policies = SimpleNamespace(role_arn=lambda _: "arn:aws:iam::111122223333:role/Owner")
    expected = "AccessDenied" if there else "LimitExceeded"
    with pytest.raises(ClientError, match=expected):
        create_key(bench)
    assert kms.made == ([] if there else ["key"])
