"""What a lesson shows of a real walk: every card, the trace, the map that runs steps, the enclaves."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest

from nitro_workflow.errors import UsageError
from nitro_workflow.lab import STEPS, document_of
from nitro_workflow.lessons import Lesson
from nitro_workflow.lessons.progress_board import followed
from nitro_workflow.widgets.live_answers import told
from tests.widgets.forms import both_say, forms

pytestmark = pytest.mark.sandbox


@pytest.fixture
def lesson(lab, walked):
    return Lesson(lab, "07", ())


def card(lesson, number):
    from nitro_workflow.lessons import walk_views

    run = lesson.lab.bench.result(number)
    return walk_views.step_view(lesson.lab, run, lesson._model_of)


@pytest.mark.parametrize("number", [step.number for step in STEPS])
def test_every_step_has_its_card(lesson, number):
    view = card(lesson, number)
    text, html = forms(view.model)
    assert number in text
    assert str(lesson.lab.path) not in text + html
    made = {"D7", "D8"}  # what happens wholly inside the enclave, without a call
    assert bool(view.model.exchanges) == (number not in made)
    for name, _ in view.model.openable:
        assert view.answers["open"]({"name": name}).kind


def test_the_enclaves_decrypt_is_on_the_cards_of_d3_to_d6(lesson):
    document = lesson.lab.bench.result("D3").evidence["encryption-sdk"]["document_sha256"]
    for number in ("D3", "D4", "D5", "D6"):
        said = "\n".join(
            tab.text for one in card(lesson, number).model.exchanges for tab in one.tabs
        )
        assert "kms.decrypt(" in said, number
        assert document in said, number
        assert "Plaintext" not in said, number


def test_the_nsms_request_names_the_key_and_nothing_else(lesson):
    (first, *_) = card(lesson, "D3").model.exchanges
    assert first.tabs[0].name == "NSM request"
    assert "nonce       null" in first.tabs[0].text
    assert first.said == f"answered with {len(document_of(lesson.lab.bench)):,} bytes"
    receipt = next(one for one in card(lesson, "D9").model.exchanges if "receipt" in one.title)
    assert "nonce       32 bytes" in receipt.tabs[0].text


def test_the_trace_marks_the_relay_and_the_jobs(lesson):
    model = lesson.trace().model
    relayed = [m for m in model.messages if m.via == ("parent",)]
    assert {m.step for m in relayed} == {"D3", "D6"}
    assert all(m.records for m in relayed)
    assert [name for _, name in model.jobs] == ["encryption-sdk", "envelope"]
    both_say(model, "kms:Decrypt + document", "relays, cannot open")
    begun = [m for m in model.messages if m.beginning]
    assert begun
    assert begun[0].beginning[:3] == b"\x02\x04\x78"


def test_the_message_agrees_with_the_policy(lesson):
    model = lesson.message().model
    assert model.head.tone == "good"
    assert {pair.said for pair in model.context} == {"equal"}


def test_the_log_tells_who_decrypted_and_opens_the_record_in_the_policy_inspector(lesson):
    view = lesson.log()
    at = [one.at for one in view.model.records]
    assert at == sorted(at, reverse=True)
    decrypts = [
        one for one in view.model.records if one.action == "kms:Decrypt" and one.tone == "good"
    ]
    assert decrypts
    both_say(view.model, "Decision log", "kms:Decrypt")
    opened = view.answers["open"]({"record": decrypts[0].number})
    assert (opened.kind, opened.head.tone) == ("policy", "good")


def test_the_result_is_drawn_with_what_is_suppressed(lesson):
    model = lesson.result().model
    assert model.suppressed == 1
    both_say(model, "not told", "The owner verified its receipt first.")


def test_the_map_runs_a_step_and_tells_of_it(lesson):
    view = lesson.steps()
    shown = []
    view.show = lambda model: shown.append(next(s for s in model.steps if s.number == "P7").state)
    model = view.answers["run"]({"step": "P7"})
    assert shown == ["running", "done"]
    assert {step.state for step in model.steps if step.number == "P7"} == {"done"}


def test_the_map_asks_before_it_starts_over(lesson):
    view = lesson.steps()
    before = lesson.lab.bench.folder.recorded()
    for values in ({"step": "P1"}, {"step": "P1", "yes": "true"}, {"step": "P1", "yes": 1}):
        assert view.answers["reset"](values).asks.startswith("Start over from P1?")
    assert lesson.lab.bench.folder.recorded() == before


def test_a_question_for_no_step_is_refused(lesson):
    answer = told(lesson.steps().answers, {"id": 1, "question": "run", "values": {"step": "D10"}})
    assert "no step 'D10'" in answer["refused"]


def test_the_enclaves_are_shown_with_what_is_refused(lesson):
    view = lesson.enclaves()
    assert view.model.head.tone == "good"
    running = view.model.enclaves[0].id
    refused = view.answers["launch"]({"memory_mib": 16, "cpu_count": 2, "debug_mode": False})
    assert refused.refusals
    assert refused.refusals[0].code.startswith("E")
    assert view.answers["terminate"]({"id": running}).asks == running
    assert view.answers["look"]({}).enclaves[0].state == "RUNNING"
    console = told(
        view.answers, {"id": 1, "question": "console", "values": {"id": running, "offset": 0}}
    )
    assert "E44" in console["refused"] or "debug" in console["refused"]


def test_bytes_are_opened_by_name(lesson):
    assert lesson.open("message").model.kind == "message"
    assert lesson.open("data-key").model.kind == "envelope"
    with pytest.raises(UsageError, match="nothing called"):
        lesson.open("private-key")


def test_no_view_holds_the_data_or_a_key(lesson):
    from enclave_image.owner import CustomerRecords

    bench = lesson.lab.bench
    records = CustomerRecords(seed=bench.seed, size=bench.size)
    plain = b""
    while plain.count(b"\n") < 5:
        plain += records.read(4096)
    line = plain.splitlines()[3]
    views = [
        lesson.trace(),
        lesson.message(),
        lesson.steps(),
        *(card(lesson, s.number) for s in STEPS),
    ]
    for view in views:
        text = view.text + view.html + json.dumps(view.widget.model if view.widget else {})
        assert line.decode() not in text
        assert b64encode(line).decode() not in text


def test_following_a_lab_ends_with_the_context(lesson):
    said = lesson.lab.bench.say
    with followed(lesson.lab, lambda *_: None):
        assert lesson.lab.progress is not None
    assert lesson.lab.progress is None
    assert lesson.lab.bench.say is said
