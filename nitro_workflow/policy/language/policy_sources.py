"""Key policies as other tools hand them out: a document, KMS's answer, a template's resources.

A CloudFormation template (CDK writes such) and a Terraform plan or state (``terraform show -json``)
hold many keys. What a template leaves open (parameters, other resources' ARNs) becomes a
placeholder, which `fill_placeholders` makes up. Source: AWS CloudFormation's AWS::KMS::Key and
intrinsic functions; Terraform's JSON output format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nitro_workflow.errors import PolicyError
from nitro_workflow.policy.language.json_reading import read_json

__all__ = ["PolicySource", "find_policies"]

_CLOUDFORMATION = ("AWS::KMS::Key", "AWS::KMS::ReplicaKey")
_TERRAFORM = ("aws_kms_key", "aws_kms_key_policy", "aws_kms_external_key", "aws_kms_replica_key",
              "aws_kms_replica_external_key")  # fmt: skip
_SUBSTITUTED = re.compile(r"\$\{([^!}][^}]*)\}")
_NOTHING = object()
MAX_LEVELS = 32  # of a template's values and of a plan's modules
# What KMS gives a key whose creator names no policy. Source: key-policy-default of its guide.
_DEFAULT = {
    "Version": "2012-10-17",
    "Statement": [{
        "Sid": "Enable IAM User Permissions", "Effect": "Allow", "Action": "kms:*", "Resource": "*",
        "Principal": {"AWS": "arn:aws:iam::<account>:root"},
    }],
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PolicySource:
    """A policy's JSON value, or its text; ``resource`` names it in a template, else ``""``."""

    policy: Mapping[str, Any] | str
    resource: str = ""


def find_policies(source: bytes, *, where: str) -> tuple[PolicySource, ...]:
    """Return the policies in a file, at least one.

    Raises `PolicyError` for what is no JSON, for a template without keys, and for a policy that is
    not known before the plan is applied.
    """
    value = read_json(source, what=where)
    if not isinstance(value, Mapping) or "Statement" in value:
        return (PolicySource(value if isinstance(value, Mapping) else _no_object(value, where)),)
    if isinstance(value.get("Policy"), str):  # GetKeyPolicy's answer
        return (PolicySource(value["Policy"]),)
    if isinstance(value.get("Resources"), Mapping):
        return _at_least_one(_cloudformation(value["Resources"]), where)
    roots = [value[name] for name in ("planned_values", "values") if name in value]
    if roots:
        unknown = _not_known_yet(value.get("resource_changes"))
        return _at_least_one(_terraform(roots[0], unknown, where), where)
    return (PolicySource(value),)


def _no_object(value: Any, where: str) -> Mapping[str, Any]:
    raise PolicyError(type(value).__name__, expected="a policy document", where=where)


def _at_least_one(found: Iterator[PolicySource], where: str) -> tuple[PolicySource, ...]:
    listed = tuple(found)
    if not listed:
        kinds = ", ".join((*_CLOUDFORMATION, *_TERRAFORM[:2]))
        raise PolicyError("no KMS key", expected=f"a resource of type {kinds}", where=where)
    return listed


def _source(policy: Any, resource: str) -> PolicySource:
    if not isinstance(policy, str | Mapping):
        raise PolicyError(type(policy).__name__, expected="a policy document", where=resource)
    return PolicySource(policy, resource)


# ------------------------------------------------------------------------------- CloudFormation


def _cloudformation(resources: Mapping[str, Any]) -> Iterator[PolicySource]:
    for name, resource in resources.items():
        if not isinstance(resource, Mapping) or resource.get("Type") not in _CLOUDFORMATION:
            continue
        properties = resource.get("Properties")
        policy = properties.get("KeyPolicy") if isinstance(properties, Mapping) else None
        yield _source(_DEFAULT if policy is None else _resolved(policy, 0), str(name))


def _resolved(value: Any, level: int) -> Any:
    """Return a value of a template with its intrinsic functions resolved to placeholders."""
    if level > MAX_LEVELS:
        raise PolicyError("a template nested too deep", expected=f"{MAX_LEVELS} levels")
    if isinstance(value, list):
        found = (_resolved(entry, level + 1) for entry in value)
        return [entry for entry in found if entry is not _NOTHING]
    if not isinstance(value, Mapping):
        return value
    if len(value) == 1:
        ((name, argument),) = value.items()
        if name == "Ref" or name.startswith("Fn::"):
            return _intrinsic(name, argument, level)
    pairs = ((name, _resolved(entry, level + 1)) for name, entry in value.items())
    return {name: entry for name, entry in pairs if entry is not _NOTHING}


def _intrinsic(name: str, argument: Any, level: int) -> Any:
    if name == "Ref":
        return _NOTHING if argument == "AWS::NoValue" else f"<{argument}>"
    if name == "Fn::Sub":
        text = argument[0] if isinstance(argument, list) and argument else argument
        return _SUBSTITUTED.sub(r"<\1>", str(text)).replace("${!", "${")
    if name == "Fn::GetAtt":
        parts = argument if isinstance(argument, list) else [argument]
        return f"<{'.'.join(map(str, parts))}>"
    if name == "Fn::Join" and isinstance(argument, list) and len(argument) == 2:
        parts = _resolved(argument[1], level + 1)
        if isinstance(parts, list):
            return str(argument[0]).join(map(str, parts))
    return f"<{name}>"


# ------------------------------------------------------------------------------------ Terraform


def _terraform(
    values: Any, unknown: frozenset[str], where: str, level: int = 0
) -> Iterator[PolicySource]:
    module = values.get("root_module", values) if isinstance(values, Mapping) else {}
    if level > MAX_LEVELS or not isinstance(module, Mapping):
        raise PolicyError("modules nested too deep", expected=f"{MAX_LEVELS} levels", where=where)
    for resource in _listed(module.get("resources")):
        if not isinstance(resource, Mapping) or resource.get("type") not in _TERRAFORM:
            continue
        address = str(resource.get("address", resource.get("name", "")))
        found = resource.get("values")
        policy = found.get("policy") if isinstance(found, Mapping) else None
        if not policy and address in unknown:
            raise PolicyError(
                f"the policy of {address} is known after apply only",
                expected="a policy that the plan knows", where=where,
                next="apply first and read the state: terraform show -json",
            )  # fmt: skip
        yield _source(policy or _DEFAULT, address)
    for child in _listed(module.get("child_modules")):
        yield from _terraform(child, unknown, where, level + 1)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _not_known_yet(changes: Any) -> frozenset[str]:
    """Return the addresses of resources whose policy the plan does not know."""
    found: set[str] = set()
    for change in _listed(changes):
        detail = change.get("change") if isinstance(change, Mapping) else None
        after = detail.get("after_unknown") if isinstance(detail, Mapping) else None
        if isinstance(after, Mapping) and after.get("policy") is True:
            found.add(str(change.get("address")))
    return frozenset(found)
