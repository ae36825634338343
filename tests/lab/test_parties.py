"""Four identities, one cloud: nothing in the environment sends a request anywhere else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nitro_workflow.cloud import LocalCloud
from nitro_workflow.errors import UsageError
from nitro_workflow.lab import PARTIES, Lab
from nitro_workflow.lab.party_policies import PartyPolicies
from nitro_workflow.policy import parse_policy

POLICIES = PartyPolicies.of(LocalCloud(Path("lab")))

POISON = {
    "AWS_ENDPOINT_URL": "https://127.0.0.1:9",
    "AWS_ENDPOINT_URL_KMS": "https://127.0.0.1:9",
    "AWS_ENDPOINT_URL_STS": "https://127.0.0.1:9",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_PROFILE": "production",
    "AWS_DEFAULT_PROFILE": "production",
    "AWS_ACCESS_KEY_ID": "AKIAREALREALREALREAL",
    "AWS_SECRET_ACCESS_KEY": "real",
    "AWS_SESSION_TOKEN": "real",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_CA_BUNDLE": "/nonexistent.pem",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_MAX_ATTEMPTS": "0",
    "AWS_DATA_PATH": "/nonexistent",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "ALL_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "",
    "REQUESTS_CA_BUNDLE": "/nonexistent.pem",
}


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[profile production]\nregion = eu-west-1\nendpoint_url = https://127.0.0.1:9\n"
        "credential_process = /bin/false\nuse_fips_endpoint = true\n"
    )
    for name, value in POISON.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(config))


@pytest.mark.parametrize("party", ["owner", "developer", "administrator"])
def test_a_poisoned_environment_reaches_nothing_but_the_lab(
    lab: Lab, poisoned: None, party: str
) -> None:
    lab.up()
    session = Lab.open(lab.path).bench.parties.session(party)
    client = session.client("sts")
    assert client.meta.endpoint_url == lab.pair.processes.endpoint().url
    account, role = POLICIES.account(party), POLICIES.role_name(party)
    arn = client.get_caller_identity()["Arn"]
    assert arn == f"arn:aws:sts::{account}:assumed-role/{role}/nitro-workflow"
    for service in ("kms", "s3", "ec2", "iam", "cloudtrail"):
        assert session.client(service).meta.endpoint_url == lab.pair.processes.endpoint().url
        assert session.client(service).meta.region_name == "us-east-1"


def test_a_caller_cannot_send_a_session_elsewhere_by_accident(lab: Lab) -> None:
    lab.up()
    session = lab.bench.parties.session("owner")
    client = session.client("kms", endpoint_url="https://kms.us-east-1.amazonaws.com")
    assert client.meta.endpoint_url == lab.pair.processes.endpoint().url


@pytest.mark.parametrize("party", ["mallory", "instance"])
def test_other_parties_have_no_session_here(lab: Lab, party: str) -> None:
    with pytest.raises(UsageError):
        lab.bench.parties.session(party)


@pytest.mark.parametrize("party", PARTIES)
def test_every_policy_text_is_iam(party: str) -> None:
    account = POLICIES.account(party)
    trust = POLICIES.trust_policy(party, f"arn:aws:iam::{account}:user/operator")
    parse_policy(json.dumps(trust), kind="trust")
    parse_policy(json.dumps(POLICIES.identity_policy(party)), kind="identity")
    parse_policy(json.dumps(POLICIES.bucket_policy()), kind="resource")
    parse_policy(json.dumps(POLICIES.results_key_policy()), kind="resource")


def test_no_key_policy_gives_a_root_or_the_administrator_anything() -> None:
    from nitro_workflow.policy.author import initial_key_policy

    for policy in (
        POLICIES.results_key_policy(),
        initial_key_policy(POLICIES.role_arn("owner")),
    ):
        text = json.dumps([one for one in policy["Statement"] if one["Effect"] == "Allow"])
        assert ":root" not in text
        assert "ParentAdministrator" not in text
        assert "kms:*" not in text


def test_the_four_say_what_they_may_and_may_not(lab: Lab) -> None:
    assert [party.name for party in lab.bench.parties.all()] == [
        "owner",
        "developer",
        "administrator",
        "instance",
    ]
    assert all(party.may and party.may_not for party in lab.bench.parties.all())
