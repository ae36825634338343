"""Decision records: their CloudTrail shape, what they hide, how they are looked up."""

from __future__ import annotations

import gc
import json
import sqlite3
import time
import weakref
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner

from nitro_workflow.cli.cloud import events as events_command
from nitro_workflow.cloud.local import budgets
from nitro_workflow.cloud.local.call import ANONYMOUS, Call
from nitro_workflow.cloud.local.dispatch import Dispatcher
from nitro_workflow.cloud.local.gate.decision_records import make_event, redact
from nitro_workflow.cloud.local.protocol import load_model
from tests.cloud.conftest import COMPUTE, DATA, RunningCloud, allow


def test_shape_of_a_record(cloud: RunningCloud) -> None:
    session = cloud.role("Recorded", [allow("s3:ListAllMyBuckets")])
    cloud.client("s3", session).list_buckets()
    event = cloud.events(EventName="ListBuckets")[0]
    assert event["eventSource"] == "s3.amazonaws.com"
    assert event["userIdentity"]["type"] == "AssumedRole"
    assert event["userIdentity"]["sessionContext"]["sessionIssuer"]["userName"] == "Recorded"
    assert event["readOnly"] is True
    assert event["additionalEventData"]["nitroWorkflow"]["summary"].startswith("allowed by")
    assert {"eventID", "requestID", "eventTime", "sourceIPAddress", "userAgent"} <= event.keys()


def test_parameters_are_redacted() -> None:
    encrypt = load_model("kms").operation_model("Encrypt").input_shape
    params = {"KeyId": "k", "Plaintext": b"secret", "EncryptionContext": {"a": "b"}}
    shown = redact(encrypt, params)
    assert shown["keyId"] == "k"
    assert shown["encryptionContext"] == {"a": "b"}
    assert shown["plaintext"] == "HIDDEN_DUE_TO_SECURITY_REASONS"
    decrypt = load_model("kms").operation_model("Decrypt").input_shape
    assert redact(decrypt, {"CiphertextBlob": b"abc"})["ciphertextBlob"]["bytes"] == 3


def test_each_account_sees_its_own(cloud: RunningCloud) -> None:
    cloud.client("ec2", COMPUTE).describe_instance_types()
    assert cloud.events(COMPUTE, EventName="DescribeInstanceTypes")
    assert not cloud.events(DATA, EventName="DescribeInstanceTypes")


def test_a_region_shows_its_own(cloud: RunningCloud) -> None:
    """IAM has no regions: what it did is where CloudTrail keeps what is of no region."""
    session = cloud.session(DATA)
    at = {"endpoint_url": cloud.endpoint, "verify": cloud.ca, "region_name": "eu-north-1"}
    kms, iam, trail = (session.client(name, **at) for name in ("kms", "iam", "cloudtrail"))
    key = kms.create_key()["KeyMetadata"]["Arn"]
    iam.get_user()
    wanted = [{"AttributeKey": "ResourceName", "AttributeValue": key}]
    there = trail.lookup_events(LookupAttributes=wanted)["Events"]
    assert [event["EventName"] for event in there] == ["CreateKey"]
    assert cloud.events(ResourceName=key) == []
    assert cloud.events(EventName="GetUser")[0]["awsRegion"] == "us-east-1"
    for client in (kms, iam, trail):
        client.close()


def test_the_command_says_that_there_are_more(cloud: RunningCloud) -> None:
    sts = cloud.client("sts")
    for _ in range(3):
        sts.get_caller_identity()
    words = ["--lab", str(cloud.lab), "--name", "GetCallerIdentity", "--account", DATA]
    few = CliRunner().invoke(events_command, [*words, "--limit", "2"])
    assert "The newest 2; there are more: --limit 20" in few.output
    all_of_them = CliRunner().invoke(events_command, [*words, "--limit", "10000"])
    assert "there are more" not in all_of_them.output
    elsewhere = CliRunner().invoke(events_command, [*words, "--region", "ap-south-2"])
    assert elsewhere.output == "No such record in ap-south-2; --region names another.\n"


def test_pages_do_not_shift(cloud: RunningCloud) -> None:
    sts, trail = cloud.client("sts"), cloud.client("cloudtrail")
    wanted = {
        "LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "GetCallerIdentity"}]
    }
    for _ in range(5):
        sts.get_caller_identity()
    first = trail.lookup_events(**wanted, MaxResults=2)
    sts.get_caller_identity()  # between two pages
    second = trail.lookup_events(**wanted, MaxResults=2, NextToken=first["NextToken"])
    ids = [e["EventId"] for e in (*first["Events"], *second["Events"])]
    assert len(set(ids)) == 4


