"""What is deleted, or made again by another, between the question at the gate and the write."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from nitro_workflow.cloud.local.auth import identity_documents
from nitro_workflow.cloud.local.call import Call, Caller, ServiceFault
from nitro_workflow.cloud.local.catalogue import SERVICES
from nitro_workflow.cloud.local.dispatch import Dispatcher
from nitro_workflow.cloud.local.handler import Services
from tests.cloud.conftest import COMPUTE, DATA, allow, policy

OPERATOR = f"arn:aws:iam::{DATA}:user/operator"
DENY = policy({"Effect": "Deny", "Action": "*", "Resource": "*"})
TRUST = policy({"Effect": "Allow", "Principal": {"AWS": DATA}, "Action": "sts:AssumeRole"})
KMS = SERVICES["kms"].operations
USER = f"arn:aws:iam::{DATA}:user/u"
NAMING = policy({"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{DATA}:root"},
                 "Action": "kms:*", "Resource": "*"},
                {"Effect": "Allow", "Principal": {"AWS": USER}, "Action": "kms:*",
                 "Resource": "*"})  # fmt: skip
TRUSTING = TRUST.replace(f'"{DATA}"', f'"{USER}"')
POLICY = f"arn:aws:iam::{DATA}:policy/bound"
Do = Callable[..., Mapping[str, Any]]


@pytest.fixture
def do(dispatcher: Dispatcher) -> Do:
    """Make a call as the data account's operator; `meanwhile` happens when it begins to write."""

    def made(operation: str, meanwhile: Callable[[], object] | None = None, **params: Any) -> Any:
        service = "s3" if "Bucket" in params else "kms" if operation in KMS else "iam"
        caller = Caller(DATA, OPERATOR, "user", "AIDA", "operator", entity_arn=OPERATOR)
        now = datetime.now(UTC)
        call = Call(service, operation, params, caller, "r", now, "127.0.0.1", "us-east-1")
        services = dispatcher.services
        if meanwhile is not None:
            services = replace(services, store=Late(services, meanwhile))  # type: ignore[arg-type]
        return SERVICES[service].operations[operation](services, call)

    return made


class Late:
    """The store, of which something else is done first when a transaction begins."""

    def __init__(self, services: Services, meanwhile: Callable[[], object]) -> None:
        self._store, self._meanwhile = services.store, meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Any]:
        self._meanwhile()
        with self._store.transaction() as db:
            yield db


