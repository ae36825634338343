"""IAM and STS: what the walk makes, what an attacker tries, and how each no is said."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud.conftest import COMPUTE, DATA, SERVICE, RunningCloud, allow, policy


def test_the_operator_and_a_role(cloud: RunningCloud) -> None:
    sts = cloud.client("sts")
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:iam::{DATA}:user/operator"
    session = cloud.role("Reader", [allow("iam:GetRole")])
    me = cloud.client("sts", session).get_caller_identity()
    assert me["Arn"] == f"arn:aws:sts::{DATA}:assumed-role/Reader/test"
    assert me["UserId"].startswith("AROA")
    role = cloud.client("iam", session).get_role(RoleName="Reader")["Role"]
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Action"] == "sts:AssumeRole"


def test_denials_carry_awss_text(cloud: RunningCloud, refused: Any) -> None:
    session = cloud.role("Nobody", [])
    me = f"User: arn:aws:sts::{DATA}:assumed-role/Nobody/test is not authorized to perform: "
    error = refused("AccessDenied", cloud.client("iam", session).get_role, RoleName="Nobody")
    assert error["Error"]["Message"] == (
        f"{me}iam:GetRole on resource: arn:aws:iam::{DATA}:role/Nobody because no identity-based "
        "policy allows the iam:GetRole action"
    )
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 403
    error = refused("UnauthorizedOperation", cloud.client("ec2", session).describe_instances)
    assert error["Error"]["Message"].startswith("You are not authorized to perform this operation.")
    error = refused("AccessDeniedException", cloud.client("kms", session).list_keys)
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 400
    denied = cloud.role(
        "Denied", [allow("*"), {"Effect": "Deny", "Action": "iam:*", "Resource": "*"}]
    )
    error = refused("AccessDenied", cloud.client("iam", denied).list_roles)
    assert error["Error"]["Message"].endswith("with an explicit deny in an identity-based policy")


def test_an_administrator_can_not_become_the_owner(cloud: RunningCloud, refused: Any) -> None:
    cloud.role("DataOwner", [allow("*")])
    administrator = cloud.role(
        "ParentAdministrator", [allow("ec2:*", "sts:AssumeRole")], account=COMPUTE
    )
    sts, iam = cloud.client("sts", administrator), cloud.client("iam", administrator)
    owner = f"arn:aws:iam::{DATA}:role/DataOwner"
    error = refused("AccessDenied", sts.assume_role, RoleArn=owner, RoleSessionName="me")
    assert "no resource-based policy allows the sts:AssumeRole action" in error["Error"]["Message"]
    missing = f"arn:aws:iam::{DATA}:role/Missing"
    error = refused("AccessDenied", sts.assume_role, RoleArn=missing, RoleSessionName="me")
    assert "no resource-based policy allows the sts:AssumeRole action" in error["Error"]["Message"]
    refused(
        "AccessDenied", iam.put_role_policy, RoleName="ParentAdministrator", PolicyName="more",
        PolicyDocument=policy(allow("*")),
    )  # fmt: skip
    refused(
        "AccessDenied", iam.update_assume_role_policy, RoleName="DataOwner",
        PolicyDocument=policy({"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}),
    )  # fmt: skip


def test_assume_role_across_accounts(cloud: RunningCloud) -> None:
    name = {"AWS": f"arn:aws:iam::{DATA}:role/Across"}
    across = cloud.role("Across", [allow("sts:AssumeRole")])
    with pytest.raises(ClientError, match="AssumeRole"):
        cloud.role("Target", [], account=COMPUTE, trust=name)
    target = f"arn:aws:iam::{COMPUTE}:role/Target"
    sts = cloud.client("sts", across)
    session = sts.assume_role(RoleArn=target, RoleSessionName="guest")["Credentials"]
    assert cloud.client("sts", session).get_caller_identity()["Account"] == COMPUTE


def test_nobody_is_trusted_before_they_are_there(cloud: RunningCloud, refused: Any) -> None:
    """Whoever made a role of that name later would have been let in."""
    absent = {"AWS": f"arn:aws:iam::{DATA}:role/Absent"}
    trust = policy({"Effect": "Allow", "Principal": absent, "Action": "sts:AssumeRole"})
    iam, s3 = cloud.client("iam", COMPUTE), cloud.client("s3", COMPUTE)
    made = {"RoleName": "Early", "AssumeRolePolicyDocument": trust}
    error = refused("MalformedPolicyDocument", iam.create_role, **made)
    assert "Invalid principal in policy" in error["Error"]["Message"]
    assert absent["AWS"] in error["Error"]["Message"]
    here = policy({"Effect": "Allow", "Principal": {"AWS": [COMPUTE]}, "Action": "sts:AssumeRole"})
    iam.create_role(RoleName="Early", AssumeRolePolicyDocument=here)
    refused(
        "MalformedPolicyDocument", iam.update_assume_role_policy, RoleName="Early",
        PolicyDocument=trust,
    )  # fmt: skip
    s3.create_bucket(Bucket="early-bucket")
    reads = {**allow("s3:GetObject", resource="arn:aws:s3:::early-bucket/*"), "Principal": absent}
    refused("MalformedPolicy", s3.put_bucket_policy, Bucket="early-bucket", Policy=policy(reads))


def test_session_policy_and_boundary_limit(cloud: RunningCloud, refused: Any) -> None:
    cloud.role("Wide", [allow("*")])
    iam, sts = cloud.client("iam"), cloud.client("sts")
    arn = f"arn:aws:iam::{DATA}:role/Wide"
    narrow = policy(allow("iam:ListRoles"))
    session = sts.assume_role(RoleArn=arn, RoleSessionName="me", Policy=narrow)["Credentials"]
    limited = cloud.client("iam", session)
    limited.list_roles()
    error = refused("AccessDenied", limited.list_users)
    assert error["Error"]["Message"].endswith(
        "because no session policy allows the iam:ListUsers action"
    )
    boundary = iam.create_policy(PolicyName="limit", PolicyDocument=policy(allow("iam:ListUsers")))
    bound = boundary["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName="Wide", PermissionsBoundary=bound)
    wide = cloud.client("iam", sts.assume_role(RoleArn=arn, RoleSessionName="me")["Credentials"])
    wide.list_users()
    error = refused("AccessDenied", wide.list_roles)
    assert "because no permissions boundary allows the iam:ListRoles" in error["Error"]["Message"]
    refused("DeleteConflict", iam.delete_policy, PolicyArn=bound)
    iam.delete_role_permissions_boundary(RoleName="Wide")
    wide.list_roles()
    iam.delete_policy(PolicyArn=bound)


def test_users_and_access_keys(cloud: RunningCloud, refused: Any) -> None:
    iam = cloud.client("iam")
    iam.create_user(UserName="ann", Tags=[{"Key": "team", "Value": "data"}])
    iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=policy(allow("iam:GetUser")))
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    ann = cloud.client("iam", key)
    assert ann.get_user()["User"]["Tags"] == [{"Key": "team", "Value": "data"}]
    assert [
        k["AccessKeyId"] for k in iam.list_access_keys(UserName="ann")["AccessKeyMetadata"]
    ] == [key["AccessKeyId"]]
    iam.update_access_key(UserName="ann", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    refused("InvalidClientTokenId", ann.get_user)
    iam.create_access_key(UserName="ann")
    refused("LimitExceeded", iam.create_access_key, UserName="ann")
    refused("DeleteConflict", iam.delete_user, UserName="ann")
    for item in iam.list_access_keys(UserName="ann")["AccessKeyMetadata"]:
        iam.delete_access_key(UserName="ann", AccessKeyId=item["AccessKeyId"])
    refused("DeleteConflict", iam.delete_user, UserName="ann")
    iam.delete_user_policy(UserName="ann", PolicyName="p")
    iam.delete_user(UserName="ann")
    refused("NoSuchEntity", iam.get_user, UserName="ann")


def test_attached_policies(cloud: RunningCloud, refused: Any) -> None:
    session = cloud.role("Attached", [])
    iam, own = cloud.client("iam"), cloud.client("iam", session)
    arn = iam.create_policy(PolicyName="list", PolicyDocument=policy(allow("iam:List*")))["Policy"][
        "Arn"
    ]
    refused("AccessDenied", own.list_roles)
    iam.attach_role_policy(RoleName="Attached", PolicyArn=arn)
    assert "Attached" in {role["RoleName"] for role in own.list_roles()["Roles"]}
    attached = iam.list_attached_role_policies(RoleName="Attached")["AttachedPolicies"]
    assert attached == [{"PolicyName": "list", "PolicyArn": arn}]
    document = iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"]
    assert document["Statement"][0]["Action"] == ["iam:List*"]
    refused("DeleteConflict", iam.delete_policy, PolicyArn=arn)
    iam.detach_role_policy(RoleName="Attached", PolicyArn=arn)
    refused("AccessDenied", own.list_roles)
    iam.delete_policy(PolicyArn=arn)
    refused("NoSuchEntity", iam.get_policy, PolicyArn=arn)


def test_roles_come_and_go(cloud: RunningCloud, refused: Any) -> None:
    session = cloud.role("Short", [allow("iam:ListRoles")])
    iam, own = cloud.client("iam"), cloud.client("iam", session)
    refused(
        "EntityAlreadyExists", iam.create_role, RoleName="Short",
        AssumeRolePolicyDocument=policy({"Effect": "Allow", "Principal": "*", "Action": "sts:*"}),
    )  # fmt: skip
    refused("MalformedPolicyDocument", iam.create_role, RoleName="X", AssumeRolePolicyDocument="{}")
    refused(
        "MalformedPolicyDocument", iam.put_role_policy, RoleName="Short", PolicyName="x",
        PolicyDocument='{"Version": "2012-10-17", "Statement": [{"Effect": "Maybe"}]}',
    )  # fmt: skip
    assert iam.list_role_policies(RoleName="Short")["PolicyNames"] == ["main"]
    own.list_roles()
    refused("DeleteConflict", iam.delete_role, RoleName="Short")
    iam.delete_role_policy(RoleName="Short", PolicyName="main")
    refused("NoSuchEntity", iam.get_role_policy, RoleName="Short", PolicyName="main")
    iam.delete_role(RoleName="Short")
    refused("InvalidClientTokenId", own.list_roles)
    cloud.role("Short", [allow("iam:ListRoles")])  # the same name is another role
    refused("InvalidClientTokenId", own.list_roles)


def test_pages(cloud: RunningCloud) -> None:
    for number in range(5):
        cloud.role(f"Page{number}", [])
    pages = (
        cloud.client("iam").get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 2})
    )
    names = [role["RoleName"] for page in pages for role in page["Roles"]]
    assert names == sorted(names)
    assert {f"Page{number}" for number in range(5)} <= set(names)


def test_session_life(cloud: RunningCloud, refused: Any) -> None:
    cloud.role("Life", [])
    sts = cloud.client("sts", parameter_validation=False)
    arn = f"arn:aws:iam::{DATA}:role/Life"
    refused(
        "ValidationError", sts.assume_role, RoleArn=arn, RoleSessionName="me", DurationSeconds=3601
    )
    refused(
        "ValidationError", sts.assume_role, RoleArn=arn, RoleSessionName="me", DurationSeconds=899
    )
    refused(
        "MalformedPolicyDocument", sts.assume_role, RoleArn=arn, RoleSessionName="me", Policy="{}"
    )
    longest = policy(allow("s3:GetObject")).ljust(2048)
    sts.assume_role(RoleArn=arn, RoleSessionName="me", Policy=longest)
    refused(
        "ValidationError", sts.assume_role, RoleArn=arn, RoleSessionName="me", Policy=longest + " "
    )
    began = time.time()
    life = sts.assume_role(RoleArn=arn, RoleSessionName="me", DurationSeconds=900)["Credentials"]
    assert began - 1 <= life["Expiration"].timestamp() - 900 <= time.time()  # in whole seconds


def test_a_chained_session_has_an_hour(cloud: RunningCloud, refused: Any) -> None:
    """However long the role's own sessions may be (IAM User Guide, "Role chaining")."""
    arn, name = f"arn:aws:iam::{DATA}:role/Chained", {"RoleSessionName": "me"}
    trust = policy({"Effect": "Allow", "Principal": {"AWS": DATA}, "Action": "sts:AssumeRole"})
    iam = cloud.client("iam")
    iam.create_role(RoleName="Chained", AssumeRolePolicyDocument=trust, MaxSessionDuration=43_200)
    document = policy(allow("sts:AssumeRole"))
    iam.put_role_policy(RoleName="Chained", PolicyName="main", PolicyDocument=document)
    first = cloud.client("sts").assume_role(RoleArn=arn, DurationSeconds=43_200, **name)
    sts = cloud.client("sts", first["Credentials"])
    refused("ValidationError", sts.assume_role, RoleArn=arn, DurationSeconds=3_601, **name)
    assert sts.assume_role(RoleArn=arn, DurationSeconds=3_600, **name)["Credentials"]
    # A user's temporary credentials begin a chain as well (so aws-vault and aws-runas found).
    token = cloud.client("sts").get_session_token()["Credentials"]
    sts = cloud.client("sts", token)
    error = refused("ValidationError", sts.assume_role, RoleArn=arn, DurationSeconds=3_601, **name)
    assert error["Error"]["Message"].endswith("for roles assumed by role chaining.")
    assert sts.assume_role(RoleArn=arn, DurationSeconds=3_600, **name)["Credentials"]


