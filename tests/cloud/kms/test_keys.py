from __future__ import annotations

import json

import pytest

from tests.cloud.kms.conftest import COMPUTE, DATA, EVERYTHING, allow, document_policy, role_arn

MISSING = "00000000-0000-0000-0000-000000000000"


# --- a key's life --------------------------------------------------------------------------------


def test_a_new_key_is_described(owner):
    made = owner.create_key(Description="data", Tags=[{"TagKey": "team", "TagValue": "a"}])
    metadata = made["KeyMetadata"]
    assert metadata["Description"] == "data"
    assert metadata["KeyState"] == "Enabled"
    assert metadata["EncryptionAlgorithms"] == ["SYMMETRIC_DEFAULT"]
    assert owner.describe_key(KeyId=metadata["KeyId"])["KeyMetadata"] == metadata


def test_the_default_policy_is_aws_default(owner, key):
    policy = json.loads(owner.get_key_policy(KeyId=key)["Policy"])
    assert policy["Id"] == "key-default-1"
    assert policy["Statement"][0]["Principal"] == {"AWS": f"arn:aws:iam::{DATA}:root"}
    assert owner.list_key_policies(KeyId=key)["PolicyNames"] == ["default"]


def test_disabled_keys_are_not_used(owner, key, refused):
    blob = owner.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    owner.disable_key(KeyId=key)
    assert owner.describe_key(KeyId=key)["KeyMetadata"]["Enabled"] is False
    refused("DisabledException", owner.decrypt, CiphertextBlob=blob)
    refused("DisabledException", owner.generate_data_key, KeyId=key, KeySpec="AES_256")
    owner.enable_key(KeyId=key)
    assert owner.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_deletion_is_scheduled_cancelled_and_done(owner, key, refused, clock):
    blob = owner.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    answer = owner.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert answer["KeyState"] == "PendingDeletion"
    refused("KMSInvalidStateException", owner.decrypt, CiphertextBlob=blob)
    refused("KMSInvalidStateException", owner.schedule_key_deletion, KeyId=key)
    refused("KMSInvalidStateException", owner.enable_key, KeyId=key)
    owner.cancel_key_deletion(KeyId=key)
    refused("KMSInvalidStateException", owner.cancel_key_deletion, KeyId=key)
    refused("DisabledException", owner.decrypt, CiphertextBlob=blob)
    owner.enable_key(KeyId=key)
    assert owner.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    owner.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    clock(days=7, seconds=1)
    refused("NotFoundException", owner.describe_key, KeyId=key)
    refused("InvalidCiphertextException", owner.decrypt, CiphertextBlob=blob)
    assert key not in [entry["KeyArn"] for entry in owner.list_keys(Limit=1000)["Keys"]]


def test_a_deleted_keys_material_is_erased(world, owner, key, clock):
    def stored() -> int:
        query = "SELECT COUNT(*) FROM kms_material WHERE key_id = ?"
        rows = world.services.store.read().execute(query, (key.rpartition("/")[2],))
        return rows.fetchone()[0]

    owner.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert stored() == 1
    clock(days=8)
    owner.create_key()
    assert stored() == 0


def test_descriptions_are_replaced(owner, key):
    owner.update_key_description(KeyId=key, Description="another")
    assert owner.describe_key(KeyId=key)["KeyMetadata"]["Description"] == "another"


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"}, "UnsupportedOperationException"),
        ({"KeySpec": "HMAC_256"}, "UnsupportedOperationException"),
        ({"MultiRegion": True}, "UnsupportedOperationException"),
        ({"Origin": "EXTERNAL"}, "UnsupportedOperationException"),
        ({"KeySpec": "ECC_NIST_P384"}, "ValidationException"),
        ({"KeySpec": "ECC_NIST_P384", "KeyUsage": "ENCRYPT_DECRYPT"}, "ValidationException"),
        ({"KeyUsage": "SIGN_VERIFY"}, "ValidationException"),
        ({"KeySpec": "NONSENSE"}, "ValidationException"),
        ({"Policy": "{"}, "MalformedPolicyDocumentException"),
        ({"Policy": '{"Statement": []}'}, "MalformedPolicyDocumentException"),
        ({"Tags": [{"TagKey": "aws:x", "TagValue": ""}]}, "TagException"),
    ],
)
def test_keys_that_are_not_made(owner, refused, parameters, code):
    error = refused(code, owner.create_key, **parameters)
    if code == "UnsupportedOperationException":
        assert "local KMS" in str(error)


