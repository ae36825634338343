"""STS: who am I, and a role's session."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from nitro_workflow.cloud.local.auth import Session, make_session
from nitro_workflow.cloud.local.call import Call, ServiceFault, refuse_members
from nitro_workflow.cloud.local.gate import check_policy, parse_cached
from nitro_workflow.cloud.local.handler import Handler, Services
from nitro_workflow.errors import PolicyError

__all__ = ["OPERATIONS", "SCHEMA"]

SCHEMA = ""  # sessions are sealed tokens: nothing is kept
_ROLE_ARN = re.compile(
    r"arn:aws:iam::(?P<account>\d{12}):role/(?P<path>[\w+=,.@/-]*?)(?P<name>[\w+=,.@-]+)"
)
# Passed over, PolicyArns would give a session that may do more than was asked for.
_NOT_DONE = (
    *("PolicyArns", "ProvidedContexts", "SerialNumber", "SourceIdentity", "TokenCode"),
    "TransitiveTagKeys",
)
_DEFAULT_S = 3600  # STS: AssumeRole's DurationSeconds
_CHAINED_S = 3600  # IAM User Guide, "Role chaining": "limits your session to a maximum of one hour"
_SESSION_POLICY = 2048  # STS API Reference, AssumeRole: characters of Policy
_TOKEN_S = 43_200  # STS: GetSessionToken's


def get_caller_identity(_services: Services, call: Call) -> Mapping[str, Any]:
    """Say who signed. Nobody can be forbidden to ask (STS API Reference)."""
    caller = call.caller
    return {"UserId": caller.principal_id, "Account": caller.account, "Arn": caller.arn}


def assume_role(services: Services, call: Call) -> Mapping[str, Any]:
    """Give a session of a role whose trust policy allows the caller."""
    params = call.params
    refuse_members(call, *_NOT_DONE)
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
    expires = call.now + timedelta(seconds=_duration(call, role["max_session"]))
    session = make_session(
        services.vault,
        role,
        name=name,
        expires=expires,
        policy=_session_policy(params.get("Policy", "")),
        tags=_principal_tags(role, params.get("Tags", ())),
    )
    return {
        "Credentials": _credentials(session),
        "AssumedRoleUser": {
            "AssumedRoleId": session.caller.principal_id,
            "Arn": session.caller.arn,
        },
        "PackedPolicySize": 0,
    }


def get_session_token(services: Services, call: Call) -> Mapping[str, Any]:
    """Give a user temporary credentials that may what the user may, but not ask IAM or STS more."""
    caller = call.caller
    refuse_members(call, *_NOT_DONE)
    if caller.kind != "user" or caller.access_key_id.startswith("ASIA"):
        raise ServiceFault(
            "AccessDenied", "Cannot call GetSessionToken with session credentials", 403
        )
    db = services.store.read()
    user = db.execute("SELECT * FROM entities WHERE arn = ?", (caller.entity_arn,)).fetchone()
    seconds = int(call.params.get("DurationSeconds", _TOKEN_S))
    expires = call.now + timedelta(seconds=seconds)
    tags = _principal_tags(user, ())
    session = make_session(services.vault, user, name="", expires=expires, tags=tags)
    return {"Credentials": _credentials(session)}


def _credentials(session: Session) -> dict[str, Any]:
    return {
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret_access_key,
        "SessionToken": session.token,
        "Expiration": session.expires,
    }


def _context(params: Mapping[str, Any]) -> dict[str, str | Sequence[str]]:
    values: dict[str, str | Sequence[str]] = {"sts:RoleSessionName": params["RoleSessionName"]}
    if "ExternalId" in params:
        values["sts:ExternalId"] = params["ExternalId"]
    tags = params.get("Tags", ())
    if len({tag["Key"].lower() for tag in tags}) != len(tags):
        raise ServiceFault("InvalidParameterValue", "Duplicate tag keys found; case is ignored.")
    values |= {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in tags}
    return values | ({"aws:TagKeys": [tag["Key"] for tag in tags]} if tags else {})


def _principal_tags(entity: sqlite3.Row, given: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the session's tags: its holder's, and in their place those of the same key given.

    The holder's are those of this moment; AWS reads them again at each request.
    """
    tags = {tag["Key"]: tag["Value"] for tag in given}
    named = {key.lower() for key in tags}
    own = {tag["Key"]: tag["Value"] for tag in json.loads(entity["tags"])}
    return {key: value for key, value in own.items() if key.lower() not in named} | tags


def _duration(call: Call, longest: int) -> int:
    seconds = int(call.params.get("DurationSeconds", min(_DEFAULT_S, longest)))
    # STS counts every temporary credential as a chain, GetSessionToken's too.
    if call.caller.access_key_id.startswith("ASIA") and seconds > _CHAINED_S:
        raise ServiceFault(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by "
            "role chaining.",
        )
    if seconds > longest:
        raise ServiceFault(
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        )
    return seconds


def _session_policy(text: str) -> str:
    if text:
        if len(text) > _SESSION_POLICY:
            told = f"Member must have length less than or equal to {_SESSION_POLICY}"
            raise ServiceFault("ValidationError", f"The policy is too long: {told}")
        try:
            check_policy(text, "session")
        except PolicyError as error:
            raise ServiceFault("MalformedPolicyDocument", str(error)) from None
    return text


OPERATIONS: Mapping[str, Handler] = {
    "AssumeRole": assume_role,
    "GetCallerIdentity": get_caller_identity,
    "GetSessionToken": get_session_token,
}
