"""What AWS's KMS refuses and a lenient one would not; quotas; keys of several regions."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config

from nitro_workflow.cloud.local.assemble import open_services
from nitro_workflow.cloud.local.call import Settings
from nitro_workflow.cloud.local.kms import aliases, grants
from tests.cloud.conftest import COMPUTE, DATA, RunningCloud, allow

Refused = Callable[..., Any]
ROOT = f"arn:aws:iam::{COMPUTE}:root"


@pytest.fixture
def kms(cloud: RunningCloud) -> Any:
    return cloud.client("kms", parameter_validation=False)


@pytest.fixture
def key(kms: Any) -> str:
    return kms.create_key()["KeyMetadata"]["Arn"]


@pytest.mark.parametrize("days", [1, 6, 31, 365])
def test_a_deletion_window_that_is_none(kms: Any, key: str, refused: Refused, days: int) -> None:
    schedule = kms.schedule_key_deletion
    said = refused("ValidationException", schedule, KeyId=key, PendingWindowInDays=days)
    assert "between 7 and 30" in str(said)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"


@pytest.mark.parametrize("days", [7, 30])
def test_a_deletion_window(kms: Any, key: str, days: int) -> None:
    done = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=days)
    assert done["PendingWindowInDays"] == days


def test_grants_are_on_keys_not_on_names(kms: Any, key: str, refused: Refused) -> None:
    alias = f"alias/{uuid.uuid4().hex}"
    kms.create_alias(AliasName=alias, TargetKeyId=key)
    given = {"GranteePrincipal": ROOT, "Operations": ["Decrypt"]}
    refused("NotFoundException", kms.create_grant, KeyId=alias, **given)
    arn = f"arn:aws:kms:us-east-1:{DATA}:{alias}"
    said = refused("InvalidArnException", kms.create_grant, KeyId=arn, **given)
    assert "Key Aliases are not supported for this operation." in str(said)
    assert kms.list_grants(KeyId=key)["Grants"] == []


@pytest.mark.parametrize(
    "grantee",
    [
        "*", COMPUTE, "ec2.amazonaws.com", "arn:aws:iam::444455556666:*", "arn:aws:iam::*:root",
        "arn:aws:iam::444455556666:group/g", "arn:aws:iam::444455556666:role/none",
        "arn:aws:sts::444455556666:assumed-role/none/x",
    ],
)  # fmt: skip
@pytest.mark.parametrize("member", ["GranteePrincipal", "RetiringPrincipal"])
def test_grantees_that_are_nobody(
    kms: Any, key: str, refused: Refused, member: str, grantee: str
) -> None:
    given = {"GranteePrincipal": ROOT, "Operations": ["Decrypt"], member: grantee}
    # What botocore's model forbids already (a star) is refused in the validator's words.
    code = "ValidationException" if "*" in grantee else "InvalidArnException"
    refused(code, kms.create_grant, KeyId=key, **given)
    assert kms.list_grants(KeyId=key)["Grants"] == []


def test_a_grant_to_an_account_reaches_its_roles(
    cloud: RunningCloud, kms: Any, key: str, refused: Refused
) -> None:
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    there = cloud.client("kms", cloud.role("Granted", [allow("kms:Decrypt")], account=COMPUTE))
    refused("AccessDeniedException", there.decrypt, CiphertextBlob=blob, KeyId=key)
    kms.create_grant(KeyId=key, GranteePrincipal=ROOT, Operations=["Decrypt"])
    assert there.decrypt(CiphertextBlob=blob, KeyId=key)["Plaintext"] == b"x"


def test_constraints_have_limits(kms: Any, key: str, refused: Refused) -> None:
    given = {"KeyId": key, "GranteePrincipal": ROOT, "Operations": ["Decrypt"]}
    for pairs in ({f"k{n}": "v" for n in range(9)}, {"k": "v" * 385}):
        constraints = {"EncryptionContextSubset": pairs}
        refused("ValidationException", kms.create_grant, **given, Constraints=constraints)


def test_aliases_and_grants_end_at_the_quota(
    owner: Any, world: Any, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    assert (aliases.MAX_ALIASES, grants.MAX_GRANTS) == (50, 50_000)
    monkeypatch.setattr(aliases, "MAX_ALIASES", 2)
    monkeypatch.setattr(grants, "MAX_GRANTS", 2)
    key, other = (owner.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
    world.role(COMPUTE, "Grantee")
    given = {"KeyId": key, "Operations": ["Decrypt"]}
    given["GranteePrincipal"] = f"arn:aws:iam::{COMPUTE}:role/Grantee"
    for name in ("alias/quota-a", "alias/quota-b"):
        owner.create_alias(AliasName=name, TargetKeyId=key)
        owner.create_grant(**given)
    owner.create_alias(AliasName="alias/quota-c", TargetKeyId=other)
    for call in (owner.create_alias, owner.update_alias):
        name = {owner.create_alias: "alias/quota-d"}.get(call, "alias/quota-c")
        refused("LimitExceededException", call, AliasName=name, TargetKeyId=key)
    refused("LimitExceededException", owner.create_grant, **given)
    assert len(owner.list_aliases(KeyId=key)["Aliases"]) == 2
    assert len(owner.list_grants(KeyId=key)["Grants"]) == 2


def regional(cloud: RunningCloud, region: str, who: Any = DATA) -> Any:
    return cloud.session(who).client(
        "kms", region_name=region, endpoint_url=cloud.endpoint, verify=cloud.ca,
        config=Config(retries={"max_attempts": 1}),
    )  # fmt: skip


def test_keys_live_in_their_region(cloud: RunningCloud, kms: Any, refused: Refused) -> None:
    europe = regional(cloud, "eu-west-1")
    made = europe.create_key()["KeyMetadata"]
    assert made["Arn"].startswith(f"arn:aws:kms:eu-west-1:{DATA}:key/")
    alias = f"alias/{uuid.uuid4().hex}"
    europe.create_alias(AliasName=alias, TargetKeyId=made["KeyId"])
    here = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=alias, TargetKeyId=here)  # the same name, another region

    listed = lambda client: {  # noqa: E731
        key["KeyId"]
        for page in client.get_paginator("list_keys").paginate()
        for key in page["Keys"]
    }
    assert made["KeyId"] in listed(europe) - listed(kms)
    (entry,) = europe.list_aliases(KeyId=made["KeyId"])["Aliases"]
    assert entry["AliasArn"] == f"arn:aws:kms:eu-west-1:{DATA}:{alias}"
    assert europe.describe_key(KeyId=alias)["KeyMetadata"]["KeyId"] == made["KeyId"]
    assert kms.describe_key(KeyId=alias)["KeyMetadata"]["KeyId"] == here

    blob = europe.encrypt(KeyId=alias, Plaintext=b"x")["CiphertextBlob"]
    assert europe.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    for name in (made["KeyId"], made["Arn"], entry["AliasArn"]):
        refused("NotFoundException", kms.describe_key, KeyId=name)
        refused("NotFoundException", kms.decrypt, CiphertextBlob=blob, KeyId=name)
    refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=blob)
    grant = europe.create_grant(KeyId=made["Arn"], GranteePrincipal=ROOT, Operations=["Decrypt"])
    refused("InvalidGrantTokenException", kms.retire_grant, GrantToken=grant["GrantToken"])
    europe.delete_alias(AliasName=alias)
    assert kms.describe_key(KeyId=alias)["KeyMetadata"]["KeyId"] == here
    europe.close()


def test_a_policy_can_name_the_region(cloud: RunningCloud, refused: Refused) -> None:
    only = {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}
    session = cloud.role("European", [allow("kms:*", Condition=only)])
    europe, virginia = regional(cloud, "eu-west-1", session), regional(cloud, "us-east-1", session)
    assert europe.create_key()["KeyMetadata"]["Enabled"] is True
    refused("AccessDeniedException", virginia.create_key)
    europe.close()
    virginia.close()


def test_aliases_of_a_cloud_of_one_region_move(tmp_path: Path) -> None:
    """A database of an earlier version: its aliases are us-east-1's, and are moved once."""
    open_services(Settings(tmp_path)).store.close()
    path = tmp_path / "cloud" / "state.sqlite3"
    with sqlite3.connect(path) as db:
        key = str(uuid.uuid4())
        arn = f"arn:aws:kms:us-east-1:{DATA}:key/{key}"
        db.execute(
            "INSERT INTO kms_keys VALUES (?, ?, ?, '', 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', ?,"
            " 0, 1, NULL, NULL, NULL, NULL)",
            (key, DATA, arn, json.dumps({})),
        )
        db.execute(
            "CREATE TABLE kms_aliases (account TEXT NOT NULL, name TEXT NOT NULL, key_id TEXT NOT"
            " NULL, created REAL NOT NULL, updated REAL NOT NULL, PRIMARY KEY (account, name))"
        )
        db.execute("INSERT INTO kms_aliases VALUES (?, 'alias/old', ?, 1, 2)", (DATA, key))
    db.close()
    for _ in range(2):
        services = open_services(Settings(tmp_path))
        rows = services.store.read().execute("SELECT * FROM kms_alias_names").fetchall()
        assert [tuple(row) for row in rows] == [(DATA, "us-east-1", "alias/old", key, 1.0, 2.0)]
        services.events.close()
        services.store.close()
