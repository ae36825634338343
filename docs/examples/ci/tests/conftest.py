"""Who is who in these tests: the data owner's role, and the role of the enclave's parent."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nitro_workflow.cloud import Connection, isolated_session

PROJECT = Path(__file__).parents[1]
ACCOUNT = "111122223333"
MAKE_KEYS = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "kms:CreateKey", "Resource": "*"}],
}


@pytest.fixture
def measurements() -> dict[str, str]:
    """Return the PCRs that were committed, by ``PCR0`` …."""
    return json.loads((PROJECT / "measurements.json").read_text())["Measurements"]


@pytest.fixture
def key_policy() -> str:
    """Return the key policy that was committed, as KMS takes it."""
    return (PROJECT / "policy" / "key-policy.json").read_text()


@pytest.fixture
def role() -> Callable[[Connection, str], Any]:
    """Return what gives a session of a role in a local cloud, which is made where it is missing."""

    def session_of(cloud: Connection, name: str) -> Any:
        who = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
        trust = [{"Effect": "Allow", "Principal": who, "Action": "sts:AssumeRole"}]
        document = json.dumps({"Version": "2012-10-17", "Statement": trust})
        with cloud.client("iam", ACCOUNT) as iam:
            there = {one["RoleName"] for one in iam.list_roles()["Roles"]}
            if name not in there:
                iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
        return assumed(cloud, f"arn:aws:iam::{ACCOUNT}:role/{name}")

    return session_of


def assumed(cloud: Connection, arn: str) -> Any:
    """Return a boto3 session of the role."""
    with cloud.client("sts", ACCOUNT) as sts:
        keys = sts.assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    names = {"access_key_id": "AccessKeyId", "secret_access_key": "SecretAccessKey"}
    names |= {"session_token": "SessionToken"}
    held = {name: keys[field] for name, field in names.items()}
    return isolated_session(lambda: cloud.endpoint, held, party=arn)


@dataclass(frozen=True)
class Secret:
    """A data key under the committed key policy: what KMS has, and what it must give."""

    key_arn: str
    ciphertext: bytes
    plaintext: bytes


@pytest.fixture
def secret(
    role: Callable[[Connection, str], Any], key_policy: str
) -> Callable[[Connection], Secret]:
    """Return what makes a key and a data key in a cloud, as the data owner does."""

    def make(cloud: Connection) -> Secret:
        role(cloud, "enclave-parent")  # the policy names it: it must be there
        owner = role(cloud, "data-owner")
        with cloud.client("iam", ACCOUNT) as iam:
            iam.put_role_policy(
                RoleName="data-owner", PolicyName="keys", PolicyDocument=json.dumps(MAKE_KEYS)
            )
        kms = owner.client("kms")
        arn = kms.create_key(Policy=key_policy)["KeyMetadata"]["Arn"]
        made = kms.generate_data_key(KeyId=arn, KeySpec="AES_256")
        kms.close()
        return Secret(arn, made["CiphertextBlob"], made["Plaintext"])

    return make
