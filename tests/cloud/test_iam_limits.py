"""IAM as set-up scripts ask: tags, AWS's own policies, quotas; and what is nobody else's."""

from __future__ import annotations

import importlib.util
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from nitro_workflow.cloud.local.iam import iam_common
from nitro_workflow.cloud.local.iam.aws_managed import AWS_PREFIX, aws_managed
from nitro_workflow.policy import parse_policy
from tests.cloud.conftest import COMPUTE, DATA, RunningCloud, allow, policy

Refused = Callable[..., Any]
TRUST = policy({"Effect": "Allow", "Principal": {"AWS": DATA}, "Action": "sts:AssumeRole"})


@pytest.fixture
def iam(cloud: RunningCloud) -> Any:
    return cloud.client("iam", parameter_validation=False)


@pytest.fixture
def role(iam: Any) -> str:
    name = f"R{uuid.uuid4().hex}"
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    return name


def tags(**named: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in named.items()]


def test_tags(iam: Any, role: str, refused: Refused) -> None:
    iam.tag_role(RoleName=role, Tags=tags(team="a", env="b"))
    iam.tag_role(RoleName=role, Tags=tags(Team="c"))  # keys ignore case
    assert iam.list_role_tags(RoleName=role)["Tags"] == tags(env="b", Team="c")
    assert iam.get_role(RoleName=role)["Role"]["Tags"] == tags(env="b", Team="c")
    iam.untag_role(RoleName=role, TagKeys=["ENV", "none"])
    assert iam.list_role_tags(RoleName=role)["Tags"] == tags(Team="c")
    refused("InvalidInput", iam.tag_role, RoleName=role, Tags=tags(a="1", A="2"))
    refused("InvalidInput", iam.tag_role, RoleName=role, Tags=tags(**{"aws:x": "1"}))
    many = tags(**{f"k{n}": "" for n in range(50)})
    refused("LimitExceeded", iam.tag_role, RoleName=role, Tags=many)
    name = f"U{uuid.uuid4().hex}"
    iam.create_user(UserName=name, Tags=tags(a="1"))
    iam.tag_user(UserName=name, Tags=tags(b="2"))
    iam.untag_user(UserName=name, TagKeys=["a"])
    assert iam.list_user_tags(UserName=name)["Tags"] == tags(b="2")


def test_tags_are_condition_keys(cloud: RunningCloud, iam: Any, refused: Refused) -> None:
    """A principal's own tags, the tags of what it asks for, the tags it gives."""
    guarded = f"G{uuid.uuid4().hex}"
    iam.create_role(RoleName=guarded, AssumeRolePolicyDocument=TRUST, Tags=tags(guard="yes"))
    mine = {"StringEquals": {"aws:PrincipalTag/team": "a"}}
    theirs = {"StringEquals": {"iam:ResourceTag/guard": "yes"}}
    given = {"StringEquals": {"aws:RequestTag/team": "b"}}
    session = cloud.role(
        "Tagger",
        [
            allow("iam:GetRole", Condition=mine),
            allow("iam:TagRole"),
            {**allow("iam:TagRole", Condition=given), "Effect": "Deny"},
            {**allow("iam:TagRole", Condition=theirs), "Effect": "Deny"},
        ],
    )
    before = cloud.client("iam", session)
    refused("AccessDenied", before.get_role, RoleName="Tagger")
    before.tag_role(RoleName="Tagger", Tags=tags(team="a"))
    refused("AccessDenied", before.tag_role, RoleName="Tagger", Tags=tags(team="b"))
    refused("AccessDenied", before.tag_role, RoleName=guarded, Tags=tags(x="1"))
    sts = cloud.client("sts")
    arn = f"arn:aws:iam::{DATA}:role/Tagger"
    after = sts.assume_role(RoleArn=arn, RoleSessionName="me")["Credentials"]
    assert cloud.client("iam", after).get_role(RoleName="Tagger")["Role"]["RoleName"] == "Tagger"


