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
from typing import Any, NamedTuple

__all__ = ["Departed", "name_by_id", "with_id"]


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
    document = json.loads(text)
    statements = document["Statement"]
    elements = [
        element
        for statement in (statements if isinstance(statements, list) else [statements])
        for name in ("Principal", "NotPrincipal")
        if isinstance(element := statement.get(name), dict) and "AWS" in element
    ]
    changed = False
    for element in elements:
        named = _renamed(element["AWS"], gone)
        changed |= named != element["AWS"]
        element["AWS"] = named
    return json.dumps(document, ensure_ascii=False) if changed else text


def _renamed(named: Any, gone: Departed) -> Any:
    if isinstance(named, list):
        return [_renamed(one, gone) for one in named]
    return gone.unique_id if gone.is_called(named) else named
