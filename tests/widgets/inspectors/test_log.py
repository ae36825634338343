"""The decision log: local records with their reason, AWS's without, and a key policy put to both."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro_workflow.errors import PolicyError, UsageError
from nitro_workflow.widgets import View
from nitro_workflow.widgets.drawing import grouped, to_json
from nitro_workflow.widgets.inspecting import inspect
from nitro_workflow.widgets.inspectors.log_model import MAX_RECORDS, log_answers, make_log
from tests.widgets.inspectors.log_cases import SAID, record
from tests.widgets.inspectors.policy_cases import GOOD, HOSTILE, OTHER, key_policy


def test_the_newest_stands_first_and_refusals_are_counted():
    done = record(2, name="GenerateDataKey", refused=False, explained=False, pcrs=GOOD)
    model = make_log({"Records": [record(1), done, record(3)]})
    assert [one.at[14:16] for one in model.records] == ["03", "02", "01"]
    assert [one.outcome for one in model.records] == ["AccessDenied", "done", "AccessDenied"]
    assert (model.head.verdict, model.head.tone) == ("2 refused", "bad")
    assert model.records[0].document.hex == OTHER["PCR0"]


def test_the_reason_is_the_record_s_own_and_awss_words_stand_beside_it():
    view = View(make_log([record()]))
    one = view.model.records[0]
    assert "PCR0 differs" in one.why
    for form in (view.text, view.html):
        assert "PCR0 differs" in form
        assert "is not authorized to perform" in form
        assert grouped(OTHER["PCR0"]) in form
        assert view.model.head.next in form


def test_a_record_opens_as_its_decision():
    model = log_answers([record()])["open"]({"record": 0})
    assert model.head.verdict == "Denied: PCR0 is another image's"
    assert model.said == SAID


def test_awss_record_tells_no_reason_until_the_policy_is_put_to_it():
    events = [record(explained=False)]
    plain = log_answers(events)["open"]({"record": 0})
    assert plain.head.verdict == "Refused: AccessDenied"
    assert "no reason" in plain.head.why
    answers = log_answers(events, policy=key_policy())
    assert answers["open"]({"record": 0}).head.verdict == "Denied: PCR0 is another image's"
    edits = {f"kms:RecipientAttestation:{name}": value for name, value in GOOD.items()}
    again = answers["decide"]({"record": 0, "edits": edits})
    assert not again.head.verdict.startswith("Denied: PCR0")


def test_a_document_that_was_refused_says_at_which_check():
    extra = {"attestation": {"verified": False, "failed": "signature", "found": "does not verify"}}
    model = make_log([record(explained=False, additionalEventData=extra)])
    assert model.records[0].why == "document refused at its check signature: does not verify"


@pytest.mark.parametrize("number", [-1, 1, True, "0", None])
def test_a_record_that_is_not_there_is_refused(number):
    with pytest.raises(UsageError):
        log_answers([record()])["open"]({"record": number})


def test_without_a_policy_nothing_is_decided_again():
    with pytest.raises(UsageError):
        log_answers([record()])["decide"]({"record": 0, "edits": {}})


def test_each_form_that_cloudtrail_has_is_taken():
    event = record()
    lookup = {"Events": [{"EventId": "1", "CloudTrailEvent": json.dumps(event)}]}
    for value in (event, [event], {"Records": [event]}, lookup):
        assert len(make_log(value).records) == 1
        assert inspect(json.dumps(value)).model.kind == "log"
    with pytest.raises(PolicyError):
        make_log({"Records": []})


def test_a_long_log_shows_the_newest_and_counts_the_others():
    event = record(explained=False)
    model = make_log([event] * (MAX_RECORDS + 5))
    assert (len(model.records), model.left_out) == (MAX_RECORDS, 5)
    view = View(model)
    assert "older records" in view.html
    assert "older records" in view.text
    assert len(view.html) < 400_000


def test_hostile_records_stay_text():
    event = record(eventName=HOSTILE, errorCode=HOSTILE * 100, errorMessage="x" * 1_000_000)
    event["userIdentity"]["arn"] = HOSTILE
    view = View(make_log([event]))
    assert "<img" not in view.html
    assert "\u202e" not in view.html + view.text
    assert len(view.html) < 60_000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(deadline=None)
@given(st.data())
def test_a_record_that_was_tampered_with_never_raises(data):
    event = record()
    for place in (event, event["userIdentity"], event["additionalEventData"]):
        for key in data.draw(st.sets(st.sampled_from(sorted(place)))):
            place[key] = data.draw(JSON)
    view = View(make_log([event]))
    assert view.text
    assert view.html
    assert json.dumps(to_json(view.model))
    assert log_answers([event])["open"]({"record": 0}).head.verdict