def test_create_key_needs_leave_and_tags_more(world, refused):
    bare = world.role(DATA, "BareCreator")
    refused("AccessDeniedException", bare.create_key)
    plain = world.role(DATA, "PlainCreator", {**EVERYTHING, "Action": "kms:CreateKey"})
    policy = document_policy(allow(role_arn(DATA, "PlainCreator"), "*"))
    made = plain.create_key(Policy=policy)["KeyMetadata"]
    assert world.events()[-1]["resources"][0]["ARN"] == made["Arn"]
    tagged = {"Policy": policy, "Tags": [{"TagKey": "a", "TagValue": "b"}]}
    assert "kms:TagResource" in str(refused("AccessDeniedException", plain.create_key, **tagged))


# --- names ---------------------------------------------------------------------------------------


def test_a_key_is_found_by_id_arn_alias_and_alias_arn(owner, key):
    owner.create_alias(AliasName="alias/found/by-name", TargetKeyId=key)
    alias_arn = key.replace(key.partition(":key/")[2], "").replace(":key/", ":alias/found/by-name")
    for name in (key, key.rpartition("/")[2], "alias/found/by-name", alias_arn):
        assert owner.describe_key(KeyId=name)["KeyMetadata"]["Arn"] == key


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (MISSING, f"Key 'arn:aws:kms:us-east-1:{DATA}:key/{MISSING}' does not exist"),
        ("not-a-key", "Invalid keyId 'not-a-key'"),
        ("alias/none", f"Alias arn:aws:kms:us-east-1:{DATA}:alias/none is not found."),
        (f"arn:aws:kms:eu-west-1:{DATA}:key/{MISSING}", "Invalid arn eu-west-1"),
    ],
)
def test_keys_that_are_not_there(owner, refused, name, text):
    for method in (owner.describe_key, owner.get_public_key):
        error = refused("NotFoundException", method, KeyId=name)
        assert error.response["Error"]["Message"] == text


def test_management_takes_no_alias(owner, key, refused):
    owner.create_alias(AliasName="alias/no-management", TargetKeyId=key)
    refused("NotFoundException", owner.disable_key, KeyId="alias/no-management")
    refused("InvalidArnException", owner.disable_key, KeyId="arn:aws:s3:::bucket")


# --- aliases -------------------------------------------------------------------------------------


def test_aliases_are_made_moved_and_deleted(owner, key, refused):
    other = owner.create_key()["KeyMetadata"]["Arn"]
    owner.create_alias(AliasName="alias/moving", TargetKeyId=key)
    refused(
        "AlreadyExistsException", owner.create_alias, AliasName="alias/moving", TargetKeyId=other
    )
    owner.update_alias(AliasName="alias/moving", TargetKeyId=other)
    (entry,) = owner.list_aliases(KeyId=other)["Aliases"]
    assert entry["TargetKeyId"] == other.rpartition("/")[2]
    assert entry["LastUpdatedDate"] >= entry["CreationDate"]
    owner.delete_alias(AliasName="alias/moving")
    refused("NotFoundException", owner.delete_alias, AliasName="alias/moving")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("alias/a:b", "InvalidAliasNameException"),
        ("name", "ValidationException"),
        ("alias/aws/mine", "NotAuthorizedException"),
    ],
)
def test_alias_names_that_are_refused(owner, key, refused, name, code):
    refused(code, owner.create_alias, AliasName=name, TargetKeyId=key)


