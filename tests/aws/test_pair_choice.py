"""A lab's cloud and host are chosen when it is made, and they must belong together."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from nitro_workflow.cloud import GIVEN, AwsSettings
from nitro_workflow.errors import HostError, LabError, UsageError
from nitro_workflow.lab import Lab, LabFolder

SETTINGS = AwsSettings("eu-central-1", data_account="111122223333", compute_account="444455556666")


def test_a_lab_of_aws_is_opened_again_without_being_told(tmp_path: Path) -> None:
    made = Lab.open(tmp_path / "lab", cloud="aws", aws=SETTINGS)
    again = Lab.open(tmp_path / "lab")
    assert again.bench.cloud.kind == made.bench.cloud.kind == "aws"
    assert again.bench.cloud.region == "eu-central-1"
    assert again.host == "ec2"
    assert again.bench.cloud.accounts.compute == "444455556666"
    assert again.bench.cloud.trust().is_aws


def test_nothing_is_asked_of_aws_to_open_a_lab(tmp_path: Path) -> None:
    bare = AwsSettings("us-east-1", data_profile="nobody", compute_profile="nobody")
    assert Lab.open(tmp_path / "lab", cloud="aws", aws=bare).bench.cloud.kind == "aws"


def test_nothing_is_made_before_a_yes(tmp_path: Path) -> None:
    lab = Lab.open(tmp_path / "lab", cloud="aws", aws=SETTINGS)
    for run in (lab.up, lambda: lab.run("P1")):
        with pytest.raises(LabError, match="nobody has said yes"):
            run()
    assert "agreed" not in lab.bench.folder.settings()


@pytest.mark.parametrize(
    ("cloud", "host", "why"),
    [
        ("local", "ec2", "takes no document under AWS's root"),
        ("local", "nitro_cli", "takes no document under AWS's root"),
        ("aws", "sandbox", "its root is the lab's own"),
        ("aws", "qemu", "its root is the lab's own"),
        ("aws", "docker", "ec2 or nitro_cli"),
        ("moon", "", "local, aws"),
    ],
)
def test_what_is_no_pair_says_why(tmp_path: Path, cloud: str, host: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        Lab.open(tmp_path / "lab", cloud=cloud, host=host, aws=SETTINGS)
    assert why in caught.value.expected
    assert "cloud" not in LabFolder.open(tmp_path / "lab").settings()


def test_a_lab_of_aws_needs_a_region(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no region"):
        Lab.open(tmp_path / "lab", cloud="aws")


def test_a_lab_does_not_change_its_cloud(tmp_path: Path) -> None:
    Lab.open(tmp_path / "aws", cloud="aws", aws=SETTINGS)
    with pytest.raises(UsageError, match="a lab of the aws cloud"):
        Lab.open(tmp_path / "aws", cloud="local")
    with pytest.raises(UsageError, match="host 'qemu' with cloud 'aws'"):
        Lab.open(tmp_path / "aws", host="qemu")
    Lab.open(tmp_path / "local", host="qemu")
    with pytest.raises(UsageError, match="a lab of the local cloud"):
        Lab.open(tmp_path / "local", cloud="aws", aws=SETTINGS)


def test_the_host_of_the_environment_is_the_local_clouds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NITRO_WORKFLOW_HOST", "qemu")
    assert Lab.open(tmp_path / "lab", cloud="aws", aws=SETTINGS).host == "ec2"


@pytest.mark.parametrize(
    "change", [{"region": "us-east-1"}, {"data_profile": "x"}, {"given": {"bucket": "other"}}]
)
def test_a_lab_stays_where_it_was_made(tmp_path: Path, change: dict[str, object]) -> None:
    Lab.open(tmp_path / "lab", cloud="aws", aws=SETTINGS)
    with pytest.raises(UsageError, match="another"):
        Lab.open(tmp_path / "lab", cloud="aws", aws=dataclasses.replace(SETTINGS, **change))
    Lab.open(tmp_path / "lab", cloud="aws", aws=AwsSettings("eu-central-1"))


def test_names_have_the_labs_id_and_fit_their_limits(tmp_path: Path) -> None:
    lab = Lab.open(tmp_path / "lab", cloud="aws", aws=SETTINGS)
    names, identity = lab.bench.cloud.names, lab.bench.folder.identity
    made = [names.data_bucket, names.images_bucket, names.data_alias, names.results_alias]
    made += [names.instance_profile, *names.roles.values()]
    assert all(identity in name for name in made)
    assert len(set(made)) == len(made) - 1  # the profile is called as its role
    assert max(map(len, (names.data_bucket, names.images_bucket))) <= 63
    assert max(map(len, names.roles.values())) <= 64
    assert lab.bench.cloud.tags == {"nitro-workflow:lab": identity}


def test_what_is_given_has_its_own_name(tmp_path: Path) -> None:
    role = "arn:aws:iam::444455556666:role/company/enclaves/Parent"
    given = {"bucket": "company-data", "role-instance": role}
    aws = dataclasses.replace(SETTINGS, given=given)
    bench = Lab.open(tmp_path / "lab", cloud="aws", aws=aws).bench
    assert bench.cloud.names.data_bucket == "company-data"
    assert bench.policies.role_arn("instance") == role
    assert bench.policies.role_name("instance") == "Parent"
    assert bench.cloud.names.given == given


@pytest.mark.parametrize("name", [*GIVEN, "endpoint"])
@pytest.mark.parametrize("value", ["", "*", "arn:aws:iam::1:role/x", "https://127.0.0.1:9"])
def test_what_is_given_has_its_form(name: str, value: str) -> None:
    with pytest.raises(UsageError):
        AwsSettings("us-east-1", given={name: value})


def test_settings_of_another_version_are_not_guessed_at(tmp_path: Path) -> None:
    lab = Lab.open(tmp_path / "lab", cloud="aws", aws=SETTINGS)
    path = lab.path / "lab.json"
    record = json.loads(path.read_text())
    record["settings"]["aws"]["endpoint"] = "https://127.0.0.1:9"
    path.write_text(json.dumps(record))
    with pytest.raises(LabError, match="does not know"):
        Lab.open(tmp_path / "lab").bench.cloud  # noqa: B018


def test_a_machine_that_is_no_parent_says_what_can_be_done(tmp_path: Path) -> None:
    lab = Lab.open(tmp_path / "lab", cloud="aws", host="nitro_cli", aws=SETTINGS)
    with pytest.raises(HostError, match="no instance of EC2") as refused:
        lab.bench.host.given_instance()
    assert "--host ec2" in refused.value.next


@pytest.mark.parametrize("host", ["ec2", "nitro_cli"])
def test_a_host_asks_nobody_at_open(tmp_path: Path, host: str, monkeypatch: Any) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("asked")

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", refuse)
    lab = Lab.open(tmp_path / "lab", cloud="aws", host=host, aws=SETTINGS)
    assert lab.bench.host.limits()
    assert lab.down() == []
