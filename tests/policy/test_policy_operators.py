"""Every condition operator as AWS documents it: positive, negative, absent, many values, malformed.

`ops` is reference_policies_elements_condition_operators, `sets` is
reference_policies_condition-single-vs-multi-valued-context-keys, `logic` is
reference_policies_condition-logic-multiple-context-keys-or-values, `vars` is
reference_policies_variables. A row whose page says nothing is marked `ours`.
"""

from __future__ import annotations

import pytest
from policy_help import allow, ask, policy

from nitro_workflow.policy.language.conditions import Condition, parse_operator
from nitro_workflow.policy.language.operators import BASE_OPERATORS, parse_date, parse_number

ARN = "arn:aws:sns:us-east-1:111122223333:topic"
YES, NO = True, False
ABSENT = None

# page, operator, values of the policy, values of the request (None: absent), does it hold?
TABLE = [
    # String
    ("ops", "StringEquals", ["a"], ["a"], YES),
    ("ops", "StringEquals", ["a"], ["A"], NO),
    ("ops", "StringEquals", ["a"], ["ab"], NO),
    ("ops", "StringEquals", ["a*"], ["ab"], NO),
    ("ops", "StringEquals", ["a*"], ["a*"], YES),
    ("logic", "StringEquals", ["a", "b"], ["b"], YES),
    ("ops", "StringEquals", ["a"], ABSENT, NO),
    ("ops", "StringEquals", [""], [""], YES),
    ("ops", "StringNotEquals", ["a"], ["a"], NO),
    ("ops", "StringNotEquals", ["a"], ["A"], YES),
    ("logic", "StringNotEquals", ["a", "b"], ["b"], NO),
    ("logic", "StringNotEquals", ["a", "b"], ["c"], YES),
    ("ops", "StringNotEquals", ["a"], ABSENT, YES),
    ("ops", "StringEqualsIgnoreCase", ["AbC"], ["aBc"], YES),
    ("ops", "StringEqualsIgnoreCase", ["AbC"], ["abd"], NO),
    ("ops", "StringEqualsIgnoreCase", ["a"], ABSENT, NO),
    ("ops", "StringNotEqualsIgnoreCase", ["AbC"], ["aBc"], NO),
    ("ops", "StringNotEqualsIgnoreCase", ["AbC"], ["x"], YES),
    ("ops", "StringNotEqualsIgnoreCase", ["a"], ABSENT, YES),
    ("ops", "StringLike", ["home/*"], ["home/alice"], YES),
    ("ops", "StringLike", ["home/*"], ["home/"], YES),
    ("ops", "StringLike", ["home/*"], ["Home/alice"], NO),
    ("ops", "StringLike", ["h?me"], ["home"], YES),
    ("ops", "StringLike", ["h?me"], ["hoome"], NO),
    ("ops", "StringLike", ["h?me"], ["hme"], NO),
    ("ops", "StringLike", ["*a*b*"], ["xxaYYbzz"], YES),
    ("ops", "StringLike", ["*a*b*"], ["xxbYYazz"], NO),
    ("ops", "StringLike", ["*"], [""], YES),
    ("ops", "StringLike", ["", "home/"], [""], YES),
    ("ops", "StringLike", ["*"], ABSENT, NO),
    ("ops", "StringLike", ["a\nb*"], ["a\nbc"], YES),
    ("ops", "StringNotLike", ["home/*"], ["home/x"], NO),
    ("ops", "StringNotLike", ["home/*"], ["other"], YES),
    ("ops", "StringNotLike", ["home/*"], ABSENT, YES),
    ("logic", "StringNotLike", ["a*", "b*"], ["bx"], NO),
    ("vars", "StringLike", ["a${*}b"], ["a*b"], YES),
    ("vars", "StringLike", ["a${*}b"], ["axb"], NO),
    ("vars", "StringLike", ["a${?}b"], ["a?b"], YES),
    ("vars", "StringLike", ["a${?}b"], ["axb"], NO),
    ("vars", "StringLike", ["a${$}b*"], ["a$bc"], YES),
    ("vars", "StringEquals", ["${*}"], ["*"], YES),
    # Numeric
    ("ops", "NumericEquals", ["10"], ["10"], YES),
    ("ops", "NumericEquals", ["10"], ["10.0"], YES),
    ("ops", "NumericEquals", ["10"], ["11"], NO),
    ("ops", "NumericEquals", ["10", "11"], ["11"], YES),
    ("ops", "NumericEquals", ["10"], ABSENT, NO),
    ("ops", "NumericNotEquals", ["10"], ["11"], YES),
    ("ops", "NumericNotEquals", ["10"], ["10"], NO),
    ("ops", "NumericNotEquals", ["10", "11"], ["11"], NO),
    ("ops", "NumericNotEquals", ["10"], ABSENT, YES),
    ("ops", "NumericLessThan", ["10"], ["9.99"], YES),
    ("ops", "NumericLessThan", ["10"], ["10"], NO),
    ("ops", "NumericLessThan", ["10"], ["-1"], YES),
    ("ops", "NumericLessThan", ["10"], ABSENT, NO),
    ("ops", "NumericLessThanEquals", ["10"], ["10"], YES),
    ("ops", "NumericLessThanEquals", ["10"], ["10.1"], NO),
    ("ops", "NumericGreaterThan", ["10"], ["11"], YES),
    ("ops", "NumericGreaterThan", ["10"], ["10"], NO),
    ("ops", "NumericGreaterThan", ["9"], ["10"], YES),  # not as text
    ("ops", "NumericGreaterThanEquals", ["10"], ["10"], YES),
    ("ops", "NumericGreaterThanEquals", ["10"], ["9"], NO),
    *(("ops", f"Numeric{name}", ["10"], ABSENT, NO)
      for name in ("LessThanEquals", "GreaterThan", "GreaterThanEquals")),
    *(("ops", f"Date{name}", ["2026-11-25"], ABSENT, NO)
      for name in ("LessThanEquals", "GreaterThanEquals")),
    ("ops", "DateLessThanEquals", ["2026-11-25"], ["2026-11-25T00:00:01Z"], NO),
    ("ops", "DateGreaterThanEquals", ["2026-11-25"], ["2026-11-24"], NO),
    ("ops", "ArnEquals", [ARN], [ARN + "2"], NO),
    ("ops", "ArnEquals", [ARN], ABSENT, NO),
    ("ops", "ArnNotEquals", [ARN], ABSENT, YES),
    ("ours", "NumericLessThan", ["ten"], ["9"], NO),
    ("ours", "NumericLessThan", ["10"], ["nine"], NO),
    ("ours", "NumericNotEquals", ["10"], ["nine"], NO),  # what cannot be compared does not differ
    ("ours", "NumericNotEquals", ["ten"], ["9"], NO),
    ("ours", "DateNotEquals", ["2026-11-25"], ["yesterday"], NO),
    ("ours", "NotIpAddress", ["203.0.113.0/24"], ["AWS Internal"], NO),
    ("ours", "NotIpAddress", ["here"], ["203.0.113.7"], NO),
    ("ours", "ArnNotEquals", [ARN], ["not an arn"], NO),
    ("ours", "ArnNotLike", ["not an arn"], [ARN], NO),
    ("ours", "NumericEquals", ["NaN"], ["NaN"], NO),
    ("ours", "NumericLessThan", ["Infinity"], ["1"], NO),
    ("vars", "NumericEquals", ["${s3:max-keys}"], ["5"], NO),
    # Date
    ("ops", "DateEquals", ["2026-11-25T00:00:00Z"], ["2026-11-25T00:00:00Z"], YES),
    ("ops", "DateEquals", ["2026-11-25"], ["2026-11-25T00:00:00Z"], YES),
    ("ops", "DateEquals", ["2026-11-25T02:00:00+02:00"], ["2026-11-25T00:00:00Z"], YES),
    ("ops", "DateEquals", ["1795564800"], ["2026-11-25T00:00:00Z"], YES),
    ("ops", "DateEquals", ["2026-11-25T00:00:00Z"], ["1795564800"], YES),
    ("ops", "DateEquals", ["2026-11-25"], ABSENT, NO),
    ("ops", "DateNotEquals", ["2026-11-25"], ["2026-11-26"], YES),
    ("ops", "DateNotEquals", ["2026-11-25"], ["2026-11-25"], NO),
    ("ops", "DateNotEquals", ["2026-11-25"], ABSENT, YES),
    ("ops", "DateLessThan", ["2026-11-25T12:00:00Z"], ["2026-11-25T11:59:59Z"], YES),
    ("ops", "DateLessThan", ["2026-11-25T12:00:00Z"], ["2026-11-25T12:00:00Z"], NO),
    ("ops", "DateLessThanEquals", ["2026-11-25T12:00:00Z"], ["2026-11-25T12:00:00Z"], YES),
    ("ops", "DateGreaterThan", ["2020-01-01T00:00:01Z"], ["2020-01-01T00:00:02Z"], YES),
    ("ops", "DateGreaterThan", ["2020-01-01T00:00:01Z"], ["2020-01-01T00:00:01Z"], NO),
    ("ops", "DateGreaterThan", ["2020-01-01T00:00:01Z"], ABSENT, NO),
    ("ops", "DateGreaterThanEquals", ["2020-01-01"], ["2020-01-01T00:00:00.000Z"], YES),
    ("ours", "DateLessThan", ["tomorrow"], ["2026-11-25"], NO),
    ("ours", "DateLessThan", ["2026-11-25"], ["yesterday"], NO),
    ("ours", "DateLessThan", ["2026-13-45"], ["2026-11-25"], NO),
    ("ops", "DateEquals", ["2026-*"], ["2026-11-25"], NO),  # no wildcards for dates
    # Bool
    ("ops", "Bool", ["true"], ["true"], YES),
    ("ops", "Bool", ["true"], ["TRUE"], YES),
    ("ops", "Bool", ["true"], ["false"], NO),
    ("ops", "Bool", ["false"], ["false"], YES),
    ("ops", "Bool", ["true", "false"], ["false"], YES),
    ("ops", "Bool", ["false"], ABSENT, NO),
    ("ops", "Bool", ["true"], ABSENT, NO),
    ("ours", "Bool", ["yes"], ["yes"], NO),
    ("ours", "Bool", ["true"], ["1"], NO),
    # Binary
    ("ops", "BinaryEquals", ["QmluYXJ5VmFsdWVJbkJhc2U2NA=="], ["QmluYXJ5VmFsdWVJbkJhc2U2NA=="], YES),
    ("ops", "BinaryEquals", ["AAA="], ["AAE="], NO),
    ("ops", "BinaryEquals", ["AAA="], ABSENT, NO),
    ("ours", "BinaryEquals", ["not base64!"], ["not base64!"], NO),
    # IP
    ("ops", "IpAddress", ["203.0.113.0/24"], ["203.0.113.7"], YES),
    ("ops", "IpAddress", ["203.0.113.0/24"], ["203.0.114.7"], NO),
    ("ops", "IpAddress", ["203.0.113.7"], ["203.0.113.7"], YES),  # /32 by default
    ("ops", "IpAddress", ["203.0.113.7"], ["203.0.113.8"], NO),
    ("ops", "IpAddress", ["203.0.113.0/24", "2001:DB8:1234:5678::/64"],
     ["2001:db8:1234:5678::9"], YES),
    ("ops", "IpAddress", ["2001:DB8:1234:5678::/64"], ["2001:db8:1234:5679::9"], NO),
    ("ops", "IpAddress", ["203.0.113.0/24"], ["2001:db8::1"], NO),
    ("ops", "IpAddress", ["0.0.0.0/0"], ["198.51.100.1"], YES),
    ("ours", "IpAddress", ["203.0.113.5/24"], ["203.0.113.7"], YES),  # host bits are ignored
    ("ops", "IpAddress", ["203.0.113.0/24"], ABSENT, NO),
    ("ops", "NotIpAddress", ["203.0.113.0/24"], ["203.0.113.7"], NO),
    ("ops", "NotIpAddress", ["203.0.113.0/24"], ["198.51.100.1"], YES),
    ("logic", "NotIpAddress", ["203.0.113.0/24", "198.51.100.0/24"], ["198.51.100.1"], NO),
    ("ops", "NotIpAddress", ["203.0.113.0/24"], ABSENT, YES),
    ("ours", "IpAddress", ["here"], ["203.0.113.7"], NO),
    ("ours", "IpAddress", ["203.0.113.0/33"], ["203.0.113.7"], NO),
    ("ours", "IpAddress", ["203.0.113.0/255.255.255.0"], ["203.0.113.7"], NO),
    ("ours", "IpAddress", ["203.0.113.0/24"], ["AWS Internal"], NO),
    # ARN
    ("ops", "ArnEquals", [ARN], [ARN], YES),
    ("ops", "ArnEquals", ["arn:aws:sns:*:111122223333:*"], [ARN], YES),  # both alike
    ("ops", "ArnLike", ["arn:aws:sns:*:111122223333:t?pic"], [ARN], YES),
    ("ops", "ArnLike", ["arn:???:*:*:*:*"], [ARN], YES),
    ("ops", "ArnLike", [ARN.upper()], [ARN], NO),
    ("ops", "ArnLike", ["arn:aws:someservice:*:111122223333:finance/*"],
     ["arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt"],
     NO),
    ("ops", "StringLike", ["arn:aws:someservice:*:111122223333:finance/*"],
     ["arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt"],
     YES),
    ("ops", "ArnLike", ["arn:aws:iam::111122223333:*"], ["arn:aws:iam::111122223333:root"], YES),
    ("ops", "ArnLike", [ARN], ABSENT, NO),
    ("ops", "ArnNotEquals", [ARN], [ARN], NO),
    ("ops", "ArnNotEquals", [ARN], [ARN + "2"], YES),
    ("ops", "ArnNotLike", ["arn:aws:sns:*:*:*"], [ARN], NO),
    ("ops", "ArnNotLike", ["arn:aws:sqs:*:*:*"], [ARN], YES),
    ("ops", "ArnNotLike", [ARN], ABSENT, YES),
    ("ours", "ArnLike", ["not an arn"], [ARN], NO),
    ("ours", "ArnLike", [ARN], ["not an arn"], NO),
    ("ours", "ArnLike", ["*"], [ARN], YES),
    # IfExists
    ("ops", "StringEqualsIfExists", ["a"], ABSENT, YES),
    ("ops", "StringEqualsIfExists", ["a"], ["a"], YES),
    ("ops", "StringEqualsIfExists", ["a"], ["b"], NO),
    ("ops", "StringNotEqualsIfExists", ["a"], ABSENT, YES),
    ("ops", "StringNotEqualsIfExists", ["a"], ["a"], NO),
    ("ops", "StringLikeIfExists", ["t2.*"], ["m5.large"], NO),
    ("ops", "NumericLessThanIfExists", ["10"], ABSENT, YES),
    ("ops", "DateLessThanIfExists", ["2026-11-25"], ABSENT, YES),
    ("ops", "BoolIfExists", ["true"], ABSENT, YES),
    ("ops", "BoolIfExists", ["true"], ["false"], NO),
    ("ops", "BinaryEqualsIfExists", ["AAA="], ABSENT, YES),
    ("ops", "IpAddressIfExists", ["203.0.113.0/24"], ABSENT, YES),
    ("ops", "ArnLikeIfExists", [ARN], ABSENT, YES),
    # Null
    ("ops", "Null", ["true"], ABSENT, YES),
    ("ops", "Null", ["true"], ["a"], NO),
    ("ops", "Null", ["false"], ["a"], YES),
    ("ops", "Null", ["false"], ABSENT, NO),
    ("ops", "Null", ["true"], [], YES),  # "exists and its value is not null"
    ("ops", "Null", ["false"], [], NO),
    ("ours", "Null", ["true", "false"], ["a"], YES),
    ("ours", "Null", ["maybe"], ["a"], NO),
    # ForAllValues
    ("sets", "ForAllValues:StringEquals", ["a", "b", "c"], ["a", "b"], YES),
    ("sets", "ForAllValues:StringEquals", ["a", "b"], ["a", "x"], NO),
    ("sets", "ForAllValues:StringEquals", ["a"], ["x"], NO),
    ("sets", "ForAllValues:StringEquals", ["a"], ABSENT, YES),
    ("sets", "ForAllValues:StringEquals", ["a"], [], YES),
    ("sets", "ForAllValues:StringEquals", ["a"], [""], YES),  # "an empty string"
    ("sets", "ForAllValues:StringLike", ["key1*"], ["key1", "key1-b"], YES),
    ("sets", "ForAllValues:StringLike", ["key1*"], ["key1", "key2"], NO),
    ("sets", "ForAllValues:StringNotEquals", ["a", "b"], ["c", "d"], YES),
    ("sets", "ForAllValues:StringNotEquals", ["a", "b"], ["c", "a"], NO),
    ("sets", "ForAllValues:StringNotEquals", ["a"], ABSENT, YES),
    ("sets", "ForAllValues:ArnLike", ["arn:aws:sns:*:*:*"], [ARN, ARN + "2"], YES),
    ("sets", "ForAllValues:NumericLessThan", ["5"], ["1", "2"], YES),
    ("sets", "ForAllValues:StringEqualsIfExists", ["a"], ABSENT, YES),
    # ForAnyValue
    ("sets", "ForAnyValue:StringEquals", ["a", "b"], ["x", "b"], YES),
    ("sets", "ForAnyValue:StringEquals", ["a", "b"], ["x", "y"], NO),
    ("sets", "ForAnyValue:StringEquals", ["a"], ABSENT, NO),
    ("sets", "ForAnyValue:StringEquals", ["a"], [], NO),
    ("sets", "ForAnyValue:StringEquals", [""], [""], NO),
    ("sets", "ForAnyValue:StringNotEquals", ["a"], ["a", "b"], YES),
    ("sets", "ForAnyValue:StringNotEquals", ["a", "b"], ["a", "b"], NO),
    ("sets", "ForAnyValue:StringNotEquals", ["a"], ABSENT, NO),
    ("sets", "ForAnyValue:StringLike", ["o-a1b2/*/ou-1/*"], ["o-x/1", "o-a1b2/r/ou-1/z"], YES),
    ("sets", "ForAnyValue:StringEqualsIfExists", ["a"], ABSENT, YES),
    # Many values without a set operator: "require a condition set operator"
    ("sets", "StringEquals", ["a", "b"], ["a", "b"], NO),
    ("sets", "StringNotEquals", ["c"], ["a", "b"], NO),
]  # fmt: skip


