"""Explanations: each likely cause has a request that meets it; text and JSON say the same."""

from __future__ import annotations

import json

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
    deny,
    policy,
    to,
)

from nitro_workflow.policy import (
    Grant,
    Policies,
    Principal,
    Request,
    RequestContext,
    evaluate,
    explain,
    render_explanation,
)

GOOD = {index: f"{index:x}c" * 48 for index in (0, 1, 2, 3, 4, 8)}
BAD = "0d" * 48
ZERO = "0" * 96


def inside(pcrs, operator="StringEqualsIgnoreCase", effect=allow, prefix="PCR", **keys):
    condition = {f"kms:RecipientAttestation:{prefix}{i}": value for i, value in pcrs.items()}
    elements = {"Condition": {operator: {**condition, **keys}}}
    return to(ROLE if effect is allow else "*", effect("kms:Decrypt", **elements))


def ask(key_policy, pcrs=None, action="kms:Decrypt", principal=SESSION, prefix="PCR", **context):
    values = {f"kms:RecipientAttestation:{prefix}{i}": v for i, v in (pcrs or {}).items()}
    values |= {name.replace("__", ":"): value for name, value in context.items()}
    request = Request(Principal.parse(principal), action, KEY, "", RequestContext.what_if(values))
    return explain(request, Policies(key_policy))


def key_policy(*statements):
    return policy(*statements, kind="resource")


def with_pcr(index, value):
    return {**GOOD, index: value}


FENCE = inside({0: GOOD[0]}, "StringNotEqualsIgnoreCase", deny)
PINNED = inside({i: GOOD[i] for i in (0, 1, 2)})

