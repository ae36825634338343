"""IAM's records: who exists, what they may, how they prove who they are."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "SCHEMA",
    "AccessKey",
    "find_access_key",
    "identity_documents",
    "new_id",
    "principal_exists",
]

SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (id TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS entities (
    arn TEXT PRIMARY KEY, kind TEXT NOT NULL, account TEXT NOT NULL, name TEXT NOT NULL,
    path TEXT NOT NULL, id TEXT NOT NULL UNIQUE, created TEXT NOT NULL,
    trust TEXT, boundary TEXT, description TEXT, max_session INTEGER, tags TEXT NOT NULL,
    UNIQUE (kind, account, name));
CREATE TABLE IF NOT EXISTS iam_tags (arn TEXT PRIMARY KEY, tags TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS inline_policies (
    entity TEXT NOT NULL REFERENCES entities (arn) ON DELETE CASCADE,
    name TEXT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (entity, name));
CREATE TABLE IF NOT EXISTS managed_policies (
    arn TEXT PRIMARY KEY, account TEXT NOT NULL, name TEXT NOT NULL, path TEXT NOT NULL,
    id TEXT NOT NULL, created TEXT NOT NULL, document TEXT NOT NULL, description TEXT);
CREATE TABLE IF NOT EXISTS attachments (
    entity TEXT NOT NULL REFERENCES entities (arn) ON DELETE CASCADE,
    policy TEXT NOT NULL REFERENCES managed_policies (arn), PRIMARY KEY (entity, policy));
CREATE TABLE IF NOT EXISTS access_keys (
    id TEXT PRIMARY KEY, principal TEXT NOT NULL, account TEXT NOT NULL, secret BLOB NOT NULL,
    status TEXT NOT NULL, created TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS instance_profiles (
    arn TEXT PRIMARY KEY, account TEXT NOT NULL, name TEXT NOT NULL, path TEXT NOT NULL,
    id TEXT NOT NULL, created TEXT NOT NULL, role TEXT REFERENCES entities (arn));
"""

_NOTHING = (
    '{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}'
)
_ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_ID_LETTERS = 16


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A long-lived key: `principal` is a user's ARN or a service's DNS name, `secret` is sealed."""

    id: str
    principal: str
    account: str
    secret: bytes
    status: str


def new_id(prefix: str) -> str:
    """Return a unique identifier as IAM forms it: ``AKIA``, ``AROA``, ``AIDA`` … and 16 letters."""
    return prefix + "".join(secrets.choice(_ID_ALPHABET) for _ in range(_ID_LETTERS))


def find_access_key(db: sqlite3.Connection, key_id: str) -> AccessKey | None:
    """Return the access key of that id."""
    row = db.execute("SELECT * FROM access_keys WHERE id = ?", (key_id,)).fetchone()
    if row is None:
        return None
    return AccessKey(row["id"], row["principal"], row["account"], row["secret"], row["status"])


def identity_documents(db: sqlite3.Connection, entity: str) -> tuple[Sequence[str], str | None]:
    """Return the entity's policy texts (inline, then attached) and its boundary's text."""
    rows = db.execute(
        "SELECT document FROM inline_policies WHERE entity = ? UNION ALL "
        "SELECT document FROM managed_policies JOIN attachments ON arn = policy WHERE entity = ?",
        (entity, entity),
    )
    documents = [row["document"] for row in rows]
    boundary = db.execute(
        "SELECT document FROM entities e LEFT JOIN managed_policies m ON m.arn = e.boundary "
        "WHERE e.arn = ? AND e.boundary IS NOT NULL",
        (entity,),
    ).fetchone()
    # A boundary that is gone bounds everything: it must never free whom it bound.
    return documents, (boundary["document"] or _NOTHING) if boundary else None


def principal_exists(db: sqlite3.Connection, text: str) -> bool:
    """Whether a policy may name this principal: ``*``, an account, its root, a user or a role."""
    if text == "*":
        return True
    parts = text.split(":", 5)
    account = parts[4] if len(parts) == 6 else text
    if len(parts) == 6 and parts[5] != "root":
        return _entity_exists(db, parts)
    row = db.execute("SELECT 1 FROM accounts WHERE id = ?", (account,)).fetchone()
    return row is not None


def _entity_exists(db: sqlite3.Connection, parts: Sequence[str]) -> bool:
    kind, _, name = parts[5].partition("/")
    if kind == "assumed-role":
        query = "SELECT 1 FROM entities WHERE kind = 'role' AND account = ? AND name = ?"
        return db.execute(query, (parts[4], name.partition("/")[0])).fetchone() is not None
    query = "SELECT 1 FROM entities WHERE arn = ?"
    return db.execute(query, (":".join(parts),)).fetchone() is not None