def test_the_service_credential_does_three_things(cloud: RunningCloud, refused: Any) -> None:
    refused("AccessDenied", cloud.client("iam", SERVICE).list_roles)
    refused("AccessDenied", cloud.client("iam", SERVICE).get_role, RoleName="DataOwner")
    refused("AccessDenied", cloud.client("s3", SERVICE).list_buckets)
    refused("AccessDeniedException", cloud.client("kms", SERVICE).list_keys)
    refused(
        "AccessDenied", cloud.client("sts", SERVICE).assume_role,
        RoleArn=f"arn:aws:iam::{DATA}:role/DataOwner", RoleSessionName="me",
    )  # fmt: skip


def test_unsupported_says_its_name(cloud: RunningCloud, refused: Any) -> None:
    error = refused("UnsupportedOperationException", cloud.client("iam").list_groups)
    assert "iam:ListGroups" in error["Error"]["Message"]
    error = refused(
        "UnsupportedOperationException", cloud.client("kms").create_custom_key_store,
        CustomKeyStoreName="x",
    )  # fmt: skip
    assert "kms:CreateCustomKeyStore" in error["Error"]["Message"]


def test_events_hide_secrets_and_name_the_reason(cloud: RunningCloud) -> None:
    session = cloud.role("Watched", [])
    with pytest.raises(ClientError):
        cloud.client("iam", session).list_users()
    event = cloud.events(EventName="ListUsers", Username="test")[0]
    assert event["errorCode"] == "AccessDenied"
    assert event["userIdentity"]["sessionContext"]["sessionIssuer"]["userName"] == "Watched"
    record = event["additionalEventData"]["nitroWorkflow"]
    assert record["decision"] == "implicitDeny"
    assert "nothing in the caller's identity policies allows iam:ListUsers" in record["explanation"]
    text = json.dumps(cloud.events())
    assert session["SecretAccessKey"] not in text
    assert session["SessionToken"] not in text


