"""A key policy, a request that it denies, and the inquiry about it."""

from __future__ import annotations

import hashlib

from nitro_workflow.policy import (
    Policies,
    Principal,
    Request,
    RequestContext,
    author,
    parse_policy,
)
from nitro_workflow.widgets.inspectors.policy_inquiry import inquire

PREFIX = "kms:RecipientAttestation:"
ROLE = "arn:aws:iam::444455556666:role/ParentInstance"
OWNER = "arn:aws:iam::111122223333:role/DataOwner"
KEY = "arn:aws:kms:us-east-1:111122223333:key/88b858a1-12ab-34cd-56ef-120a70f6f78a"
HOSTILE = "<img src=x onerror=alert(1)>\u202e\u200b</script>"


def digest(text):
    return hashlib.sha384(text.encode()).hexdigest()


GOOD = {f"PCR{index}": digest(f"good {index}") for index in range(4)}
OTHER = {**GOOD, "PCR0": digest("other 0"), "PCR2": digest("other 2")}
ZERO = "0" * 96


def key_policy():
    policy = author.initial_key_policy(OWNER)
    policy = author.allow_data_keys(policy, OWNER, encryption_context=["dataset"])
    return author.attestation_policy(
        policy, ROLE, [GOOD], encryption_context={"dataset": "customers", "version": "1"}
    )


def policies(document=None):
    own = {"Sid": "Decrypt", "Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}
    identity = parse_policy(
        {"Version": "2012-10-17", "Statement": [own]}, kind="identity", name="own"
    )
    return Policies(parse_policy(document or key_policy(), name="key policy"), (identity,))


def request(pcrs=OTHER, **context):
    values = {f"{PREFIX}{name}": value for name, value in pcrs.items()}
    pairs = {"dataset": "customers", "version": "1", **context}
    values |= {f"kms:EncryptionContext:{key}": value for key, value in pairs.items()}
    return Request(
        Principal.parse(ROLE), "kms:Decrypt", KEY, context=RequestContext.what_if(values)
    )


def inquiry(pcrs=OTHER, document=None):
    return inquire(request(pcrs), policies(document))