def test_an_alias_cannot_move_to_another_kind_of_key(owner, key, refused):
    curve = owner.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    owner.create_alias(AliasName="alias/kind", TargetKeyId=key)
    refused("ValidationException", owner.update_alias, AliasName="alias/kind", TargetKeyId=curve)


def test_an_alias_needs_leave_for_alias_and_key(world, owner, key, refused):
    alias = {
        "Effect": "Allow",
        "Action": "kms:CreateAlias",
        "Resource": f"arn:aws:kms:us-east-1:{DATA}:alias/*",
    }
    half = world.role(DATA, "HalfNamer", alias)
    refused("AccessDeniedException", half.create_alias, AliasName="alias/half", TargetKeyId=key)
    whole = world.role(DATA, "WholeNamer", alias, {**alias, "Resource": key})
    whole.create_alias(AliasName="alias/half", TargetKeyId=key)


def test_request_alias_and_resource_aliases_are_condition_keys(world, owner, key, refused):
    by_name = {
        **EVERYTHING,
        "Action": "kms:Encrypt",
        "Condition": {"StringEquals": {"kms:RequestAlias": "alias/asked"}},
    }
    role = world.role(DATA, "ByName", by_name)
    owner.create_alias(AliasName="alias/asked", TargetKeyId=key)
    assert role.encrypt(KeyId="alias/asked", Plaintext=b"x")["KeyId"] == key
    refused("AccessDeniedException", role.encrypt, KeyId=key, Plaintext=b"x")
    any_name = {"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/ask*"}}
    other = world.role(DATA, "ByResource", {**by_name, "Condition": any_name})
    assert other.encrypt(KeyId=key, Plaintext=b"x")["KeyId"] == key


# --- policies ------------------------------------------------------------------------------------


def test_a_policy_that_locks_its_author_out_is_refused(owner, key, refused):
    locked = document_policy(allow(role_arn(DATA, "DataOwner"), "Decrypt"))
    error = refused(
        "MalformedPolicyDocumentException", owner.put_key_policy, KeyId=key, Policy=locked
    )
    assert "will not allow you to update the key policy in the future" in str(error)
    owner.put_key_policy(KeyId=key, Policy=locked, BypassPolicyLockoutSafetyCheck=True)
    refused("AccessDeniedException", owner.put_key_policy, KeyId=key, Policy=locked)


def test_a_policy_names_principals_that_exist(owner, key, refused):
    policy = document_policy(
        allow(role_arn(DATA, "DataOwner"), "*"), allow(role_arn(DATA, "Ghost"), "Decrypt")
    )
    error = refused(
        "MalformedPolicyDocumentException", owner.put_key_policy, KeyId=key, Policy=policy
    )
    assert "invalid principals" in str(error)


def test_a_policy_has_a_largest_size_and_one_name(owner, key, refused):
    huge = document_policy(allow(role_arn(DATA, "DataOwner"), "*")) + " " * 32 * 1024
    refused("LimitExceededException", owner.put_key_policy, KeyId=key, Policy=huge)
    refused("NotFoundException", owner.get_key_policy, KeyId=key, PolicyName="other")


def test_without_root_in_the_key_policy_identity_policies_do_not_count(world, owner, refused):
    rich = world.role(DATA, "Rich", EVERYTHING)
    closed = document_policy(allow(role_arn(DATA, "DataOwner"), "*"))
    key = owner.create_key(Policy=closed)["KeyMetadata"]["Arn"]
    error = refused("AccessDeniedException", rich.encrypt, KeyId=key, Plaintext=b"x")
    assert "no resource-based policy allows the kms:Encrypt action" in str(error)


