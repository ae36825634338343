"""Which policies must allow, in one account and across two.

`logic` is reference_policies_evaluation-logic_policy-eval-denyallow, `cross` is
reference_policies_evaluation-logic-cross-account, `principal` and `notprincipal` are
reference_policies_elements_principal and _notprincipal, `kms` is key-policies and grants of the KMS
guide, `sts` is id_roles_terms-and-concepts and the STS API reference.
"""

from __future__ import annotations

import pytest
from policy_help import (
    ACCOUNT,
    FEDERATED,
    FOREIGN,
    KEY,
    OBJECT,
    OTHER,
    ROLE,
    ROOT,
    SESSION,
    USER,
    allow,
    ask,
    deny,
    policy,
    to,
)

from nitro_workflow.errors import PolicyError
from nitro_workflow.policy import Grant, Policies, Principal, Request, RequestContext, evaluate
from nitro_workflow.policy.language.principals import PrincipalKind

YES, IMPLICIT, EXPLICIT = "allowed", "implicitDeny", "explicitDeny"
ALL = policy(allow())
NOTHING = policy(allow("ec2:DescribeRegions"))
BOUNDARY_ALL, BOUNDARY_NONE = (
    policy(allow(), kind="boundary"),
    policy(allow("ec2:DescribeRegions"), kind="boundary"),
)
SESSION_ALL, SESSION_NONE = (
    policy(allow(), kind="session"),
    policy(allow("ec2:DescribeRegions"), kind="session"),
)
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/Target"


def bucket(principal, effect=allow, **elements):
    return policy(to(principal, effect(**elements)), kind="resource")


# ---- one account -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identity", "resource", "expected"),
    [
        ((), None, IMPLICIT),
        ((ALL,), None, YES),
        ((NOTHING,), None, IMPLICIT),
        ((), bucket(USER), YES),  # union: either allows
        ((ALL,), bucket(USER, allow, action="s3:PutObject"), YES),
        ((ALL,), bucket(USER, deny), EXPLICIT),
        ((policy(deny()),), bucket(USER), EXPLICIT),
        ((policy(allow(), deny("s3:Get*")),), None, EXPLICIT),
        ((ALL, policy(deny("s3:GetObject"))), None, EXPLICIT),
        ((NOTHING, ALL), None, YES),
        ((), bucket(ROOT), IMPLICIT),  # the account is named: it delegates to IAM
        ((ALL,), bucket(ROOT), YES),
        ((), bucket(ACCOUNT), IMPLICIT),
        ((), bucket("*"), YES),
        ((), bucket(f"arn:aws:iam::{ACCOUNT}:user/bob"), IMPLICIT),
        ((), bucket([f"arn:aws:iam::{ACCOUNT}:user/bob", USER]), YES),
        ((), bucket(USER.replace("alice", "Alice")), IMPLICIT),  # names are case-sensitive
    ],
)
def test_a_user_in_his_account(identity, resource, expected):
    assert ask(identity=identity, resource_policy=None, policies=Policies(resource, identity)) == (
        expected
    )


