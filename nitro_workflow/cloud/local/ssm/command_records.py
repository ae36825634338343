"""Commands and what became of them on each instance, as rows.

An invocation is ``Pending`` until an agent takes it, ``InProgress`` until it leaves the result. One
that no agent has taken in time, or whose agent has gone silent, is over by the clock alone: nobody
has to write that.
Source: Systems Manager User Guide, "Understanding command statuses".
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from nitro_workflow.cloud.local.call import Call

__all__ = [
    "ENDED",
    "ERROR_CHARACTERS",
    "OUTPUT_CHARACTERS",
    "SCHEMA",
    "Invocation",
    "command_row",
    "invocations_of",
]

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS ssm_agents (
    instance TEXT PRIMARY KEY REFERENCES instances (id) ON DELETE CASCADE, version TEXT NOT NULL,
    registered TEXT NOT NULL, heard TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS ssm_commands (
    id TEXT PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, sent TEXT NOT NULL,
    deliver_seconds INTEGER NOT NULL, run_seconds INTEGER NOT NULL, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS ssm_invocations (
    command TEXT NOT NULL REFERENCES ssm_commands (id) ON DELETE CASCADE, instance TEXT NOT NULL,
    status TEXT NOT NULL, details TEXT NOT NULL, begun TEXT, ended TEXT, code INTEGER NOT NULL,
    output TEXT NOT NULL, error TEXT NOT NULL, PRIMARY KEY (command, instance));
CREATE INDEX IF NOT EXISTS ssm_of_account ON ssm_commands (account, region, sent);
"""

OUTPUT_CHARACTERS: Final = 24_000  # API Reference, GetCommandInvocation, StandardOutputContent
ERROR_CHARACTERS: Final = 8_000  # StandardErrorContent
ENDED: Final = frozenset({"Success", "Cancelled", "TimedOut", "Failed"})


@dataclass(frozen=True, slots=True)
class Invocation:
    """One command on one instance, as it stands at a time. ``code`` is -1 without a result."""

    instance: str
    status: str
    details: str
    begun: datetime | None
    ended: datetime | None
    code: int
    output: str
    error: str

    @classmethod
    def of(cls, row: sqlite3.Row, command: sqlite3.Row, now: datetime) -> Invocation:
        """Return what the row says, with what the clock says of it."""
        begun, ended = _time(row["begun"]), _time(row["ended"])
        status, details = row["status"], row["details"]
        if status not in ENDED and now > _deadline(command, begun):
            status = "TimedOut"
            details = "Delivery Timed Out" if begun is None else "Execution Timed Out"
        shown = status in ("Success", "Failed", "TimedOut")
        return cls(
            instance=row["instance"],
            status=status,
            details=details,
            begun=begun,
            ended=ended,
            code=row["code"],
            output=row["output"][:OUTPUT_CHARACTERS] if shown else "",
            error=row["error"][:ERROR_CHARACTERS] if shown else "",
        )


def _deadline(command: sqlite3.Row, begun: datetime | None) -> datetime:
    sent = datetime.fromisoformat(command["sent"])
    deliver = timedelta(seconds=command["deliver_seconds"])
    run = timedelta(seconds=command["run_seconds"])
    return sent + deliver if begun is None else begun + deliver + run


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def command_row(db: sqlite3.Connection, call: Call, name: str) -> sqlite3.Row | None:
    """Return the command of the caller's account in the region."""
    query = "SELECT * FROM ssm_commands WHERE id = ? AND account = ? AND region = ?"
    values = (name, call.caller.account, call.region)
    row: sqlite3.Row | None = db.execute(query, values).fetchone()
    return row


def invocations_of(db: sqlite3.Connection, command: sqlite3.Row, now: datetime) -> list[Invocation]:
    """Return the command's invocations, by instance."""
    query = "SELECT * FROM ssm_invocations WHERE command = ? ORDER BY instance"
    rows = db.execute(query, (command["id"],))
    return [Invocation.of(row, command, now) for row in rows]
