"""A step's card: evidence, every form of every call, and where the code is."""

from __future__ import annotations

import dataclasses
import importlib
import re

import pytest

from nitro_workflow.lab import STEPS, CallRecord, StepResult
from nitro_workflow.widgets import View, document_sha256, make_step, nsm_exchange
from nitro_workflow.widgets.inspectors.step_card_text import folded_calls
from nitro_workflow.widgets.inspectors.step_code import CODE
from tests.widgets.forms import HOSTILE, LONG, both_say, forms

CALL = CallRecord(
    "aws", "data owner", "kms", "GenerateDataKey",
    {"KeyId": "k", "EncryptionContext": {"a": "b"}},
    {"method": "POST", "path": "/", "headers": {"Authorization": "<cut>"}, "body": {"KeyId": "k"}},
    {"status": 200, "headers": {"x-amzn-RequestId": "r"}, "body": {"Plaintext": {"bytes": 32, "secret": True}}},
    source="the client that made it", seconds=0.025,
)  # fmt: skip
REFUSED = dataclasses.replace(CALL, error="AccessDeniedException")
RESULT = StepResult(
    "P2", "data owner", "Generate a data key", "done", 1.5,
    {"basis": "observed by the data owner", "plaintext_bytes": 32, "encrypted_bytes": 112,
     "refused_first": {"found": "not authorized"}},
    notes=("the data key is new",), caught_up=("P1",), calls=(REFUSED.to_json(), CALL.to_json()),
)  # fmt: skip


def test_both_forms_carry_evidence_and_every_form_of_the_call():
    model = make_step(RESULT, done=("P1", "P2"))
    both_say(
        model, "P2 · data owner · rests on P1", "Done in 1,500 ms.", 'lesson.run("P3")', "observed by the data owner",
        "32 bytes", "not authorized", "the data key is new", "ran first: P1",
        "refused: AccessDeniedException", "answered in 25 ms", "as the client that made it tells it",
        "boto3", "kms.generate_data_key(", "AWS CLI", "aws kms generate-data-key", "Request", "POST / HTTP/1.1",
        "Answer", "<secret cut: 32 bytes>", "nitro_workflow/lab/steps/p1_p2_keys.py", "make_data_key",
    )  # fmt: skip


def test_a_look_that_finds_nothing_is_no_refusal_and_a_change_that_does_is():
    looks = dataclasses.replace(CALL, operation="DescribeKey", error="NotFoundException")
    change = dataclasses.replace(looks, operation="ScheduleKeyDeletion")
    model = make_step(RESULT, calls=(looks.to_json(), change.to_json()))
    assert [one.tone for one in model.exchanges] == ["neutral", "bad"]
    both_say(model, "not there yet: NotFoundException", "refused: NotFoundException")


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.number)
def test_the_code_of_each_step_is_where_the_card_says(step):
    for place in CODE[step.number]:
        module, _, name = place.partition(":")
        found = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        assert callable(found)
    model = make_step(StepResult(step.number, step.party, step.title, "done", 0.1, {}))
    assert len(model.code) == len({*CODE[step.number]}) + 1
    forms(model)


def test_the_17_steps_are_one_line_where_styles_are_dropped():
    html = View(make_step(RESULT, done=("P1", "P2"))).html
    line = re.search(r'<p [^>]*aria-label="The 17 steps".*?</p>', html)[0]
    assert re.sub(r"<[^>]*>", "", line).startswith("P1 ✓ P2 ◀ P3 · P4 ·")
    assert line.count('role="listitem"') == 17


def test_the_strip_shows_where_one_is():
    states = {one.number: one.state for one in make_step(RESULT, done=("P1", "P2", "P3")).strip}
    assert (states["P1"], states["P2"], states["P3"], states["P4"]) == (
        "done",
        "here",
        "done",
        "to do",
    )
    assert len(states) == 17


