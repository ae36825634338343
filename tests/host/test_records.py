"""What the hypervisor reads of a lab's cloud folder, half-written ones included."""

import json

import pytest

from nitro_workflow.errors import CloudUnavailable, HostError, LabError
from nitro_workflow.host.instance.cloud_records import InstanceRecord, LabCloud, RoleCredentials


@pytest.fixture
def lab(tmp_path):
    (tmp_path / "cloud").mkdir()
    write(tmp_path, "endpoint.json", {"endpoint": "https://127.0.0.1:4566", "ca": "/ca.pem"})
    return tmp_path


def write(lab, name, body):
    text = body if isinstance(body, str) else json.dumps(body)
    (lab / "cloud" / name).write_text(text)


def test_address(lab):
    it = LabCloud(lab).address()
    assert (it.url, it.host, it.port, it.ca) == (
        "https://127.0.0.1:4566",
        "127.0.0.1",
        4566,
        "/ca.pem",
    )


def test_no_cloud_yet(tmp_path):
    with pytest.raises(CloudUnavailable):
        LabCloud(tmp_path).address()


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", {"endpoint": 5, "ca": ""}])
def test_half_written(lab, body):
    write(lab, "endpoint.json", body)
    with pytest.raises((CloudUnavailable, LabError)):
        LabCloud(lab).address()


def test_credentials_half_written(lab):
    write(lab, "credentials.json", {"ec2.amazonaws.com": {}})
    with pytest.raises(LabError):
        LabCloud(lab).instance("i-1")


class Answers(LabCloud):
    """A cloud whose answers a test gives."""

    def __init__(self, **answers):
        self._answers = answers

    def _call(self, service, operation, **parameters):
        return self._answers[operation]


INSTANCE = {
    "InstanceId": "i-1",
    "InstanceType": "m5.xlarge",
    "State": {"Name": "running"},
    "EnclaveOptions": {"Enabled": True},
    "IamInstanceProfile": {"Arn": "arn:aws:iam::444455556666:instance-profile/p/Parent"},
    "MetadataOptions": {"HttpPutResponseHopLimit": 2},
}


def profile_of(account):
    arn = f"arn:aws:iam::{account}:instance-profile/p/Parent"
    return {"InstanceProfile": {"Arn": arn, "Roles": [{"Arn": f"arn:aws:iam::{account}:role/R"}]}}


def test_a_record_with_the_role_behind_the_profile():
    role = profile_of("444455556666")
    reservations = {"Reservations": [{"OwnerId": "444455556666", "Instances": [INSTANCE]}]}
    it = Answers(describe_instances=reservations, get_instance_profile=role).instance("i-1")
    assert it == InstanceRecord(
        "i-1", "arn:aws:iam::444455556666:role/R", True, "running", 2, "us-east-1", "444455556666",
        "m5.xlarge",
    )  # fmt: skip


def test_the_profile_of_that_name_in_another_account_lends_no_role():
    reservations = {"Reservations": [{"OwnerId": "444455556666", "Instances": [INSTANCE]}]}
    other = profile_of("111122223333")
    with pytest.raises(HostError, match="111122223333"):
        Answers(describe_instances=reservations, get_instance_profile=other).instance("i-1")


def test_a_record_without_profile_or_enclaves():
    bare = {"InstanceId": "i-1", "State": {"Name": "pending"}}
    it = Answers(describe_instances={"Reservations": [{"Instances": [bare]}]}).instance("i-1")
    assert (it.role_arn, it.enclaves_enabled, it.hop_limit) == (None, False, 1)
    with pytest.raises(HostError, match="no instance"):
        Answers(describe_instances={"Reservations": []}).instance("i-1")


def test_secrets_are_not_in_a_repr():
    from datetime import UTC, datetime

    assert "hush" not in repr(RoleCredentials("A", "hush", "hush", datetime.now(UTC)))


def test_a_cloud_that_does_not_answer(lab):
    write(lab, "endpoint.json", {"endpoint": "https://127.0.0.1:9", "ca": "/etc/hosts"})
    keys = {"access_key_id": "AKIA", "secret_access_key": "s"}
    write(lab, "credentials.json", {"ec2.amazonaws.com": keys})
    with pytest.raises(CloudUnavailable, match="describe_instances"):
        LabCloud(lab).instance("i-1")
