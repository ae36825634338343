"""Run Command with an agent that the test plays by writing its rows; without one, a refusal."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.config import Config

from tests.cloud.conftest import COMPUTE, RunningCloud, allow

Refused = Callable[..., Any]
LAUNCH = {"ImageId": "ami-0", "InstanceType": "m5.xlarge", "MinCount": 1, "MaxCount": 1}
SHELL = "AWS-RunShellScript"


@pytest.fixture
def ssm(cloud: RunningCloud) -> Any:
    return cloud.client("ssm", COMPUTE)


@pytest.fixture
def rows(cloud: RunningCloud) -> Iterator[sqlite3.Connection]:
    """What AWS's side may write: the tables of the cloud."""
    db = sqlite3.connect(cloud.lab / "cloud" / "state.sqlite3", timeout=60, isolation_level=None)
    yield db
    db.close()


def launched(cloud: RunningCloud, tags: dict[str, str] | None = None) -> str:
    given = [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
    more = {"TagSpecifications": [{"ResourceType": "instance", "Tags": given}]} if given else {}
    made = cloud.client("ec2", COMPUTE).run_instances(**LAUNCH, **more)
    return str(made["Instances"][0]["InstanceId"])


@pytest.fixture
def instance(cloud: RunningCloud, rows: sqlite3.Connection) -> str:
    """An instance whose agent has made itself known."""
    made = launched(cloud)
    register(rows, made)
    return made


def register(rows: sqlite3.Connection, instance: str, heard: datetime | None = None) -> None:
    now = datetime.now(UTC)
    values = (instance, "3.3.0.0", now.isoformat(), (heard or now).isoformat())
    rows.execute("INSERT INTO ssm_agents VALUES (?, ?, ?, ?)", values)


def sent(ssm: Any, instance: str, *lines: str, **more: Any) -> Any:
    parameters = {"commands": list(lines) or ["true"], **more.pop("parameters", {})}
    return ssm.send_command(
        DocumentName=SHELL, InstanceIds=[instance], Parameters=parameters, **more
    )["Command"]


def asked(ssm: Any, command: str, instance: str) -> Any:
    return ssm.get_command_invocation(CommandId=command, InstanceId=instance)


def leave(rows: sqlite3.Connection, command: str, **changes: Any) -> None:
    named = ", ".join(f"{name} = ?" for name in changes)
    query = f"UPDATE ssm_invocations SET {named} WHERE command = ?"
    rows.execute(query, (*changes.values(), command))


def test_an_instance_without_an_agent_takes_no_command(
    cloud: RunningCloud, ssm: Any, refused: Refused
) -> None:
    plain = launched(cloud)
    error = refused("InvalidInstanceId", sent, ssm=ssm, instance=plain)
    assert "not in a valid state" in error["Error"]["Message"]
    refused("InvalidInstanceId", sent, ssm=ssm, instance="i-0123456789abcdef0")
    filters = [{"Key": "InstanceIds", "Values": [plain]}]
    assert ssm.describe_instance_information(Filters=filters)["InstanceInformationList"] == []


def test_an_agent_makes_its_instance_known(
    cloud: RunningCloud, ssm: Any, rows: sqlite3.Connection, instance: str
) -> None:
    def known(name: str) -> Any:
        filters = [{"Key": "InstanceIds", "Values": [name]}]
        return ssm.describe_instance_information(Filters=filters)["InstanceInformationList"]

    assert [one["PingStatus"] for one in known(instance)] == ["Online"]
    silent = launched(cloud)
    register(rows, silent, datetime.now(UTC) - timedelta(hours=1))
    assert [one["PingStatus"] for one in known(silent)] == ["ConnectionLost"]
    cloud.client("ec2", COMPUTE).terminate_instances(InstanceIds=[instance])
    assert known(instance) == []


def test_a_commands_way(ssm: Any, rows: sqlite3.Connection, instance: str) -> None:
    command = sent(ssm, instance, "echo hello", Comment="nitro-workflow run")
    assert (command["Status"], command["TargetCount"]) == ("Pending", 1)
    assert command["Parameters"]["commands"] == ["echo hello"]
    name, now = command["CommandId"], datetime.now(UTC).isoformat()
    answer = asked(ssm, name, instance)
    assert (answer["Status"], answer["ResponseCode"]) == ("Pending", -1)
    leave(rows, name, status="InProgress", details="In Progress", begun=now, output="half")
    answer = asked(ssm, name, instance)
    assert (answer["Status"], answer["StandardOutputContent"]) == ("InProgress", "")
    leave(rows, name, status="Failed", details="Failed", ended=now, code=3, error="no")
    answer = asked(ssm, name, instance)
    assert (answer["Status"], answer["ResponseCode"]) == ("Failed", 3)
    assert answer["StandardErrorContent"] == "no"
    assert answer["ExecutionElapsedTime"].startswith("PT")


def test_output_is_cut(ssm: Any, rows: sqlite3.Connection, instance: str) -> None:
    name = sent(ssm, instance)["CommandId"]
    leave(rows, name, status="Success", details="Success", code=0, output="ö" * 30_000,
          error="e" * 9_000)  # fmt: skip
    answer = asked(ssm, name, instance)
    assert answer["StandardOutputContent"] == "ö" * 24_000
    assert answer["StandardErrorContent"] == "e" * 8_000


def test_what_no_agent_takes_is_over_by_the_clock(
    ssm: Any, rows: sqlite3.Connection, instance: str
) -> None:
    early = (datetime.now(UTC) - timedelta(seconds=45)).isoformat()
    name = sent(ssm, instance, TimeoutSeconds=30)["CommandId"]
    rows.execute("UPDATE ssm_commands SET sent = ? WHERE id = ?", (early, name))
    answer = asked(ssm, name, instance)
    assert (answer["Status"], answer["StatusDetails"]) == ("TimedOut", "Delivery Timed Out")
    name = sent(ssm, instance, TimeoutSeconds=30, parameters={"executionTimeout": ["5"]})
    name = name["CommandId"]
    leave(rows, name, status="InProgress", details="In Progress", begun=early)
    answer = asked(ssm, name, instance)
    assert (answer["Status"], answer["StatusDetails"]) == ("TimedOut", "Execution Timed Out")


def test_a_command_is_cancelled(ssm: Any, rows: sqlite3.Connection, instance: str) -> None:
    name = sent(ssm, instance)["CommandId"]
    ssm.cancel_command(CommandId=name)
    assert asked(ssm, name, instance)["Status"] == "Cancelled"
    name = sent(ssm, instance)["CommandId"]
    leave(rows, name, status="InProgress", details="x", begun=datetime.now(UTC).isoformat())
    ssm.cancel_command(CommandId=name, InstanceIds=[instance])
    assert asked(ssm, name, instance)["Status"] == "Cancelling"
    leave(rows, name, status="Success", details="Success", code=0)
    ssm.cancel_command(CommandId=name)
    assert asked(ssm, name, instance)["Status"] == "Success"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"DocumentName": "AWS-RunPowerShellScript"}, "InvalidDocument"),
        ({"Parameters": {}}, "InvalidParameters"),
        ({"Parameters": {"commands": ["a"], "shell": ["b"]}}, "InvalidParameters"),
        ({"Parameters": {"commands": ["a"], "executionTimeout": ["²"]}}, "InvalidParameters"),
        ({"Parameters": {"commands": ["a"], "executionTimeout": ["0"]}}, "InvalidParameters"),
        ({"Parameters": {"commands": ["a" * 70_000]}}, "MaxDocumentSizeExceeded"),
        ({"InstanceIds": []}, "InvalidInstanceId"),
        ({"OutputS3BucketName": "my-bucket"}, "UnsupportedOperationException"),
    ],
)
def test_what_is_refused(ssm: Any, instance: str, refused: Refused, wrong: Any, code: str) -> None:
    plain = {
        "DocumentName": SHELL, "InstanceIds": [instance], "Parameters": {"commands": ["true"]},
    }  # fmt: skip
    refused(code, ssm.send_command, **{**plain, **wrong})


