"""What is given is looked at before the walk: what it lacks is named, and what to do."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest

from nitro_workflow.cloud import AwsSettings
from nitro_workflow.lab.aws.given_check import given_findings

INSTANCE = "i-0123456789abcdef0"
GOOD: dict[str, Any] = {
    "InstanceType": "c5a.xlarge",
    "State": {"Name": "running"},
    "EnclaveOptions": {"Enabled": True},
    "IamInstanceProfile": {"Arn": "arn:aws:iam::444455556666:instance-profile/p"},
    "MetadataOptions": {"HttpTokens": "required"},
}


def found(record: dict[str, Any]) -> Any:
    answer = {"Reservations": [{"Instances": [record]}]}
    client = SimpleNamespace(describe_instances=lambda **_: answer)
    session = SimpleNamespace(client=lambda _: client)
    cloud: Any = SimpleNamespace(
        settings=AwsSettings("us-east-1", given={"instance": INSTANCE}),
        accounts=SimpleNamespace(data="1", compute="2"),
        operator=lambda _: session,
    )
    (one,) = given_findings(cloud)
    return one


def test_an_instance_with_all_of_it_is_good() -> None:
    assert found(GOOD).state == "ok"


@pytest.mark.parametrize(
    ("field", "value", "lacks"),
    [
        ("EnclaveOptions", {"Enabled": False}, "EnclaveOptions"),
        ("State", {"Name": "stopped"}, "running"),
        ("IamInstanceProfile", None, "a role"),
        ("MetadataOptions", {"HttpTokens": "optional"}, "IMDSv2 only"),
    ],
)
def test_what_an_instance_lacks_is_named(field: str, value: Any, lacks: str) -> None:
    record = copy.deepcopy(GOOD) | {field: value}
    one = found(record)
    assert (one.state, one.found) == ("no", f"{INSTANCE} lacks {lacks}")
    assert "EnclaveOptions are set at launch" in one.next