@pytest.fixture
def people(do: Do) -> None:
    do("CreateUser", UserName="u", Path="/")
    do("CreateRole", RoleName="r", Path="/", AssumeRolePolicyDocument=TRUST)
    do("CreatePolicy", PolicyName="bound", Path="/", PolicyDocument=DENY)
    do("CreateInstanceProfile", InstanceProfileName="p", Path="/")


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(("operation", "params"), [
    ("CreateAccessKey", {"UserName": "u"}),
    ("PutUserPolicy", {"UserName": "u", "PolicyName": "p", "PolicyDocument": DENY}),
    ("AttachUserPolicy", {"UserName": "u", "PolicyArn": POLICY}),
    ("PutUserPermissionsBoundary", {"UserName": "u", "PermissionsBoundary": POLICY}),
    ("TagUser", {"UserName": "u", "Tags": [{"Key": "a", "Value": "b"}]}),
    ("UpdateAssumeRolePolicy", {"RoleName": "r", "PolicyDocument": TRUST}),
    ("AddRoleToInstanceProfile", {"RoleName": "r", "InstanceProfileName": "p"}),
])  # fmt: skip
@pytest.mark.parametrize("again", [False, True])
def test_nothing_is_given_to_whom_comes_later(
    do: Do, operation: str, params: dict[str, Any], again: bool
) -> None:
    """A key was made for a user who was gone, and opened the next user of that name."""
    name, kind = ("UserName", "User") if "UserName" in params else ("RoleName", "Role")

    def meanwhile() -> None:
        do(f"Delete{kind}", **{name: params[name]})
        if again:
            trust = {} if kind == "User" else {"AssumeRolePolicyDocument": TRUST}
            do(f"Create{kind}", **{name: params[name]}, Path="/", **trust)

    with pytest.raises(ServiceFault) as caught:
        do(operation, meanwhile, **params)
    assert caught.value.code == "NoSuchEntity"


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(("operation", "params", "code"), [
    ("CreateRole", {"RoleName": "n", "Path": "/", "AssumeRolePolicyDocument": TRUSTING},
     "MalformedPolicyDocument"),
    ("UpdateAssumeRolePolicy", {"RoleName": "r", "PolicyDocument": TRUSTING},
     "MalformedPolicyDocument"),
    ("PutBucketPolicy", {"Bucket": "naming", "Policy": policy({
        **allow("s3:*", resource="arn:aws:s3:::naming"), "Principal": {"AWS": USER}})},
     "MalformedPolicy"),
    ("CreateKey", {"Policy": NAMING}, "MalformedPolicyDocumentException"),
    ("PutKeyPolicy", {"Policy": NAMING}, "MalformedPolicyDocumentException"),
    ("CreateGrant", {"GranteePrincipal": USER, "Operations": ["Decrypt"]}, "InvalidArnException"),
])  # fmt: skip
def test_who_is_gone_is_named_in_nothing(
    do: Do, operation: str, params: dict[str, Any], code: str
) -> None:
    """Who is made again under the name would be meant: deleting names them by id only before."""
    do("CreateBucket", Bucket="naming")
    key = do("CreateKey")["KeyMetadata"]["KeyId"]
    if operation in ("PutKeyPolicy", "CreateGrant"):
        params = {**params, "KeyId": key}
    with pytest.raises(ServiceFault) as caught:
        do(operation, lambda: do("DeleteUser", UserName="u"), **params)
    assert caught.value.code == code


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(("operation", "params"), [
    ("AttachUserPolicy", {"UserName": "u", "PolicyArn": POLICY}),
    ("PutUserPermissionsBoundary", {"UserName": "u", "PermissionsBoundary": POLICY}),
    ("CreateUser", {"UserName": "new", "Path": "/", "PermissionsBoundary": POLICY}),
])  # fmt: skip
def test_a_policy_that_is_gone_bounds_nobody(
    do: Do, operation: str, params: dict[str, Any]
) -> None:
    with pytest.raises(ServiceFault) as caught:
        do(operation, lambda: do("DeletePolicy", PolicyArn=POLICY), **params)
    assert caught.value.code == "NoSuchEntity"


@pytest.mark.usefixtures("people")
def test_a_boundary_that_is_gone_frees_nobody(do: Do, dispatcher: Dispatcher) -> None:
    do("PutUserPermissionsBoundary", UserName="u", PermissionsBoundary=POLICY)
    user = f"arn:aws:iam::{DATA}:user/u"
    with dispatcher.services.store.transaction() as db:
        db.execute("DELETE FROM managed_policies WHERE arn = ?", (POLICY,))
        _, boundary = identity_documents(db, user)
        assert boundary is not None
        assert '"Deny"' in boundary
        assert identity_documents(db, OPERATOR)[1] is None


@pytest.mark.parametrize(("operation", "params"), [
    ("DeleteBucket", {}),
    ("DeleteBucketPolicy", {}),
    ("PutBucketPolicy", {"Policy": policy({**allow("s3:*", resource="arn:aws:s3:::taken"),
                                           "Principal": {"AWS": OPERATOR}})}),
    ("PutBucketVersioning", {"VersioningConfiguration": {"Status": "Enabled"}}),
    ("PutBucketTagging", {"Tagging": {"TagSet": [{"Key": "a", "Value": "b"}]}}),
    ("DeletePublicAccessBlock", {}),
])  # fmt: skip
def test_a_bucket_of_another_by_the_same_name(
    do: Do, dispatcher: Dispatcher, operation: str, params: dict[str, Any]
) -> None:
    """It was deleted, or told what the one before it was to be told."""
    do("CreateBucket", Bucket="taken")
    store = dispatcher.services.store

    def meanwhile() -> None:
        do("DeleteBucket", Bucket="taken")
        with store.transaction() as db:
            values = (COMPUTE, datetime.now(UTC).isoformat())
            db.execute("INSERT INTO buckets VALUES ('taken', ?, ?, NULL, NULL)", values)

    with pytest.raises(ServiceFault) as caught:
        do(operation, meanwhile, Bucket="taken", **params)
    assert caught.value.code == "NoSuchBucket"
    row = store.read().execute("SELECT * FROM buckets").fetchone()
    assert (row["account"], row["policy"], row["versioning"]) == (COMPUTE, None, None)
    assert store.read().execute("SELECT count(*) FROM bucket_settings").fetchone()[0] == 0