@pytest.mark.parametrize(
    ("principal", "named", "identity", "boundary", "session", "expected"),
    [
        # identity policies are limited by boundary and session policy
        (USER, None, ALL, BOUNDARY_ALL, None, YES),
        (USER, None, ALL, BOUNDARY_NONE, None, IMPLICIT),
        (USER, None, NOTHING, BOUNDARY_ALL, None, IMPLICIT),  # a boundary grants nothing
        (SESSION, None, ALL, None, SESSION_ALL, YES),
        (SESSION, None, ALL, None, SESSION_NONE, IMPLICIT),
        (SESSION, None, NOTHING, None, SESSION_ALL, IMPLICIT),
        (SESSION, None, ALL, BOUNDARY_ALL, SESSION_NONE, IMPLICIT),
        (SESSION, None, ALL, BOUNDARY_NONE, SESSION_ALL, IMPLICIT),
        (SESSION, None, ALL, BOUNDARY_ALL, SESSION_ALL, YES),
        # a resource policy that names the user is not limited
        (USER, USER, NOTHING, BOUNDARY_NONE, None, YES),
        # one that names the role is
        (SESSION, ROLE, NOTHING, None, None, YES),
        (SESSION, ROLE, NOTHING, BOUNDARY_NONE, None, IMPLICIT),
        (SESSION, ROLE, NOTHING, None, SESSION_NONE, IMPLICIT),
        (SESSION, ROLE, NOTHING, BOUNDARY_ALL, SESSION_ALL, YES),
        # one that names the session is not
        (SESSION, SESSION, NOTHING, BOUNDARY_NONE, SESSION_NONE, YES),
        (SESSION, SESSION + "2", NOTHING, None, None, IMPLICIT),
        # nor one for everybody
        (SESSION, "*", NOTHING, BOUNDARY_NONE, SESSION_NONE, YES),
        # a federated user: his session directly, or the user who federated, who is limited
        (FEDERATED, FEDERATED, NOTHING, BOUNDARY_NONE, SESSION_NONE, YES),
        (FEDERATED, f"arn:aws:iam::{ACCOUNT}:user/bob", NOTHING, None, SESSION_NONE, IMPLICIT),
        (FEDERATED, f"arn:aws:iam::{ACCOUNT}:user/bob", NOTHING, None, SESSION_ALL, YES),
        # GetFederationToken: without a session policy the session has no permissions of its own
        (FEDERATED, None, ALL, None, None, IMPLICIT),
        (FEDERATED, None, ALL, None, SESSION_ALL, YES),
        (FEDERATED, FEDERATED, NOTHING, None, None, YES),
        # an account is named: the identity policies decide, and are limited
        (SESSION, ROOT, ALL, BOUNDARY_NONE, None, IMPLICIT),
        (SESSION, ROOT, ALL, BOUNDARY_ALL, None, YES),
    ],
)
def test_boundaries_and_session_policies(principal, named, identity, boundary, session, expected):
    """Source: `logic`, "Resource-based policies and implicit denies in other policy types"."""
    resource = None if named is None else bucket(named)
    policies = Policies(resource, (identity,), boundary, session)
    assert ask(principal, policies=policies) == expected


@pytest.mark.parametrize("where", ["boundary", "session"])
def test_an_explicit_deny_in_a_limit_wins_over_everything(where):
    refuse = policy(allow(), deny("s3:*"), kind=where)
    policies = Policies(bucket(SESSION), (ALL,), **{where: refuse})
    assert ask(SESSION, policies=policies) == EXPLICIT


def test_the_root_user_may_everything_in_his_account():
    """Source: `logic`: "with the exception of the AWS account root user, which has full access"."""
    assert ask(ROOT) == YES
    assert ask(ROOT, policies=Policies(bucket(ROOT, deny))) == EXPLICIT
    assert ask(ROOT, owner=OTHER) == IMPLICIT
    assert ask(ROOT, policies=Policies(bucket(ROOT)), owner=OTHER) == YES


# ---- two accounts ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("named", "identity", "boundary", "session", "expected"),
    [
        (None, ALL, None, None, IMPLICIT),
        (FOREIGN, NOTHING, None, None, IMPLICIT),
        (FOREIGN, ALL, None, None, YES),
        (f"arn:aws:iam::{OTHER}:role/Worker", ALL, None, None, YES),
        (OTHER, ALL, None, None, YES),
        (f"arn:aws:iam::{OTHER}:root", ALL, None, None, YES),
        ("*", ALL, None, None, YES),
        ("*", NOTHING, None, None, IMPLICIT),
        (ROOT, ALL, None, None, IMPLICIT),
        (FOREIGN, ALL, BOUNDARY_NONE, None, IMPLICIT),
        (FOREIGN, ALL, None, SESSION_NONE, IMPLICIT),
        (FOREIGN, ALL, BOUNDARY_ALL, SESSION_ALL, YES),
    ],
)
def test_across_accounts_both_sides_must_allow(named, identity, boundary, session, expected):
    """Source: `cross`."""
    resource = None if named is None else bucket(named)
    policies = Policies(resource, (identity,), boundary, session)
    assert ask(FOREIGN, owner=ACCOUNT, policies=policies) == expected