def test_awss_policies_are_awss() -> None:
    """The documents are those that moto copied from an account."""
    spec = importlib.util.find_spec("moto.iam.aws_managed_policies")
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    theirs = json.loads(module.aws_managed_policies_data)
    for name, ours in aws_managed().items():
        assert ours["Document"] == theirs[name]["Document"], name
        assert parse_policy(json.dumps(ours["Document"]), kind="identity")


def test_policies_of_aws_by_name(
    cloud: RunningCloud, iam: Any, role: str, refused: Refused
) -> None:
    arn = f"{AWS_PREFIX}AmazonS3ReadOnlyAccess"
    iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    (entry,) = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    assert entry == {"PolicyName": "AmazonS3ReadOnlyAccess", "PolicyArn": arn}
    found = iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"]
    assert found == aws_managed()["AmazonS3ReadOnlyAccess"]["Document"]
    assumed = cloud.client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{DATA}:role/{role}", RoleSessionName="me"
    )
    reader = cloud.client("s3", assumed["Credentials"])
    reader.list_buckets()
    refused("AccessDenied", reader.create_bucket, Bucket=f"b-{uuid.uuid4().hex}")
    iam.detach_role_policy(RoleName=role, PolicyArn=arn)
    refused("AccessDenied", reader.list_buckets)
    iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=arn)
    error = refused(
        "NoSuchEntity", iam.attach_role_policy, RoleName=role, PolicyArn=f"{AWS_PREFIX}None"
    )
    assert "AdministratorAccess" in error["Error"]["Message"]
    refused("AccessDenied", iam.delete_policy, PolicyArn=arn)
    names = lambda scope: {  # noqa: E731
        entry["PolicyName"]
        for page in iam.get_paginator("list_policies").paginate(Scope=scope)
        for entry in page["Policies"]
    }
    assert names("AWS") == set(aws_managed())
    assert names("All") >= names("AWS") | names("Local")
    assert not names("AWS") & names("Local")


def test_another_accounts_policy_binds_nobody_here(
    cloud: RunningCloud, iam: Any, role: str, refused: Refused
) -> None:
    there = cloud.client("iam", COMPUTE)
    arn = there.create_policy(PolicyName=f"P{uuid.uuid4().hex}", PolicyDocument=policy(allow("*")))[
        "Policy"
    ]["Arn"]
    for call, given in (
        (iam.put_role_permissions_boundary, {"RoleName": role, "PermissionsBoundary": arn}),
        (iam.put_user_permissions_boundary, {"UserName": "operator", "PermissionsBoundary": arn}),
        (iam.attach_role_policy, {"RoleName": role, "PolicyArn": arn}),
        (iam.create_user, {"UserName": "bound", "PermissionsBoundary": arn}),
    ):
        refused("NoSuchEntity", call, **given)
    assert "PermissionsBoundary" not in iam.get_role(RoleName=role)["Role"]


def test_a_boundary_can_be_required(cloud: RunningCloud, role: str, refused: Refused) -> None:
    arn = f"{AWS_PREFIX}AmazonS3ReadOnlyAccess"
    only = {"StringEquals": {"iam:PermissionsBoundary": arn}}
    session = cloud.role("Bounder", [allow("iam:PutRolePermissionsBoundary", Condition=only)])
    bounder = cloud.client("iam", session)
    wide = f"{AWS_PREFIX}AdministratorAccess"
    refused(
        "AccessDenied", bounder.put_role_permissions_boundary, RoleName=role,
        PermissionsBoundary=wide,
    )  # fmt: skip
    bounder.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=arn)


def document(size: int, *, spaces: int = 0) -> str:
    """A policy of so many characters, white space not counted."""
    text = policy(allow("s3:GetObject", Sid="")).replace(" ", "")
    return text.replace('"Sid":""', f'"Sid":"{"s" * (size - len(text))}"' + " " * spaces)