@pytest.mark.parametrize(
    ("page", "operator", "values", "found", "holds"),
    TABLE,
    ids=[f"{row[0]}-{row[1]}-{number}" for number, row in enumerate(TABLE)],
)
def test_table(page, operator, values, found, holds):
    parsed = parse_operator(operator)
    assert parsed is not None
    condition = Condition(parsed, "Some:Key", tuple(values))
    context = {} if found is None else {"some:key": tuple(found)}
    assert condition.holds(context) is holds


@pytest.mark.parametrize("name", [entry.name for entry in BASE_OPERATORS.values()])
def test_every_operator_has_its_rows(name):
    rows = [row for row in TABLE if row[1].rpartition(":")[2].removesuffix("IfExists") == name]
    assert {row[4] for row in rows} == {True, False}
    assert any(row[3] is None for row in rows)


@pytest.mark.parametrize("name", [entry.name for entry in BASE_OPERATORS.values()])
@pytest.mark.parametrize("quantifier", ["", "ForAllValues:", "ForAnyValue:"])
@pytest.mark.parametrize("suffix", ["", "IfExists"])
def test_names_read_back_whatever_their_case(name, quantifier, suffix):
    text = quantifier + name + suffix
    assert str(parse_operator(text)) == text
    assert str(parse_operator(text.upper())) == text


