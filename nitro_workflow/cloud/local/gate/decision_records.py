"""Decision records: one CloudTrail-shaped event an API call, with the reason of the decision.

Records are written behind the answer, in one transaction every few milliseconds (CloudTrail too
comes later): a cloud that is killed may lack the records of its last moments, never an
acknowledged write. Secrets are not in them: sensitive members and blobs are replaced.

Source: AWS CloudTrail User Guide, "CloudTrail record contents"; AWS KMS Developer Guide,
"Monitoring Nitro enclaves requests" (``additionalEventData.recipient``).
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from nitro_workflow.cloud.local.call import Call, Caller, ServiceFault
from nitro_workflow.cloud.local.protocol import write_time
from nitro_workflow.cloud.local.store import Store

__all__ = ["SCHEMA", "EventLog", "EventQuery", "find_events", "make_event", "redact"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, time REAL NOT NULL,
    name TEXT NOT NULL, source TEXT NOT NULL, username TEXT NOT NULL, access_key TEXT NOT NULL,
    read_only TEXT NOT NULL, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS event_accounts (
    account TEXT NOT NULL, seq INTEGER NOT NULL REFERENCES events (seq) ON DELETE CASCADE,
    PRIMARY KEY (account, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS event_resources (
    seq INTEGER NOT NULL REFERENCES events (seq) ON DELETE CASCADE, name TEXT NOT NULL,
    PRIMARY KEY (seq, name)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS event_times ON events (time);
"""

# CloudTrail omits a requestParameters of more than 100 KB ("CloudTrail record contents").
_MAX_DOCUMENT = 100 * 1024
_ROWS = 100  # rows a statement: of nine values each, below SQLite's oldest limit of 999

MakeEvent: TypeAlias = Callable[[], Mapping[str, Any]]
_FLUSH_S = 0.05
_KEEP = timedelta(days=90)  # CloudTrail's event history
_log = logging.getLogger("nitro_workflow.cloud")
_HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
_READ_VERBS = ("Get", "List", "Describe", "Head", "Lookup")
# CloudTrail's own table for KMS: these change nothing that is kept.
_READ_NAMES = frozenset(
    {
        "AssumeRole", "Decrypt", "DeriveSharedSecret", "Encrypt", "GenerateDataKey",
        "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext",
        "GenerateDataKeyWithoutPlaintext", "GenerateMac", "GenerateRandom", "ReEncrypt", "Sign",
        "Verify", "VerifyMac",
    }
)  # fmt: skip


class EventLog:
    """Takes events from any thread; one thread of its own writes them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pending: list[MakeEvent] = []
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._wake = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        self._thread.start()

    def record(self, make: MakeEvent) -> None:
        """Take one event, which `make` makes when its turn comes; it is on the disk in 50 ms."""
        with self._lock:
            self._pending.append(make)
        self._wake.set()

    def _run(self) -> None:
        while not self._closed:
            self._wake.wait()
            self._wake.clear()
            # Let a burst gather: one transaction, one fsync.
            time.sleep(_FLUSH_S)
            try:
                self.flush()
            except Exception as error:  # noqa: BLE001 - whatever it was, later records are written
                # A full disk: the calls were answered, their records are lost, and it is said.
                _log.error("decision records were lost: %s", type(error).__name__)

    def flush(self) -> None:
        """Write all that is pending; when this returns, they can be looked up."""
        with self._writing:
            with self._lock:
                batch, self._pending = self._pending, []
            events = [event for event in map(_made, batch) if event is not None]
            if events:
                self._write(events)

    def _write(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Write all in one transaction; where one of them cannot be, all others."""
        try:
            with self._store.transaction(records=True) as db:
                _insert(db, events)
        except sqlite3.OperationalError:  # the disk's fault, not a record's
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, the others are written
            if len(events) == 1:
                _log.error("a decision record was lost: %s", type(error).__name__)
                return
            for event in events:
                self._write([event])

    def forget_old(self, now: datetime) -> None:
        """Delete what is older than 90 days, as CloudTrail's event history does."""
        with self._store.transaction(records=True) as db:
            db.execute("DELETE FROM events WHERE time < ?", ((now - _KEEP).timestamp(),))

    def close(self) -> None:
        """Write the rest and stop the thread."""
        self._closed = True
        self._wake.set()
        self._thread.join()
        self.flush()