def test_an_explicit_deny_wins(owner, key, refused):
    deny = allow("*", "Decrypt", Null={"kms:RecipientAttestation:ImageSha384": "true"})
    policy = document_policy(
        allow(role_arn(DATA, "DataOwner"), "*"), deny | {"Effect": "Deny", "Principal": "*"}
    )
    owner.put_key_policy(KeyId=key, Policy=policy)
    blob = owner.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    error = refused("AccessDeniedException", owner.decrypt, CiphertextBlob=blob)
    assert "with an explicit deny in a resource-based policy" in str(error)


# --- tags and pages ------------------------------------------------------------------------------


def test_tags_come_change_go_and_decide(world, owner, key, refused):
    owner.tag_resource(KeyId=key, Tags=[{"TagKey": "level", "TagValue": "low"}])
    owner.tag_resource(KeyId=key, Tags=[{"TagKey": "level", "TagValue": "high"}])
    assert owner.list_resource_tags(KeyId=key)["Tags"] == [{"TagKey": "level", "TagValue": "high"}]
    by_tag = {"StringEquals": {"aws:ResourceTag/level": "high"}}
    tagged = world.role(DATA, "Tagged", {**EVERYTHING, "Condition": by_tag})
    assert tagged.encrypt(KeyId=key, Plaintext=b"x")["KeyId"] == key
    owner.untag_resource(KeyId=key, TagKeys=["level", "never"])
    refused("AccessDeniedException", tagged.encrypt, KeyId=key, Plaintext=b"x")
    twice = [{"TagKey": "a", "TagValue": "1"}, {"TagKey": "a", "TagValue": "2"}]
    refused("TagException", owner.tag_resource, KeyId=key, Tags=twice)
    many = [{"TagKey": f"k{number}", "TagValue": ""} for number in range(51)]
    refused("TagException", owner.tag_resource, KeyId=key, Tags=many)
    assert owner.list_resource_tags(KeyId=key)["Tags"] == []


def test_lists_come_in_pages(world, refused):
    account = world.role(COMPUTE, "Pager", EVERYTHING)
    keys = {account.create_key()["KeyMetadata"]["KeyId"] for _ in range(5)}
    key = min(keys)
    for number in range(5):
        account.create_alias(AliasName=f"alias/page-{number}", TargetKeyId=key)
        account.create_grant(
            KeyId=key,
            GranteePrincipal=f"arn:aws:iam::{COMPUTE}:root",
            Operations=["Decrypt"],
            Name=f"n{number}",
        )
        account.rotate_key_on_demand(KeyId=key)
    account.tag_resource(KeyId=key, Tags=[{"TagKey": f"t{n}", "TagValue": ""} for n in range(5)])
    seen = {
        "list_keys": ("Keys", "KeyId", {}),
        "list_aliases": ("Aliases", "AliasName", {}),
        "list_grants": ("Grants", "GrantId", {"KeyId": key}),
        "list_resource_tags": ("Tags", "TagKey", {"KeyId": key}),
        "list_key_rotations": ("Rotations", "KeyMaterialId", {"KeyId": key}),
    }
    for operation, (member, name, parameters) in seen.items():
        pages = account.get_paginator(operation).paginate(
            **parameters, PaginationConfig={"PageSize": 2}
        )
        lists = [[entry[name] for entry in page[member]] for page in pages]
        assert [len(part) for part in lists] == [2, 2, 1], operation
        assert len({entry for part in lists for entry in part}) == 5
    own = {"list_aliases": 100, "list_grants": 100, "list_resource_tags": 50}  # API Reference
    for operation, most in own.items():
        call, (_, _, parameters) = getattr(account, operation), seen[operation]
        assert call(**parameters, Limit=most)["Truncated"] is False
        error = refused("ValidationException", call, **parameters, Limit=most + 1)
        assert f"less than or equal to {most}" in str(error)
    marker = account.list_keys(Limit=2)["NextMarker"]
    refused("InvalidMarkerException", account.list_keys, Marker="nonsense")
    refused("InvalidMarkerException", account.list_aliases, Marker=marker)
