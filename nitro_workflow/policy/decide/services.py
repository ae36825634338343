"""What the services themselves decide, whatever the policies say.

Source: STS API reference (GetCallerIdentity), the IAM guide (AWS managed policies, service-linked
roles), the KMS guide (aliases of AWS managed keys), and for `requires_resource_policy`
reference_policies_evaluation-logic: "IAM role trust policies and KMS key policies are exceptions".
"""

from __future__ import annotations

import re

__all__ = ["always_allows", "never_allows", "requires_resource_policy"]

# "No permissions are required to perform this operation", an explicit deny included.
_ALWAYS = frozenset({"sts:getcalleridentity"})
_TRUST = frozenset(
    f"sts:{name}"
    for name in (
        "assumerole", "assumerolewithsaml", "assumerolewithwebidentity", "tagsession",
        "setsourceidentity",
    )
)  # fmt: skip
_KEY = re.compile(r"arn:[^:]*:kms:[^:]*:[^:]*:key/.*", re.DOTALL)
_ROLE = re.compile(r"arn:[^:]*:iam::[^:]*:role/.*", re.DOTALL)
_READS = ("get", "list", "simulate", "generate", "attach", "detach")

# Resources that are AWS's own: they can be read and used, never changed by the account.
_MANAGED_POLICY = re.compile(r"arn:[^:]*:iam::aws:policy/.*", re.DOTALL)
_RESERVED_ROLE = re.compile(
    r"arn:[^:]*:iam::[^:]*:role/(?:aws-reserved|aws-service-role)/.*", re.DOTALL
)
_ALIAS = re.compile(r"arn:[^:]*:kms:[^:]*:[^:]*:alias/.*", re.DOTALL)
_MANAGED_ALIAS = re.compile(r"arn:[^:]*:kms:[^:]*:[^:]*:alias/aws/.*", re.DOTALL)
_ALIAS_CHANGES = frozenset({"kms:createalias", "kms:deletealias", "kms:updatealias"})
_SERVICE_LINKED = frozenset(
    {"iam:createservicelinkedrole", "iam:deleteservicelinkedrole", "iam:passrole"}
)


def always_allows(action: str) -> bool:
    """Say whether every signed request for an action (in lower case) is allowed."""
    return action in _ALWAYS


def never_allows(action: str, resource: str) -> str:
    """Return why AWS's own resource cannot be changed by this action, or ``""``."""
    service, _, operation = action.partition(":")
    if service == "iam":
        if _MANAGED_POLICY.fullmatch(resource) and not operation.startswith(_READS):
            return "an AWS managed policy belongs to AWS: no account can change it"
        if _RESERVED_ROLE.fullmatch(resource) and _changes_role(action, resource):
            return "a reserved role belongs to an AWS service: only that service changes it"
    elif action in _ALIAS_CHANGES and _MANAGED_ALIAS.fullmatch(resource):
        return "aliases that begin with alias/aws/ belong to AWS"
    return ""


def _changes_role(action: str, resource: str) -> bool:
    if "/aws-service-role/" in resource and action in _SERVICE_LINKED:
        return False
    return not action.partition(":")[2].startswith(("get", "list", "simulate", "generate"))


def requires_resource_policy(action: str, resource: str) -> bool:
    """Say whether nothing but the resource's own policy can open it: KMS keys, role trust."""
    if action.startswith("kms:"):
        # KMS resolves an alias to its key, whose policy then decides.
        through_alias = action not in _ALIAS_CHANGES and _ALIAS.fullmatch(resource) is not None
        return through_alias or _KEY.fullmatch(resource) is not None
    return action in _TRUST and _ROLE.fullmatch(resource) is not None