def test_lookup_by_key_and_time(cloud: RunningCloud) -> None:
    key = cloud.keys[DATA]["access_key_id"]
    assert cloud.events(AccessKeyId=key)
    trail = cloud.client("cloudtrail")
    assert not trail.lookup_events(StartTime=time.time() + 60, EndTime=time.time() + 61)["Events"]


@pytest.mark.parametrize("token", ["x", "", "²", "9" * 30, "9" * 5000])
def test_a_bad_token(cloud: RunningCloud, refused: Callable[..., Any], token: str) -> None:
    trail = cloud.client("cloudtrail")
    refused("InvalidNextTokenException", trail.lookup_events, NextToken=token)


def test_a_full_disk_does_not_end_the_log(
    dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody acts unseen by filling it: records wait, and where many do, no call is answered."""
    from tests.cloud.test_sigv4 import keys, signed

    events, store = dispatcher.services.events, dispatcher.services.store

    def full(**_: Any) -> Any:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(store, "transaction", full)
        patched.setattr(budgets, "WAITING_RECORDS", 3)
        for _ in range(3):
            assert dispatcher.handle(signed(keys(dispatcher))).status == 200
        until = time.monotonic() + 60
        while "decision records wait for the disk" not in caplog.text and time.monotonic() < until:
            time.sleep(0.02)
        assert "decision records wait for the disk" in caplog.text
        for _ in range(5):
            answer = dispatcher.handle(signed(keys(dispatcher)))
            assert answer.status == 500
            assert b"takes no further decision record" in bytes(answer.body)
    assert dispatcher.handle(signed(keys(dispatcher))).status == 200
    events.flush()
    assert store.read().execute("SELECT count(*) FROM events").fetchone()[0] == 4


def test_a_disk_that_fills_between_two_records_doubles_none(
    dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one of them cannot be written, the others are one by one, some only later."""
    from nitro_workflow.cloud.local.gate import record_log

    events, store = dispatcher.services.events, dispatcher.services.store
    insert, room = record_log.insert_records, [1]  # for so many records

    def odd(db: Any, batch: Any) -> Any:
        if len(batch) > 1 or batch[0]["eventName"] == "b":
            raise ValueError("no record")
        if not room:
            raise sqlite3.OperationalError("database or disk is full")
        room.pop()
        return insert(db, batch)

    monkeypatch.setattr(record_log, "insert_records", odd)
    events.close()  # its thread: now it writes only when it is told to
    identity = {"type": "IAMUser", "accountId": DATA, "userName": "operator"}
    for name in "abcd":
        events.record(lambda _brief, name=name: {
            "eventID": name, "eventTime": "2026-01-02T03:04:05Z", "eventName": name,
            "eventSource": "kms.amazonaws.com", "userIdentity": identity, "readOnly": True,
            "awsRegion": "us-east-1",
        })  # fmt: skip
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError):
            events.flush()
        room.append(1)
    events.flush()
    rows = store.read().execute("SELECT name FROM events ORDER BY seq").fetchall()
    assert [row["name"] for row in rows] == ["a", "c", "d"]


TRAIL = {
    "X-Amz-Target": "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents",
    "Content-Type": "application/x-amz-json-1.1",
}


@pytest.mark.parametrize(
    "body",
    [
        b'{"StartTime": "0001-01-01T00:00:00+14:00"}',
        b'{"EndTime": "9999-12-31T23:59:59-14:00"}',
        b'{"EndTime": 1e300}',
    ],
)
def test_a_time_that_utc_does_not_have_is_refused_and_recorded(
    dispatcher: Dispatcher, body: bytes
) -> None:
    """It was accepted, and its record then ended the thread that writes everybody's."""
    from tests.cloud.test_sigv4 import code, keys, signed

    request = signed(keys(dispatcher), headers=TRAIL, body=body, service="cloudtrail")
    assert code(dispatcher.handle(request)) == "SerializationException"
    dispatcher.services.events.flush()
    rows = dispatcher.services.store.read().execute("SELECT name FROM events").fetchall()
    assert [row["name"] for row in rows] == ["LookupEvents"]


