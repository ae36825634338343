"""The pre-flight, answered as AWS documents it: what the stand-in does not play, it does not invent.

Every request is validated by botocore's model, and so is every answer; `recordings/` names sources.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from nitro_workflow.cloud import AwsCloud, AwsSettings
from nitro_workflow.lab import Finding, chosen, operator_policy, pre_flight
from nitro_workflow.lab.aws.operator_policy import operator_actions

RECORDINGS = Path(__file__).parent / "recordings"
REGION = "us-east-1"
ACCOUNT = "123456789012"


def recorded(name: str) -> dict[str, Any]:
    return json.loads((RECORDINGS / f"{name}.json").read_text())


class DocumentedCloud(AwsCloud):
    """AWS, where each client has its answers before it is asked, and reaches nothing."""

    def __init__(self) -> None:
        super().__init__(AwsSettings(REGION), "0011223344556677")
        self.stubs: dict[str, Stubber] = {}
        self._clients: dict[str, Any] = {}

    def _new_operator(self, profile: str) -> Any:
        return self

    def client(self, service: str) -> Any:
        """Return the stubbed client of that service, as a session would."""
        if service not in self._clients:
            made = boto3.client(
                service, region_name=REGION, aws_access_key_id="a", aws_secret_access_key="b"
            )
            self._clients[service], self.stubs[service] = made, Stubber(made)
            self.stubs[service].activate()
        return self._clients[service]

    def answer(self, name: str, **changed: Any) -> None:
        """Have the next call of a recording's operation be answered by it."""
        one = {**recorded(name), **changed}
        self.client(one["service"])
        self.stubs[one["service"]].add_response(
            one["operation"], one["response"], one["parameters"]
        )

    def refuse(self, name: str, code: str, message: str, status: int = 400) -> None:
        """Have the next call of a recording's operation be refused."""
        one = recorded(name)
        self.client(one["service"])
        self.stubs[one["service"]].add_client_error(one["operation"], code, message, status)


@pytest.fixture
def cloud() -> Iterator[DocumentedCloud]:
    """Return a cloud that knows who its operators are: each asked once, and once for the clock."""
    made = DocumentedCloud()
    answer = recorded("sts_get_caller_identity")["response"]
    dated = {**answer, "ResponseMetadata": {"HTTPHeaders": {"date": now()}}}
    for response in (answer, answer, dated):
        made.answer("sts_get_caller_identity", response=response)
    yield made
    for stub in made.stubs.values():
        stub.assert_no_pending_responses()


def now() -> str:
    from email.utils import formatdate

    return formatdate(usegmt=True)


