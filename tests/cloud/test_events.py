"""Decision records: their CloudTrail shape, what they hide, how they are looked up."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import Any

import pytest

from nitro_workflow import cloud as room
from nitro_workflow.cloud.local.dispatch import Dispatcher
from nitro_workflow.cloud.local.events import redact
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


def test_a_bad_token(cloud: RunningCloud, refused: Callable[..., Any]) -> None:
    trail = cloud.client("cloudtrail")
    refused("InvalidNextTokenException", trail.lookup_events, NextToken="x")


def test_a_full_disk_does_not_end_the_log(
    dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from tests.cloud.test_sigv4 import keys, signed

    events, store = dispatcher.services.events, dispatcher.services.store

    def full(**_: Any) -> Any:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(store, "transaction", full)
        assert dispatcher.handle(signed(keys(dispatcher))).status == 200
        for _ in range(100):
            if "decision records were lost" in caplog.text:
                break
            time.sleep(0.02)
    assert "decision records were lost" in caplog.text
    dispatcher.handle(signed(keys(dispatcher)))
    events.flush()
    assert store.read().execute("SELECT count(*) FROM events").fetchone()[0] == 1


def test_public_names() -> None:
    assert (
        room.__all__ == sorted(room.__all__) == ["Connection", "ServeOptions", "Settings", "serve"]
    )
    assert all(getattr(room, name) for name in room.__all__)
    with pytest.raises(AttributeError):
        room.missing  # noqa: B018