@pytest.mark.parametrize(
    "name", ["NullIfExists", "StringEqual", "ForSome:StringEquals", "IfExists", "", "Bool:Null:x"]
)
def test_there_are_no_other_operators(name):
    assert parse_operator(name) is None


@pytest.mark.parametrize(
    ("values", "context", "holds"),
    [
        ({"StringEquals": {"a:x": "1", "a:y": "2"}}, {"a:x": "1", "a:y": "2"}, YES),
        ({"StringEquals": {"a:x": "1", "a:y": "2"}}, {"a:x": "1", "a:y": "3"}, NO),
        ({"StringEquals": {"a:x": "1"}, "Bool": {"a:z": "true"}}, {"a:x": "1"}, NO),
        ({"StringEquals": {"a:x": "1"}, "Bool": {"a:z": "true"}}, {"a:x": "1", "a:z": True}, YES),
        ({"NumericLessThan": {"a:n": 10}}, {"a:n": 9}, YES),
        ({"Bool": {"a:z": False}}, {"A:Z": "false"}, YES),
        ({}, {}, YES),
    ],
)
def test_operators_and_keys_are_joined_by_and(values, context, holds):
    """Source: `logic`; keys ignore case (reference_policies_elements_condition)."""
    identity = policy(allow(Condition=values))
    assert ask(context=context, identity=(identity,)) == ("allowed" if holds else "implicitDeny")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0), ("1970-01-01T00:00:01Z", 1), ("1970-01-01", 0), ("1970", 0), ("1970-01", 0),
        ("1970-01-01T00:00:00.5Z", "0.5"), ("1970-01-01T01:00+01:00", 0), ("1000000000000", 10**9),
        ("19700102T000000Z", 86_400), ("1970-01-01T00:00:60Z", 59), ("", None), ("x", None),
        ("9999999999999999999999", "9999999999999999999.999"), ("0001-01-01T00:00+23:59", None),
    ],
)  # fmt: skip
def test_dates(text, value):
    from decimal import Decimal

    assert parse_date(text) == (None if value is None else Decimal(str(value)))


@pytest.mark.parametrize(
    "text", ["", "abc", "1e99999", "--1", "0x10", "nan", "inf", "1_000", "٣", "1e", "."]
)
def test_what_is_no_number(text):
    assert parse_number(text) is None
