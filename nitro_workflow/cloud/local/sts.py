"""STS: who am I, and a role's session."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from nitro_workflow.cloud.local.auth import make_session
from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.gate import parse_cached
from nitro_workflow.cloud.local.handler import Handler, Services
from nitro_workflow.errors import PolicyError

__all__ = ["OPERATIONS", "SCHEMA"]

SCHEMA = ""  # sessions are sealed tokens: nothing is kept
_ROLE_ARN = re.compile(
    r"arn:aws:iam::(?P<account>\d{12}):role/(?P<path>[\w+=,.@/-]*?)(?P<name>[\w+=,.@-]+)"
)
_NOT_DONE = (
    *("PolicyArns", "ProvidedContexts", "SerialNumber", "SourceIdentity", "TokenCode"),
    "TransitiveTagKeys",
)
_DEFAULT_S = 3600  # STS: DurationSeconds


def get_caller_identity(_services: Services, call: Call) -> Mapping[str, Any]:
    """Say who signed. Nobody can be forbidden to ask (STS API Reference)."""
    caller = call.caller
    return {"UserId": caller.principal_id, "Account": caller.account, "Arn": caller.arn}


def assume_role(services: Services, call: Call) -> Mapping[str, Any]:
    """Give a session of a role whose trust policy allows the caller."""
    params = call.params
    _refuse_what_is_not_done(params)
    arn, name = params["RoleArn"], params["RoleSessionName"]
    match = _ROLE_ARN.fullmatch(arn)
    if match is None:
        raise ServiceFault("ValidationError", f"{arn} is invalid")
    db = services.store.read()
    role = db.execute("SELECT * FROM entities WHERE kind = 'role' AND arn = ?", (arn,)).fetchone()
    # A role that is not there is refused with the same words: AWS does not say which roles exist.
    trust = parse_cached(role["trust"], "trust") if role else None
    # IAM guide, "Pass session tags": who sets tags needs sts:TagSession too, in the trust policy.
    for action in ("sts:AssumeRole", *(("sts:TagSession",) if params.get("Tags") else ())):
        services.gate.authorize(
            call,
            action,
            arn,
            resource_account=match["account"],
            resource_policy=trust,
            context=_context(params),
        )
    if role is None:
        raise ServiceFault("AccessDenied", f"{arn} can not be assumed.", 403)
    expires = call.now + timedelta(seconds=_duration(params, role["max_session"]))
    session = make_session(
        services.vault,
        role,
        name=name,
        expires=expires,
        policy=_session_policy(params.get("Policy", "")),
        tags={tag["Key"]: tag["Value"] for tag in params.get("Tags", ())},
    )
    return {
        "Credentials": {
            "AccessKeyId": session.access_key_id,
            "SecretAccessKey": session.secret_access_key,
            "SessionToken": session.token,
            "Expiration": session.expires,
        },
        "AssumedRoleUser": {
            "AssumedRoleId": session.caller.principal_id,
            "Arn": session.caller.arn,
        },
        "PackedPolicySize": 0,
    }


def _refuse_what_is_not_done(params: Mapping[str, Any]) -> None:
    """Refuse what would make a session less, or say more of it, and is not done here.

    Passed over in silence, PolicyArns would give a session that may do more than was asked for.
    """
    for member in _NOT_DONE:
        if params.get(member):
            text = f"This local cloud does not do AssumeRole with {member}."
            raise ServiceFault("UnsupportedOperationException", text, 501)


def _context(params: Mapping[str, Any]) -> dict[str, str | Sequence[str]]:
    values: dict[str, str | Sequence[str]] = {"sts:RoleSessionName": params["RoleSessionName"]}
    if "ExternalId" in params:
        values["sts:ExternalId"] = params["ExternalId"]
    tags = params.get("Tags", ())
    if len({tag["Key"].lower() for tag in tags}) != len(tags):
        raise ServiceFault("InvalidParameterValue", "Duplicate tag keys found; case is ignored.")
    values |= {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in tags}
    return values | ({"aws:TagKeys": [tag["Key"] for tag in tags]} if tags else {})


def _duration(params: Mapping[str, Any], longest: int) -> int:
    seconds = int(params.get("DurationSeconds", min(_DEFAULT_S, longest)))
    if seconds > longest:
        raise ServiceFault(
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        )
    return seconds


def _session_policy(text: str) -> str:
    if text:
        try:
            parse_cached(text, "session")
        except PolicyError as error:
            raise ServiceFault("MalformedPolicyDocument", str(error)) from None
    return text


OPERATIONS: Mapping[str, Handler] = {
    "AssumeRole": assume_role,
    "GetCallerIdentity": get_caller_identity,
}
