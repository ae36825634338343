"""Actions, resources, variables and wildcards.

`action`, `resource`, `vars` are the pages reference_policies_elements_action, _resource and
reference_policies_variables; `arns` is reference-arns.
"""

from __future__ import annotations

import time

import pytest
from policy_help import (
    ACCOUNT,
    FEDERATED,
    OBJECT,
    ROLE,
    ROOT,
    SESSION,
    USER,
    allow,
    ask,
    deny,
    policy,
)

from nitro_workflow.errors import PolicyError
from nitro_workflow.policy import Policies, parse_policy
from nitro_workflow.policy.language.targets import ActionElement
from nitro_workflow.policy.language.wildcard import Glob, mark, mark_arn


@pytest.mark.parametrize(
    ("pattern", "action", "matches"),
    [
        ("s3:GetObject", "s3:GetObject", True),
        ("S3:getobject", "s3:GetObject", True),
        ("s3:Get*", "s3:GetObject", True),
        ("s3:Get*", "s3:PutObject", False),
        ("s3:*Object", "s3:GetObject", True),
        ("iam:*AccessKey*", "iam:CreateAccessKey", True),
        ("s3:Get?bject", "s3:GetObject", True),
        ("s3:GetObject?", "s3:GetObject", False),
        ("*", "anything:AtAll", True),
        ("s3:*", "s3-outposts:GetObject", False),
        ("*:*", "ec2:RunInstances", True),
        ("s3:Get*", "s3:Get", True),
    ],
)
def test_actions(pattern, action, matches):
    got = ask(action=action, identity=(policy(allow(pattern)),))
    assert got == ("allowed" if matches else "implicitDeny")


def test_not_action_is_about_everything_else():
    """Source: reference_policies_elements_notaction."""
    statement = {"Effect": "Allow", "NotAction": ["iam:*", "s3:DeleteBucket"], "Resource": "*"}
    identity = (policy(statement),)
    assert ask(action="s3:GetObject", identity=identity) == "allowed"
    assert ask(action="IAM:CreateUser", identity=identity) == "implicitDeny"
    assert ask(action="s3:deletebucket", identity=identity) == "implicitDeny"