CAUSES = [
    ("no_document", key_policy(PINNED), None),
    ("no_document", key_policy(PINNED, FENCE), None),
    ("rebuilt_image", key_policy(PINNED), with_pcr(0, BAD)),
    ("rebuilt_image", key_policy(PINNED, FENCE), with_pcr(0, BAD)),
    ("rebuilt_image", key_policy(inside({2: GOOD[2]})), with_pcr(2, BAD)),
    ("debug_mode", key_policy(PINNED, FENCE), {**GOOD, 0: ZERO, 1: ZERO, 2: ZERO}),
    ("unsigned_image", key_policy(inside({8: GOOD[8]})), with_pcr(8, ZERO)),
    ("other_signer", key_policy(inside({8: GOOD[8]})), with_pcr(8, BAD)),
    ("other_role", key_policy(inside({3: GOOD[3]})), with_pcr(3, BAD)),
    ("other_instance", key_policy(inside({4: GOOD[4]})), with_pcr(4, BAD)),
    ("other_extension", key_policy(inside({16: GOOD[8]})), {**GOOD, 16: BAD}),
    ("pcr_zero", key_policy(inside({16: GOOD[8]})), {**GOOD, 16: ZERO}),
    ("pcr_absent", key_policy(inside({17: GOOD[8]})), GOOD),
    ("upper_case", key_policy(inside({0: GOOD[0].upper()}, "StringEquals")), GOOD),
    ("wrong_length", key_policy(inside({0: GOOD[0][:64]})), GOOD),
    ("other_kind_of_document", key_policy(inside({4: GOOD[4]}, prefix="NitroTPMPCR")), GOOD),
    ("placeholder", key_policy(to("<ROLE_ARN>", allow("kms:Decrypt"))), GOOD),
    ("placeholder", key_policy(inside({0: "<PCR0>"})), GOOD),
    ("wrong_action", key_policy(to(ROLE, allow("kms:Encrypt"))), GOOD),
    ("wrong_principal", key_policy(to(USER, allow("kms:Decrypt"))), GOOD),
    ("deleted_principal", key_policy(to("AROAJQABLZS4A3QDU576Q", allow("kms:Decrypt"))), GOOD),
    ("wrong_resource", key_policy(to(ROLE, allow("kms:Decrypt", KEY + "1"))), GOOD),
    ("key_absent", key_policy(to(ROLE, allow("kms:Decrypt", Condition={
        "StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}))), GOOD),
    ("condition", key_policy(to(ROLE, allow("kms:Decrypt", Condition={
        "StringEquals": {"kms:CallerAccount": OTHER}}))), GOOD),
    ("encryption_context", key_policy(to(ROLE, allow("kms:Decrypt", Condition={
        "StringEquals": {"kms:EncryptionContext:dataset": "a"}}))), GOOD),
    ("explicit_deny", key_policy(PINNED, to("*", deny("kms:*"))), GOOD),
    ("no_resource_policy", None, GOOD),
    ("allowed", key_policy(PINNED, FENCE), GOOD),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "key", "pcrs"), CAUSES, ids=[f"{row[0]}-{n}" for n, row in enumerate(CAUSES)]
)
def test_causes(code, key, pcrs):
    explanation = ask(key, pcrs)
    assert explanation.cause.code == code
    assert explanation.cause.text in explanation.summary
    assert "\n" not in explanation.summary
    if not explanation.decision.allowed:
        assert explanation.cause.next_step


def test_which_half_of_the_image_changed():
    rebuilt = ask(key_policy(PINNED, FENCE), {**GOOD, 0: BAD, 2: BAD})
    assert "the application is not (PCR2)" in rebuilt.cause.text
    other_tools = ask(key_policy(PINNED, FENCE), {**GOOD, 0: BAD, 1: BAD})
    assert "the application is the same (PCR2)" in other_tools.cause.text
    all_new = ask(key_policy(PINNED, FENCE), {**GOOD, 0: BAD, 1: BAD, 2: BAD})
    assert "same" not in all_new.cause.text


@pytest.mark.parametrize("position", [0, 40, 95])
def test_the_first_differing_character_is_marked(position):
    found = GOOD[3][:position] + "f" + GOOD[3][position + 1 :]
    explanation = ask(key_policy(inside({3: GOOD[3]})), with_pcr(3, found))
    check = explanation.cause.check
    assert (check.difference, check.nearest, check.found) == (position, GOOD[3], (found,))
    lines = render_explanation(explanation).splitlines()
    row = next(n for n, line in enumerate(lines) if "▲" in line)
    assert lines[row - 1][lines[row].index("▲")] == "f"
    assert lines[row - 2][lines[row].index("▲")] != "f"
    assert f"character {position + 1} differs" in lines[row]


@pytest.mark.parametrize(("position", "column"), [(0, 0), (47, 47), (48, 0), (95, 47)])
def test_a_narrow_terminal_gets_two_rows(position, column):
    found = GOOD[3][:position] + "f" + GOOD[3][position + 1 :]
    explanation = ask(key_policy(inside({3: GOOD[3]})), with_pcr(3, found))
    lines = render_explanation(explanation, 80).splitlines()
    row = next(n for n, line in enumerate(lines) if "▲" in line)
    assert lines[row].index("▲") == 16 + column
    assert lines[row - 1][16 + column] == "f"
    values = [line[16:] for line in lines if line.startswith(("      expected", "      found"))]
    assert ("".join(values[::2]), "".join(values[1::2])) == (GOOD[3], found)


def test_of_many_values_the_nearest_is_shown():
    old, new = GOOD[0], GOOD[0][:90] + "ffffff"
    statement = inside({})
    statement["Condition"] = {
        "StringEqualsIgnoreCase": {"kms:RecipientAttestation:PCR0": [BAD, new, "e" * 96]}
    }
    explanation = ask(key_policy(statement), with_pcr(0, old))
    assert explanation.cause.check.nearest == new
    assert "(nearest of 3 values)" in render_explanation(explanation)


def test_the_text_names_statement_input_cause_and_next_step():
    text = render_explanation(ask(key_policy({**PINNED, "Sid": "Inside"}, FENCE), with_pcr(0, BAD)))
    for part in (
        "DENIED: a statement forbids it (explicitDeny)",
        "PCR0 differs: the image that runs is not the one the policy names",
        "next   run the image the policy names",
        "Decided by: resource policy, statement 2 (Deny)",
        "measures the whole image",
        f"all but   {GOOD[0]}",
        f"found     {BAD}",
        "statement 1 “Inside” (Allow): not here: PCR0",
        "nothing was verified",
    ):
        assert part in text


def test_what_else_stands_in_the_way_is_said():
    # The Deny's PCR0 is all that the Allow lacks too: nothing else to say.
    assert ask(key_policy(PINNED, FENCE), None).also == ()
    # Another role lacks an Allow as well.
    other = ask(key_policy(PINNED, FENCE), None, principal=f"arn:aws:iam::{ACCOUNT}:role/Else")
    assert other.also == ("nothing in the resource's policy allows kms:Decrypt to this caller",)
    abroad = ask(key_policy(to(ROLE, allow())), GOOD, principal=FOREIGN)
    assert abroad.also == (
        "nothing in the caller's identity policies allows kms:Decrypt to this caller",
    )


@pytest.mark.parametrize(
    ("principal", "policies", "code"),
    [
        (FOREIGN, Policies(key_policy(to(OTHER, allow()))), "no_identity_allow"),
        (SESSION, Policies(key_policy(to(ROOT, allow()))), "no_identity_allow"),
        (SESSION, Policies(key_policy(to(ROLE, allow())), boundary=policy(
            allow("s3:*"), kind="boundary")), "wrong_action"),
        (SESSION, Policies(key_policy(to(ROLE, allow())), session=policy(
            deny("s3:*"), kind="session")), "no_session_allow"),
        (FEDERATED, Policies(key_policy(to(ROOT, allow())), (policy(allow()),)),
         "no_session_policy"),
        (SESSION, Policies(key_policy(to(USER, allow())), grants=(Grant(ROLE, ("Decrypt",)),)),
         "allowed"),
        (SESSION, Policies(grants=(Grant(ROLE, ("Encrypt",)),)), "no_resource_allow"),
    ],
)  # fmt: skip
def test_causes_of_policy_sets(principal, policies, code):
    explanation = explain(Request(Principal.parse(principal), "kms:Decrypt", KEY), policies)
    assert explanation.cause.code == code


@pytest.mark.parametrize(
    ("context", "says"),
    [
        ({"aws:MultiFactorAuthPresent": "false"}, "because aws:MultiFactorAuthPresent is 'false',"),
        ({}, "because aws:MultiFactorAuthPresent is absent,"),
    ],
)
def test_a_deny_says_what_it_met(context, says):
    identity = policy(allow(), deny(Condition={
        "BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}))  # fmt: skip
    request = Request(
        Principal.parse(USER), "s3:GetObject", OBJECT, "", RequestContext.what_if(context)
    )
    assert says in explain(request, Policies(identity=(identity,))).cause.text


def test_no_statement_names_the_action():
    key = key_policy({**to(USER, allow("kms:Decrypt")), "Sid": "Only"})
    explanation = ask(key, GOOD, "kms:Encrypt")
    assert explanation.cause.text == (
        "no Allow in the resource's policy is about kms:Encrypt; the nearest, statement 1 “Only”,"
        " is about kms:Decrypt"
    )


def test_the_order_is_that_of_the_policies():
    first, second = policy(allow("s3:Put*"), deny("iam:*")), policy(allow("s3:Get*"))
    request = Request(Principal.parse(USER), "s3:GetObject", OBJECT)
    explanation = explain(request, Policies(identity=(first, second)))
    assert [(o.statement.index, o.applies) for o in explanation.outcomes] == [
        (0, False), (1, False), (0, True),
    ]  # fmt: skip
    assert explanation.nearest is explanation.outcomes[2]


def test_the_json_is_the_whole_record():
    explanation = ask(key_policy(PINNED, FENCE), with_pcr(0, BAD))
    record = json.loads(json.dumps(explanation.to_json()))
    assert record["decision"] == "explicitDeny"
    assert record["cause"] == "rebuilt_image"
    assert record["basis"] == "what-if"
    assert record["deciding"] == [
        {"policy": "resource policy", "statement": 2, "sid": "", "effect": "Deny"}
    ]
    assert record["nearest"]["checks"][-1] == {
        "element": "Condition", "operator": "StringNotEqualsIgnoreCase",
        "key": "kms:RecipientAttestation:PCR0", "matched": True, "expected": [GOOD[0]],
        "found": [BAD], "difference": 1,
    }  # fmt: skip
    assert len(record["statements"]) == 2


def test_a_variable_without_a_value_is_named():
    identity = policy(allow("s3:*", "arn:aws:s3:::bucket/${aws:PrincipalTag/team}/*"))
    request = Request(Principal.parse(USER), "s3:GetObject", OBJECT)
    explanation = explain(request, Policies(identity=(identity,)))
    assert "${aws:principaltag/team} has no value in this request" in render_explanation(
        explanation
    )


def test_services_own_decisions_are_explained():
    everything = Policies(identity=(policy(allow()),))
    request = Request(Principal.parse(SESSION), "iam:DeletePolicy", "arn:aws:iam::aws:policy/X")
    assert explain(request, everything).cause.code == "belongs_to_aws"
    request = Request(Principal.parse(SESSION), "sts:GetCallerIdentity", "*")
    assert explain(request, Policies()).cause.text == "sts:GetCallerIdentity needs no permission"


@pytest.mark.parametrize(("code", "key", "pcrs"), CAUSES)
def test_explain_decides_as_evaluate(code, key, pcrs):
    values = {f"kms:RecipientAttestation:PCR{i}": v for i, v in (pcrs or {}).items()}
    request = Request(
        Principal.parse(SESSION), "kms:Decrypt", KEY, "", RequestContext.what_if(values)
    )
    assert explain(request, Policies(key)).decision == evaluate(request, Policies(key))
