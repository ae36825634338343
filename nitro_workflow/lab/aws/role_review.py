"""The roles' policies, decided by our own evaluator before anything is made of them.

What each party must be refused, and the little that it must be allowed, asked of the very texts
that the set-up will put; and the key policy as P7 leaves it, analysed. Accounts that are not known
yet have the ids of AWS's documentation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud import (
    COMPUTE_ACCOUNT,
    DATA_ACCOUNT,
    Accounts,
    AwsSettings,
    aws_names,
    further_permissions,
)
from nitro_workflow.lab.party_policies import PARTIES, PartyPolicies

if TYPE_CHECKING:
    from nitro_workflow.policy import PolicyKind

__all__ = ["Claim", "fenced_key_policy", "planned_policies", "review"]

_KEY: Final = "11111111-2222-3333-4444-555555555555"
_PCRS: Final = {"PCR0": "a1" * 48, "PCR1": "b2" * 48, "PCR2": "c3" * 48, "PCR3": "d4" * 48}
"""Stand for the image's, which does not exist yet."""
_CONTEXT: Final = {"dataset": "customers", "version": "1"}
_OPERATOR: Final = "arn:aws:iam::{}:user/operator"

_KEY_ACTIONS: Final = (
    *("kms:Decrypt", "kms:GenerateDataKey", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"),
    *("kms:CreateGrant", "kms:ReEncryptFrom"),
)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a party may or may not do. ``holds``: whether the evaluator says so, too."""

    party: str
    action: str
    on: str
    allowed: bool
    holds: bool
    why: str

    def to_json(self) -> dict[str, Any]:
        """Return the fields by name."""
        return asdict(self)


def planned_policies(settings: AwsSettings, identity: str) -> PartyPolicies:
    """Return the policies as the set-up will put them; it asks nobody."""
    names = aws_names(settings, identity)
    accounts = Accounts(
        settings.data_account or DATA_ACCOUNT, settings.compute_account or COMPUTE_ACCOUNT
    )
    further = {
        party: further_permissions(
            party,
            data_bucket=names.data_bucket,
            images_bucket=names.images_bucket,
            region=settings.region,
            account=accounts.compute,
            identity=identity,
            instance=names.given.get("instance", ""),
        )
        for party in PARTIES
    }
    return PartyPolicies(accounts, names, settings.region, further, tls_only=True)


def review(policies: PartyPolicies) -> Iterator[Claim]:
    """Yield each claim with the evaluator's answer; one that does not hold must not be made."""
    key = f"arn:aws:kms:{policies.region}:{policies.accounts.data}:key/{_KEY}"
    key_policy = fenced_key_policy(policies, [_PCRS], _CONTEXT)
    for party in ("administrator", "developer"):
        for action in _KEY_ACTIONS:
            yield _claim(policies, party, action, key, key_policy, allowed=False)
    for action in ("kms:Decrypt", "kms:CreateGrant", "kms:ReEncryptFrom"):
        yield _claim(policies, "owner", action, key, key_policy, allowed=False)
    context = {f"kms:EncryptionContext:{name}": value for name, value in _CONTEXT.items()}
    keys = {**context, "kms:EncryptionContextKeys": list(_CONTEXT)}
    yield _claim(policies, "owner", "kms:GenerateDataKey", key, key_policy, keys, allowed=True)
    yield _claim(policies, "instance", "kms:Decrypt", key, key_policy, keys, allowed=False)
    seen = {f"kms:RecipientAttestation:{name}": value for name, value in _PCRS.items()}
    inside = {**keys, **seen}
    yield _claim(policies, "instance", "kms:Decrypt", key, key_policy, inside, allowed=True)
    other = {**inside, "kms:RecipientAttestation:PCR0": "ee" * 48}
    yield _claim(policies, "instance", "kms:Decrypt", key, key_policy, other, allowed=False)
    yield from _roles_and_data(policies)
    yield _analysed(key_policy, key)


def _roles_and_data(policies: PartyPolicies) -> Iterator[Claim]:
    owner = policies.role_arn("owner")
    trust = policies.trust_policy("owner", _OPERATOR.format(policies.accounts.data))
    bucket = policies.bucket_policy()
    data = f"arn:aws:s3:::{policies.names.data_bucket}/customers/1/customers.csv.esdk"
    for party in ("administrator", "developer", "instance"):
        yield _claim(policies, party, "sts:AssumeRole", owner, trust, allowed=False, kind="trust")
        own = policies.role_arn(party)
        for action in ("iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"):
            yield _claim(policies, party, action, own, None, allowed=False)
        reads = party == "instance"
        yield _claim(policies, party, "s3:GetObject", data, bucket, allowed=reads)
        yield _claim(policies, party, "s3:PutObject", data, bucket, allowed=False)


def _claim(
    policies: PartyPolicies,
    party: str,
    action: str,
    on: str,
    resource: Mapping[str, Any] | None,
    context: Mapping[str, Any] | None = None,
    *,
    allowed: bool,
    kind: PolicyKind = "resource",
) -> Claim:
    from nitro_workflow.policy import (
        Policies,
        Principal,
        Request,
        RequestContext,
        explain,
        parse_policy,
    )

    own = parse_policy(json.dumps(policies.identity_policy(party)), kind="identity", name=party)
    at = parse_policy(json.dumps(resource), kind=kind, name=kind) if resource else None
    request = Request(
        Principal.parse(policies.role_arn(party)),
        action,
        on,
        resource_account=policies.accounts.data,
        context=RequestContext.what_if(context or {}),
    )
    told = explain(request, Policies(at, (own,)))
    holds = (told.decision.effect == "allowed") == allowed
    return Claim(party, action, on, allowed, holds, told.summary)


def fenced_key_policy(
    policies: PartyPolicies,
    images: Sequence[Mapping[str, str]],
    encryption_context: Mapping[str, str],
) -> dict[str, Any]:
    """Return the data key's policy as P1, P2 and P7 make it. ``images``: PCRs, PCR3 among them."""
    from nitro_workflow.policy import author

    owner, instance = policies.role_arn("owner"), policies.role_arn("instance")
    wider = author.allow_data_keys(
        author.initial_key_policy(owner), owner, encryption_context=encryption_context
    )
    return author.attestation_policy(wider, instance, images, encryption_context=encryption_context)


def _analysed(key_policy: Mapping[str, Any], key: str) -> Claim:
    """Return the analysis of the key policy: without a document, of another image, in debug."""
    from nitro_workflow.policy import analyse, parse_policy

    found = analyse(parse_policy(json.dumps(key_policy), name="key policy"), grants=(), key_arn=key)
    good = set(found.answers.values()) == {"none"}
    why = ", ".join(f"{question}: {answer}" for question, answer in found.answers.items())
    return Claim("anybody", "the plaintext", "outside the measured enclave", False, good, why)
