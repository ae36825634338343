"""A decision, explained and asked again: marks, the nearest statement, flips, texts that are none."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro_workflow.errors import UsageError
from nitro_workflow.policy import RequestContext, explain
from nitro_workflow.widgets import View
from nitro_workflow.widgets.drawing import to_json
from nitro_workflow.widgets.inspectors.policy_inquiry import inquire
from nitro_workflow.widgets.inspectors.policy_model import make_policy
from tests.widgets.forms import both_say
from tests.widgets.inspectors.policy_cases import (
    GOOD,
    HOSTILE,
    KEY,
    OTHER,
    PREFIX,
    ROLE,
    ZERO,
    inquiry,
    key_policy,
    policies,
    request,
)

PCR0 = f"{PREFIX}PCR0"
DATASET = "kms:EncryptionContext:dataset"


def _by_name(model):
    return {view.name: view for view in model.statements}


def test_what_decided_stands_first_and_the_nearest_allow_second():
    model = inquiry().model({})
    assert [view.name for view in model.statements[:2]] == [
        "NoDecryptOutside",
        "DecryptInsideTheEnclave",
    ]
    assert model.head.verdict == "Denied: PCR0 is another image's"
    assert model.head.next.startswith("Run the image the policy names")


def test_capitals_are_shown_as_they_are_written_and_marked_where_they_count():
    """A card that says “upper case” beside two values in lower case would not be believed."""
    shouted = GOOD["PCR0"].upper()
    place = next(at for at, digit in enumerate(shouted) if digit.isalpha())
    for operator, marked in (("StringEquals", place), ("StringEqualsIgnoreCase", -1)):
        only = {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "kms:Decrypt",
                "Resource": "*", "Condition": {operator: {PCR0: shouted}}}  # fmt: skip
        document = {"Version": "2012-10-17", "Statement": [only]}
        view = View(inquiry(GOOD, document).model({}))
        checks = {one.name: one for state in view.model.statements for one in state.checks}
        assert checks["PCR0"].expected_digest.hex == shouted
        assert checks["PCR0"].expected_digest.difference == marked
        assert checks["PCR0"].found_digest.hex == GOOD["PCR0"]
    picture = checks["PCR0"].expected_digest.picture
    assert picture == checks["PCR0"].found_digest.picture


def test_a_deny_that_applies_stands_in_the_way_in_every_form():
    view = View(inquiry().model({}))
    deny = _by_name(view.model)["NoDecryptOutside"]
    (told,) = deny.told
    assert (told.name, told.tone, told.matched, told.label) == ("PCR0", "bad", True, "all but")
    assert {check.tone for check in deny.checks if check is not told} == {"neutral"}
    assert "✗ PCR0  StringNotEqualsIgnoreCase" in view.text
    assert "stands in the way" in view.html


def test_a_deny_that_does_not_apply_holds():
    deny = _by_name(inquiry(GOOD).model({}))["NoDecryptOutside"]
    assert (deny.applies, deny.open) == (False, True)
    assert [check.tone for check in deny.checks] == ["neutral", "neutral", "neutral", "good"]


def test_each_condition_has_expected_and_found_with_the_first_difference():
    allow = _by_name(inquiry().model({}))["DecryptInsideTheEnclave"]
    told = {check.name: check for check in allow.told}
    assert set(told) == {"PCR0", "PCR2"}
    assert told["PCR2"].expected_digest.hex == GOOD["PCR2"]
    assert told["PCR2"].found_digest.hex == OTHER["PCR2"]
    assert told["PCR2"].found_digest.difference >= 0
    assert allow.says == "Nearest Allow: 7 of 9 hold, not PCR0, PCR2."


@pytest.mark.parametrize(
    ("edits", "verdict"),
    [
        ({}, "Denied: PCR0 is another image's"),
        ({PCR0: GOOD["PCR0"]}, "Denied: PCR2 is another image's"),
        ({PCR0: f" {GOOD['PCR0'].upper()} ", f"{PREFIX}PCR2": GOOD["PCR2"]}, "Allowed"),
        ({PCR0: ZERO}, "Denied: the enclave runs in debug mode"),
        ({PCR0: ""}, "Denied: no attestation document"),
        ({"document": "none"}, "Denied: no attestation document"),
        ({PCR0: GOOD["PCR0"], f"{PREFIX}PCR2": GOOD["PCR2"], DATASET: "x"},
         "Denied: another encryption context"),
        ({"action": "kms:Verify"}, "Denied: no Allow is about this action"),
        ({"principal": "arn:aws:iam::444455556666:role/Somebody", "action": "kms:DescribeKey"},
         "Denied: no Allow names this caller"),
    ],
)  # fmt: skip
def test_the_engine_decides_each_edit(edits, verdict):
    assert inquiry().model(edits).head.verdict == verdict


@pytest.mark.parametrize("value", ["hello", "0" * 95, "0" * 97, "g" * 96, "²" * 96])
def test_what_no_document_holds_is_not_asked(value):
    model = inquiry(GOOD).model({PCR0: value})
    assert (model.head.verdict, model.head.tone) == ("Not decided: PCR0 is not a PCR", "warning")
    assert model.statements == ()
    field = next(one for one in model.fields if one.key == PCR0)
    assert field.problem.startswith("no PCR: ")
    assert field.value == value


@pytest.mark.parametrize(
    ("edits", "found"),
    [
        ({"principal": "nobody"}, "Not decided"),
        ({"action": "Decrypt"}, "Not decided: the action 'Decrypt'"),
        ({"policy": "{"}, "Not decided"),
        ({"policy": json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Maybe"}]})}, "Not decided"),
    ],
)  # fmt: skip
def test_texts_that_are_no_values_decide_nothing(edits, found):
    head = inquiry(GOOD).model(edits).head
    assert head.verdict.startswith(found)
    assert head.next


def test_what_flipped_is_said_and_marked():
    asked = inquiry()
    model = asked.model({PCR0: GOOD["PCR0"]}, {})
    assert "Deny NoDecryptOutside no longer applies" in model.flipped
    deny = _by_name(model)["NoDecryptOutside"]
    assert deny.flipped
    assert [check.name for check in deny.checks if check.flipped] == ["PCR0"]
    assert asked.model({PCR0: GOOD["PCR0"]}, {PCR0: GOOD["PCR0"]}).flipped == ()
    view = View(model)
    assert "flipped" in view.text
    assert ">flipped</b>" in view.html


def test_the_policy_itself_is_edited_and_its_difference_has_signs():
    text = json.dumps(key_policy(), indent=2)
    asked = inquiry()
    start = asked.model({}).policy
    model = asked.model({"policy": start.replace('"Deny"', '"Allow"')}, {})
    assert model.head.verdict.startswith("Denied: PCR0") or model.head.tone == "good"
    assert any(line.startswith("-") for line in model.difference)
    assert any(line.startswith("+") for line in model.difference)
    assert json.loads(start) == json.loads(text)
    assert next(tile.verdict for tile in model.answers) == "Allowed"
    assert 'class="ins"' in View(model).html


def test_the_three_answers_have_examples_that_show_them():
    asked = inquiry(GOOD)
    model = asked.model({})
    assert [tile.verdict for tile in model.answers] == ["Denied", "Denied", "Denied"]
    found = [asked.model(dict(tile.example)).head.verdict for tile in model.answers]
    assert found == ["Denied: no attestation document", "Denied: PCR0 is another image's",
                     "Denied: the enclave runs in debug mode"]  # fmt: skip


def test_a_way_in_is_shown_by_a_witness_that_is_allowed():
    open_policy = key_policy()
    open_policy["Statement"] = [
        {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "kms:Decrypt", "Resource": "*"}
    ]
    asked = inquiry(GOOD, open_policy)
    tile = asked.model({}).answers[0]
    assert (tile.verdict, tile.tone, tile.witness) == ("Allowed", "warning", True)
    assert asked.model(dict(tile.example)).head.verdict == "Allowed"


def test_who_can_is_told_with_the_statement():
    lines = {line.what: line for line in inquiry().model({}).ways}
    assert lines["can get the plaintext"].who == (ROLE,)
    assert lines["can change that"].action == "kms:PutKeyPolicy"


def test_an_account_number_does_not_break():
    assert "111122223333" in View(inquiry().model({})).html
    assert "444455556666" in View(inquiry().model({})).html


@pytest.mark.parametrize("edits", [{PCR0: 7}, {PCR0: "a" * 200_000}, {"policy": "x" * 200_000}])
def test_edits_that_are_no_texts_or_too_long_are_refused(edits):
    with pytest.raises(UsageError):
        inquiry().model(edits)
    with pytest.raises(UsageError):
        inquiry().answer({"edits": 3})


def test_unknown_fields_are_no_keys_of_the_request():
    assert inquiry(GOOD).model({"aws:Bogus": "1", "__proto__": "x"}).head.verdict == "Allowed"


@settings(deadline=None)
@given(st.dictionaries(
    st.sampled_from([PCR0, f"{PREFIX}PCR8", "principal", "action", "document", "policy", DATASET,
                     "aws:SourceIp"]),
    st.text(max_size=30) | st.sampled_from([HOSTILE, ROLE, KEY, ZERO, "kms:Decrypt"]),
))  # fmt: skip
def test_any_edit_is_answered_in_every_form(edits):
    view = View(inquiry().model(edits, {}))
    assert view.text
    assert "<img" not in view.html
    assert json.dumps(to_json(view.model))


def test_a_refusal_stands_beside_the_words_that_aws_would_use():
    session = "arn:aws:sts::444455556666:assumed-role/ParentInstance/<session>"
    who = f"User: {session} is not authorized to perform: kms:Decrypt"
    denied = inquiry().model({})
    assert denied.said == (
        f"AccessDeniedException: {who} on resource: {KEY} with an explicit deny in a "
        "resource-based policy"
    )
    both_say(denied, "AWS would say", "with an explicit deny in a resource-based policy")
    lacking = key_policy()
    lacking["Statement"] = [one for one in lacking["Statement"] if one["Effect"] == "Allow"]
    asked = inquire(request(), policies(lacking))
    assert asked.model({}).said.endswith(
        f"on resource: {KEY} because no resource-based policy allows the kms:Decrypt action"
    )


@pytest.mark.parametrize(
    ("asks", "named"),
    [
        ("arn:aws-cn:iam::111122223333:role/a/b", "arn:aws-cn:sts::111122223333:assumed-role/b/<session>"),
        ("arn:aws:iam::111122223333:user/role/x", "arn:aws:iam::111122223333:user/role/x"),
        ("arn:aws:sts::111122223333:assumed-role/b/i-1", "arn:aws:sts::111122223333:assumed-role/b/i-1"),
    ],
)  # fmt: skip
def test_a_role_is_named_as_one_of_its_sessions(asks, named):
    assert f"User: {named} is not" in inquiry().model({"principal": asks}).said


def test_what_is_allowed_or_not_decided_has_no_such_words():
    assert inquire(request(GOOD), policies()).model({}).said == ""
    assert inquiry().model({"policy": "{"}).said == ""


def test_a_record_of_the_cloud_is_drawn_as_one_made_here():
    record = json.loads(json.dumps(explain(request(), policies()).to_json()))
    made = make_policy(record, said="AccessDeniedException")
    assert [view.name for view in made.statements] == [
        view.name for view in inquiry().model({}).statements
    ]
    assert "AWS says" in View(made).text
    both_say(
        made, "PCR0", " ".join(OTHER["PCR0"][at : at + 8] for at in range(0, 48, 8)), "dataset"
    )


def test_a_key_of_several_values_keeps_them_when_another_is_edited():
    document = key_policy()
    document["Statement"][-2]["Condition"]["ForAllValues:StringEquals"] = {
        "kms:EncryptionContextKeys": ["dataset", "version"]
    }
    given = request(GOOD)
    values = {given.context.names[key]: list(v) for key, v in given.context.values.items()}
    values["kms:EncryptionContextKeys"] = ["dataset", "version"]
    asked = inquire(replace(given, context=RequestContext.what_if(values)), policies(document))
    assert asked.model({}).head.verdict == "Allowed"
    assert asked.model({"aws:SourceIp": "192.0.2.7"}).head.verdict == "Allowed"
    assert asked.model({"kms:EncryptionContextKeys": "dataset, x"}).head.tone == "bad"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(deadline=None)
@given(st.data())
def test_a_record_that_was_tampered_with_never_raises(data):
    record = json.loads(json.dumps(explain(request(), policies()).to_json()))
    statement = record["statements"][0]
    for place in (record, statement, statement["checks"][0]):
        for key in data.draw(st.sets(st.sampled_from(sorted(place)))):
            place[key] = data.draw(JSON)
    view = View(make_policy(record))
    assert view.text
    assert view.html
    assert json.dumps(to_json(view.model))


@given(JSON)
def test_a_record_that_is_none_is_no_allowance(record):
    model = make_policy(record)
    if not (isinstance(record, dict) and "decision" in record):
        assert model.head.tone == "warning"
