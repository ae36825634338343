"""The rings of the decision records: bounded, each on its own, and whole after an upgrade."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from nitro_workflow.cloud.local import budgets
from nitro_workflow.cloud.local.call import ANONYMOUS, Call, Decided
from nitro_workflow.cloud.local.dispatch import Dispatcher
from nitro_workflow.cloud.local.gate import EventLog, make_event, record_rows, upgrade
from nitro_workflow.cloud.local.gate.record_rows import SCHEMA, ring_sizes
from nitro_workflow.cloud.local.protocol import RawRequest, load_model
from nitro_workflow.cloud.local.store import Store
from tests.cloud.conftest import COMPUTE, DATA
from tests.cloud.test_sigv4 import keys, signed

RING = 40_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "state.sqlite3")
    made.create(SCHEMA)
    yield made
    made.close()


@pytest.fixture
def log(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[EventLog]:
    monkeypatch.setattr(record_rows, "_BUDGETS", dict.fromkeys(record_rows._BUDGETS, RING))
    made = EventLog(store)
    yield made
    made.close()


def event(name: str, kind: str = "IAMUser", size: int = 1_000, **changed: Any) -> dict[str, Any]:
    identity = {"type": kind, "accountId": DATA, "userName": "operator"}
    return {
        "eventID": name, "eventTime": "2026-01-02T03:04:05Z", "eventName": name,
        "eventSource": "kms.amazonaws.com", "userIdentity": identity, "readOnly": True,
        "awsRegion": "us-east-1", "requestParameters": "x" * size,
        "resources": [{"ARN": f"arn:aws:kms:us-east-1:{DATA}:key/{name}", "accountId": DATA}],
        **changed,
    }  # fmt: skip


def names(store: Store, ring: str) -> list[str]:
    query = "SELECT name FROM events WHERE ring = ? ORDER BY seq"
    return [row["name"] for row in store.read().execute(query, (ring,))]


def test_a_flood_pushes_out_its_own_kind_alone(log: EventLog, store: Store) -> None:
    log.record(lambda _brief: event("kept"))
    log.record(lambda _brief: event("refusal", errorCode="AccessDenied"))
    for number in range(400):
        made = event(f"flood{number}", "Unknown", errorCode="InvalidSignatureException")
        log.record(lambda _brief, made=made: made)
        if number % 50 == 0:
            log.flush()
    log.flush()
    assert names(store, "allowed") == ["kept"]
    assert names(store, "refused") == ["refusal"]
    strangers = names(store, "stranger")
    assert strangers[-1] == "flood399"
    assert 10 < len(strangers) < 40
    assert ring_sizes(store)["stranger"] <= RING


def test_a_flood_pushes_out_its_own_callers_alone(log: EventLog, store: Store) -> None:
    """The owner's records of what a role did went with the role's next 17,000 calls, all allowed."""
    role = {"type": "AssumedRole", "accountId": COMPUTE, "sessionContext": {"sessionIssuer": {
        "arn": f"arn:aws:iam::{COMPUTE}:role/Parent"}}}  # fmt: skip
    kept = [f"kept{number}" for number in range(8)]
    for name in kept:
        log.record(lambda _brief, name=name: event(name))
    for number in range(400):
        session = {**role, "arn": f"arn:aws:sts::{COMPUTE}:assumed-role/Parent/s{number}"}
        made = event(f"flood{number}", userIdentity=session)
        log.record(lambda _brief, made=made: made)
        if number % 50 == 0:
            log.flush()
    log.flush()
    left = names(store, "allowed")
    assert left[:8] == kept
    assert left[-1] == "flood399"
    assert ring_sizes(store)["allowed"] <= RING
    assert log._sizes == ring_sizes(store)


def test_the_other_tables_follow(log: EventLog, store: Store) -> None:
    for number in range(200):
        log.record(lambda _brief, number=number: event(f"e{number}"))
    log.flush()
    counts = [
        store.read().execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for table in ("events", "event_accounts", "event_resources")
    ]
    assert counts == [counts[0]] * 3
    assert counts[0] < 40


def test_sizes_are_those_of_the_rows_after_a_restart(log: EventLog, store: Store) -> None:
    for number in range(60):
        log.record(lambda _brief, number=number: event(f"e{number}", size=number * 20))
    log.flush()
    assert log._sizes == ring_sizes(store)
    assert EventLog(store)._sizes == log._sizes


def test_the_file_stops_growing(tmp_path: Path, log: EventLog, store: Store) -> None:
    log.close()  # its thread: how large the file gets is a matter of how many come at once
    sizes = []
    for _ in range(6):
        for number in range(100):
            log.record(lambda _brief, number=number: event(f"e{number}"))
        log.flush()
        store._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        sizes.append((tmp_path / "state.sqlite3").stat().st_size)
    assert sizes[-1] == sizes[2]


def test_answers_wait_for_records_that_wait(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "WAITING_RECORDS", 5)
    log = EventLog(store)
    for number in range(50):
        log.record(lambda _brief, number=number: event(f"e{number}"))
        assert len(log._pending) <= 5
    log.close()
    assert len(names(store, "allowed")) == 50


def test_those_that_are_being_made_wait_too(log: EventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many again were let in while the first ones were explained."""
    monkeypatch.setattr(budgets, "WAITING_RECORDS", 1)
    begun, written, go_on = threading.Event(), [], threading.Event()

    def slowly(_brief: bool) -> dict[str, Any]:
        begun.set()
        assert go_on.wait(60)
        return event("slow")

    log.record(slowly)
    assert begun.wait(60)
    with monkeypatch.context() as patched:
        patched.setattr(log, "flush", lambda: written.append("first"))  # which would wait
        log.record(lambda _brief: event("next"))
    go_on.set()
    assert written == ["first"]


