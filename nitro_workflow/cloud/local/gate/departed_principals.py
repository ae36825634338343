"""Whom a policy names is kept by their id: who comes later by that name is another.

AWS keeps the id when the policy is saved, and shows the ARN for as long as it leads to that id.
Here the ARN is kept, and gives way to the id when the user or the role is deleted.

Source: AWS IAM User Guide, "AWS JSON policy elements: Principal", "IAM role principals" ("if you
delete the role, then you break the relationship"; "the principal ID appears in resource-based
policies because AWS can no longer map it back to a valid ARN").
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any, NamedTuple

from nitro_workflow.cloud.local.auth import principal_exists

__all__ = ["Departed", "name_by_id", "unknown_principal", "with_id"]


class Departed(NamedTuple):
    """A user or a role that is being deleted: its ARN, its unique id (``AIDA…``, ``AROA…``)."""

    arn: str
    unique_id: str

    @property
    def sessions(self) -> str | None:
        """What the ARNs of a role's sessions begin with; a user has none."""
        head, is_role, name = self.arn.partition(":role/")
        account, name = head.rpartition(":")[2], name.rpartition("/")[2]
        return f"arn:aws:sts::{account}:assumed-role/{name}/" if is_role else None

    def is_called(self, text: str) -> bool:
        """Whether a name is theirs, or one of their sessions': these go with their role."""
        return text == self.arn or (self.sessions is not None and text.startswith(self.sessions))


def unknown_principal(db: sqlite3.Connection, text: str) -> str:
    """Return one whom a policy (that was parsed before) names and who is not there; or "".

    To be asked in the transaction that keeps the policy: who is deleted before it is not named by
    id in it, and who comes later by that name would be meant.
    """
    return next((name for name in _principals(text) if not principal_exists(db, name)), "")


def _principals(text: str) -> Iterator[str]:
    """Yield the AWS principals that a policy names."""
    for element in _elements(json.loads(text)):
        named = element.get("AWS", []) if isinstance(element, dict) else element
        yield from [named] if isinstance(named, str) else named


def _elements(document: Any) -> Iterator[Any]:
    """Yield each Principal and NotPrincipal of a policy that was parsed before."""
    statements = document["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        yield from filter(None, map(statement.get, ("Principal", "NotPrincipal")))


def name_by_id(db: sqlite3.Connection, table: str, column: str, gone: Departed) -> None:
    """Let every policy of a column name them by their id, in the transaction that deletes them."""
    # JSON may write a letter as an escape: what has one is read.
    query = (
        f"SELECT rowid, {column} FROM {table} WHERE instr({column}, ?) OR instr({column}, ?)"  # noqa: S608 - our own names
        f" OR instr({column}, '\\')"
    )
    rows = db.execute(query, (gone.arn, gone.sessions)).fetchall()
    for row, text in rows:
        renamed = with_id(text, gone)
        if renamed != text:
            db.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (renamed, row))  # noqa: S608


def with_id(text: str, gone: Departed) -> str:
    """Return a policy that was parsed before, with their id in place of their ARN.

    Only who is named changes: a condition on ``aws:PrincipalArn`` goes on to mean the name.
    """
    document, changed = json.loads(text), False
    for element in _elements(document):
        if isinstance(element, dict) and "AWS" in element:
            named = _renamed(element["AWS"], gone)
            changed |= named != element["AWS"]
            element["AWS"] = named
    return json.dumps(document, ensure_ascii=False) if changed else text


def _renamed(named: Any, gone: Departed) -> Any:
    if isinstance(named, list):
        return [_renamed(one, gone) for one in named]
    return gone.unique_id if gone.is_called(named) else named
