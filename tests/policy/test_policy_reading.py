"""Reading: what is refused, and that the error says where."""

from __future__ import annotations

import json
import sys

import pytest
from policy_help import USER, allow, ask, policy

from nitro_workflow.errors import PolicyError
from nitro_workflow.policy import Policies, parse_policy, parse_policy_leniently
from nitro_workflow.policy.language.json_reading import (
    MAX_DEPTH,
    MAX_TEXT,
    locate,
    read_json,
)

TRAILING_COMMA = 8 if sys.version_info >= (3, 13) else 9  # the comma, or what stands behind it
GOOD = {"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}


def document(**changes):
    statement = {key: value for key, value in {**GOOD, **changes}.items() if value is not ...}
    return {"Version": "2012-10-17", "Statement": [statement]}


@pytest.mark.parametrize(
    ("value", "place", "found"),
    [
        ([], "$", "an empty list"),
        ({}, "$", "no Statement"),
        ({"Version": "2012-10-17"}, "$", "no Statement"),
        ({"Version": "2020-01-01", "Statement": [GOOD]}, "$.Version", "the version '2020-01-01'"),
        ({"Version": 2012, "Statement": [GOOD]}, "$.Version", "a number"),
        ({"Statement": []}, "$.Statement", "0 statements"),
        ({"Statement": ["x"]}, "$.Statement[0]", "a string"),
        ({"Statement": [GOOD], "version": "x"}, "$.version", "the element 'version'"),
        ({"Statement": [GOOD], "Extra": 1}, "$.Extra", "the element 'Extra'"),
        ({"Statement": [GOOD], "Id": 7}, "$.Id", "a number"),
        (document(Effect=...), "$.Statement[0]", "no Effect"),
        (document(Effect="allow"), "$.Statement[0].Effect", "the effect 'allow'"),
        (document(Effect=["Allow"]), "$.Statement[0].Effect", "a list"),
        (document(Sid=5), "$.Statement[0].Sid", "a number"),
        (document(Principal=...), "$.Statement[0]", "no Principal"),
        (document(Principal={}), "$.Statement[0].Principal", "an empty object"),
        (document(Principal=[]), "$.Statement[0].Principal", "an empty list"),
        (document(Principal=USER), "$.Statement[0].Principal", repr(USER)),
        (document(Principal={"Aws": "*"}), "$.Statement[0].Principal.Aws", "the element 'Aws'"),
        (document(Principal={"AWS": []}), "$.Statement[0].Principal.AWS", "an empty list"),
        (document(Principal={"AWS": ["*", 1]}), "$.Statement[0].Principal.AWS[1]", "a number"),
        (document(NotPrincipal="*"), "$.Statement[0].NotPrincipal",
         "Principal and NotPrincipal together"),
        (document(Action=...), "$.Statement[0]", "no Action"),
        (document(Action=[]), "$.Statement[0].Action", "an empty list"),
        (document(Action="Decrypt"), "$.Statement[0].Action", "the action 'Decrypt'"),
        (document(Action=["kms:A", "kms:"]), "$.Statement[0].Action[1]", "the action 'kms:'"),
        (document(NotAction="kms:A"), "$.Statement[0].NotAction", "Action and NotAction together"),
        (document(Resource=...), "$.Statement[0]", "no Resource"),
        (document(Resource=""), "$.Statement[0].Resource", "an empty string"),
        (document(Resource=None), "$.Statement[0].Resource", "null"),
        (document(NotResource="*"), "$.Statement[0].NotResource",
         "Resource and NotResource together"),
        (document(Condition=[]), "$.Statement[0].Condition", "an empty list"),
        (document(Condition={"StringEqual": {"a": "b"}}), "$.Statement[0].Condition.StringEqual",
         "the condition operator 'StringEqual'"),
        (document(Condition={"StringEquals": {}}), "$.Statement[0].Condition.StringEquals",
         "an empty object"),
        (document(Condition={"StringEquals": "x"}), "$.Statement[0].Condition.StringEquals",
         "a string"),
        (document(Condition={"StringEquals": {"a:b": None}}),
         '$.Statement[0].Condition.StringEquals["a:b"]', "null"),
        (document(Condition={"StringEquals": {"a:b": ["x", {}]}}),
         '$.Statement[0].Condition.StringEquals["a:b"][1]', "an empty object"),
        (document(Condition={"StringEquals": {" ": "x"}}),
         '$.Statement[0].Condition.StringEquals[" "]', "an empty key"),
        (document(effect="Allow"), "$.Statement[0].effect", "the element 'effect'"),
    ],
)  # fmt: skip
def test_refused_with_its_place(value, place, found):
    text = json.dumps(value, indent=2)
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, name="key.json")
    error = caught.value
    assert error.found == found
    assert error.where.startswith(f"key.json, {place} (line ")
    assert error.expected
    assert error.next
    # The same from values instead of text, without line and column.
    if isinstance(value, dict):
        with pytest.raises(PolicyError) as again:
            parse_policy(value, name="key.json")
        assert again.value.where == f"key.json, {place}"


