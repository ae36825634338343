"""The tables of the decision records: three rings of rows, found by account, name, resource, time.

A ring has a budget of bytes: when it is full, the oldest records make room of the caller who has
most of them. What was allowed, what was refused, and what strangers sent have each their own. So no
flood of one kind, and of nobody, can push the records of another out.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nitro_workflow.cloud.local import budgets
from nitro_workflow.cloud.local.store import Store

__all__ = ["SCHEMA", "EventQuery", "find_events", "insert_records", "ring_sizes", "trim", "upgrade"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, time REAL NOT NULL,
    name TEXT NOT NULL, source TEXT NOT NULL, username TEXT NOT NULL, access_key TEXT NOT NULL,
    read_only TEXT NOT NULL, document TEXT NOT NULL, ring TEXT NOT NULL, bytes INTEGER NOT NULL,
    region TEXT NOT NULL, caller TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS event_accounts (
    account TEXT NOT NULL, seq INTEGER NOT NULL REFERENCES events (seq) ON DELETE CASCADE,
    PRIMARY KEY (account, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS event_resources (
    seq INTEGER NOT NULL REFERENCES events (seq) ON DELETE CASCADE, name TEXT NOT NULL,
    PRIMARY KEY (seq, name)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS event_times ON events (time);
CREATE INDEX IF NOT EXISTS event_callers ON events (ring, caller, seq, bytes);
DROP INDEX IF EXISTS event_rings;
CREATE INDEX IF NOT EXISTS event_account_rows ON event_accounts (seq);
"""
_ROWS = 75  # rows a statement: of thirteen values each, below SQLite's oldest limit of 999
_ROW_BYTES = 220  # of an index entry, an account, a resource
_BUDGETS = {
    "allowed": budgets.ALLOWED_RECORD_BYTES,
    "refused": budgets.REFUSED_RECORD_BYTES,
    "stranger": budgets.STRANGER_RECORD_BYTES,
}
_KEPT = 0.9  # of a full ring, so that not every batch has to make room


def upgrade(store: Store) -> None:
    """Give the table of an older cloud the columns that came later: ring, region, caller."""
    with store.transaction(records=True) as db:
        columns = {row["name"] for row in db.execute("PRAGMA table_info(events)")}
        if columns and "ring" not in columns:
            _add_rings(db)
        if columns and "region" not in columns:
            db.execute("ALTER TABLE events ADD COLUMN region TEXT NOT NULL DEFAULT ''")
            db.execute("UPDATE events SET region = json_extract(document, '$.awsRegion')")
        if columns and "caller" not in columns:
            db.execute("ALTER TABLE events ADD COLUMN caller TEXT NOT NULL DEFAULT ''")


def _add_rings(db: sqlite3.Connection) -> None:
    db.execute("ALTER TABLE events ADD COLUMN ring TEXT NOT NULL DEFAULT 'allowed'")
    db.execute("ALTER TABLE events ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0")
    refused = "json_extract(document, '$.errorCode') IS NOT NULL"
    kind = f"CASE WHEN {refused} THEN 'refused' ELSE 'allowed' END"
    # Words of ours alone.
    db.execute(f"UPDATE events SET ring = {kind}, bytes = length(document) + {_ROW_BYTES * 2}")  # noqa: S608


def ring_sizes(store: Store) -> dict[str, int]:
    """Return the bytes of each ring."""
    rows = store.read().execute("SELECT ring, sum(bytes) AS bytes FROM events GROUP BY ring")
    return {row["ring"]: row["bytes"] for row in rows}


def trim(db: sqlite3.Connection, sizes: dict[str, int]) -> None:
    """Delete the oldest records of each ring that is over its budget; `sizes` follows."""
    for ring, most in _BUDGETS.items():
        excess = sizes.get(ring, 0) - most
        if excess > 0:
            sizes[ring] -= _forget(db, ring, excess + int(most * (1 - _KEPT)))


def _forget(db: sqlite3.Connection, ring: str, size: int) -> int:
    freed = 0
    query = (
        "SELECT caller FROM events WHERE ring = ? GROUP BY caller ORDER BY sum(bytes) DESC LIMIT 1"
    )
    while freed < size and (most := db.execute(query, (ring,)).fetchone()) is not None:
        freed += _forget_of(db, ring, most["caller"], size - freed)
    return freed


