"""Who is deleted stays deleted: who is made again under the name is another (AWS's unique ids)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from nitro_workflow.cloud.local.gate.departed_principals import Departed, with_id
from tests.cloud.conftest import COMPUTE, DATA, RunningCloud, allow, policy

NAME = "Returning"
ARN = f"arn:aws:iam::{COMPUTE}:role/{NAME}"
SESSION = f"arn:aws:sts::{COMPUTE}:assumed-role/{NAME}"
GONE = Departed(ARN, "AROAEXAMPLEEXAMPLE000")


@pytest.fixture
def given(cloud: RunningCloud) -> Iterator[dict[str, Any]]:
    """A role of another account, and all that names it: key policy, grant, bucket, trust."""
    keys = cloud.role(NAME, [allow("*")], account=COMPUTE)
    kms, s3, iam = (cloud.client(name) for name in ("kms", "s3", "iam"))
    owner = allow("kms:*", Principal={"AWS": f"arn:aws:iam::{DATA}:root"})
    use = allow("kms:Encrypt", Principal={"AWS": [ARN]}, Condition={
        "ArnEquals": {"aws:PrincipalArn": ARN}})  # fmt: skip
    named = kms.create_key(Policy=policy(owner, use))["KeyMetadata"]["Arn"]
    granted = kms.create_key(Policy=policy(owner))["KeyMetadata"]["Arn"]
    made = {"KeyId": granted, "GranteePrincipal": ARN, "RetiringPrincipal": ARN}
    grant = kms.create_grant(Operations=["Encrypt"], **made)["GrantId"]
    bucket = f"returning-{time.time_ns()}"
    s3.create_bucket(Bucket=bucket)
    reads = allow("s3:ListBucket", resource=f"arn:aws:s3:::{bucket}", Principal={"AWS": ARN})
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(reads))
    trust = policy({"Effect": "Allow", "Principal": {"AWS": ARN}, "Action": "sts:AssumeRole"})
    iam.create_role(RoleName=bucket, AssumeRolePolicyDocument=trust)
    yield {"keys": keys, "named": named, "granted": granted, "grant": grant, "bucket": bucket}
    theirs = cloud.client("iam", COMPUTE)
    theirs.delete_role_policy(RoleName=NAME, PolicyName="main")
    theirs.delete_role(RoleName=NAME)


def may(cloud: RunningCloud, given: dict[str, Any], keys: dict[str, str]) -> dict[str, bool]:
    kms, s3, sts = (cloud.client(name, keys) for name in ("kms", "s3", "sts"))
    target = f"arn:aws:iam::{DATA}:role/{given['bucket']}"
    calls = {
        "key policy": lambda: kms.encrypt(KeyId=given["named"], Plaintext=b"x"),
        "grant": lambda: kms.encrypt(KeyId=given["granted"], Plaintext=b"x"),
        "bucket policy": lambda: s3.list_objects_v2(Bucket=given["bucket"]),
        "trust": lambda: sts.assume_role(RoleArn=target, RoleSessionName="guest"),
        "retire": lambda: kms.retire_grant(
            KeyId=given["granted"], GrantId=given["grant"], DryRun=True
        ),
    }
    found = {}
    for name, call in calls.items():
        try:
            call()
        except ClientError as error:
            code = error.response["Error"]["Code"]
            assert code in ("AccessDeniedException", "AccessDenied", "DryRunOperationException")
            found[name] = code == "DryRunOperationException"
        else:
            found[name] = True
    return found


def test_who_comes_later_by_a_name_has_nothing_of_it(
    cloud: RunningCloud, given: dict[str, Any], refused: Any
) -> None:
    assert set(may(cloud, given, given["keys"]).values()) == {True}
    kms, s3, iam = (cloud.client(name) for name in ("kms", "s3", "iam"))
    theirs = cloud.client("iam", COMPUTE)
    unique = theirs.get_role(RoleName=NAME)["Role"]["RoleId"]
    theirs.delete_role_policy(RoleName=NAME, PolicyName="main")
    theirs.delete_role(RoleName=NAME)
    again = cloud.role(NAME, [allow("*")], account=COMPUTE)
    assert set(may(cloud, given, again).values()) == {False}

    text = kms.get_key_policy(KeyId=given["named"])["Policy"]
    used = json.loads(text)["Statement"][1]
    assert used["Principal"] == {"AWS": [unique]}
    assert used["Condition"] == {"ArnEquals": {"aws:PrincipalArn": ARN}}  # a condition means names
    (grant,) = kms.list_grants(KeyId=given["granted"])["Grants"]
    assert {grant["GranteePrincipal"], grant["RetiringPrincipal"]} == {unique}
    bucket = json.loads(s3.get_bucket_policy(Bucket=given["bucket"])["Policy"])
    assert bucket["Statement"][0]["Principal"] == {"AWS": unique}
    trust = iam.get_role(RoleName=given["bucket"])["Role"]["AssumeRolePolicyDocument"]
    assert trust["Statement"][0]["Principal"] == {"AWS": unique}

    # As AWS: nobody has that id any longer, so that it cannot be saved, and the ARN can.
    refused(
        "MalformedPolicyDocumentException", kms.put_key_policy, KeyId=given["named"], Policy=text
    )
    kms.put_key_policy(KeyId=given["named"], Policy=text.replace(unique, ARN))
    assert may(cloud, given, again)["key policy"]


def test_a_deleted_role_that_is_denied_does_not_unbind_others(cloud: RunningCloud) -> None:
    """A `NotPrincipal` that named it exempts nobody who comes later by its name."""
    one = f"arn:aws:iam::{DATA}:role/Exempt"
    cloud.role("Exempt", [allow("s3:*")])
    s3, iam, bucket = cloud.client("s3"), cloud.client("iam"), f"exempt-{time.time_ns()}"
    s3.create_bucket(Bucket=bucket)
    root = f"arn:aws:iam::{DATA}:root"
    deny = {"Effect": "Deny", "NotPrincipal": {"AWS": [one, root]}, "Action": "s3:ListBucket",
            "Resource": f"arn:aws:s3:::{bucket}"}  # fmt: skip
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(deny))
    iam.delete_role_policy(RoleName="Exempt", PolicyName="main")
    iam.delete_role(RoleName="Exempt")
    again = cloud.role("Exempt", [allow("s3:*")])
    with pytest.raises(ClientError, match="explicit deny"):
        cloud.client("s3", again).list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize(("before", "after"), [
    ({"Principal": {"AWS": ARN}}, {"Principal": {"AWS": GONE.unique_id}}),
    ({"NotPrincipal": {"AWS": [ARN, "111122223333"]}},
     {"NotPrincipal": {"AWS": [GONE.unique_id, "111122223333"]}}),
    ({"Principal": {"AWS": [f"{SESSION}/guest", f"{SESSION}2/guest"]}},
     {"Principal": {"AWS": [GONE.unique_id, f"{SESSION}2/guest"]}}),
    ({"Principal": {"AWS": f"{SESSION.replace(COMPUTE, DATA)}/guest"}}, None),
    ({"Principal": {"AWS": ARN + "2", "Service": "ec2.amazonaws.com"}}, None),
    ({"Principal": "*"}, None),
    ({"Resource": ARN}, None),
    ({"Principal": {"AWS": "*"}, "Condition": {"ArnEquals": {"aws:PrincipalArn": ARN}}}, None),
])  # fmt: skip
def test_only_who_is_named_changes(before: dict[str, Any], after: dict[str, Any] | None) -> None:
    for wrap in (lambda one: one, lambda one: [{"Effect": "Deny"}, one]):
        text = json.dumps({"Statement": wrap(before)}, indent=1)
        found = with_id(text, GONE)
        if after is None:
            assert found == text  # byte for byte
        else:
            assert json.loads(found) == {"Statement": wrap(after)}


def test_a_session_that_is_named_goes_with_its_role(cloud: RunningCloud, refused: Any) -> None:
    """A role made again under the name had what its first one's sessions had been given."""
    trust = policy({"Effect": "Allow", "Principal": {"AWS": COMPUTE}, "Action": "sts:AssumeRole"})
    theirs, sts, kms = (
        cloud.client("iam", COMPUTE),
        cloud.client("sts", COMPUTE),
        cloud.client("kms"),
    )
    guest = f"arn:aws:sts::{COMPUTE}:assumed-role/Under_score/guest"
    other = guest.replace("Under_score", "UnderXscore")  # to LIKE, a "_" is any letter

    def session(name: str) -> Any:
        role = {"RoleName": name, "AssumeRolePolicyDocument": trust, "Path": "/a/"}
        arn = theirs.create_role(**role)["Role"]["Arn"]
        document = policy(allow("kms:*"))
        theirs.put_role_policy(RoleName=name, PolicyName="main", PolicyDocument=document)
        made = sts.assume_role(RoleArn=arn, RoleSessionName="guest")
        return cloud.client("kms", made["Credentials"])

    first, unlike = session("Under_score"), session("UnderXscore")
    owner = allow("kms:*", Principal={"AWS": f"arn:aws:iam::{DATA}:root"})
    named = kms.create_key(Policy=policy(owner, allow("kms:Encrypt", Principal={"AWS": guest})))
    granted = kms.create_key(Policy=policy(owner))
    keys = [made["KeyMetadata"]["Arn"] for made in (named, granted)]
    for grantee in (guest, other):
        kms.create_grant(KeyId=keys[1], GranteePrincipal=grantee, Operations=["Encrypt"])
    for key in keys:
        first.encrypt(KeyId=key, Plaintext=b"x")
    theirs.delete_role_policy(RoleName="Under_score", PolicyName="main")
    theirs.delete_role(RoleName="Under_score")
    second = session("Under_score")
    for key in keys:
        refused("AccessDeniedException", second.encrypt, KeyId=key, Plaintext=b"x")
    unlike.encrypt(KeyId=keys[1], Plaintext=b"x")