def test_line_and_column_are_those_of_the_value():
    text = '{\n  "Version": "2012-10-17",\n  "Statement": [{"Effect":\n     "allow"}]\n}'
    with pytest.raises(PolicyError) as caught:
        parse_policy(text)
    assert caught.value.where.endswith("$.Statement[0].Effect (line 4, column 6)")


@pytest.mark.parametrize(
    ("text", "found", "where"),
    [
        ("", "nothing", "policy, line 1, column 1"),
        ("{", "Expecting property name enclosed in double quotes", "policy, line 1, column 2"),
        ('{"a": 1,}', None, f"policy, line 1, column {TRAILING_COMMA}"),
        ('{"a": NaN}', "NaN is not JSON", "policy"),
        ('{"a": -1e999}', "a number that is too large", "policy"),
        ('{"a": 1, "a": 2}', "the member 'a' twice in one object", "policy, line 1, column 10"),
        ('{"x": {"a": 1,\n "a": 2}}', "the member 'a' twice in one object",
         "policy, line 2, column 2"),
        ("[" * (MAX_DEPTH + 1), "a value nested too deep", f"policy, line 1, column {MAX_DEPTH + 1}"),
        (b"\xff{}", "bytes that are not UTF-8", "policy, byte 0"),
        ("1" * 5000, None, None),
        (" " * (MAX_TEXT + 1), f"{MAX_TEXT + 1} characters", "policy"),
        ('"\\ud800"', None, None),
    ],
)  # fmt: skip
def test_text_that_is_not_json(text, found, where):
    if found is None and where is None:
        with pytest.raises(PolicyError):
            parse_policy(text)
        return
    with pytest.raises(PolicyError) as caught:
        read_json(text)
    assert found is None or caught.value.found == found
    assert caught.value.where == where


@pytest.mark.parametrize("kind", ["identity", "boundary", "session"])
def test_attached_policies_have_no_principal(kind):
    with pytest.raises(PolicyError, match=f"Principal in an? {kind} policy"):
        policy({**allow(), "Principal": "*"}, kind=kind)


def test_trust_policies_have_no_resource():
    with pytest.raises(PolicyError, match="Resource in a trust policy"):
        policy({**allow("sts:AssumeRole"), "Principal": "*"}, kind="trust")


def test_an_unknown_kind():
    with pytest.raises(PolicyError, match="the policy kind"):
        parse_policy({}, kind="bucket")


@pytest.mark.parametrize(
    ("value", "kind", "warning", "expected"),
    [
        ({**allow(), "Principal": {"AWS": "x"}}, "identity", "Principal in an identity", "allowed"),
        (allow(), "resource", "no Principal", "implicitDeny"),
        ({**allow(), "Principal": USER}, "resource", repr(USER), "allowed"),
        (allow("s3:"), "identity", "the action 's3:'", "implicitDeny"),
        ({"Effect": "Allow", "NotAction": "s3:", "Resource": "*"}, "identity", "the action",
         "allowed"),
        ({**allow(), "Principal": {"AWS": USER}}, "trust", "Resource in a trust", "allowed"),
    ],
)  # fmt: skip
def test_lenient_reading_says_what_aws_would_refuse(value, kind, warning, expected):
    parsed = parse_policy_leniently({"Statement": value}, kind=kind)
    assert any(warning in text for text in parsed.warnings)
    policies = Policies(identity=(parsed,)) if kind == "identity" else Policies(parsed)
    assert ask(policies=policies) == expected
    with pytest.raises(PolicyError):
        parse_policy({"Statement": value}, kind=kind)


def test_nothing_is_lost():
    raw = {
        "Id": "é", "Statement": {**GOOD, "Sid": "ü", "Condition": {
            "NumericLessThan": {"a:n": 1.5}, "Bool": {"a:b": [True, "false"]}}},
        "Version": "2012-10-17",
    }  # fmt: skip
    parsed = parse_policy(json.dumps(raw))
    assert parsed.to_json() == raw
    assert list(parsed.to_json()) == list(raw)
    assert json.loads(parsed.to_text()) == raw
    assert [c.values for c in parsed.statements[0].conditions] == [("1.5",), ("true", "false")]


def test_one_statement_or_a_list():
    single, listed = {"Statement": GOOD}, {"Statement": [GOOD]}
    assert parse_policy(single).statements == parse_policy(listed).statements


def test_a_byte_order_mark_is_no_error():
    assert parse_policy(b"\xef\xbb\xbf" + json.dumps(document()).encode()).version == "2012-10-17"


def test_every_value_is_found_where_it_stands():
    value = {"a": [1, {"b\n": "c,]}"}, [], {}], "d": {"e": None}, "": -1.5e3}
    text = json.dumps(value, indent=1)
    lines = text.splitlines()

    def at(path):
        place = locate(text, path)
        line, column = (int(part.split()[1]) for part in place.split(", "))
        return lines[line - 1][column - 1 :]

    assert at(("a", 0)).startswith("1")
    assert at(("a", 1, "b\n")).startswith('"c,]}"')
    assert at(("a", 2)).startswith("[]")
    assert at(("a", 3)).startswith("{}")
    assert at(("d", "e")).startswith("null")
    assert at(("",)).startswith("-1500.0")
    assert locate(text, ("nowhere",)) == ""