def test_inline_policies_have_a_size(iam: Any, role: str, refused: Refused) -> None:
    put = lambda name, text: iam.put_role_policy(  # noqa: E731
        RoleName=role, PolicyName=name, PolicyDocument=text
    )
    put("a", document(6000, spaces=20_000))
    put("b", document(4240))
    refused("LimitExceeded", put, name="c", text=document(200))
    put("b", document(200))
    put("c", document(4040))
    refused("LimitExceeded", put, name="huge", text=document(104 * 1024))
    user = {"UserName": "operator", "PolicyName": "x", "PolicyDocument": document(2049)}
    refused("LimitExceeded", iam.put_user_policy, **user)


def test_other_sizes_and_counts(iam: Any, role: str, refused: Refused) -> None:
    refused("LimitExceeded", iam.create_policy, PolicyName="P", PolicyDocument=document(6145))
    statement = {"Effect": "Allow", "Principal": {"AWS": DATA}, "Action": "sts:AssumeRole"}
    trust = policy({**statement, "Sid": "s" * 2048})
    refused("LimitExceeded", iam.create_role, RoleName="Long", AssumeRolePolicyDocument=trust)
    refused("LimitExceeded", iam.update_assume_role_policy, RoleName=role, PolicyDocument=trust)
    attached = [f"{AWS_PREFIX}{name}" for name in sorted(aws_managed())]
    for arn in [*attached[:10], attached[0]]:  # the same once more is no further one
        iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    refused("LimitExceeded", iam.attach_role_policy, RoleName=role, PolicyArn=attached[10])


def test_a_refused_policy_is_not_even_read(cloud: RunningCloud, refused: Refused) -> None:
    """Who may not create a role is told so, whatever the body holds."""
    nobody = cloud.client("iam", cloud.role("NoCreator", []))
    for text in ("{", document(104 * 1024), TRUST):
        refused("AccessDenied", nobody.create_role, RoleName="X", AssumeRolePolicyDocument=text)
        refused("AccessDenied", nobody.create_policy, PolicyName="X", PolicyDocument=text)


def test_quotas_are_awss() -> None:
    assert iam_common.ENTITIES["role"].most == 1000
    assert iam_common.ENTITIES["user"].most == 5000
    assert iam_common.POLICIES.most == 1500


def test_accounts_end_at_the_quota(dispatcher: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.cloud.test_sigv4 import keys, signed

    monkeypatch.setitem(iam_common.ENTITIES, "user", iam_common.Quota("UsersPerAccount", 2))
    pair = keys(dispatcher)
    statuses = []
    for number in range(3):
        body = f"Action=CreateUser&Version=2010-05-08&UserName=u{number}".encode()
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = dispatcher.handle(signed(pair, body=body, headers=form, service="iam"))
        statuses.append(answer.status)
    assert statuses == [200, 409, 409]
    assert b"UsersPerAccount: 2" in answer.body


def test_session_tokens_of_users(cloud: RunningCloud, iam: Any, refused: Refused) -> None:
    sts = cloud.client("sts")
    given = sts.get_session_token(DurationSeconds=900)["Credentials"]
    assert given["AccessKeyId"].startswith("ASIA")
    mine = cloud.client("sts", given)
    assert mine.get_caller_identity()["Arn"] == f"arn:aws:iam::{DATA}:user/operator"
    cloud.client("kms", given).list_keys()
    refused("InvalidClientTokenId", cloud.client("iam", given).list_roles)
    refused("AccessDenied", mine.get_session_token)
    refused("UnsupportedOperationException", sts.get_session_token, SerialNumber="arn:aws:iam::1:mfa/x",
            TokenCode="123456")  # fmt: skip
    session = cloud.role("NoToken", [allow("sts:*")])
    refused("AccessDenied", cloud.client("sts", session).get_session_token)
    name = f"U{uuid.uuid4().hex}"
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    theirs = {"AccessKeyId": key["AccessKeyId"], "SecretAccessKey": key["SecretAccessKey"]}
    token = cloud.client("sts", theirs).get_session_token()["Credentials"]
    refused("AccessDeniedException", cloud.client("kms", token).list_keys)
    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName=name)
    refused("InvalidClientTokenId", cloud.client("sts", token).get_caller_identity)