def test_a_users_name_is_not_that_of_a_role() -> None:
    gone = Departed(ARN.replace(":role/", ":user/"), "AIDAEXAMPLEEXAMPLE000")
    text = json.dumps({"Statement": {"Principal": {"AWS": f"{SESSION}/guest"}}})
    assert with_id(text, gone) == text


def test_a_name_in_escapes_is_found(cloud: RunningCloud) -> None:
    """JSON may write any letter as an escape; who is named is the same."""
    cloud.role("Escaped", [allow("kms:*")])
    arn = f"arn:aws:iam::{DATA}:role/Escaped"
    owner = allow("kms:*", Principal={"AWS": f"arn:aws:iam::{DATA}:root"})
    text = policy(owner, allow("kms:Decrypt", Principal={"AWS": arn}))
    kms, iam = cloud.client("kms"), cloud.client("iam")
    key = kms.create_key(Policy=text.replace("role/Esc", "\\u0072ole\\/Esc"))["KeyMetadata"]["Arn"]
    unique = iam.get_role(RoleName="Escaped")["Role"]["RoleId"]
    iam.delete_role_policy(RoleName="Escaped", PolicyName="main")
    iam.delete_role(RoleName="Escaped")
    statements = json.loads(kms.get_key_policy(KeyId=key)["Policy"])["Statement"]
    assert statements[1]["Principal"] == {"AWS": unique}