def test_session_tags_are_set_by_whom_the_trust_policy_lets(
    cloud: RunningCloud, refused: Any
) -> None:
    red = {"StringEquals": {"aws:PrincipalTag/team": "red"}}
    cloud.role("Tagged", [allow("iam:ListRoles", Condition=red)])
    iam, sts = cloud.client("iam"), cloud.client("sts")
    wanted = {
        "RoleArn": f"arn:aws:iam::{DATA}:role/Tagged",
        "RoleSessionName": "me",
        "Tags": [{"Key": "team", "Value": "red"}],
    }
    error = refused("AccessDenied", sts.assume_role, **wanted)
    assert "sts:TagSession" in error["Error"]["Message"]
    root = {"AWS": f"arn:aws:iam::{DATA}:root"}
    trust = {"Effect": "Allow", "Principal": root, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    iam.update_assume_role_policy(RoleName="Tagged", PolicyDocument=policy(trust))
    session = sts.assume_role(**wanted)["Credentials"]
    assert cloud.client("iam", session).list_roles()["Roles"]
    twice = [*wanted["Tags"], {"Key": "TEAM", "Value": "blue"}]
    refused("InvalidParameterValue", sts.assume_role, **{**wanted, "Tags": twice})


@pytest.mark.parametrize(
    "limit",
    [
        {"PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]},
        {"SourceIdentity": "someone"},
        {"SerialNumber": "arn:aws:iam::111122223333:mfa/x", "TokenCode": "123456"},
    ],
    ids=lambda limit: next(iter(limit)),
)
def test_a_session_is_never_wider_than_was_asked_for(
    cloud: RunningCloud, refused: Any, limit: dict[str, Any]
) -> None:
    cloud.role("Wide", [allow("iam:*")])
    arn = f"arn:aws:iam::{DATA}:role/Wide"
    assume = cloud.client("sts").assume_role
    error = refused(
        "UnsupportedOperationException", assume, RoleArn=arn, RoleSessionName="me", **limit
    )
    assert next(iter(limit)) in error["Error"]["Message"]


def test_who_may_attach_some_policies_attaches_no_other(cloud: RunningCloud, refused: Any) -> None:
    iam = cloud.client("iam")
    wide = policy(allow("*"))
    made = iam.create_policy(PolicyName="Wide", PolicyDocument=wide)["Policy"]["Arn"]
    there = cloud.client("iam", COMPUTE).create_policy(PolicyName="Wide", PolicyDocument=wide)
    but = {"ArnEquals": {"iam:PolicyARN": made}}
    deny = allow("iam:AttachRolePolicy", Condition=but) | {"Effect": "Deny"}
    me = cloud.client("iam", cloud.role("Attacher", [allow("iam:*"), deny]))
    refused("AccessDenied", me.attach_role_policy, RoleName="Attacher", PolicyArn=made)
    other = there["Policy"]["Arn"]
    refused("NoSuchEntity", me.attach_role_policy, RoleName="Attacher", PolicyArn=other)
    iam.delete_policy(PolicyArn=made)
    cloud.client("iam", COMPUTE).delete_policy(PolicyArn=other)


@pytest.mark.parametrize("marker", ["²", "x", "-1", "1", "9" * 5000])
def test_markers_that_no_page_ended_with(cloud: RunningCloud, refused: Any, marker: str) -> None:
    iam = cloud.client("iam", parameter_validation=False)
    refused("ValidationError", iam.list_roles, Marker=marker)
    user = {"UserName": "operator", "Marker": marker}
    refused("ValidationError", iam.list_user_policies, **user)
    refused("ValidationError", iam.list_access_keys, **user)
