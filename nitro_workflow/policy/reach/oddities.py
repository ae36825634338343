"""What is odd about a policy of any kind, although AWS saves it: `policy check` prints these.

Source: reference_policies_condition-single-vs-multi-valued-context-keys,
reference_policies_condition-keys, access-analyzer-reference-policy-checks.
"""

from __future__ import annotations

from collections.abc import Iterator

from nitro_workflow.policy.language import Condition, Policy, Statement, parse_key
from nitro_workflow.policy.reach.kms_actions import unknown_actions
from nitro_workflow.policy.reach.plaintext_actions import is_kms_key

__all__ = ["notes"]

_MULTIVALUED = frozenset(
    {"aws:calledvia", "aws:principalorgpaths", "aws:principalservicenameslist",
     "aws:sourceorgpaths", "aws:resourceorgpaths", "aws:tagkeys", "kms:encryptioncontextkeys",
     "kms:grantoperations",
     "kms:resourcealiases"}
)  # fmt: skip
_GLOBAL = frozenset(
    f"aws:{name}"
    for name in (
        "assumedroot", "calledvia", "calledviafirst", "calledvialast", "chatbotsourcearn",
        "currenttime", "ec2instancesourceprivateipv4", "ec2instancesourcevpc", "epochtime",
        "federatedprovider", "ismcpserviceaction", "multifactorauthage", "multifactorauthpresent",
        "principalaccount", "principalarn", "principalisawsservice", "principalorgid",
        "principalorgpaths", "principalservicename", "principalservicenameslist", "principaltype",
        "referer", "requestedregion", "resourceaccount", "resourceorgid", "resourceorgpaths",
        "securetransport", "signinsessionarn", "sourceaccount", "sourcearn", "sourceidentity",
        "sourceip", "sourceorgid", "sourceorgpaths", "sourcevpc", "sourcevpcarn", "sourcevpce",
        "tagkeys", "tokenissuetime", "useragent", "userid", "username", "viaawsmcpservice",
        "viaawsservice", "vpceaccount", "vpceorgid", "vpceorgpaths", "vpcsourceip",
    )
)  # fmt: skip
_TAGGED = ("aws:principaltag/", "aws:requesttag/", "aws:resourcetag/")


def notes(policy: Policy) -> tuple[str, ...]:
    """Return one sentence for each oddity, in the order of the statements."""
    seen: dict[str, str] = {}
    found: list[str] = []
    for statement in policy.statements:
        found += _statement(policy, statement)
        if statement.sid and statement.sid in seen:
            found.append(f"{statement.label}: {seen[statement.sid]} has the same Sid")
        seen.setdefault(statement.sid, statement.label)
    return tuple(found)


def _statement(policy: Policy, statement: Statement) -> Iterator[str]:
    if policy.version != "2012-10-17":
        texts = [*(statement.resources.texts if statement.resources else ())]
        texts += [value for condition in statement.conditions for value in condition.values]
        used = next((text for text in texts if "${" in text), None)
        if used:
            yield f"{statement.label}: {used} is plain text; variables need Version 2012-10-17"
    for action in unknown_actions(statement.actions):
        yield f"{statement.label}: KMS has no action {action}, so it stands for nothing"
    for condition in statement.conditions:
        for text in _condition(statement, condition):
            yield f"{statement.label}: {condition.operator} {condition.key}: {text}"


def _condition(statement: Statement, condition: Condition) -> Iterator[str]:
    folded, operator = condition.folded, condition.operator
    for value in condition.unusable:
        yield f"{value!r} is not a value for this operator, so it matches nothing"
    if not condition.values:
        yield "there is no value, so nothing matches"
    if not _known(folded):
        yield "AWS has no such condition key"
    if folded in _MULTIVALUED and not operator.quantifier and operator.base.name != "Null":
        yield "the key has many values: it needs ForAnyValue or ForAllValues"
    single = folded not in _MULTIVALUED and (folded in _GLOBAL or parse_key(folded))
    if operator.quantifier and single:
        yield f"the key has one value: {operator.quantifier} does not belong here"
    if (
        operator.quantifier == "ForAllValues"
        and statement.allow
        and not _guarded(statement, folded)
    ):
        yield "ForAllValues holds when the key is absent; add Null with false"


def _guarded(statement: Statement, folded: str) -> bool:
    return any(
        condition.folded == folded and condition.operator.base.name == "Null"
        for condition in statement.conditions
    )


def _known(folded: str) -> bool:
    if folded.startswith("aws:"):
        return folded in _GLOBAL or folded.startswith(_TAGGED)
    return is_kms_key(folded) if folded.startswith("kms:") else True
