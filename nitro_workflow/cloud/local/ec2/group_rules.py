"""Rules of security groups: what may come in, what may go out.

Source: EC2 API Reference, AuthorizeSecurityGroupIngress and its kin; VPC quotas.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping, Sequence
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.ec2.ec2_common import allow, arn, stop_if_dry_run
from nitro_workflow.cloud.local.ec2.security_groups import made_group
from nitro_workflow.cloud.local.handler import Handler, Services

__all__ = ["OPERATIONS"]

_MOST = 60  # VPC quota: rules of a group in each direction
_PROTOCOLS = frozenset({"-1", "tcp", "udp", "icmp"})
_DONE = frozenset({"DryRun", "GroupId", "IpPermissions"})

Rule = dict[str, Any]  # one source or destination of one protocol


def _change(column: str, *, add: bool) -> Handler:
    """Return the handler that adds rules to one direction of a group, or takes them out."""

    def handler(services: Services, call: Call) -> Mapping[str, Any]:
        undone = sorted(set(call.params) - _DONE)
        if undone or "GroupId" not in call.params:
            told = ", ".join(undone) or "no GroupId"
            text = f"This local cloud does not do {call.operation} with {told}."
            raise ServiceFault("UnsupportedOperation", text)
        name = call.params["GroupId"]
        allow(services, call, arn(call, "security-group", name))
        rules = [rule for one in call.params.get("IpPermissions", ()) for rule in _rules(one)]
        if not rules:
            raise ServiceFault("MissingParameter", "The request must contain IpPermissions.")
        with services.store.transaction() as db:
            row = made_group(db, call, name)
            found = [rule for one in json.loads(row[column]) for rule in _rules(one)]
            kept = _with(found, rules) if add else _without(found, rules)
            stop_if_dry_run(call)
            query = f"UPDATE security_groups SET {column} = ? WHERE id = ?"  # noqa: S608
            db.execute(query, (json.dumps(kept), name))
        return {"Return": True}

    return handler


def _rules(permission: Mapping[str, Any]) -> Sequence[Rule]:
    """Return the permission as single rules, each as EC2 writes a permission of one."""
    protocol = str(permission.get("IpProtocol", ""))
    if protocol not in _PROTOCOLS:
        raise ServiceFault(
            "InvalidParameterValue", f"Invalid value '{protocol[:16]}' for protocol."
        )
    base: Rule = {"IpProtocol": protocol}
    if protocol != "-1":
        base |= _ports(permission)
    undone = sorted(set(permission) - {"IpProtocol", "FromPort", "ToPort", "IpRanges"})
    if undone:
        text = f"This local cloud does not do rules with {', '.join(undone)}."
        raise ServiceFault("UnsupportedOperation", text)
    return [{**base, "IpRanges": [_range(one)]} for one in permission.get("IpRanges", ())]


def _ports(permission: Mapping[str, Any]) -> Rule:
    low, high = permission.get("FromPort", -1), permission.get("ToPort", -1)
    if not -1 <= low <= high <= 65_535:
        raise ServiceFault("InvalidParameterValue", f"Invalid TCP/UDP port range ({low}:{high})")
    return {"FromPort": low, "ToPort": high}


def _range(given: Mapping[str, str]) -> dict[str, str]:
    try:
        network = ipaddress.IPv4Network(given.get("CidrIp", ""))
    except ValueError:
        text = f"CIDR block {given.get('CidrIp', '')[:64]!a} is malformed"
        raise ServiceFault("InvalidParameterValue", text) from None
    about = given.get("Description", "")
    if len(about) > 255:
        raise ServiceFault("InvalidParameterValue", "A rule's description has 255 letters at most.")
    return {"CidrIp": str(network), **({"Description": about} if about else {})}


def _same(rule: Rule) -> Any:
    """Return what tells one rule from another: all but its description."""
    return (
        rule["IpProtocol"],
        rule.get("FromPort"),
        rule["IpRanges"][0]["CidrIp"],
        rule.get("ToPort"),
    )


def _with(found: Sequence[Rule], more: Sequence[Rule]) -> list[Rule]:
    known = {_same(rule) for rule in found}
    for rule in more:
        if _same(rule) in known:
            text = f"the specified rule {_same(rule)} already exists"
            raise ServiceFault("InvalidPermission.Duplicate", text)
        known.add(_same(rule))
    if len(known) > _MOST:
        text = "The maximum number of rules per security group has been reached."
        raise ServiceFault("RulesPerSecurityGroupLimitExceeded", text)
    return [*found, *more]


def _without(found: Sequence[Rule], gone: Sequence[Rule]) -> list[Rule]:
    known = {_same(rule) for rule in found}
    if not {_same(rule) for rule in gone} <= known:
        text = "The specified rule does not exist in this security group."
        raise ServiceFault("InvalidPermission.NotFound", text)
    ended = {_same(rule) for rule in gone}
    return [rule for rule in found if _same(rule) not in ended]


OPERATIONS: Mapping[str, Handler] = {
    "AuthorizeSecurityGroupEgress": _change("egress", add=True),
    "AuthorizeSecurityGroupIngress": _change("ingress", add=True),
    "RevokeSecurityGroupEgress": _change("egress", add=False),
    "RevokeSecurityGroupIngress": _change("ingress", add=False),
}
