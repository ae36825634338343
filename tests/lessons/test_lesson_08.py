"""Lesson 08: what is said to what a learner may make; KMS, envelopes and receipts are real."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from enclave_image import exchange_of
from nitro_workflow.cms import open_envelope
from nitro_workflow.errors import UsageError
from nitro_workflow.lab import Lab, jobs_of
from nitro_workflow.lessons.checks import lesson_08
from nitro_workflow.lessons.checks.asked_again import finished_recipient, is_fresh
from nitro_workflow.lessons.checks.broken_bytes import BREAKS, flip
from nitro_workflow.lessons.checks.lesson_08 import Checks
from nitro_workflow.lessons.checks.parent_sight import SIGHTS
from nitro_workflow.lessons.lab_bytes import openable, things, whole
from nitro_workflow.lessons.practice_row import practice_key, seal_row
from nitro_workflow.lessons.wire_view import asked_name, wire_table

NOTICED = {
    "document": "D4",
    "request": "D4",
    "wrapped key": "D7",
    "iv": "D8",
    "ciphertext": "D8",
    "result": "D9",
}
READABLE = {"ciphertext", "credentials", "host name", "receipt"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    opened = Lab.open(tmp_path_factory.mktemp("lesson08") / "lab", size=200_000)
    opened.ensure("D9")
    yield opened
    opened.down()


@pytest.fixture
def checks(lab):
    return Checks(lab)


def test_all_bytes_have_names_and_a_strange_name_is_refused(lab):
    assert {"request", "to_kms", "from_kms", "envelope", "nonce"} <= set(things(lab.bench))
    assert len(whole(lab.bench, "nonce")) == 32
    assert isinstance(openable(lab.bench, "message"), Path)
    with pytest.raises(UsageError, match="nothing called"):
        whole(lab.bench, "private-key")


def test_nothing_that_has_a_name_is_plaintext_or_a_key(lab):
    row = open_practice_row(lab)[0]
    for name in set(things(lab.bench)) - {"image"}:
        data = whole(lab.bench, name)
        assert row not in data, name
        assert practice_key(lab) not in data, name
        assert b"PRIVATE" not in data, name


def test_the_wire_is_told_record_by_record(lab):
    rows = wire_table(lab.bench).rows
    assert asked_name(whole(lab.bench, "to_kms")) == lab.bench.cloud.kms_host
    assert asked_name(b"") == asked_name(b"GET /") == ""
    assert lab.bench.cloud.kms_host in rows[0][3]
    assert {kind for _, kind, _, _ in rows} == {
        "handshake",
        "change cipher spec",
        "application data",
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda it: it | {"AttestationDocument": it["AttestationDocument"].hex()}, "base64"),
        (lambda it: it | {"AttestationDocument": flip(it["AttestationDocument"], 900)}, "every"),
        (lambda it: it | {"KeyEncryptionAlgorithm": "rsaes_oaep_sha_256"}, "one key encryption"),
        (
            lambda it: it | {"AttestationDocument": b64encode(it["AttestationDocument"])},
            "base64 of",
        ),
        (lambda it: it | {"Nonce": b""}, "boto3 does not know"),
        (lambda it: [it], "a dict"),
        (lambda _: {}, "no AttestationDocument"),
    ],
)
def test_a_recipient_that_is_none(lab, checks, change, words):
    given = change(finished_recipient(whole(lab.bench, "document")))
    verdict = checks.recipient(given)
    assert verdict.outcome == "wrong"
    assert words in verdict.text
    assert not is_fresh(lab, given)


def test_a_recipient_that_became_too_old_is_still_right(lab, checks, monkeypatch):
    genuine = whole(lab.bench, "document")
    ask = lesson_08.ask_again

    def ask_later(lab, recipient):
        if recipient["AttestationDocument"] == genuine:
            return lesson_08.Answered({}, "ValidationException", "not valid")
        return ask(lab, recipient)

    monkeypatch.setattr(lesson_08, "ask_again", ask_later)
    verdict = checks.recipient(finished_recipient(genuine))
    assert (verdict.outcome, "too old" in verdict.text) == ("right", True)


def test_a_row_is_opened_with_the_learners_own_key_only(lab, checks):
    row, sealed, mine = open_practice_row(lab)
    assert len(row.split(b",")) == 7
    assert practice_key(lab) not in repr(sealed).encode()
    assert checks.unwrapped(open_envelope(sealed.envelope, mine)).outcome == "right"
    assert checks.unwrapped(bytes(32)).outcome == "wrong"
    with pytest.raises(UsageError, match="int"):
        seal_row(lab, 7)


def open_practice_row(lab):
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    mine = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    sealed = seal_row(lab, mine.public_key())
    key = open_envelope(sealed.envelope, mine)
    return AESGCM(key).decrypt(sealed.nonce, sealed.ciphertext, sealed.context), sealed, mine


def test_the_digest_is_of_the_owners_own_record(lab, checks):
    statement = {
        "result_sha256": hashlib.sha256(whole(lab.bench, "result")).hexdigest(),
        "input_sha256": hashlib.sha256(whole(lab.bench, "message")).hexdigest(),
        "encryption_context": {"dataset": "customers", "version": "1"},
        "nonce": whole(lab.bench, "nonce").hex(),
        "exchange": exchange_of(jobs_of(lab.bench)["encryption-sdk"].ended()["evidence"]),
    }

    def digest(value):
        text = json.dumps(value, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).digest()

    assert checks.digest(digest(statement)).outcome == "right"
    assert checks.digest(digest(statement).hex()).outcome == "right"
    for name in statement:
        assert checks.digest(digest(statement | {name: "other"})).outcome == "wrong", name


@pytest.mark.parametrize("name", SIGHTS)
def test_what_the_parent_can_read(lab, checks, name):
    right = {one: "yes" if one in READABLE else "no" for one in SIGHTS}
    assert SIGHTS[name](lab)[0] is (name in READABLE)
    assert checks.could_read(right | {name: "perhaps"}).outcome == "wrong"
    assert checks.could_read({name: right[name]}).outcome == "unanswered"


@pytest.mark.parametrize("name", BREAKS)
def test_who_notices_a_changed_byte(lab, name):
    noticed = BREAKS[name](lab)
    assert noticed.step == NOTICED[name]
    assert ": " in noticed.told


def test_a_change_that_nobody_notices_would_be_an_error(lab, monkeypatch):
    from nitro_workflow.errors import UntrustedAnswer
    from nitro_workflow.lessons.checks import broken_bytes

    monkeypatch.setattr(broken_bytes, "flip", lambda data, place: data)
    for name in ("document", "wrapped key", "result"):
        with pytest.raises(UntrustedAnswer, match="nobody noticed"):
            BREAKS[name](lab)


@pytest.mark.parametrize("prediction", Checks.truths)
def test_a_prediction_is_marked_with_evidence_of_now(lab, prediction):
    truth = Checks.truths[prediction]
    said = truth.marks(lab, truth.answer)
    assert said.outcome == "right"
    assert "now" in said.sentences[-1]