def test_digests_are_drawn_and_other_facts_are_said():
    found = {"basis": "b", "image_bytes": 5, "image_sha256": "ab" * 32,
             "owner_measurements": {"PCR0": "cd" * 48, "PCR1": "00" * 48}, "same_as_inspected": 7}  # fmt: skip
    model = make_step(StepResult("P6", "p", "t", "done", 0.1, found))
    assert [tile.label for tile in model.tiles] == ["image digest", "PCR0", "PCR1"]
    assert ("image", "5 bytes") in model.facts
    both_say(model, "7 files of the ramdisk")


def test_a_failed_step_says_what_is_next():
    error = {"found": "no", "expected": "yes", "next": "run it again"}
    model = make_step(StepResult("P2", "p", "t", "failed", 0.1, {}, error=error))
    assert model.head.tone == "bad"
    both_say(model, "run it again", "Expected: yes")


def test_calls_alike_are_told_once():
    model = make_step(dataclasses.replace(RESULT, calls=(CALL.to_json(),) * 3))
    assert [title for title, _ in folded_calls(model)] == ["kms:GenerateDataKey · data owner ×3"]


def test_calls_of_several_jobs_are_told_apart_by_their_documents():
    def decrypt(sha):
        document = {"bytes": 4329, "sha256": sha}
        return dataclasses.replace(
            CALL, parameters={"Recipient": {"AttestationDocument": document}}
        ).to_json()

    run = dataclasses.replace(RESULT, calls=(decrypt("a"), decrypt("b"), CALL.to_json()))
    model = make_step(run, jobs={"a": "encryption-sdk", "b": "envelope"})
    assert [one.title for one in model.exchanges] == [
        "kms:GenerateDataKey · data owner, encryption-sdk",
        "kms:GenerateDataKey · data owner, envelope",
        "kms:GenerateDataKey · data owner",
    ]


@pytest.mark.parametrize(
    "bent", [{}, {"Recipient": 5}, {"Recipient": {"AttestationDocument": "x"}}]
)
def test_a_call_without_a_document_has_no_digest_of_one(bent):
    assert document_sha256(bent) == ""


def test_a_step_without_a_call_says_so():
    both_say(make_step(dataclasses.replace(RESULT, calls=())), "No call left this party")


def test_a_bent_record_is_left_out():
    bent = (
        {},
        {"kind": 1},
        {**CALL.to_json(), "parameters": 5},
        {**CALL.to_json(), "seconds": "x"},
        CALL.to_json(),
    )
    assert len(make_step(dataclasses.replace(RESULT, calls=bent)).exchanges) == 1


def test_what_others_wrote_stays_text():
    hostile = dataclasses.replace(CALL, party=HOSTILE, operation=HOSTILE, error=HOSTILE,
                                  parameters={HOSTILE: HOSTILE, "Long": LONG}, answer={"body": HOSTILE})  # fmt: skip
    record = dataclasses.replace(RESULT, evidence={"basis": HOSTILE, "kept": HOSTILE}, notes=(HOSTILE,),
                                 calls=(hostile.to_json(),))  # fmt: skip
    text, html = forms(make_step(record, openable=[(HOSTILE, HOSTILE)]))
    assert "<img src=x" in text
    assert "<img src=x" in html
    assert len(html) < 1_000_000


def test_the_nsm_exchange_follows_from_the_document(vectors):
    from nitro_workflow.attestation import parse_document
    from nitro_workflow.nsm import messages

    for path in sorted((vectors / "attestation").glob("*.bin"))[:4]:
        data = path.read_bytes()
        exchange = nsm_exchange(data, what="x")
        if exchange is None:
            continue
        read = parse_document(data)
        asked = messages.Attestation(read.user_data, read.nonce, read.public_key)
        request = messages.encode_request(asked)
        assert request[:16].hex(" ") in exchange.tabs[0].text
        assert f"{len(request):,} bytes of CBOR" in exchange.tabs[0].text
        assert f"answered with {len(data):,} bytes" == exchange.said


def test_no_exchange_is_made_up_for_what_is_no_document():
    assert nsm_exchange(b"not a document", what="x") is None
