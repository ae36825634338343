"""What AWS may answer or do in a walk: the walk goes on, or says what next and is torn down.

The list is that of the AWS path's design: what is not known yet, no capacity, quota, a policy of the
organisation, throttling, an expired token, an agent that never comes, output that is lost, a start
that fails, no huge pages, a bucket's name that is taken, a clock that is wrong. From a saved state
after P7, against the stand-in.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nitro_workflow.errors import NitroWorkflowError
from nitro_workflow.host.ec2 import instance_start, user_data
from nitro_workflow.lab import Lab, teardown
from tests.aws.saved_state import SavedState, left
from tests.aws.test_interrupted import EVERY

Refuse = Callable[..., list[str]]

# Name → operation, code, AWS's words, and whether P8 goes on by itself.
ANSWERS: dict[str, tuple[str, str, str, bool]] = {
    "no capacity in the zone": (
        "RunInstances", "InsufficientInstanceCapacity",
        "We currently do not have sufficient m5.xlarge capacity in the Availability Zone", True,
    ),
    "a profile that is not known yet": (
        "RunInstances", "InvalidParameterValue",
        "Value (x) for parameter iamInstanceProfile.name is invalid.", True,
    ),
    "the account's quota": (
        "RunInstances", "VcpuLimitExceeded",
        "You have requested more vCPU capacity than your current vCPU limit of 0 allows", False,
    ),
    "an organisation's policy": (
        "RunInstances", "UnauthorizedOperation",
        "You are not authorized to do this: explicit deny in a service control policy", False,
    ),
    "an expired token": (
        "SendCommand", "ExpiredTokenException",
        "The security token included in the request is expired", False,
    ),
    "a clock that is wrong": (
        "PutObject", "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.", False,
    ),
    "a bucket's name that is taken": (
        "CreateBucket", "BucketAlreadyExists", "The requested bucket name is not available.", False,
    ),
    "an invocation that is not known yet": (
        "GetCommandInvocation", "InvocationDoesNotExist", "", True,
    ),
    "an instance that is not known yet": (
        "DescribeInstances:InstanceIds", "InvalidInstanceID.NotFound", "The instance ID does not exist", True,
    ),
}  # fmt: skip

# Name of what is ordered of AWS's side (`played_aws`, `played_machine`) → what the error says of it.
ORDERS: dict[str, tuple[dict[str, Any], str]] = {
    "an agent that never comes": ({"agent": "never"}, "SSM's agent"),
    "packages that do not come": ({"dnf": "fails"}, "packages"),
    "a kernel without the module": ({"module": "missing"}, "nitro_enclaves"),
    "no huge pages": ({"pages": "none"}, "huge pages of 0 MiB"),
    "an allocator that does not start": ({"allocator": "fails"}, "allocator"),
    "output that is lost": ({"lost": "all"}, ""),
}

SAMPLE = 2


@pytest.fixture
def lab(saved: SavedState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab after P7 that is torn down: whatever happened, nothing is left."""
    monkeypatch.setattr(user_data, "RETRY_SECONDS", 0)
    yield (opened := saved.begin(tmp_path / "lab"))
    saved.at.order()
    monkeypatch.undo()
    assert [one for one in teardown(opened.pair.aws) if one.state == "failed"] == []
    assert left(saved.at) == []


def sampled(names: dict[str, Any], seed: int) -> list[str]:
    return list(names) if EVERY else random.Random(seed).sample(list(names), SAMPLE)


@pytest.mark.parametrize("what", sampled(ANSWERS, 18))
def test_what_aws_answers(lab: Lab, refuse: Refuse, what: str) -> None:
    operation, code, message, goes_on = ANSWERS[what]
    refused = refuse(operation, code, message)
    if goes_on:
        assert lab.run("P8").status == "done"
    else:
        with pytest.raises(NitroWorkflowError) as caught:
            lab.run("P8")
        assert_helps(caught.value)
        assert lab.run("P8").status == "done"
    assert refused == [operation.partition(":")[0]]


@pytest.mark.parametrize("what", sampled(ORDERS, 7))
def test_what_goes_wrong_on_the_instance(
    lab: Lab, saved: SavedState, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    order, said = ORDERS[what]
    saved.at.order(**order)
    with monkeypatch.context() as patch:
        if "agent" in order:
            patch.setattr(instance_start, "ONLINE_SECONDS", 3.0)  # seven minutes
        with pytest.raises(NitroWorkflowError) as caught:
            lab.run("P8")
    assert_helps(caught.value)
    assert said in str(caught.value)
    saved.at.order()
    assert lab.run("P8").status == "done"


def assert_helps(error: NitroWorkflowError) -> None:
    """Each message says where, what was expected, and what to do next."""
    assert error.next
    assert error.where
    assert error.expected