def test_unknown_commands(ssm: Any, instance: str, refused: Refused) -> None:
    name = str(uuid.uuid4())
    asked_for = {"CommandId": name, "InstanceId": instance}
    refused("InvocationDoesNotExist", ssm.get_command_invocation, **asked_for)
    refused("InvalidCommandId", ssm.cancel_command, CommandId=name)
    twice = {"DocumentName": SHELL, "InstanceIds": [instance] * 2}
    refused("DuplicateInstanceId", ssm.send_command, **twice, Parameters={"commands": ["x"]})


def test_only_tagged_instances_may_be_commanded(
    cloud: RunningCloud, rows: sqlite3.Connection, instance: str, refused: Refused
) -> None:
    ours = launched(cloud, {"lab": "ours"})
    register(rows, ours)
    condition = {"StringEquals": {"ssm:resourceTag/lab": "ours"}}
    keys = cloud.role(
        "Commander",
        [
            allow("ssm:SendCommand", resource="arn:aws:ec2:*:*:instance/*", Condition=condition),
            allow("ssm:SendCommand", resource=f"arn:aws:ssm:us-east-1::document/{SHELL}"),
        ],
        account=COMPUTE,
    )
    commander = cloud.client("ssm", keys)
    name = sent(commander, ours)["CommandId"]
    refused("AccessDeniedException", sent, ssm=commander, instance=instance)
    refused("AccessDeniedException", asked, ssm=commander, command=name, instance=ours)


def test_accounts_do_not_see_each_others_commands(
    cloud: RunningCloud, ssm: Any, instance: str, refused: Refused
) -> None:
    name = sent(ssm, instance)["CommandId"]
    other = cloud.client("ssm")
    refused("InvocationDoesNotExist", asked, ssm=other, command=name, instance=instance)
    refused("InvalidInstanceId", sent, ssm=other, instance=instance)


def test_a_script_is_not_in_a_record(cloud: RunningCloud, ssm: Any, instance: str) -> None:
    secret = f"canary-{uuid.uuid4().hex}"
    sent(ssm, instance, f"echo {secret}")
    records = cloud.events(COMPUTE, EventName="SendCommand")
    assert records
    assert secret not in str(records)


def test_commands_have_an_end(cloud: RunningCloud, rows: sqlite3.Connection, instance: str) -> None:
    one = cloud.session(COMPUTE).client(
        "ssm",
        endpoint_url=cloud.endpoint,
        verify=cloud.ca,
        config=Config(retries={"max_attempts": 1}),
    )
    first = sent(one, instance)["CommandId"]
    old = datetime.now(UTC) - timedelta(hours=1)
    rows.execute("UPDATE ssm_commands SET sent = ? WHERE id = ?", (old.isoformat(), first))
    copies = [(str(uuid.uuid4()), first) for _ in range(500)]
    rows.execute("BEGIN")  # one wait for the disk: five hundred would hold the cloud's own up
    rows.executemany(
        "INSERT INTO ssm_commands SELECT ?, account, region, sent || 'x', deliver_seconds,"
        " run_seconds, document FROM ssm_commands WHERE id = ?", copies,
    )  # fmt: skip
    rows.execute("COMMIT")
    last = sent(one, instance)["CommandId"]
    left = {row[0] for row in rows.execute("SELECT id FROM ssm_commands")}
    assert last in left
    assert first not in left
    assert len(left) <= 500
    one.close()