def test_whose_resource():
    """An account in the ARN says it, then resource_account, then it is the caller's own."""
    assert ask(FOREIGN, identity=(ALL,)) == YES
    assert ask(FOREIGN, identity=(ALL,), owner=ACCOUNT) == IMPLICIT
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:queue"
    assert ask(FOREIGN, "sqs:SendMessage", queue, identity=(ALL,)) == IMPLICIT
    assert ask(FOREIGN, "sqs:SendMessage", queue, identity=(ALL,), owner=OTHER) == IMPLICIT


# ---- principals ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("element", "principal", "expected"),
    [
        ({"Service": "ec2.amazonaws.com"}, "ec2.amazonaws.com", YES),
        ({"Service": "ec2.amazonaws.com"}, "s3.amazonaws.com", IMPLICIT),
        ({"Service": ["a.amazonaws.com", "ec2.amazonaws.com"]}, "ec2.amazonaws.com", YES),
        ({"AWS": ACCOUNT}, "ec2.amazonaws.com", IMPLICIT),
        ("*", "ec2.amazonaws.com", YES),
        ("*", "anonymous", YES),
        ({"AWS": "*"}, "anonymous", YES),
        ({"AWS": ACCOUNT}, "anonymous", IMPLICIT),
        ({"CanonicalUser": "79a59df900b949e55d96a1e698fbaced"}, USER, IMPLICIT),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:user/*"}, USER, IMPLICIT),  # no partial wildcards
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/path/Worker"}, SESSION, YES),
        ({"AWS": ROLE, "Service": "ec2.amazonaws.com"}, SESSION, YES),
        ({"AWS": ROLE}, ROLE, YES),
        ({"AWS": SESSION}, ROLE, IMPLICIT),
        ({"AWS": f"arn:aws:iam::{OTHER}:role/Worker"}, SESSION, IMPLICIT),
    ],
)
def test_principals(element, principal, expected):
    """Source: `principal`."""
    resource = policy({**allow(), "Principal": element}, kind="resource")
    assert ask(principal, policies=Policies(resource)) == expected


def test_a_deleted_role_is_named_by_its_id():
    """Source: `principal`: "the principal ID appears in resource-based policies"."""
    resource = bucket("AROAEXAMPLEEXAMPLE123")
    context = {"aws:userid": "AROAEXAMPLEEXAMPLE123:session"}
    assert ask(SESSION, context=context, policies=Policies(resource)) == YES
    assert ask(SESSION, policies=Policies(resource)) == IMPLICIT


@pytest.mark.parametrize(
    ("names", "principal", "expected"),
    [
        ([USER, ROOT], USER, YES),
        ([USER], USER, YES),
        ([USER, ROOT], f"arn:aws:iam::{ACCOUNT}:user/bob", EXPLICIT),
        ([ROLE, ROOT], SESSION, YES),
        ([SESSION, ROLE, ROOT], SESSION, YES),
        ([ROOT], USER, EXPLICIT),  # the account alone excepts its root user only
        ([ROOT], ROOT, YES),
        ([USER, ROOT], FOREIGN, EXPLICIT),
        ([USER], "anonymous", EXPLICIT),
        ([USER], "ec2.amazonaws.com", EXPLICIT),
    ],
)
def test_not_principal_denies_all_others(names, principal, expected):
    """Source: `notprincipal`."""
    refuse = {**deny(), "NotPrincipal": {"AWS": names}}
    resource = policy(to("*", allow()), refuse, kind="resource")
    assert ask(principal, policies=Policies(resource, (ALL,))) == expected


def test_not_principal_always_denies_who_has_a_boundary():
    """Source: `notprincipal`: "will always deny any IAM principal that has a permissions boundary"."""
    refuse = {**deny(), "NotPrincipal": {"AWS": [USER, ROOT]}}
    resource = policy(to("*", allow()), refuse, kind="resource")
    assert ask(policies=Policies(resource, (ALL,), BOUNDARY_ALL)) == EXPLICIT


def test_not_principal_with_allow_allows_all_others():
    statement = {**allow(), "NotPrincipal": {"AWS": USER}}
    resource = policy(statement, kind="resource")
    assert ask(policies=Policies(resource)) == IMPLICIT
    assert ask("anonymous", policies=Policies(resource)) == YES


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (USER, PrincipalKind.USER),
        (f"arn:aws:iam::{ACCOUNT}:user/path/of/alice", PrincipalKind.USER),
        (ROLE, PrincipalKind.ROLE),
        (SESSION, PrincipalKind.ASSUMED_ROLE),
        (FEDERATED, PrincipalKind.FEDERATED_USER),
        (ROOT, PrincipalKind.ROOT),
        (ACCOUNT, PrincipalKind.ROOT),
        ("ec2.amazonaws.com", PrincipalKind.SERVICE),
        ("ec2.amazonaws.com.cn", PrincipalKind.SERVICE),
        ("cognito-identity.amazonaws.com", PrincipalKind.IDENTITY_PROVIDER),
        ("accounts.google.com", PrincipalKind.IDENTITY_PROVIDER),
        (f"arn:aws:iam::{ACCOUNT}:oidc-provider/gitlab.com", PrincipalKind.IDENTITY_PROVIDER),
        (f"arn:aws:iam::{ACCOUNT}:saml-provider/idp", PrincipalKind.IDENTITY_PROVIDER),
        ("anonymous", PrincipalKind.ANONYMOUS),
        ("arn:aws-us-gov:iam::111122223333:role/R", PrincipalKind.ROLE),
    ],
)
def test_callers(text, kind):
    assert Principal.parse(text).kind is kind


@pytest.mark.parametrize(
    "text",
    ["", "alice", "arn:aws:iam::1:user/x", "arn:aws:s3:::b", "arn:aws:sts::111122223333:assumed-role/R",
     "arn:aws:iam::111122223333:group/g", "arn:aws:sts::111122223333:federated-user/", "a b.com"],
)  # fmt: skip
def test_no_callers(text):
    with pytest.raises(PolicyError) as caught:
        Principal.parse(text)
    assert caught.value.where == "principal"


# ---- KMS -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("principal", "key_policy", "identity", "expected"),
    [
        (SESSION, None, ALL, IMPLICIT),  # identity policies alone never decide about a key
        (SESSION, bucket(ROOT), ALL, YES),  # the root statement delegates to IAM
        (SESSION, bucket(ROOT), NOTHING, IMPLICIT),
        (SESSION, bucket(ROLE), NOTHING, YES),  # naming the role is enough in the account
        (SESSION, bucket(f"arn:aws:iam::{ACCOUNT}:role/Another"), ALL, IMPLICIT),
        (SESSION, bucket("*"), NOTHING, YES),
        (ROOT, bucket(ROOT), NOTHING, YES),
        (ROOT, bucket(ROLE), ALL, IMPLICIT),  # not even root, where the key policy does not say so
        (FOREIGN, bucket(ROOT), ALL, IMPLICIT),
        (FOREIGN, bucket(OTHER), ALL, YES),
        (FOREIGN, bucket(OTHER), NOTHING, IMPLICIT),
        (FOREIGN, bucket(f"arn:aws:iam::{OTHER}:role/Worker"), ALL, YES),
        (FOREIGN, bucket(f"arn:aws:iam::{OTHER}:role/Worker"), NOTHING, IMPLICIT),
        ("logs.amazonaws.com", policy({**allow(), "Principal": {"Service": "logs.amazonaws.com"}},
                                      kind="resource"), NOTHING, YES),
    ],
)  # fmt: skip
def test_keys(principal, key_policy, identity, expected):
    """Source: `kms`, key-policies and key-policy-modifying-external-accounts."""
    policies = Policies(key_policy, (identity,))
    assert ask(principal, "kms:Decrypt", KEY, policies=policies) == expected


def test_what_is_not_about_a_key_needs_no_key_policy():
    for action, resource in [("kms:CreateKey", "*"), ("kms:ListKeys", "*"), ("kms:GenerateRandom", "*"),
                             ("kms:CreateAlias", f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/mine")]:  # fmt: skip
        assert ask(SESSION, action, resource, identity=(ALL,)) == YES


@pytest.mark.parametrize(
    ("condition", "context", "expected"),
    [
        ({"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}},
         {"kms:ViaService": "s3.us-east-1.amazonaws.com"}, YES),
        ({"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}, {}, IMPLICIT),
        ({"StringEquals": {"kms:CallerAccount": ACCOUNT}}, {}, YES),
        ({"StringEquals": {"kms:CallerAccount": OTHER}}, {}, IMPLICIT),
        ({"StringEquals": {"kms:EncryptionContext:Dataset": "a"}},
         {"kms:EncryptionContext:dataset": "a"}, YES),
        ({"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["a", "b"]}},
         {"kms:EncryptionContextKeys": ["a"]}, YES),
        ({"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["a", "b"]}},
         {"kms:EncryptionContextKeys": ["a", "c"]}, IMPLICIT),
        ({"Null": {"kms:EncryptionContextKeys": False}}, {}, IMPLICIT),
        ({"Bool": {"kms:GrantIsForAWSResource": True}}, {"kms:GrantIsForAWSResource": True}, YES),
        ({"ForAllValues:StringEquals": {"kms:GrantOperations": ["Decrypt"]}},
         {"kms:GrantOperations": ["Decrypt", "Encrypt"]}, IMPLICIT),
        ({"StringEquals": {"kms:KeyOrigin": "AWS_KMS"}}, {"kms:KeyOrigin": "EXTERNAL"}, IMPLICIT),
    ],
)  # fmt: skip
def test_keys_of_kms(condition, context, expected):
    """Source: `kms`, conditions-kms."""
    key_policy = bucket(ROLE, allow, Condition=condition)
    policies = Policies(key_policy)
    assert ask(SESSION, "kms:CreateGrant", KEY, context=context, policies=policies) == expected


@pytest.mark.parametrize(
    ("grant", "principal", "context", "expected"),
    [
        (Grant(ROLE, ("Decrypt",)), SESSION, {}, YES),
        (Grant(ROLE, ("Encrypt",)), SESSION, {}, IMPLICIT),
        (Grant(SESSION, ("Decrypt",)), SESSION, {}, YES),
        (Grant(USER, ("Decrypt",)), SESSION, {}, IMPLICIT),
        (Grant("rds.amazonaws.com", ("Decrypt",)), "rds.amazonaws.com", {}, YES),
        (Grant(ROLE, ("Decrypt",), subset={"a": "1"}), SESSION, {"a": "1", "b": "2"}, YES),
        (Grant(ROLE, ("Decrypt",), subset={"a": "1"}), SESSION, {"a": "2"}, IMPLICIT),
        (Grant(ROLE, ("Decrypt",), equals={"a": "1"}), SESSION, {"a": "1"}, YES),
        (Grant(ROLE, ("Decrypt",), equals={"a": "1"}), SESSION, {"a": "1", "b": "2"}, IMPLICIT),
        (Grant(ROLE, ("Decrypt",), equals={"a": "1"}), SESSION, {}, IMPLICIT),
    ],
)
def test_grants(grant, principal, context, expected):
    """Source: `kms`, grants and CreateGrant's GrantConstraints."""
    values = {f"kms:EncryptionContext:{key}": value for key, value in context.items()}
    policies = Policies(bucket(f"arn:aws:iam::{ACCOUNT}:role/Another"), grants=(grant,))
    assert ask(principal, "kms:Decrypt", KEY, context=values, policies=policies) == expected


def test_a_deny_is_stronger_than_a_grant():
    policies = Policies(
        bucket("*", deny, action="kms:Decrypt"), grants=(Grant(ROLE, ("Decrypt",)),)
    )
    assert ask(SESSION, "kms:Decrypt", KEY, policies=policies) == EXPLICIT


def test_grants_as_kms_lists_them():
    listed = {
        "GranteePrincipal": ROLE, "Operations": ["Decrypt"], "GrantId": "g", "Name": "n",
        "Constraints": {"EncryptionContextSubset": {"a": "1"}},
    }  # fmt: skip
    grant = Grant.from_json(listed)
    assert grant == Grant(ROLE, ("Decrypt",), "g", "n", subset={"a": "1"})
    assert grant.to_json()["constraints"] == {"EncryptionContextSubset": {"a": "1"}}
    with pytest.raises(PolicyError, match="grant operation"):
        Grant(ROLE, ("PutKeyPolicy",))


# ---- roles and what services decide ----------------------------------------------------------


def trust(principal, action="sts:AssumeRole", effect="Allow", **elements):
    statement = {"Effect": effect, "Action": action, "Principal": principal, **elements}
    return policy(statement, kind="trust")


@pytest.mark.parametrize(
    ("principal", "policies", "expected"),
    [
        (SESSION, Policies(None, (ALL,)), IMPLICIT),
        (SESSION, Policies(trust({"AWS": ROLE})), YES),
        (SESSION, Policies(trust({"AWS": ROOT})), IMPLICIT),
        (SESSION, Policies(trust({"AWS": ROOT}), (ALL,)), YES),
        (SESSION, Policies(trust({"AWS": OTHER}), (ALL,)), IMPLICIT),
        (FOREIGN, Policies(trust({"AWS": OTHER}), (ALL,)), YES),
        (FOREIGN, Policies(trust({"AWS": OTHER}), (NOTHING,)), IMPLICIT),
        (FOREIGN, Policies(trust({"AWS": FOREIGN}), ()), IMPLICIT),
        ("ec2.amazonaws.com", Policies(trust({"Service": "ec2.amazonaws.com"})), YES),
        (SESSION, Policies(trust({"Service": "ec2.amazonaws.com"}), (ALL,)), IMPLICIT),
        (SESSION, Policies(trust({"AWS": ROLE}), (policy(deny()),)), EXPLICIT),
    ],
)
def test_assume_role(principal, policies, expected):
    """Source: `sts`; a trust policy must allow, also in the role's own account."""
    assert ask(principal, "sts:AssumeRole", ROLE_ARN, policies=policies) == expected


def test_external_id():
    condition = {"StringEquals": {"sts:ExternalId": "12345"}}
    policies = Policies(trust({"AWS": OTHER}, Condition=condition), (ALL,))
    assert ask(FOREIGN, "sts:AssumeRole", ROLE_ARN, policies=policies) == IMPLICIT
    context = {"sts:ExternalId": "12345"}
    assert ask(FOREIGN, "sts:AssumeRole", ROLE_ARN, context=context, policies=policies) == YES


def test_web_identity():
    """Source: `sts`; the subject of GitHub's token."""
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
    condition = {"StringLike": {"token.actions.githubusercontent.com:sub": "repo:org/repo:*"}}
    action = "sts:AssumeRoleWithWebIdentity"
    policies = Policies(trust({"Federated": provider}, action, Condition=condition))
    context = {"token.actions.githubusercontent.com:sub": "repo:org/repo:ref:refs/heads/main"}
    assert ask(provider, action, ROLE_ARN, context=context, policies=policies) == YES
    assert ask(provider, action, ROLE_ARN, policies=policies) == IMPLICIT
    assert (
        ask("accounts.google.com", action, ROLE_ARN, context=context, policies=policies) == IMPLICIT
    )


@pytest.mark.parametrize(
    ("action", "resource", "expected"),
    [
        ("sts:GetCallerIdentity", "*", YES),
        ("iam:CreatePolicyVersion", "arn:aws:iam::aws:policy/ReadOnlyAccess", IMPLICIT),
        ("iam:GetPolicy", "arn:aws:iam::aws:policy/ReadOnlyAccess", YES),
        ("iam:AttachRolePolicy", "arn:aws:iam::aws:policy/ReadOnlyAccess", YES),
        (
            "iam:PutRolePolicy",
            f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/R",
            IMPLICIT,
        ),
        ("iam:GetRole", f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/R", YES),
        ("kms:DeleteAlias", f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/aws/s3", IMPLICIT),
        ("kms:DeleteAlias", f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/mine", YES),
    ],
)
def test_what_services_decide_themselves(action, resource, expected):
    assert ask(SESSION, action, resource, identity=(ALL,)) == expected


def test_get_caller_identity_cannot_be_denied():
    """Source: `sts`: "No permissions are required to perform this operation"."""
    assert ask(SESSION, "sts:GetCallerIdentity", "*", identity=(policy(deny()),)) == YES
    assert ask("anonymous", "sts:GetCallerIdentity", "*") == IMPLICIT


# ---- requests --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"action": "Decrypt"}, "action"),
        ({"action": "kms:*"}, "action"),
        ({"resource": ""}, "resource"),
        ({"principal": "nobody"}, "principal"),
        ({"principal": None}, "request, principal"),
        ({"resource_account": 5}, "request, resource_account"),
        ({"context": []}, None),
        ({"context": {"a": None}}, "context, a"),
        ({"context": {"a": [[]]}}, "context, a"),
        ({"context": {"a": "1", "A": "2"}}, "context"),
        ({"resource_accounts": "1"}, "request"),
    ],
)
def test_requests_are_read_strictly(change, where):
    value = {"principal": USER, "action": "s3:GetObject", "resource": OBJECT, **change}
    if where is None:
        assert Request.from_json(value).context.values == {}
        return
    with pytest.raises(PolicyError) as caught:
        Request.from_json(value)
    assert caught.value.where == where


def test_attestation_keys_come_from_a_verified_document_only():
    with pytest.raises(PolicyError, match="among the plain values"):
        RequestContext.from_verified({"KMS:recipientattestation:PCR0": "00"}, None)
    with pytest.raises(PolicyError, match="a dict"):
        RequestContext.from_verified({}, {"pcrs": {}})
    context = RequestContext.from_verified({"aws:SourceIp": "203.0.113.7"}, None)
    assert (context.basis, context.attested) == ("verified", False)
    request = Request(Principal.parse(USER), "s3:GetObject", OBJECT, context=context)
    assert evaluate(request, Policies(identity=(ALL,))).basis == "verified"


def test_an_alias_is_decided_by_its_keys_policy():
    alias = f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/mine"
    assert ask(SESSION, "kms:Decrypt", alias, identity=(ALL,)) == IMPLICIT
    assert ask(SESSION, "kms:Decrypt", alias, policies=Policies(bucket(ROOT), (ALL,))) == YES
    assert ask(SESSION, "kms:UpdateAlias", alias, identity=(ALL,)) == YES


def test_nothing_is_attached_to_a_stranger():
    """Anonymous requests have no identity: only the resource's policy speaks."""
    policies = Policies(bucket("*"), (policy(deny()),), BOUNDARY_NONE, SESSION_NONE)
    assert ask("anonymous", policies=policies) == YES
    assert ask("anonymous", policies=Policies(bucket("*", deny), (ALL,))) == EXPLICIT
    assert ask("anonymous", policies=Policies(None, (ALL,))) == IMPLICIT
