"""Launching a parent: another zone or token where EC2 says so, nothing made where one is given."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from nitro_workflow.cloud import Patience
from nitro_workflow.errors import HostError
from nitro_workflow.host import NO_BOOT_PARTS
from nitro_workflow.lab.steps import image_boot_parts, parent_launch

INSTANCE = "i-0123456789abcdef0"


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "RunInstances")


class Ec2:
    """Answers RunInstances with what it was given, one after the other."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []
        self.ended: list[str] = []

    def run_instances(self, **given: Any) -> dict[str, Any]:
        self.asked.append(given)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"Instances": [{"InstanceId": INSTANCE, "State": {"Name": answer}}]}

    def describe_instances(self, **given: Any) -> dict[str, Any]:
        others = [{"InstanceId": "i-other"}] if "Filters" in given else []
        found = [{"InstanceId": one} for one in given.get("InstanceIds", [])]
        return {"Reservations": [{"Instances": [*found, *others]}]}

    def terminate_instances(self, InstanceIds: list[str]) -> None:  # noqa: N803
        self.ended += InstanceIds


class Host:
    """What parent_launch asks of a host."""

    def __init__(self, again: tuple[str, ...] = (), given: str = "") -> None:
        self.again = again
        self.given = given
        self.tokens: list[str] = []
        self.stopped: list[str] = []
        self.fails: Exception | None = None

    def given_instance(self) -> str:
        return self.given

    def launch_settings(self, token: str) -> dict[str, Any]:
        self.tokens.append(token)
        return {"SubnetId": f"subnet-{len(self.tokens)}"}

    def launch_again(self, code: str) -> bool:
        return code in self.again

    def stop_instance(self, instance: str) -> None:
        self.stopped.append(instance)

    def boot_instance(self, instance: str, *, disk_mib: int) -> dict[str, Any]:
        if self.fails:
            raise self.fails
        return {"InstanceId": instance, "disk_mib": disk_mib}


def bench_of(path: Path, ec2: Ec2, host: Any) -> Any:
    session = SimpleNamespace(client=lambda _: ec2)
    return SimpleNamespace(
        path=path,
        host=host,
        size=20_000,
        say=lambda _: None,
        result=lambda _: None,
        folder=SimpleNamespace(identity="0011223344556677"),
        parties=SimpleNamespace(session=lambda _: session),
        cloud=SimpleNamespace(
            names=SimpleNamespace(machine_image="ami", instance_profile="profile"),
            tags={"nitro-workflow:lab": "0011223344556677"},
            settling=Patience(60, 0.01),
        ),
    )


def kept(path: Path) -> str:
    return str(json.loads((path / "launch.json").read_text())["token"])


def test_another_zone_gets_another_token(tmp_path: Path) -> None:
    ec2, host = Ec2(refused("NoRoom"), refused("NoRoom"), "pending"), Host(("NoRoom",))
    record, _ = parent_launch.booted_instance(bench_of(tmp_path, ec2, host))
    assert record["InstanceId"] == INSTANCE
    assert [one["SubnetId"] for one in ec2.asked] == ["subnet-1", "subnet-2", "subnet-3"]
    tokens = [one["ClientToken"] for one in ec2.asked]
    assert tokens == host.tokens
    assert len(set(tokens)) == 3
    assert kept(tmp_path) == tokens[-1], "what is asked again after a kill"


def test_another_refusal_is_raised_and_its_token_stays(tmp_path: Path) -> None:
    ec2 = Ec2(refused("UnauthorizedOperation"))
    with pytest.raises(ClientError):
        parent_launch.booted_instance(bench_of(tmp_path, ec2, Host(("NoRoom",))))
    assert kept(tmp_path) == ec2.asked[0]["ClientToken"]


def test_a_profile_that_is_not_known_yet_is_waited_for(tmp_path: Path) -> None:
    ec2 = Ec2(refused("InvalidParameterValue"), refused("InvalidParameterValue"), "running")
    parent_launch.booted_instance(bench_of(tmp_path, ec2, Host()))
    assert len({one["ClientToken"] for one in ec2.asked}) == 1


def test_an_instance_that_has_ended_is_replaced(tmp_path: Path) -> None:
    ec2 = Ec2("terminated", "pending")
    parent_launch.booted_instance(bench_of(tmp_path, ec2, Host()))
    assert len({one["ClientToken"] for one in ec2.asked}) == 2
    assert ec2.ended == ["i-other"]


def test_after_a_start_that_failed_another_is_launched(tmp_path: Path) -> None:
    ec2, host = Ec2("running", "running"), Host()
    host.fails = HostError("its start has failed", code="StartFailed")
    with pytest.raises(HostError):
        parent_launch.booted_instance(bench_of(tmp_path, ec2, host))
    host.fails = None
    parent_launch.booted_instance(bench_of(tmp_path, ec2, host))
    assert len({one["ClientToken"] for one in ec2.asked}) == 2


def test_an_instance_that_is_given_is_neither_launched_nor_ended(tmp_path: Path) -> None:
    ec2, host = Ec2(), Host(given="i-given")
    record, booted = parent_launch.booted_instance(bench_of(tmp_path, ec2, host))
    assert record["InstanceId"] == booted["InstanceId"] == "i-given"
    assert ec2.asked == []
    assert "i-given" not in ec2.ended
    assert host.stopped[-1] == "i-given", "its enclaves are"


class Blobs(Host):
    """A host without boot parts, until they are got."""

    def __init__(self, code: str = NO_BOOT_PARTS) -> None:
        super().__init__()
        self.code = code
        self.got: list[str] = []

    def boot_parts(self) -> object:
        raise HostError("no boot parts", code=self.code)

    def fetch_boot_parts(self, instance: str) -> dict[str, str]:
        self.got.append(instance)
        return {"bzImage": "a1" * 32}


def test_boot_parts_come_from_the_instance_that_p8_takes(tmp_path: Path) -> None:
    ec2, host = Ec2("running", "running"), Blobs()
    bench = bench_of(tmp_path, ec2, host)
    said: list[str] = []
    bench.say = said.append
    image_boot_parts.ensure_boot_parts(bench)
    assert host.got == [INSTANCE]
    assert said[-1] == f"bzImage, SHA-256 {'a1' * 32}: as AWS publishes it"
    parent_launch.booted_instance(bench)
    assert len({one["ClientToken"] for one in ec2.asked}) == 1


def test_a_folder_that_was_named_and_is_wrong_launches_nothing(tmp_path: Path) -> None:
    ec2, host = Ec2(), Blobs("HostError")
    with pytest.raises(HostError):
        image_boot_parts.ensure_boot_parts(bench_of(tmp_path, ec2, host))
    assert (ec2.asked, host.got) == ([], [])