def test_a_refusal_keeps_nothing_of_its_body(dispatcher: Dispatcher) -> None:
    """Its frames held the body until the next collection, its record until it was written."""
    from tests.cloud.test_sigv4 import keys, signed

    records: list[Callable[[bool], Any]] = []
    dispatcher.services.events.record = records.append  # type: ignore[method-assign]
    target = {"X-Amz-Target": "TrentService.CreateKey", "Content-Type": TRAIL["Content-Type"]}
    body = json.dumps({"Description": "d" * 100_000, "KeySpec": "no"}).encode()
    request = signed(keys(dispatcher), headers=target, body=body, service="kms")
    seen = weakref.ref(request)
    gc.disable()
    try:
        assert dispatcher.handle(request).status == 400
        del request
        assert seen() is None
    finally:
        gc.enable()
    made = records[0](False)
    assert made["requestParameters"] == {"omitted": True, "originalSize": len(body)}
    assert made["errorCode"] == "ValidationException"


def test_what_a_caller_sends_cannot_keep_his_call_out_of_the_log() -> None:
    class Odd(dict[str, Any]):
        def items(self) -> Any:
            raise OverflowError("date value out of range")

    shape = load_model("kms").operation_model("Decrypt").input_shape
    now = datetime(2026, 1, 2, tzinfo=UTC)
    call = Call("kms", "Decrypt", Odd(), ANONYMOUS, "id", now, "127.0.0.1", "us-east-1")
    event = make_event(call, shape, None)
    assert event["requestParameters"] == {"notShown": "OverflowError"}


def test_parameters_of_any_size_are_not_kept(dispatcher: Dispatcher) -> None:
    shape = load_model("kms").operation_model("CreateKey").input_shape
    now, events = datetime(2026, 1, 2, tzinfo=UTC), dispatcher.services.events
    for length in (60_000, 200_000):
        params = {"Description": "d" * length}
        call = Call(
            "kms", "CreateKey", params, ANONYMOUS, str(length), now, "127.0.0.1", "us-east-1"
        )
        events.record(lambda _brief, call=call: make_event(call, shape, None))
    events.flush()
    rows = dispatcher.services.store.read().execute("SELECT document FROM events ORDER BY seq")
    kept, cut = (json.loads(row["document"])["requestParameters"] for row in rows)
    assert kept == {"description": "d" * 60_000}
    assert cut["omitted"] is True
    assert cut["originalSize"] > 200_000


def test_one_bad_record_takes_no_other_along(
    dispatcher: Dispatcher, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither one that cannot be made nor one that cannot be written ends the log."""
    events, store = dispatcher.services.events, dispatcher.services.store

    def made(name: str, **changed: Any) -> Callable[[bool], Any]:
        identity = {"type": "IAMUser", "accountId": DATA, "userName": "operator"}
        event = {
            "eventID": name, "eventTime": "2026-01-02T03:04:05Z", "eventName": name,
            "eventSource": "kms.amazonaws.com", "userIdentity": identity, "readOnly": True,
            "awsRegion": "us-east-1",
        }  # fmt: skip
        return lambda _brief: event | changed

    def names() -> list[str]:
        rows = store.read().execute("SELECT name FROM events ORDER BY seq").fetchall()
        return [row["name"] for row in rows]

    def fails(_brief: bool) -> Any:
        raise ValueError("no record")

    odd = {"type": "IAMUser", "accountId": DATA, "userName": "\udfff"}
    half = [{"ARN": "arn:aws:kms:us-east-1:\ud800:key/x", "accountId": "\ud800"}]
    for it in (
        made("a"),
        fails,
        made("b", eventSource=object()),
        made("c", resources=half, userIdentity=odd),
    ):
        events.record(it)
    deadline = time.monotonic() + 60
    while names() != ["a", "c"]:
        assert time.monotonic() < deadline, names()
        time.sleep(0.02)
    assert caplog.text.count("a decision record was lost") == 2
    events.record(made("d"))
    deadline = time.monotonic() + 60
    while names() != ["a", "c", "d"]:  # its thread is alive
        assert time.monotonic() < deadline, names()
        time.sleep(0.02)
    assert store.read().execute("SELECT name FROM event_resources").fetchall()[0]["name"] == (
        "arn:aws:kms:us-east-1:\\ud800:key/x"
    )
