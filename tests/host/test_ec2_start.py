"""Waiting for an instance: what has gone wrong is said with its step, its log and what to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nitro_workflow.errors import HostError
from nitro_workflow.host import Ec2Host
from nitro_workflow.host.ec2 import instance_start
from tests.host.played_aws import SETTINGS, PlayedAws, Refusal, ec2_host

INSTANCE = "i-0123456789abcdef0"
ROLE = f"arn:aws:sts::444455556666:assumed-role/ParentInstance/{INSTANCE}"


class Program:
    role = ROLE

    def answer(self, _: object) -> dict[str, object]:
        return {"ok": {"programs": {"parent": {"pid": 1, "exit": None}}, "role": self.role}}


@pytest.fixture
def aws() -> PlayedAws:
    return PlayedAws(INSTANCE, lambda _: Program())


@pytest.fixture
def host(aws: PlayedAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ec2Host:
    monkeypatch.setattr(instance_start, "FIRST_PAUSE", 0.001)
    return ec2_host(aws, tmp_path / "records")


def test_it_is_waited_for(aws: PlayedAws, host: Ec2Host) -> None:
    pending = {"InstanceId": INSTANCE, "State": {"Name": "pending"}}
    aws.fails["DescribeInstances"] = [
        Refusal("InvalidInstanceID.NotFound"),
        {"Reservations": []},
        {"Reservations": [{"Instances": [pending]}]},
    ]
    aws.fails["DescribeInstanceInformation"] = [{"InstanceInformationList": []}]
    starting = '{"state": "starting", "step": "packages", "reason": ""}\n'
    aws.fails["GetCommandInvocation"] = [
        {"Status": "Success", "StandardOutputContent": text} for text in ("\n", starting)
    ]
    booted = host.boot_instance(INSTANCE)
    assert booted["Programs"] == {"parent": {"pid": 1, "exit": None}}
    assert booted["RoleArn"] == "arn:aws:iam::444455556666:role/ParentInstance"
    assert host.describe_instances()[0]["State"] == "running"


def test_after_a_launch_the_first_zone_is_tried_first_again(aws: PlayedAws, host: Ec2Host) -> None:
    host.launch_settings("one")
    assert host.launch_again("InsufficientInstanceCapacity")
    assert host.launch_settings("two")["SubnetId"] == "subnet-0b"
    host.boot_instance(INSTANCE)
    assert host.launch_settings("three")["SubnetId"] == "subnet-0a"


@pytest.mark.parametrize(
    ("step", "after"),
    [
        ("packages", "way out"),
        ("module", "kernel"),
        ("allocator", "--instance-type"),
        ("pages", "--instance-type"),
        ("program", "--roles"),
        ("parent", "step P8"),
    ],
)
def test_a_start_that_failed_says_at_what(
    aws: PlayedAws, host: Ec2Host, step: str, after: str
) -> None:
    aws.marker = {"state": "failed", "step": step, "reason": "the reason"}
    aws.log = "== step\nthe last line"
    with pytest.raises(HostError, match=f"failed at {step}: the reason.*the last line") as refused:
        host.boot_instance(INSTANCE)
    assert after in refused.value.next
    assert refused.value.code == "StartFailed"


def test_an_instance_that_has_ended_says_why(aws: PlayedAws, host: Ec2Host) -> None:
    aws.state = "terminated"
    with pytest.raises(HostError, match=r"it has ended: Server\.SpotInstanceTermination"):
        host.boot_instance(INSTANCE)


@pytest.mark.parametrize(
    ("limit", "what"),
    [("RUNNING_SECONDS", "EC2"), ("ONLINE_SECONDS", "SSM"), ("READY_SECONDS", "its start")],
)
def test_nothing_is_waited_for_for_ever(
    aws: PlayedAws, host: Ec2Host, monkeypatch: pytest.MonkeyPatch, limit: str, what: str
) -> None:
    monkeypatch.setattr(instance_start, limit, 0.01)
    aws.state = "pending" if limit == "RUNNING_SECONDS" else "running"
    aws.online = limit != "ONLINE_SECONDS"
    aws.marker = {"state": "starting", "step": "packages", "reason": ""}
    with pytest.raises(HostError, match=what) as refused:
        host.boot_instance(INSTANCE)
    assert refused.value.next


def test_another_role_is_refused(
    aws: PlayedAws, host: Ec2Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Program, "role", ROLE.replace("ParentInstance", "Other"))
    with pytest.raises(HostError, match=r"its role is .*Other") as refused:
        host.boot_instance(INSTANCE)
    assert "--role-instance" in refused.value.next


def test_a_given_instance_gets_its_program_by_command(
    aws: PlayedAws, tmp_path: Path, host: Ec2Host
) -> None:
    assert host.given_instance() == ""
    given = replace(SETTINGS, given={**SETTINGS.given, "instance": INSTANCE})
    own = ec2_host(aws, tmp_path / "given", given)
    assert own.given_instance() == INSTANCE
    own.boot_instance(INSTANCE)
    line = aws.named("SendCommand")[0]["Parameters"]["commands"][0]
    script = next(key for key in aws.objects if key.endswith("parent_start.sh"))
    assert script in line
    assert f"echo '{script.split('/')[1]}  " in line
    assert "| sha256sum --check" in line
    assert b"readonly STOP_MINUTES=0\n" in aws.objects[script], "it is not ours to end"