def test_a_burst_is_not_explained_at_length(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "WAITING_EXPLANATIONS", 3)
    log, seen = EventLog(store), []
    with log._writing:  # the log's own thread waits
        for count in (10,):
            for _ in range(count):
                log.record(lambda brief: seen.append(brief) or event("e"))
    log.flush()
    log.record(lambda brief: seen.append(brief) or event("e"))
    log.close()
    assert seen == [True] * 10 + [False]


OLD = """
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, time REAL NOT NULL,
    name TEXT NOT NULL, source TEXT NOT NULL, username TEXT NOT NULL, access_key TEXT NOT NULL,
    read_only TEXT NOT NULL, document TEXT NOT NULL);
"""


def test_a_cloud_of_before_keeps_its_records(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "old.sqlite3") as db:
        db.executescript(OLD)
        for name, document in (("a", {}), ("b", {"errorCode": "AccessDenied"})):
            document |= {"awsRegion": f"eu-west-{name}"}
            row = (name, 0.0, name, "s", "u", "k", "true", json.dumps(document))
            db.execute("INSERT INTO events VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    db.close()
    store = Store(tmp_path / "old.sqlite3")
    for _ in range(2):
        upgrade(store)
        store.create(SCHEMA)
    assert names(store, "allowed") == ["a"]
    assert names(store, "refused") == ["b"]
    log = EventLog(store)
    log.record(lambda _brief: event("c"))
    log.close()
    assert names(store, "allowed") == ["a", "c"]
    regions = store.read().execute("SELECT region FROM events ORDER BY seq").fetchall()
    assert [row["region"] for row in regions] == ["eu-west-a", "eu-west-b", "us-east-1"]
    store.close()


def documents(dispatcher: Dispatcher) -> list[dict[str, Any]]:
    dispatcher.services.events.flush()
    rows = dispatcher.services.store.read().execute("SELECT * FROM events ORDER BY seq")
    return [{"ring": row["ring"], **json.loads(row["document"])} for row in rows]


def test_whatever_is_refused_leaves_a_record(dispatcher: Dispatcher) -> None:
    good = signed(keys(dispatcher))
    text = good.headers["authorization"]
    forged = {**good.headers, "authorization": text[:-1] + ("1" if text[-1] == "0" else "0")}
    unsigned = {k: v for k, v in good.headers.items() if k != "authorization"}
    nothing = signed(keys(dispatcher), headers={"X-Amz-Target": "TrentService.Nothing"})
    for request in (
        RawRequest("POST", "/", "", forged, b"{}"),
        RawRequest("POST", "/", "", unsigned, b"{}"),
        RawRequest("GET", "/%ff", "", {"host": "x"}),
        nothing,
        signed(keys(dispatcher), service="dynamodb"),
    ):
        assert dispatcher.handle(request).status >= 400
    found = documents(dispatcher)
    assert len(found) == 5
    assert [record["ring"] for record in found] == ["stranger"] * 5
    assert found[0]["userIdentity"] == {
        "type": "Unknown", "accountId": DATA, "accessKeyId": keys(dispatcher).access_key,
    }  # fmt: skip
    assert found[0]["eventName"] == "ListKeys"
    assert "Nothing" not in found[3]["eventName"]
    assert all(record["errorCode"] and record["requestID"] for record in found)


def test_a_stranger_is_not_read(dispatcher: Dispatcher) -> None:
    """From the head alone: an unknown key, no key, another's token, a time that is past."""
    good = signed(keys(dispatcher))
    text = good.headers["authorization"]
    known = keys(dispatcher).access_key
    for change in (
        {"authorization": text.replace(known, "AKIAIOSFODNN7EXAMPLE")},
        {"authorization": ""},
        {"x-amz-security-token": "AAAA"},
    ):
        request = RawRequest("POST", "/", "", {**good.headers, **change})
        assert not hasattr(dispatcher.arrive(request), "who")
    assert hasattr(dispatcher.arrive(good), "who")


def test_the_parameters_of_a_refusal_are_cut(dispatcher: Dispatcher) -> None:
    big = json.dumps({"KeyId": "alias/none", "Plaintext": "AAAA",
                      "EncryptionContext": {"a": "b" * 9_000}}).encode()  # fmt: skip
    target = {"X-Amz-Target": "TrentService.Encrypt", "Content-Type": "application/x-amz-json-1.1"}
    assert dispatcher.handle(signed(keys(dispatcher), headers=target, body=big)).status == 400
    assert documents(dispatcher)[-1]["requestParameters"]["omitted"] is True


@pytest.mark.parametrize(("letters", "named"), [
    ("k" * 1_000, budgets.RECORD_RESOURCES),
    ("\N{GRINNING FACE}" * 250, 8),  # JSON writes twelve bytes for its four
    ("\N{GRINNING FACE}" * 9_000, 1),
])  # fmt: skip
def test_a_call_that_refuses_every_key_is_a_refusal(
    dispatcher: Dispatcher, letters: str, named: int
) -> None:
    """DeleteObjects answers 200: twenty of a stranger pushed out all that was allowed."""
    with dispatcher.services.store.transaction() as db:
        db.execute("INSERT INTO buckets VALUES ('theirs', ?, '2026-01-02', NULL, NULL)", (DATA,))
    count = min(1_000, 2_000_000 // len(letters.encode()))
    keys_of_it = "".join(f"<Object><Key>{n}{letters}</Key></Object>" for n in range(count))
    body = f"<Delete>{keys_of_it}</Delete>".encode()
    answer = dispatcher.handle(RawRequest("POST", "/theirs", "delete=", {"host": "x"}, body))
    assert answer.status == 200
    (record,) = documents(dispatcher)
    assert (record["ring"], record["errorCode"]) == ("stranger", "AccessDenied")
    assert len(record["resources"]) == named
    assert len(json.dumps(record)) < budgets.REFUSED_BYTES + 100


def test_one_allowed_key_makes_it_a_call_that_was_done(dispatcher: Dispatcher) -> None:
    kms = load_model("kms").operation_model("ListKeys").input_shape
    call = Call("kms", "ListKeys", {}, ANONYMOUS, "r", datetime.now(UTC), "", "us-east-1")
    call.trail.decisions.extend(Decided({"decision": word}) for word in ("refused", "allowed"))
    assert "errorCode" not in make_event(call, kms, None)


@pytest.mark.parametrize("sent", [
    {"Action": "x" * 900_000},
    {"Action": "TerminateInstances", "InstanceId.1": "i" * 900_000},
    {"Action": "TerminateInstances", "InstanceId.1": "i" * 20_000},
    {"Action": "TerminateInstances", "InstanceId.1": "\N{RIGHT-TO-LEFT OVERRIDE}" * 9_000},
    {"Action": "RunInstances", "MinCount": "1", "MaxCount": "1", "ImageId": "ami-0",
     "InstanceType": "m5.xlarge", "IamInstanceProfile.Name": "p" * 20_000},
])  # fmt: skip
def test_a_long_name_makes_no_long_record(dispatcher: Dispatcher, sent: dict[str, str]) -> None:
    """The names of EC2 have no end in its model: one refusal's record was 4.5 MB."""
    body = urlencode({"Version": "2016-11-15", **sent}).encode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    request = signed(keys(dispatcher), service="ec2", headers=form, body=body)
    assert dispatcher.handle(request).status >= 400
    (record,) = documents(dispatcher)
    assert record["errorCode"]
    assert len(record["errorMessage"]) <= 1_024
    assert len(json.dumps(record)) < budgets.REFUSED_BYTES + 100
