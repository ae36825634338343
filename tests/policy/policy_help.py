"""Short ways to ask in tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nitro_workflow.policy import (
    Policies,
    Policy,
    Principal,
    Request,
    RequestContext,
    evaluate,
    parse_policy,
)

ACCOUNT, OTHER = "111122223333", "444455556666"
USER = f"arn:aws:iam::{ACCOUNT}:user/alice"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/Worker"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/Worker/session"
FEDERATED = f"arn:aws:sts::{ACCOUNT}:federated-user/bob"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
FOREIGN = f"arn:aws:sts::{OTHER}:assumed-role/Worker/session"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OBJECT = "arn:aws:s3:::bucket/home/alice/file.txt"


def policy(
    *statements: Mapping[str, Any], kind: str = "identity", version: str | None = "2012-10-17"
) -> Policy:
    document: dict[str, Any] = {"Version": version} if version else {}
    document["Statement"] = list(statements)
    return parse_policy(document, kind=kind)


def allow(action="*", resource="*", **elements: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **elements}


def deny(action="*", resource="*", **elements: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": action, "Resource": resource, **elements}


def to(principal: Any, statement: Mapping[str, Any]) -> dict[str, Any]:
    return {**statement, "Principal": {"AWS": principal} if principal != "*" else "*"}


def ask(
    principal: str = USER,
    action: str = "s3:GetObject",
    resource: str = OBJECT,
    *,
    context: Mapping[str, Any] | None = None,
    owner: str = "",
    policies: Policies | None = None,
    identity: tuple[Policy, ...] = (),
    **others: Any,
) -> str:
    request = Request(
        Principal.parse(principal), action, resource, owner, RequestContext.what_if(context or {})
    )
    return evaluate(request, policies or Policies(identity=identity, **others)).effect
