"""Concrete requests that show what a policy lets through; the evaluator decides every one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nitro_workflow.policy.decide import (
    ATTESTATION_PREFIX,
    Effect,
    Policies,
    Request,
    RequestContext,
    evaluate,
)
from nitro_workflow.policy.language import Condition, Principal, Template, parse_key, parse_policy
from nitro_workflow.policy.reach.documents import DocumentClass
from nitro_workflow.policy.reach.request_space import Space
from nitro_workflow.policy.reach.value_classes import Values

__all__ = ["KEY_ARN", "Witness", "worst_case", "write_request"]

KEY_ARN = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-0000-0000-000000000000"
_IMAGE = "kms:RecipientAttestation:ImageSha384"
_PCR0 = "kms:RecipientAttestation:PCR0"
_EVERYTHING = parse_policy(
    {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}},
    kind="identity",
    name="an identity policy that allows everything",
)


def worst_case(policies: Policies) -> Policies:
    """Return the set as if the callers' own policies allowed everything."""
    return Policies(policies.resource, (_EVERYTHING,), grants=policies.grants)


@dataclass(frozen=True, slots=True)
class Witness:
    """A request, the policies it is put to, and how they decide it."""

    request: Request
    policies: Policies
    effect: Effect

    @classmethod
    def of(cls, request: Request, policies: Policies) -> Witness:
        """Return the request with the evaluator's decision."""
        return cls(request, policies, evaluate(request, policies).effect)

    @property
    def holds(self) -> bool:
        """Say whether the evaluator decides as claimed."""
        return evaluate(self.request, self.policies).effect == self.effect

    def to_json(self) -> dict[str, Any]:
        """Return the request in the form of `policy explain --request`, and its decision."""
        context = self.request.context
        return {
            "principal": self.request.principal.arn,
            "action": self.request.action,
            "resource": self.request.resource,
            "context": {context.names[key]: list(values) for key, values in context.values.items()},
            "decision": self.effect,
            "assumes": [policy.name for policy in self.policies.identity],
        }


def write_request(
    caller: Principal,
    action: str,
    space: Space,
    document: DocumentClass,
    values: Mapping[str, Values],
    *,
    user_id: str = "",
    conditions: Sequence[Condition] = (),
) -> Iterator[Request]:
    """Yield the request of these values; then again with its policy variables made to fit.

    ``conditions`` are those of the Allow.
    """
    context: dict[str, Any] = {"aws:userid": user_id} if user_id else {}
    for key, listed in values.items():
        if listed and not key.startswith(ATTESTATION_PREFIX):
            context[space.keys[key].name] = list(listed) if len(listed) > 1 else listed[0]
    context |= _document(document, values)
    yield Request(caller, action, space.key_arn, context=RequestContext.what_if(context))
    if any(condition.variables_used for condition in conditions):
        fitted = _fitted(context, conditions)
        yield Request(caller, action, space.key_arn, context=RequestContext.what_if(fitted))


def _document(document: DocumentClass, values: Mapping[str, Values]) -> dict[str, str]:
    """Return the keys of the whole document: those that were chosen, and the example's."""
    if document.base is None:
        return {}
    shown = dict(document.base)
    for key, listed in values.items():
        register = parse_key(key)
        if register is None:
            continue
        prefix = "kms:RecipientAttestation:" + ("NitroTPM" if register.nitrotpm else "")
        name = f"{prefix}PCR{register.index}"
        shown.pop(name, None)
        if listed:
            shown[name] = listed[0]
    if _PCR0 in shown:
        shown[_IMAGE] = shown[_PCR0]
    return shown


def _fitted(context: Mapping[str, Any], conditions: Sequence[Condition]) -> dict[str, Any]:
    """Return the context with each key set to what its policy variable says."""
    result = dict(context)
    names = {name.lower(): name for name in result}
    for condition in conditions:
        if not condition.variables_used or condition.operator.base.negated:
            continue
        for key in condition.variables_used:
            result.setdefault(names.setdefault(key, key), "true")
        known = {name.lower(): (value,) for name, value in result.items() if isinstance(value, str)}
        template = Template.parse(
            condition.values[0], variables=condition.variables, wildcards=False
        )
        resolved = template.resolve(known)
        if resolved is not None:
            result[names.setdefault(condition.folded, condition.key)] = resolved.replace("*", "x")
    return result
