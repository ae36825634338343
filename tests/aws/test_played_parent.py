"""The played parent itself, by hand-written calls: user data, Run Command, nitro-cli's exit codes."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from nitro_workflow.cloud import COMPUTE_ACCOUNT
from tests.aws.stand_in import StandIn

WAIT = 60.0  # seconds, for what takes some tenths

USER_DATA = """#!/bin/bash
set -e
dnf install -y aws-nitro-enclaves-cli
modprobe nitro_enclaves
test -e /dev/nitro_enclaves
printf 'memory_mib: 1024\\ncpu_count: 2\\n' > /etc/nitro_enclaves/allocator.yaml
systemctl enable --now nitro-enclaves-allocator.service
id nitro-workflow || useradd --system nitro-workflow
chown nitro-workflow /var/lib
shutdown -h +120
systemd-run --quiet --unit=x --property=WorkingDirectory=/var/tmp \\
    --property=StandardOutput=append:/var/log/x.log --setenv=WORD=hello -- /bin/sh -c 'echo $WORD'
echo ready > /var/lib/started
"""


@pytest.fixture(scope="module")
def ssm(at: StandIn) -> Any:
    return at.client("ssm", COMPUTE_ACCOUNT)


def until(look: Any) -> Any:
    deadline = time.monotonic() + WAIT
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def launched(at: StandIn, ssm: Any, user_data: str = USER_DATA) -> str:
    made = at.client("ec2", COMPUTE_ACCOUNT).run_instances(
        ImageId="ami-0", InstanceType="m5.xlarge", MinCount=1, MaxCount=1, UserData=user_data,
        EnclaveOptions={"Enabled": True}, InstanceInitiatedShutdownBehavior="terminate",
    )["Instances"][0]["InstanceId"]  # fmt: skip
    filters = [{"Key": "InstanceIds", "Values": [made]}]
    until(lambda: ssm.describe_instance_information(Filters=filters)["InstanceInformationList"])
    return str(made)


@pytest.fixture(scope="module")
def instance(at: StandIn, ssm: Any) -> str:
    return launched(at, ssm)


def run(ssm: Any, instance: str, *lines: str, seconds: int = 30) -> Any:
    command = ssm.send_command(
        DocumentName="AWS-RunShellScript", InstanceIds=[instance],
        Parameters={"commands": list(lines), "executionTimeout": [str(seconds)]},
    )["Command"]["CommandId"]  # fmt: skip

    def ended() -> Any:
        found = ssm.get_command_invocation(CommandId=command, InstanceId=instance)
        return found if found["Status"] not in ("Pending", "InProgress", "Cancelling") else None

    return until(ended)


def output(ssm: Any, instance: str, *lines: str) -> str:
    found = run(ssm, instance, *lines)
    assert found["Status"] == "Success", found
    return str(found["StandardOutputContent"])


def test_user_data_runs_once_as_root(ssm: Any, instance: str) -> None:
    until(lambda: run(ssm, instance, "test -e /var/lib/started")["Status"] == "Success")
    assert output(ssm, instance, "id -u") == "0\n"
    pages = "cat /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
    assert output(ssm, instance, pages) == "512\n"
    assert output(ssm, instance, "cat /sys/module/nitro_enclaves/parameters/ne_cpus") == "1,2\n"
    assert output(ssm, instance, "cat /var/log/x.log") == "hello\n"
    tag = "cat /sys/devices/virtual/dmi/id/board_asset_tag"
    assert output(ssm, instance, tag).strip() == instance


def test_exit_codes_and_output_are_the_commands_own(ssm: Any, instance: str) -> None:
    found = run(ssm, instance, "echo out", "echo err >&2", "exit 7")
    assert (found["Status"], found["ResponseCode"]) == ("Failed", 7)
    assert found["StandardOutputContent"] == "out\n"
    assert found["StandardErrorContent"] == "err\n"
    long = output(ssm, instance, "head -c 30000 /dev/zero | tr '\\0' x")
    assert len(long) == 24_000


def test_what_runs_too_long_is_ended(ssm: Any, instance: str) -> None:
    found = run(ssm, instance, "sleep 60", seconds=1)
    assert (found["Status"], found["StatusDetails"]) == ("TimedOut", "Execution Timed Out")


def test_a_command_that_is_cancelled_is_ended(ssm: Any, instance: str) -> None:
    sent = ssm.send_command(
        DocumentName="AWS-RunShellScript", InstanceIds=[instance],
        Parameters={"commands": ["echo $$ > /var/tmp/pid", "sleep 60"]},
    )["Command"]["CommandId"]  # fmt: skip
    until(lambda: run(ssm, instance, "test -s /var/tmp/pid")["Status"] == "Success")
    ssm.cancel_command(CommandId=sent)
    of_it = {"CommandId": sent, "InstanceId": instance}
    until(lambda: ssm.get_command_invocation(**of_it)["Status"] == "Cancelled")
    until(lambda: run(ssm, instance, "kill -0 $(cat /var/tmp/pid)")["Status"] == "Failed")


def test_nitro_cli_is_there_with_its_exit_codes(ssm: Any, instance: str) -> None:
    assert json.loads(output(ssm, instance, "/usr/bin/nitro-cli describe-enclaves")) == []
    found = run(ssm, instance, "/usr/bin/nitro-cli run-enclave --eif-path /var/none.eif "
                "--memory 1024 --cpu-count 2")  # fmt: skip
    assert found["Status"] == "Failed"
    assert "[ E" in found["StandardErrorContent"]


def test_the_instance_sees_its_role_and_the_cloud_only(ssm: Any, instance: str) -> None:
    imds = "http://169.254.169.254/latest"
    token = f"curl -s -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' {imds}/api/token"
    said = output(
        ssm, instance, f"curl -s -H \"X-aws-ec2-metadata-token: $({token})\" "
        f"{imds}/meta-data/instance-id",
    )  # fmt: skip
    assert said == instance
    assert run(ssm, instance, "curl -s -m 2 https://example.com/")["Status"] == "Failed"
    assert run(ssm, instance, "python3.12 -c 'import boto3'")["Status"] == "Failed"
    assert output(ssm, instance, "python3.12 -c 'print(1)'") == "1\n"


def test_a_start_that_fails_and_an_agent_that_never_comes(at: StandIn, ssm: Any) -> None:
    at.order(dnf="fails")
    made = launched(at, ssm)
    log = "cat /var/log/cloud-init-output.log"
    until(lambda: "status 1" in output(ssm, made, log))
    at.order(agent="never")
    ec2 = at.client("ec2", COMPUTE_ACCOUNT)
    silent = ec2.run_instances(
        ImageId="ami-0", InstanceType="m5.xlarge", MinCount=1, MaxCount=1, UserData="#!/bin/sh\n"
    )["Instances"][0]["InstanceId"]
    with pytest.raises(ssm.exceptions.InvalidInstanceId):
        run(ssm, silent, "true")
    at.order()
    ec2.terminate_instances(InstanceIds=[made, silent])
    filters = [{"Key": "InstanceIds", "Values": [made]}]
    assert ssm.describe_instance_information(Filters=filters)["InstanceInformationList"] == []