def _forget_of(db: sqlite3.Connection, ring: str, caller: str, size: int) -> int:
    freed, last, place = 0, 0, (ring, caller)
    query = "SELECT seq, bytes FROM events WHERE ring = ? AND caller = ? ORDER BY seq"
    for row in db.execute(query, place):
        freed, last = freed + row["bytes"], row["seq"]
        if freed >= size:
            break
    db.execute("DELETE FROM events WHERE ring = ? AND caller = ? AND seq <= ?", (*place, last))
    return freed


def insert_records(
    db: sqlite3.Connection, events: Sequence[Mapping[str, Any]]
) -> Mapping[str, int]:
    """Insert records behind those that are there; return how many bytes each ring grew by."""
    known = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    numbered = list(enumerate(events, start=known["seq"] + 1 if known else 1))
    rows = [(seq, *_columns(event)) for seq, event in numbered]
    _insert_rows(db, "events", rows)
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
    grown: dict[str, int] = {}
    for row in rows:
        *_, ring, size, _region, _caller = row
        grown[ring] = grown.get(ring, 0) + size
    return grown


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

    A caller must not keep their call out of the log by how they write a name.
    """
    return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()


def _arns(event: Mapping[str, Any]) -> set[str]:
    return {_text(resource["ARN"]) for resource in _resources(event)}


def _columns(event: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the row of ``events`` after its number."""
    identity, text = event["userIdentity"], _document(event)
    caller = _caller(identity)
    return (
        event["eventID"],
        datetime.fromisoformat(event["eventTime"]).timestamp(),
        event["eventName"],
        event["eventSource"],
        _text(identity.get("userName") or identity.get("arn", "").rpartition("/")[2]),
        identity.get("accessKeyId", ""),
        "true" if event["readOnly"] else "false",
        text,
        _ring(event),
        # Its rows in the other two tables, and what SQLite needs for them; a caller has an index.
        len(text) + 2 * len(caller) + _ROW_BYTES * (2 + len(_resources(event))),
        _text(event["awsRegion"]),
        caller,
    )


def _caller(identity: Mapping[str, Any]) -> str:
    """Return whose record it is: a role's, with all its sessions, a user's, a service's."""
    issuer = identity.get("sessionContext", {}).get("sessionIssuer", identity)
    known = issuer.get("arn") or issuer.get("invokedBy") or issuer.get("accountId", "")
    return str(known)


def _ring(event: Mapping[str, Any]) -> str:
    if event["userIdentity"]["type"] in ("Unknown", "AWSAccount") and "errorCode" in event:
        return "stranger"
    return "refused" if "errorCode" in event else "allowed"


def _document(event: Mapping[str, Any]) -> str:
    """Return the event's JSON, without what makes it too long: parameters, then the reason."""
    most = budgets.REFUSED_BYTES if "errorCode" in event else budgets.RECORD_BYTES
    text = json.dumps(event)
    omitted = {"omitted": True, "originalSize": len(text)}
    for name in ("requestParameters", "additionalEventData"):
        if len(text) > most:
            event = {**event, name: omitted}
            text = json.dumps(event)
    return text


def _resources(event: Mapping[str, Any]) -> Sequence[Mapping[str, str]]:
    resources: Sequence[Mapping[str, str]] = event.get("resources", ())
    return resources


def _accounts(event: Mapping[str, Any]) -> set[str]:
    """Return the accounts that see the event: the caller's, and each resource's."""
    owners = (_text(resource.get("accountId", "")) for resource in _resources(event))
    return {event["userIdentity"].get("accountId", ""), *owners} - {""}


@dataclass(frozen=True, slots=True)
class EventQuery:
    """What to look up: `filters` are columns of ``events`` (or ``resource``) and their values.

    `below` is the sequence number that a former page ended with; times are seconds since 1970.
    """

    account: str
    region: str
    filters: Mapping[str, str]
    since: float
    until: float
    below: int
    limit: int


def find_events(store: Store, query: EventQuery) -> Sequence[Any]:
    """Return rows of ``events`` of a region that the account may see, newest first."""
    where = ["a.account = ?", "e.region = ?", "e.time BETWEEN ? AND ?", "e.seq < ?"]
    values: list[Any] = [query.account, query.region, query.since, query.until, query.below]
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
