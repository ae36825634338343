"""The application does its job, in both forms, says only what it may, and names what it refuses."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import time
from datetime import UTC, datetime

import pytest
from application_world import (
    CONTEXT,
    HOST,
    KEY_ARN,
    PCRS,
    RESULT_CONTEXT,
    Sealed,
    World,
    records,
)
from botocore.awsrequest import AWSRequest

from enclave_image.inside import kms_watch
from enclave_image.inside.kms_watch import told_request
from enclave_image.job_protocol import exchange_of
from enclave_image.owner.dataset import expected_aggregates
from enclave_image.owner.receipt import ExpectedReceipt, open_result
from nitro_workflow.attestation import exactly
from nitro_workflow.cms import parse_envelope

FORMS = ["encryption-sdk", "envelope"]
CANARY = b"Zanzibar Canary"


def opened(world: World, events: list[dict], sealed: Sealed, verifier):
    result, receipt = (base64.b64decode(events[-1][name]) for name in ("result", "receipt"))
    expected = ExpectedReceipt(
        exactly({0: PCRS[0]}, "test"),
        b"\x07" * 32,
        sealed.report.sha256,
        CONTEXT,
        RESULT_CONTEXT,
        exchange_of({event["step"]: event["evidence"] for event in events[:-1]}),
    )
    return open_result(
        result,
        receipt,
        expected,
        verifier=verifier,
        at=datetime.now(UTC),
        private_key=world.owner_key,
    )


@pytest.mark.parametrize("form", FORMS)
def test_a_job_ends_in_the_right_result_with_evidence_of_each_step(world, form, verifier):
    sealed = world.seal(records(), form)
    events = world.run(sealed)
    assert events[-1]["event"] == "result", events[-1]
    assert [event["step"] for event in events[:-1]] == ["D3", "D6", "D7", "D8", "D9"]
    answer = opened(world, events, sealed, verifier)
    expected = expected_aggregates(seed=1, size=200_000)
    assert answer.rows == expected["rows"]
    assert list(answer.groups) == expected["groups"]
    assert answer.suppressed == expected["suppressed"] == 1


def test_evidence_has_digests_lengths_and_times(world):
    sealed = world.seal(records())
    d3, d6, d7, d8, d9 = (event["evidence"] for event in world.run(sealed)[:-1])
    assert len(d3["document_sha256"]) == len(d3["public_key_sha256"]) == 64
    assert d3["pcrs"]["PCR0"] == PCRS[0].hex()
    assert abs(d3["time"] - time.time()) < 60
    assert d6["kms_host"] == HOST
    assert d6["request_bytes"] > 0 < d6["response_bytes"]
    assert d6["kms_request_id"]
    assert d7["envelope_bytes"] > 256
    assert d8["input_sha256"] == sealed.report.sha256
    assert d8["input_bytes"] == len(sealed.ciphertext)
    assert d8["plaintext_bytes"] == 200_000
    assert d8["frames"] == 4
    assert d8["commitment"] is d8["context_ok"] is True
    assert d9["result_bytes"] > 4096


def test_the_request_is_told_as_it_was_signed_without_what_makes_it_valid(world):
    keys = {
        "access_key_id": "AKIA7QNPLMXO5STFGWHJ",
        "secret_access_key": "S3cr3t/AccessKeyOfTheRole",
        "session_token": "T0kenOfTheSession",
    }
    events = world.run(world.seal(records()), credentials=keys)
    d3, d6 = events[0]["evidence"], events[1]["evidence"]
    head, _, body = base64.b64decode(d6["request"]).partition(b"\r\n\r\n")
    assert head.startswith(f"POST / HTTP/1.1\r\nHost: {HOST}\r\n".encode())
    assert b"X-Amz-Target: TrentService.Decrypt" in head
    assert b"SignedHeaders=content-type;host;x-amz-date" in head
    assert len(body) == d6["request_bytes"]
    asked = json.loads(body)
    assert asked["Recipient"]["AttestationDocument"] == d3["document"]
    assert asked["EncryptionContext"] == CONTEXT
    told = json.dumps([head.decode(), body.decode(), events])
    for secret in keys.values():
        assert secret not in told
    assert "Signature=" not in told


def test_a_request_too_large_to_be_told_is_not(monkeypatch):
    request = AWSRequest("POST", f"https://{HOST}/", {"X-Amz-Target": "T"}, b"x" * 200)
    assert told_request(request.prepare()).endswith(b"x" * 200)
    monkeypatch.setattr(kms_watch, "MAX_TOLD", 200)
    assert told_request(request.prepare()) == b""


def test_the_envelope_is_told_as_it_came(world):
    d7 = next(e["evidence"] for e in world.run(world.seal(records())) if e.get("step") == "D7")
    envelope = base64.b64decode(d7["envelope"])
    assert hashlib.sha256(envelope).hexdigest() == d7["envelope_sha256"]
    assert parse_envelope(envelope).raw == envelope


def test_evidence_does_not_depend_on_the_content(world):
    """Two files of one length: the parent learns the same of both, but for digests and times."""
    hidden = (
        *("sha256", "time", "document", "request", "envelope"),
        *("request_id", "receipt_bytes", "response_bytes"),
    )

    def visible(seed: int) -> list:
        events = world.run(world.seal(records(seed=seed)))
        shape = [
            (
                event["step"],
                {k: v for k, v in event["evidence"].items() if not k.endswith(hidden)},
            )
            for event in events[:-1]
        ]
        return [shape, len(events[-1]["result"])]

    assert visible(1) == visible(2)


@pytest.mark.parametrize("form", FORMS)
def test_content_leaves_neither_in_frames_nor_on_the_console(world, form, capfd, caplog):
    caplog.set_level(logging.DEBUG)
    header = records().split(b"\n", 1)[0] + b"\n"
    row = b'1,"%s",atlantis-%s,consumer,2020-01-01,1,1.00\n' % (CANARY, CANARY)
    events = world.run(world.seal(header + row * 20, form))
    broken = world.run(world.seal(header + row + b"7,%s\n" % CANARY, form))
    assert (events[-1]["event"], broken[-1]["event"]) == ("result", "failed")
    console = "".join(capfd.readouterr()) + caplog.text
    for needle in (CANARY, base64.b64encode(CANARY)[:-4]):
        assert needle.decode() not in json.dumps([events, broken])
        assert needle.decode() not in console


def test_a_document_is_made_for_every_try(world):
    fail_once = iter([(500, {"__type": "KMSInternalException"})])
    world.kms.bend = lambda _body, answer: next(fail_once, answer)
    events = world.run(world.seal(records()))
    documents = {e["evidence"]["document_sha256"] for e in events[:-1] if e["step"] == "D3"}
    assert len(documents) == 2
    assert events[-1]["event"] == "result"


def test_one_key_pair_serves_a_run_and_the_receipt_carries_it(world, verifier):
    sealed = world.seal(records())
    runs = [world.run(sealed) for _ in range(2)]
    keys = {
        e["evidence"]["public_key_sha256"]
        for run in runs
        for e in run
        if "evidence" in e and e["step"] == "D3"
    }
    assert len(keys) == 1
    document = opened(world, runs[0], sealed, verifier).attestation.document
    assert document.public_key == next(iter(world.channel.documents.values()))


# -- refusals --------------------------------------------------------------------------------------


def error_of(events: list[dict]) -> tuple[str, str, dict]:
    last = events[-1]
    assert last["event"] in ("refused", "failed"), last
    assert all(last["error"][name] for name in ("code", "found", "expected", "where", "next"))
    return last["event"], last["step"], last["error"]


@pytest.mark.parametrize("form", FORMS)
def test_a_denial_carries_the_reason_of_kms(world, form):
    reason = "User: arn:aws:sts::444455556666:assumed-role/ParentInstance/i-0 is not authorized"
    denial = (400, {"__type": "AccessDeniedException", "message": reason})
    sealed = world.seal(records(), form)
    world.kms.bend = lambda _body, _answer: denial
    kind, step, error = error_of(world.run(sealed))
    assert (kind, step, error["code"]) == ("refused", "D4", "AccessDeniedException")
    assert error["found"] == reason


@pytest.mark.parametrize("form", FORMS)
def test_another_context_is_refused_before_kms_is_asked(world, form):
    world.context = {"dataset": "customers", "version": "2"}
    sealed = world.seal(records(), form)
    world.context = dict(CONTEXT)
    asked = len(world.kms.requests)
    kind, _, error = error_of(world.run(sealed))
    assert kind == "refused"
    if form == "encryption-sdk":  # the message says its context; the envelope form has none in it
        assert error["code"] == "ContextMismatch"
        assert len(world.kms.requests) == asked
    else:
        assert error["code"] == "InvalidCiphertextException"


def test_a_context_with_one_pair_more_is_another_context(world):
    world.context = {**CONTEXT, "extra": "1"}
    assert error_of(world.run(world.seal(records())))[2]["code"] == "ContextMismatch"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", [0.0, 0.001, 0.3, 0.6, 0.9, 1.0])
def test_a_changed_byte_is_refused_and_nothing_leaves(world, form, place):
    sealed = world.seal(records(), form)
    changed = bytearray(sealed.ciphertext)
    changed[int((len(changed) - 1) * place)] ^= 1
    sealed.ciphertext = bytes(changed)
    events = world.run(sealed)
    kind, _, error = error_of(events)
    assert kind == "refused"
    assert error["code"] in ("UntrustedAnswer", "InvalidCiphertextException", "ContextMismatch")
    assert not {"D8", "D9"} & {event["step"] for event in events[:-1]}


@pytest.mark.parametrize("form", FORMS)
def test_a_shortened_or_lengthened_object_is_refused(world, form):
    whole = world.seal(records(), form)
    for data in (whole.ciphertext[:-70_000], whole.ciphertext + b"more"):
        kind, step, _ = error_of(
            world.run(Sealed(data, whole.report, whole.encrypted_key), size=len(data))
        )
        assert (kind, step) == ("refused", "D8")


def test_frames_of_two_messages_do_not_mix(world):
    one, two = world.seal(records(seed=1)), world.seal(records(seed=2))
    half = len(one.ciphertext) // 2
    one.ciphertext = one.ciphertext[:half] + two.ciphertext[half:]
    assert error_of(world.run(one))[:2] == ("refused", "D8")


@pytest.mark.parametrize(
    "csv",
    [
        b"\xff\xfe\x00",
        b"another,header\n1,2\n",
        b"",
        b"x" * 300_000,
        records() + b"one,row,too,short\n",
        records().replace(b",consumer,", b',"consumer,', 1),
        records().replace(b"\n", b"\n\n", 5),
    ],
    ids=["binary", "header", "empty", "no-line-end", "short-row", "open-quote", "blank-lines"],
)
@pytest.mark.parametrize("form", FORMS)
def test_data_that_is_not_the_csv_gets_one_and_the_same_error(world, form, csv):
    kind, step, error = error_of(world.run(world.seal(csv or b"\n", form)))
    assert (kind, step, error["code"]) == ("failed", "D9", "DatasetError")
    assert error["found"] == "the data is not the CSV that was agreed on"


@pytest.mark.parametrize("form", FORMS)
def test_a_bad_csv_in_tampered_data_is_told_as_tampered(world, form):
    """Otherwise whoever changes ciphertext learns what it decrypts to."""
    sealed = world.seal(b"not,the,csv\n" + records(), form)
    sealed.ciphertext = sealed.ciphertext[:-1] + bytes([sealed.ciphertext[-1] ^ 1])
    assert error_of(world.run(sealed))[2]["code"] == "UntrustedAnswer"


@pytest.mark.parametrize(
    ("bend", "code"),
    [
        (lambda a: {**a, "Plaintext": base64.b64encode(bytes(32)).decode()}, "UntrustedAnswer"),
        (lambda a: {"KeyId": a["KeyId"]}, "UntrustedAnswer"),
        (lambda a: {**a, "CiphertextForRecipient": "AAAA"}, "UntrustedAnswer"),
        (lambda a: {**a, "KeyId": KEY_ARN[:-1] + "2"}, "UntrustedAnswer"),
    ],
    ids=["in-clear", "no-envelope", "garbage", "other-key"],
)
@pytest.mark.parametrize("form", FORMS)
def test_an_answer_that_is_not_kms_fails_closed(world, form, bend, code):
    sealed = world.seal(records(), form)
    world.kms.bend = lambda _body, answer: (200, bend(answer[1]))
    assert error_of(world.run(sealed))[2]["code"] == code


def test_kms_out_of_reach_is_named(world):
    sealed = world.seal(records())
    world.kms_reachable = False
    kind, step, error = error_of(world.run(sealed))
    assert (kind, step, error["code"]) == ("failed", "D6", "KmsUnreachable")


def test_a_kms_with_another_certificate_is_not_believed(world):
    from enclave_image.packing.rehearsal import PracticeKms

    sealed = world.seal(records())
    world.kms = PracticeKms(HOST, world.kms.key_of)
    kind, _, error = error_of(world.run(sealed))
    assert (kind, error["code"]) == ("refused", "UntrustedAnswer")
    assert "certificate" in error["found"]


def test_a_replayed_request_is_answered_and_useless(world):
    sealed = world.seal(records())
    request = world.request(sealed)
    first, second = (world.run(sealed, **request) for _ in range(2))
    assert first[-1]["event"] == second[-1]["event"] == "result"
    assert first[-1]["result"] != second[-1]["result"]


def test_nothing_is_processed_before_it_is_authenticated(world, monkeypatch):
    """Else the time it takes tells whether changed ciphertext still decrypts to a CSV."""
    from enclave_image.inside.query import Aggregator

    fed: list[int] = []
    feed = Aggregator.feed

    def counted(self, data):
        fed.append(len(data))
        feed(self, data)

    monkeypatch.setattr(Aggregator, "feed", counted)
    for form, most in (("envelope", 0), ("encryption-sdk", 3 * 65536)):
        sealed = world.seal(records(), form)
        sealed.ciphertext = sealed.ciphertext[:-20] + bytes(20)
        fed.clear()
        assert error_of(world.run(sealed))[:2] == ("refused", "D8")
        assert sum(fed) == most  # the frames before the changed one had verified


def test_an_envelope_beyond_its_cap_is_refused_unread(world):
    from enclave_image.job_protocol import ENVELOPE_MAX_BYTES

    sealed = world.seal(records(), "envelope")
    error = error_of(world.run(sealed, size=ENVELOPE_MAX_BYTES + 1))[2]
    assert error["code"] == "FrameError"
    assert "size" in error["where"]