def test_names_ignore_case(iam: Any, role: str, refused: Refused) -> None:
    name = f"N{uuid.uuid4().hex}"
    document = policy(allow("s3:GetObject"))
    iam.create_policy(PolicyName=name, PolicyDocument=document)
    iam.create_instance_profile(InstanceProfileName=name)
    code = "EntityAlreadyExists"
    refused(code, iam.create_role, RoleName=role.lower(), AssumeRolePolicyDocument=TRUST)
    refused(code, iam.create_instance_profile, InstanceProfileName=name.upper(), Path="/other/")
    refused(
        code, iam.create_policy, PolicyName=name.lower(), Path="/other/", PolicyDocument=document
    )
    iam.create_user(UserName=role)  # a user is no role


def test_policies_and_profiles_keep_their_tags(
    cloud: RunningCloud, iam: Any, refused: Refused
) -> None:
    name, document = f"T{uuid.uuid4().hex}", policy(allow("s3:GetObject"))
    made = iam.create_policy(
        PolicyName=name, PolicyDocument=document, Description="d", Tags=tags(a="1")
    )["Policy"]
    iam.create_instance_profile(InstanceProfileName=name, Tags=tags(a="1"))
    found = iam.get_policy(PolicyArn=made["Arn"])["Policy"]
    assert (made["Tags"], found["Tags"], found["Description"]) == (tags(a="1"), tags(a="1"), "d")
    profile = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    assert profile["Tags"] == tags(a="1")
    twice = tags(a="1", A="2")
    refused("InvalidInput", iam.create_policy, PolicyName="X", PolicyDocument=document, Tags=twice)
    iam.delete_instance_profile(InstanceProfileName=name)
    iam.create_instance_profile(InstanceProfileName=name)
    assert "Tags" not in iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    asked = {"StringEquals": {"aws:RequestTag/a": "1"}}
    session = cloud.role(f"Q{name}", [allow("iam:CreateInstanceProfile", Condition=asked)])
    own = cloud.client("iam", session)
    refused("AccessDenied", own.create_instance_profile, InstanceProfileName="Q" + name)
    own.create_instance_profile(InstanceProfileName="Q" + name, Tags=tags(a="1"))


def test_lists_by_path_and_roles_by_name(iam: Any, role: str, refused: Refused) -> None:
    name = f"P{uuid.uuid4().hex}"
    arn = iam.create_policy(
        PolicyName=name, Path="/x/", PolicyDocument=policy(allow("s3:GetObject"))
    )["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    iam.create_instance_profile(InstanceProfileName=name, Path="/x/")
    for path, count in (("/x/", 1), ("/y/", 0)):
        found = iam.list_attached_role_policies(RoleName=role, PathPrefix=path)
        assert len(found["AttachedPolicies"]) == count
        found = iam.list_instance_profiles(PathPrefix=path)["InstanceProfiles"]
        assert [item["InstanceProfileName"] for item in found].count(name) == count
    remove = iam.remove_role_from_instance_profile
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)
    refused("NoSuchEntity", remove, InstanceProfileName=name, RoleName="another")
    assert iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]
    remove(InstanceProfileName=name, RoleName=role)
    refused("NoSuchEntity", remove, InstanceProfileName=name, RoleName=role)


def test_a_sign_in_of_a_role_is_not_done(iam: Any, refused: Refused) -> None:
    refused(
        "UnsupportedOperationException", iam.create_role, RoleName="SignIn",
        AssumeRolePolicyDocument=TRUST, MaxSigninSessionDuration=3600,
    )  # fmt: skip
