"""AWS's own word about a denial: what IAM's access troubleshooter tells of an authorization id.

It names the statements that matched, and the keys of the request; not the one that nearly matched,
nor the value that differed: that is our reading, which is asked about the request it tells of.
Source: botocore's model of ``iam-toolbox`` (preview), GetRequestAuthorizationDetails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nitro_workflow.errors import PolicyError
from nitro_workflow.policy.decide.request import Request, RequestContext
from nitro_workflow.policy.language import Principal

__all__ = ["AuthorizationDetails", "MatchedStatement", "parse_authorization"]


@dataclass(frozen=True, slots=True)
class MatchedStatement:
    """A statement that AWS says matched; ``effect`` is ``ALLOW`` or ``DENY``."""

    policy: str
    sid: str
    effect: str


@dataclass(frozen=True, slots=True)
class AuthorizationDetails:
    """One evaluation: the request, AWS's decision, the statements that matched.

    ``resource_policies`` are the URIs by which GetRequestAuthorizationPolicy gives the policy of
    the resource, as it was.
    """

    request: Request
    effect: str
    matched: tuple[MatchedStatement, ...]
    resource_policies: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return ``{"effect", "matched"}``."""
        matched = [{"policy": m.policy, "sid": m.sid, "effect": m.effect} for m in self.matched]
        return {"effect": self.effect, "matched": matched}

    def to_text(self) -> str:
        """Return AWS's word in lines."""
        lines = [f"AWS says: {self.effect}"]
        lines += [f"  matched: {m.effect} “{m.sid}” of {m.policy}" for m in self.matched]
        return "\n".join(lines if self.matched else [*lines, "  no statement matched"])


def parse_authorization(
    value: Any, *, where: str = "authorization details"
) -> tuple[AuthorizationDetails, ...]:
    """Read GetRequestAuthorizationDetails' answer: one entry for each evaluation.

    Raises `PolicyError` for what is none, and where the caller is not told.
    """
    evaluations = value.get("evaluations") if isinstance(value, Mapping) else None
    if not isinstance(evaluations, list) or not evaluations:
        raise PolicyError(
            "no evaluations", expected="the answer of GetRequestAuthorizationDetails", where=where
        )
    common = _mapping(value.get("requestContext"))
    policies = tuple(
        str(entry.get("uri", ""))
        for entry in map(_mapping, _listed(value.get("policies")))
        if entry.get("type") == "RESOURCE_BASED_POLICY"
    )
    return tuple(_details(_mapping(entry), common, policies, where) for entry in evaluations)


def _details(
    entry: Mapping[str, Any], common: Mapping[str, Any], policies: tuple[str, ...], where: str
) -> AuthorizationDetails:
    merged = {**common, **_mapping(entry.get("context"))}
    context = {str(key): _value(v) for key, v in merged.items()}
    action, resource = entry.get("action"), entry.get("resource")
    if not isinstance(action, str) or not isinstance(resource, str):
        raise PolicyError("no action or no resource", expected="both in an evaluation", where=where)
    caller = _caller(context, where)
    request = Request(caller, action, resource, context=RequestContext.what_if(context))
    effect = str(entry.get("evaluatedEffect", "unknown"))
    return AuthorizationDetails(request, effect, tuple(_matched(entry)), policies)


def _caller(context: Mapping[str, Any], where: str) -> Principal:
    folded = {key.lower(): value for key, value in context.items()}
    arn = folded.get("aws:principalarn")
    if not isinstance(arn, str):
        raise PolicyError("no aws:PrincipalArn", expected="the caller in the context", where=where)
    principal = Principal.parse(arn)
    user_id = folded.get("aws:userid")
    if principal.role_arn and isinstance(user_id, str) and ":" in user_id:
        head = arn.split(":role/")[0].replace(":iam:", ":sts:")
        session = f"{head}:assumed-role/{principal.name}/{user_id.rpartition(':')[2]}"
        return Principal.parse(session, role_arn=arn)
    return principal


def _matched(entry: Mapping[str, Any]) -> Iterator[MatchedStatement]:
    """Yield what matched, by check; older answers have it beside them."""
    checks = [_mapping(check) for check in _listed(entry.get("checks"))]
    holders: list[Mapping[str, Any]] = [*checks] or [entry]
    for holder in holders:
        for policy in map(_mapping, _listed(holder.get("matchedPolicies"))):
            for statement in map(_mapping, _listed(policy.get("matchedStatements"))):
                yield MatchedStatement(
                    str(policy.get("uri", "")), str(statement.get("sid", "")),
                    str(statement.get("evaluatedEffect", "")),
                )  # fmt: skip


def _value(value: Any) -> Any:
    """Return a context value: text, or a list of texts."""
    if isinstance(value, list):
        return [entry if isinstance(entry, str | bool | int | float) else str(entry)
                for entry in value]  # fmt: skip
    return value if isinstance(value, str | bool | int | float) else str(value)


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