@pytest.mark.parametrize(
    ("page", "pattern", "resource", "matches"),
    [
        ("resource", "*", OBJECT, True),
        ("resource", OBJECT, OBJECT, True),
        ("resource", OBJECT.upper(), OBJECT, False),
        ("resource", "arn:aws:s3:::bucket/*", OBJECT, True),
        ("resource", "arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket", False),
        ("resource", "arn:aws:s3:::bucket*", "arn:aws:s3:::bucket", True),
        ("resource", "arn:aws:s3:::bucket/*/alice/*", OBJECT, True),
        ("resource", "arn:aws:s3:::buc?et/home/*", OBJECT, True),
        ("resource", "arn:aws:s3:::*", OBJECT, True),
        ("resource", "arn:aws:iam::*:user/*", USER, True),
        ("resource", "arn:aws:iam::*:role/*", USER, False),
        ("resource", "arn:aws:ec2:us-*:*:instance/*",
         f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/i-1", True),
        # "If the * is the last character of a segment, it can expand beyond the colon."
        ("resource", "arn:aws:ec2:us-*:instance/i-1",
         f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/i-1", True),
        # A wildcard inside a segment stays in it.
        ("resource", "arn:aws:ec2:*1:instance/i-1",
         f"arn:aws:ec2:us-east-1:{ACCOUNT[:-1]}1:instance/i-1", False),
        ("resource", "arn:aws:e?2:us-east-1:*:instance/*",
         f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/i-1", True),
        ("resource", "arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket/a:b/c", True),
        ("resource", "arn:aws:s3:::bucket/*", "*", False),
        ("arns", "arn:aws:s3", OBJECT, True),
        ("arns", "arn:aws:sqs", OBJECT, False),
        ("arns", f"arn:aws:sqs:*:{ACCOUNT}", f"arn:aws:sqs:us-east-1:{ACCOUNT}:q", True),
        ("arns", "arn:aws:iam::*", USER, True),
    ],
)  # fmt: skip
def test_resources(page, pattern, resource, matches):
    got = ask(resource=resource, identity=(policy(allow("*", pattern)),))
    assert got == ("allowed" if matches else "implicitDeny")


def test_not_resource_is_about_everything_else():
    """Source: reference_policies_elements_notresource."""
    statement = {"Effect": "Deny", "Action": "*", "NotResource": "arn:aws:s3:::bucket/*"}
    identity = (policy(allow(), statement),)
    assert ask(identity=identity) == "allowed"
    assert ask(resource="arn:aws:s3:::other/x", identity=identity) == "explicitDeny"


@pytest.mark.parametrize(
    ("principal", "pattern", "context", "matches"),
    [
        (USER, "arn:aws:s3:::bucket/home/${aws:username}/*", {}, True),
        (USER, "arn:aws:s3:::bucket/home/${AWS:UserName}/*", {}, True),
        (ROLE, "arn:aws:s3:::bucket/home/${aws:username}/*", {}, False),  # no username: not present
        (SESSION, "arn:aws:s3:::bucket/home/${aws:PrincipalTag/team}/*",
         {"aws:PrincipalTag/team": "alice"}, True),
        (SESSION, "arn:aws:s3:::bucket/home/${aws:PrincipalTag/team, 'alice'}/*", {}, True),
        (SESSION, "arn:aws:s3:::bucket/home/${aws:PrincipalTag/team, 'alice'}/*",
         {"aws:PrincipalTag/team": "bob"}, False),
        (SESSION, "arn:aws:s3:::bucket/home/${aws:PrincipalTag/team , 'alice' }/*", {}, True),
        # A multi-valued key cannot be a variable.
        (SESSION, "arn:aws:s3:::bucket/home/${aws:TagKeys}/*", {"aws:TagKeys": ["alice", "x"]}, False),
        # The value of a variable is text, not a pattern.
        (SESSION, "arn:aws:s3:::bucket/${aws:PrincipalTag/p}/file.txt",
         {"aws:PrincipalTag/p": "*"}, False),
        (USER, "arn:aws:s3:::bucket/home/${nothing", {}, False),
        (USER, "arn:aws:s3:::bucket/home/$alice/*", {}, False),
        (FEDERATED, "arn:aws:s3:::bucket/${aws:userid}", {}, False),
    ],
)  # fmt: skip
def test_variables_in_resources(principal, pattern, context, matches):
    """Source: `vars`, "Policy variables with no value", "Specifying default values"."""
    got = ask(principal, context=context, identity=(policy(allow("*", pattern)),))
    assert got == ("allowed" if matches else "implicitDeny")


def test_variables_are_text_before_2012():
    """Source: `vars`: "Earlier versions of the policy language don't support policy variables"."""
    pattern = "arn:aws:s3:::bucket/home/${aws:username}/*"
    for version in ("2008-10-17", None):
        assert ask(identity=(policy(allow("*", pattern), version=version),)) == "implicitDeny"
    literal = "arn:aws:s3:::bucket/home/${aws:username}/x"
    old = policy(allow("*", pattern), version="2008-10-17")
    assert ask(resource=literal, identity=(old,)) == "allowed"


@pytest.mark.parametrize(
    ("operator", "values", "context", "holds"),
    [
        ("StringEquals", "${aws:username}", {"s3:owner": "alice"}, True),
        ("StringEquals", "${aws:username}", {"s3:owner": "bob"}, False),
        ("StringNotEquals", "${aws:username}", {"s3:owner": "alice"}, False),
        ("StringLike", "${aws:username}/*", {"s3:owner": "alice/x"}, True),
        ("StringEqualsIgnoreCase", "${aws:username}", {"s3:owner": "ALICE"}, True),
        # "the value is effectively null": no positive match, and the negated forms match.
        ("StringEquals", "${aws:PrincipalTag/none}", {"s3:owner": "x"}, False),
        ("StringNotEquals", "${aws:PrincipalTag/none}", {"s3:owner": "x"}, True),
        ("StringNotLike", "${aws:PrincipalTag/none}", {"s3:owner": "x"}, True),
        ("ArnLike", f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}", {"s3:owner": USER}, True),
        ("ArnNotLike", f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}", {"s3:owner": USER}, False),
        ("Bool", "${aws:MultiFactorAuthPresent}",
         {"s3:owner": "true", "aws:MultiFactorAuthPresent": "true"}, True),
    ],
)  # fmt: skip
def test_variables_in_conditions(operator, values, context, holds):
    identity = policy(allow(Condition={operator: {"s3:owner": values}}))
    got = ask(context=context, identity=(identity,))
    assert got == ("allowed" if holds else "implicitDeny")


def test_a_deny_with_a_variable_that_has_no_value():
    """Source: `vars`, its example: "Access is explicitly denied when the tag is not set"."""
    refuse = deny("s3:GetObject", Condition={
        "StringNotEquals": {"s3:ExistingObjectTag/Team": "${aws:PrincipalTag/Team}"}
    })  # fmt: skip
    identity = (policy(allow(), refuse),)
    assert ask(context={"s3:ExistingObjectTag/Team": "red"}, identity=identity) == "explicitDeny"
    both = {"s3:ExistingObjectTag/Team": "red", "aws:PrincipalTag/Team": "red"}
    assert ask(context=both, identity=identity) == "allowed"


@pytest.mark.parametrize(
    ("principal", "key", "value"),
    [
        (USER, "aws:PrincipalArn", USER),
        (SESSION, "aws:PrincipalArn", ROLE),
        (ROLE, "aws:PrincipalArn", ROLE),
        (ROOT, "aws:PrincipalArn", ROOT),
        (FEDERATED, "aws:PrincipalArn", FEDERATED),
        (USER, "aws:PrincipalAccount", ACCOUNT),
        (USER, "aws:PrincipalType", "User"),
        (SESSION, "aws:PrincipalType", "AssumedRole"),
        (ROOT, "aws:PrincipalType", "Account"),
        (FEDERATED, "aws:PrincipalType", "FederatedUser"),
        (USER, "aws:username", "alice"),
        (ROOT, "aws:userid", ACCOUNT),
        (FEDERATED, "aws:userid", f"{ACCOUNT}:bob"),
        (USER, "aws:PrincipalIsAWSService", "false"),
        (USER, "aws:ResourceAccount", ACCOUNT),
    ],
)
def test_what_is_known_of_the_caller(principal, key, value):
    """Source: reference_policies_condition-keys, and `vars`, "Principal key values"."""
    refuse = deny(Condition={"StringEquals": {key: value}})
    policies = Policies(
        identity=(policy(allow(), refuse),), session=policy(allow(), kind="session")
    )
    assert ask(principal, policies=policies) == "explicitDeny"
    given = {key: "something else"}
    assert ask(principal, context=given, policies=policies) == "allowed"


@pytest.mark.parametrize("key", ["aws:username", "aws:userid"])
def test_what_is_not_known_of_a_session(key):
    refuse = deny(Condition={"Null": {key: "true"}})
    assert ask(SESSION, identity=(policy(allow(), refuse),)) == "explicitDeny"


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("*a" * 5_000, "a" * 20_000 + "b"),
        ("?*" * 2_000 + "b", "a" * 20_000),
        ("a*" * 5_000, "a" * 4_999),
        ("*" * 10_000 + "b", "a" * 20_000),
        ("?a" * 5_000 + "*b", "xa" * 10_000),
        ("*?" * 3_000, "a" * 2_999),
    ],
)
def test_matching_is_linear(pattern, text):
    """No pattern makes matching explode: the worst of these takes milliseconds."""
    glob = Glob.written(pattern)
    begin = time.process_time()
    assert not glob.matches(text)
    assert time.process_time() - begin < 1


def test_wildcards_agree_with_a_reference():
    """Against the obvious recursive definition, on every short pattern and text."""
    import itertools

    def reference(pattern: str, text: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "*":
            return any(reference(pattern[1:], text[i:]) for i in range(len(text) + 1))
        return bool(text) and pattern[0] in ("?", text[0]) and reference(pattern[1:], text[1:])

    texts = ["".join(t) for n in range(5) for t in itertools.product("ab", repeat=n)]
    for size in range(5):
        for parts in itertools.product("ab*?", repeat=size):
            pattern = "".join(parts)
            glob = Glob.written(pattern)
            for text in texts:
                assert glob.matches(text) is reference(pattern, text), (pattern, text)


def test_arn_patterns_keep_inner_wildcards_in_their_segment():
    pattern = Glob.of(mark_arn(mark("arn:aws:s*s:*:1?3:x*")))
    assert pattern.matches("arn:aws:sqs:eu:123:xyz")
    assert not pattern.matches("arn:aws:s:s:eu:123:xyz")
    assert not pattern.matches("arn:aws:sqs:eu:1:3:xyz")
    assert str(pattern) == "arn:aws:s*s:*:1?3:x*"


def test_no_foreign_letter_is_an_actions() -> None:
    kelvin = "\u212ams:Decrypt"
    assert not ActionElement((kelvin,), negated=False).matches("kms:decrypt")
    statement = {"Effect": "Allow", "Principal": "*", "Action": kelvin, "Resource": "*"}
    with pytest.raises(PolicyError, match="the action"):
        parse_policy({"Version": "2012-10-17", "Statement": [statement]}, kind="resource")
