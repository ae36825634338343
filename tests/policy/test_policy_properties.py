"""What must hold for all policies and requests, tried on random ones.

The default run is short. `POLICY_EXAMPLES=100000 pytest tests/policy/test_policy_properties.py`
tries more; benchmarks/policy.py reports a long run.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nitro_workflow.errors import PolicyError
from nitro_workflow.policy import (
    Grant,
    Policies,
    Principal,
    Request,
    RequestContext,
    analyse,
    evaluate,
    explain,
    parse_policy,
    render_analysis,
    render_explanation,
)
from nitro_workflow.policy.language.operators import BASE_OPERATORS
from nitro_workflow.policy.reach.witness import worst_case

EXAMPLES = int(os.environ.get("POLICY_EXAMPLES", "60"))
common = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow],
    derandomize="POLICY_EXAMPLES" not in os.environ,
)  # fmt: skip

HERE, THERE = "111122223333", "444455556666"
KEY = f"arn:aws:kms:us-east-1:{HERE}:key/1"
PCR = "kms:RecipientAttestation:PCR0"
VALUES = ["ab" * 48, "0" * 96, "AB" * 48, "cd" * 24]
NAMES = [
    "*", HERE, THERE, f"arn:aws:iam::{HERE}:root", f"arn:aws:iam::{HERE}:role/R",
    f"arn:aws:iam::{THERE}:role/R", f"arn:aws:iam::{HERE}:user/u",
    f"arn:aws:sts::{HERE}:assumed-role/R/s",
]  # fmt: skip
CALLERS = [
    f"arn:aws:iam::{HERE}:root", f"arn:aws:iam::{HERE}:user/u", f"arn:aws:iam::{THERE}:user/u",
    f"arn:aws:sts::{HERE}:assumed-role/R/s", f"arn:aws:sts::{THERE}:assumed-role/R/s",
    f"arn:aws:sts::{HERE}:assumed-role/Q/s", "ec2.amazonaws.com", "anonymous",
]  # fmt: skip
ACTIONS = ["kms:Decrypt", "kms:ReEncryptFrom", "kms:CreateGrant", "kms:PutKeyPolicy", "kms:Encrypt"]
PATTERNS = [*ACTIONS, "kms:*", "kms:De*", "kms:ReEncrypt*", "*", "s3:*"]
KEYS = [
    PCR, "kms:RecipientAttestation:ImageSha384", "kms:RecipientAttestation:PCR3",
    "kms:RecipientAttestation:NitroTPMPCR7", "kms:EncryptionContext:dataset", "aws:SourceIp",
    "aws:PrincipalTag/team", "kms:ViaService", "aws:PrincipalArn",
]  # fmt: skip
OPERATORS = [
    prefix + entry.name + suffix
    for entry in BASE_OPERATORS.values()
    for prefix in ("", "", "ForAllValues:", "ForAnyValue:")
    for suffix in ("", "IfExists")
] + ["Null"] * 6
OPERANDS = [*VALUES, "a", "*", "true", "false", "203.0.113.0/24", "10", "2026-01-01", NAMES[4],
            "${aws:PrincipalTag/team}", "${aws:username, 'u'}"]  # fmt: skip

conditions = st.dictionaries(
    st.sampled_from(OPERATORS),
    st.dictionaries(
        st.sampled_from(KEYS),
        st.one_of(st.sampled_from(OPERANDS), st.lists(st.sampled_from(OPERANDS), max_size=3)),
        min_size=1, max_size=2,
    ),
    max_size=2,
)  # fmt: skip


@st.composite
def statements(draw: Any, *, principal: bool = True) -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": draw(st.sampled_from(["Allow", "Deny", "Allow"]))}
    action = draw(st.sampled_from(["Action"] * 5 + ["NotAction"]))
    statement[action] = draw(st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3))
    resource = draw(st.sampled_from(["Resource"] * 5 + ["NotResource"]))
    statement[resource] = draw(st.sampled_from(["*", "*", KEY, KEY + "2", "arn:aws:kms:*"]))
    if principal:
        name = draw(st.sampled_from(["Principal"] * 6 + ["NotPrincipal"]))
        names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=2))
        service = draw(st.booleans())
        statement[name] = {"AWS": names} | ({"Service": "ec2.amazonaws.com"} if service else {})
    block = draw(conditions)
    return {**statement, "Condition": block} if block else statement


documents = st.lists(statements(), min_size=1, max_size=4)
attached = st.lists(statements(principal=False), min_size=1, max_size=3)
contexts = st.dictionaries(
    st.sampled_from(KEYS),
    st.one_of(st.sampled_from(OPERANDS), st.lists(st.sampled_from(OPERANDS), max_size=3)),
    max_size=5,
)
requests = st.builds(
    lambda who, action, resource, context: Request(
        Principal.parse(who), action, resource, context=RequestContext.what_if(context)
    ),
    st.sampled_from(CALLERS),
    st.sampled_from(ACTIONS),
    st.sampled_from([KEY, KEY, KEY + "2"]),
    contexts,
)


def parsed(listed, kind="resource"):
    return parse_policy({"Version": "2012-10-17", "Statement": listed}, kind=kind)


@st.composite
def policy_sets(draw: Any) -> Policies:
    return Policies(
        draw(st.none() | documents.map(parsed)),
        tuple(draw(st.lists(attached.map(lambda s: parsed(s, "identity")), max_size=2))),
        draw(st.none() | attached.map(lambda s: parsed(s, "boundary"))),
        draw(st.none() | attached.map(lambda s: parsed(s, "session"))),
        draw(st.sampled_from([(), (Grant(NAMES[4], ("Decrypt",)),)])),
    )


def allowed(request, policies):
    return evaluate(request, policies).allowed


@common
@given(policy_sets(), requests)
def test_explain_agrees_with_evaluate(policies, request):
    explanation = explain(request, policies)
    assert explanation.decision == evaluate(request, policies)
    for outcome in explanation.outcomes:
        assert outcome.applies == all(check.matched for check in outcome.checks)
    deciding = {(d.role, d.statement) for d in explanation.decision.deciding if hasattr(d, "role")}
    applying = {(o.role, o.statement) for o in explanation.outcomes if o.applies}
    assert deciding <= applying
    assert render_explanation(explanation)
    assert explanation.to_json()["decision"] == explanation.decision.effect


@common
@given(documents, requests, statements(), attached)
def test_a_deny_never_allows_more(listed, request, extra, identity):
    identities = (parsed(identity, "identity"),)
    extra = {**extra, "Effect": "Deny"}
    if allowed(request, Policies(parsed([*listed, extra]), identities)):
        assert allowed(request, Policies(parsed(listed), identities))


@common
@given(documents, requests, attached, st.data())
def test_removing_an_allow_never_allows_more(listed, request, identity, data):
    identities = (parsed(identity, "identity"),)
    gone = data.draw(st.integers(0, len(listed) - 1))
    fewer = [s for n, s in enumerate(listed) if n != gone or s["Effect"] == "Deny"]
    if fewer and allowed(request, Policies(parsed(fewer), identities)):
        assert allowed(request, Policies(parsed(listed), identities))


@common
@given(documents, requests, attached, st.randoms(use_true_random=False))
def test_the_order_of_statements_never_matters(listed, request, identity, shuffler):
    identities = (parsed(identity, "identity"),)
    shuffled = list(listed)
    shuffler.shuffle(shuffled)
    before = evaluate(request, Policies(parsed(listed), identities))
    after = evaluate(request, Policies(parsed(shuffled), identities))
    assert (before.effect, before.lacking) == (after.effect, after.lacking)


@common
@given(policy_sets(), requests, attached)
def test_limits_never_allow_more(policies, request, limit):
    free = Policies(policies.resource, policies.identity, grants=policies.grants)
    bounded = Policies(
        policies.resource, policies.identity, parsed(limit, "boundary"), grants=policies.grants
    )
    if allowed(request, bounded):
        assert allowed(request, free)


@common
@given(documents)
def test_every_witness_is_decided_as_claimed(listed):
    analysis = analyse(parsed(listed), key_arn=KEY)
    for finding in analysis.findings:
        assert finding.witness.holds, finding.code
    for way in (*analysis.ways, *analysis.changers):
        assert way.witness is None or way.witness.holds
    if analysis.without_attestation == "path":
        assert any(way.witness and not way.attested for way in analysis.ways)
    assert render_analysis(analysis)


def unattested_requests(listed, count, seed):
    """Yield random requests without a document, seeded with what the policy speaks of."""
    source = random.Random(seed)
    # aws:PrincipalArn follows from the caller: no request contradicts it.
    keys = [key for key in KEYS if "Recipient" not in key and key != "aws:PrincipalArn"]
    for _ in range(count):
        context = {
            key: source.choice(OPERANDS)
            if source.random() < 0.8
            else source.choices(OPERANDS, k=source.randrange(3))
            for key in source.sample(keys, source.randrange(len(keys) + 1))
        }
        caller = Principal.parse(source.choice(CALLERS))
        action = source.choice(["kms:Decrypt", "kms:ReEncryptFrom"])
        yield Request(caller, action, KEY, context=RequestContext.what_if(context))


@common
@given(documents, st.integers(0, 2**32))
def test_no_path_means_no_path(listed, seed):
    """Where the analysis proves that nothing is open, random requests find nothing open."""
    policy = parsed(listed)
    if analyse(policy, grants=[], key_arn=KEY).without_attestation != "none":
        return
    policies = worst_case(Policies(policy))
    for request in unattested_requests(listed, 30, seed):
        assert not allowed(request, policies)


@common
@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["Version", "Statement", "Effect", "Action", "Principal", "AWS", "Condition",
                         "StringEquals", "Resource", "x"]), inner, max_size=4),
    max_leaves=12,
))  # fmt: skip
def test_any_value_is_read_or_refused(value):
    for source in (value, json.dumps(value)):
        if not isinstance(source, str | dict):
            continue
        with contextlib.suppress(PolicyError):
            parse_policy(source)


@common
@given(st.binary(max_size=64))
def test_any_bytes_are_read_or_refused(data):
    with pytest.raises(PolicyError):
        parse_policy(data)