def simulated(cloud: DocumentedCloud, side: str, denied: set[str], pages: int = 1) -> None:
    """Answer SimulatePrincipalPolicy in that many pages, in the form of the API's sample."""
    sample = recorded("iam_simulate_principal_policy")["response"]["EvaluationResults"]
    refused, allowed = sample
    actions = operator_actions(operator_policy(side, REGION, ACCOUNT))
    asked = {"PolicySourceArn": f"arn:aws:iam::{ACCOUNT}:user/Alice", "ActionNames": actions}
    size = -(-len(actions) // pages)
    for page in range(pages):
        part = actions[page * size : (page + 1) * size]
        results = [
            {**(refused if one in denied else allowed), "EvalActionName": one} for one in part
        ]
        last = page == pages - 1
        response = {"EvaluationResults": results, "IsTruncated": not last}
        response |= {} if last else {"Marker": f"page-{page + 1}"}
        marker = {"Marker": f"page-{page}"} if page else {}
        cloud.answer(
            "iam_simulate_principal_policy", response=response, parameters={**asked, **marker}
        )


def the_rest(cloud: DocumentedCloud) -> None:
    for name in (
        "service_quotas_get_service_quota",
        "ec2_describe_instance_type_offerings",
        "ec2_describe_instance_types",
        "ec2_describe_subnets",
        "ec2_describe_route_tables",
        "ssm_get_parameter",
    ):
        cloud.answer(name)


def findings(cloud: DocumentedCloud) -> Mapping[str, Finding]:
    return {one.question: one for one in pre_flight(cloud, machine="x86_64")}


def test_the_documented_answers_are_read(cloud: DocumentedCloud) -> None:
    for side in ("data", "compute"):
        simulated(cloud, side, set())
    the_rest(cloud)
    found = findings(cloud)
    assert {one.question: one.state for one in found.values() if one.state != "ok"} == {
        "two accounts": "no"
    }
    assert "actions allowed" in found["permissions, data account"].found
    assert found["quota"].found.startswith("5 vCPUs")
    assert "m5.xlarge" in found["instance type"].found
    assert "subnet-0bb1c79de3EXAMPLE" in found["subnet with a way out"].found
    assert found["machine image"].found.startswith("ami-0abcdef1234567890")


@pytest.mark.parametrize("pages", [1, 3])
def test_a_permission_that_is_denied_is_named_whatever_page_it_is_on(
    cloud: DocumentedCloud, pages: int
) -> None:
    """The API may return fewer results than it has, with a marker for the next."""
    last = operator_actions(operator_policy("compute", REGION, ACCOUNT))[-1]
    simulated(cloud, "data", set(), pages)
    simulated(cloud, "compute", {last}, pages)
    the_rest(cloud)
    found = findings(cloud)
    assert found["permissions, data account"].state == "ok"
    assert found["permissions, compute account"].state == "unknown"
    assert last in found["permissions, compute account"].found


def test_what_aws_refuses_to_tell_is_unknown_and_says_so(cloud: DocumentedCloud) -> None:
    text = (
        f"User: arn:aws:iam::{ACCOUNT}:user/Alice is not authorized to perform: "
        "iam:SimulatePrincipalPolicy because no identity-based policy allows the "
        "iam:SimulatePrincipalPolicy action"
    )
    for _ in range(2):
        cloud.refuse("iam_simulate_principal_policy", "AccessDenied", text, 403)
    cloud.refuse("service_quotas_get_service_quota", "NoSuchResourceException", "no such quota")
    for name in (
        "ec2_describe_instance_type_offerings", "ec2_describe_instance_types",
        "ec2_describe_subnets", "ec2_describe_route_tables", "ssm_get_parameter",
    ):  # fmt: skip
        cloud.answer(name)
    found = findings(cloud)
    for question in ("permissions, data account", "permissions, compute account", "quota"):
        assert found[question].state == "unknown", question
        assert "--policy" in found[question].next
    assert "SimulatePrincipalPolicy" in found["permissions, data account"].found


def test_a_small_quota_stands_in_the_way(cloud: DocumentedCloud) -> None:
    for side in ("data", "compute"):
        simulated(cloud, side, set())
    one = recorded("service_quotas_get_service_quota")["response"]
    small = {"Quota": {**one["Quota"], "Value": 1.0}}
    cloud.answer("service_quotas_get_service_quota", response=small)
    for name in (
        "ec2_describe_instance_type_offerings", "ec2_describe_instance_types",
        "ec2_describe_subnets", "ec2_describe_route_tables", "ssm_get_parameter",
    ):  # fmt: skip
        cloud.answer(name)
    assert findings(cloud)["quota"].state == "no"


def test_the_choice_is_of_what_the_documented_answers_offer() -> None:
    cloud = DocumentedCloud()
    for _ in range(2):
        cloud.answer("sts_get_caller_identity")
    types = recorded("ec2_describe_instance_type_offerings")["response"]
    here = {
        "InstanceTypeOfferings": [{**types["InstanceTypeOfferings"][0], "Location": "us-east-1c"}]
    }
    cloud.answer("ec2_describe_instance_type_offerings", response=here)
    for name in (
        "ec2_describe_instance_types",
        "ec2_describe_subnets",
        "ec2_describe_route_tables",
    ):
        cloud.answer(name)
    settings = chosen(cloud, machine="x86_64")
    assert (settings.instance_type, settings.subnet) == ("m5.xlarge", "subnet-0bb1c79de3EXAMPLE")


def test_a_type_without_enclaves_is_no_choice() -> None:
    cloud = DocumentedCloud()
    for _ in range(2):
        cloud.answer("sts_get_caller_identity")
    one = recorded("ec2_describe_instance_types")["response"]["InstanceTypes"][0]
    cloud.answer("ec2_describe_instance_type_offerings")
    cloud.answer(
        "ec2_describe_instance_types",
        response={"InstanceTypes": [{**one, "NitroEnclavesSupport": "unsupported"}]},
    )
    for name in ("ec2_describe_subnets", "ec2_describe_route_tables"):
        cloud.answer(name)
    assert chosen(cloud, machine="x86_64").instance_type == ""


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.json")), ids=lambda path: path.stem)
def test_every_recording_names_a_page_of_aws(path: Path) -> None:
    one = json.loads(path.read_text())
    assert one["source"].startswith("https://docs.aws.amazon.com/")