def _made(make: MakeEvent) -> Mapping[str, Any] | None:
    try:
        return make()
    except Exception as error:  # noqa: BLE001 - one record must not take the batch along
        _log.error("a decision record was lost: %s", type(error).__name__)
        return None


def _insert(db: sqlite3.Connection, events: Sequence[Mapping[str, Any]]) -> None:
    known = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    numbered = list(enumerate(events, start=known["seq"] + 1 if known else 1))
    _insert_rows(db, "events", [(seq, *_columns(event)) for seq, event in numbered])
    _insert_rows(
        db,
        "event_accounts",
        [(account, seq) for seq, event in numbered for account in _accounts(event)],
    )
    _insert_rows(
        db,
        "event_resources",
        [(seq, arn) for seq, event in numbered for arn in _arns(event)],
    )


def _insert_rows(db: sqlite3.Connection, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows by as few statements as may be.

    SQLite lets go of the interpreter for every step and then waits for it: with a statement a row,
    the thread that answers requests is interrupted for each.
    """
    for first in range(0, len(rows), _ROWS):
        part = rows[first : first + _ROWS]
        one = "(" + ", ".join("?" * len(part[0])) + ")"
        # The table's name is ours, values are bound.
        text = f"INSERT INTO {table} VALUES " + ", ".join([one] * len(part))  # noqa: S608
        db.execute(text, [value for row in part for value in row])


def _text(value: str) -> str:
    """Return text that SQLite takes: half of a surrogate pair, which JSON can hold, as its escape.

    A caller must not keep his call out of the log by how he writes a name.
    """
    return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()


def _arns(event: Mapping[str, Any]) -> set[str]:
    return {_text(resource["ARN"]) for resource in _resources(event)}


def _columns(event: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the row of ``events`` after its number."""
    identity = event["userIdentity"]
    return (
        event["eventID"],
        datetime.fromisoformat(event["eventTime"]).timestamp(),
        event["eventName"],
        event["eventSource"],
        _text(identity.get("userName") or identity.get("arn", "").rpartition("/")[2]),
        identity.get("accessKeyId", ""),
        "true" if event["readOnly"] else "false",
        _document(event),
    )


def _document(event: Mapping[str, Any]) -> str:
    """Return the event's JSON, without its parameters where these make it too long."""
    text = json.dumps(event)
    if len(text) <= _MAX_DOCUMENT:
        return text
    return json.dumps({**event, "requestParameters": {"omitted": True, "originalSize": len(text)}})


def _resources(event: Mapping[str, Any]) -> Sequence[Mapping[str, str]]:
    resources: Sequence[Mapping[str, str]] = event.get("resources", ())
    return resources


def _accounts(event: Mapping[str, Any]) -> set[str]:
    """Return the accounts that see the event: the caller's, and each resource's."""
    owners = (_text(resource.get("accountId", "")) for resource in _resources(event))
    return {event["userIdentity"].get("accountId", ""), *owners} - {""}


def make_event(call: Call, shape: Any, fault: ServiceFault | None) -> Mapping[str, Any]:
    """Return the record of a finished call; `shape` is its input shape, which says what to hide."""
    trail, name = call.trail, call.operation
    event: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": _identity(call.caller),
        "eventTime": write_time(call.now, "iso8601"),
        "eventSource": f"{call.service}.amazonaws.com",
        "eventName": name,
        "awsRegion": call.region,
        "sourceIPAddress": call.source_ip,
        "userAgent": call.user_agent,
        "requestParameters": _parameters(shape, call.params),
        "responseElements": None,
        "requestID": call.request_id,
        "eventID": str(uuid.uuid4()),
        "readOnly": name.startswith(_READ_VERBS) or name in _READ_NAMES,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": call.caller.account,
        "eventCategory": "Management",
    }
    if fault is not None:
        event |= {"errorCode": fault.code, "errorMessage": fault.message}
    if trail.resources:
        unique = {item["ARN"]: item for item in trail.resources}
        event["resources"] = list(unique.values())
    event["additionalEventData"] = _additional(call)
    return event


def _additional(call: Call) -> dict[str, Any]:
    trail = call.trail
    data: dict[str, Any] = dict(trail.extra)
    if trail.recipient:
        data["recipient"] = trail.recipient
    if trail.decisions:
        # The refusal, where there is one, is the decision that ended the call.
        decided = next((d for d in trail.decisions if d["decision"] != "allowed"), None)
        first = decided or trail.decisions[0]
        data["nitroWorkflow"] = {**first, "decisions": len(trail.decisions)}
    return data


def _identity(caller: Caller) -> dict[str, Any]:
    identity: dict[str, Any] = {
        "principalId": caller.principal_id,
        "arn": caller.arn,
        "accountId": caller.account,
        "accessKeyId": caller.access_key_id,
    }
    if caller.kind == "user":
        return {"type": "IAMUser", **identity, "userName": caller.name}
    if caller.kind == "role":
        issuer = {
            "type": "Role",
            "principalId": caller.principal_id.partition(":")[0],
            "arn": caller.entity_arn,
            "accountId": caller.account,
            "userName": caller.name,
        }
        return {"type": "AssumedRole", **identity, "sessionContext": {"sessionIssuer": issuer}}
    if caller.kind == "service":
        return {"type": "AWSService", "invokedBy": caller.name}
    return {"type": "AWSAccount", "principalId": "", "accountId": "anonymous"}


def _parameters(shape: Any, params: Mapping[str, Any]) -> Any:
    try:
        return redact(shape, params) if shape is not None else None
    except Exception as error:  # noqa: BLE001 - what a caller sends must not keep it out of the log
        return {"notShown": type(error).__name__}


def redact(shape: Any, value: Any) -> Any:
    """Return parameters as CloudTrail shows them: first letters lower, secrets and blobs replaced.

    A blob becomes its size and SHA-256, unless its shape is sensitive: then nothing is said.
    """
    if shape.metadata.get("sensitive"):
        return _HIDDEN
    kind = shape.type_name
    if kind == "structure":
        return {
            name[0].lower() + name[1:]: redact(shape.members[name], item)
            for name, item in value.items()
            if name in shape.members
        }
    if kind == "list":
        return [redact(shape.member, item) for item in value]
    if kind == "map":
        return {key: redact(shape.value, item) for key, item in value.items()}
    if kind == "blob":
        return {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}
    return write_time(value, "iso8601") if kind == "timestamp" else value


@dataclass(frozen=True, slots=True)
class EventQuery:
    """What to look up: `filters` are columns of ``events`` (or ``resource``) and their values.

    `below` is the sequence number that a former page ended with; times are seconds since 1970.
    """

    account: str
    filters: Mapping[str, str]
    since: float
    until: float
    below: int
    limit: int


def find_events(store: Store, query: EventQuery) -> Sequence[Any]:
    """Return rows of ``events`` that the account may see, newest first."""
    where = ["a.account = ?", "e.time BETWEEN ? AND ?", "e.seq < ?"]
    values: list[Any] = [query.account, query.since, query.until, query.below]
    for column, value in query.filters.items():
        where.append(
            "EXISTS (SELECT 1 FROM event_resources r WHERE r.seq = e.seq AND r.name = ?)"
            if column == "resource"
            else f"e.{column} = ?"
        )
        values.append(value)
    values.append(query.limit)
    # Columns come from a fixed table, values are bound.
    text = (
        "SELECT e.* FROM events e JOIN event_accounts a ON a.seq = e.seq WHERE "  # noqa: S608
        + " AND ".join(where)
        + " ORDER BY e.seq DESC LIMIT ?"
    )
    return store.read().execute(text, values).fetchall()
