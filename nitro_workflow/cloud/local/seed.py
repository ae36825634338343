"""A cloud's first start: two accounts, an operator in each, and AWS's own side.

Nothing is seeded with a secret that somebody else could know: every key is drawn here and written
to one file of mode 0600.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from nitro_workflow.cloud.local.iam.data import new_id
from nitro_workflow.cloud.local.iam.keys import insert_key
from nitro_workflow.cloud.local.service import Services

__all__ = ["ACCOUNTS", "SERVICE", "seed"]

# AWS's documentation ids: the data account and the compute account.
ACCOUNTS = ("111122223333", "444455556666")
SERVICE = "ec2.amazonaws.com"
OPERATOR = "operator"
_ADMINISTRATOR = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}


def seed(services: Services, *, credentials: Path) -> bool:
    """Seed an empty cloud; say whether that was done.

    The file is written before the rows are committed: a start that is killed between the two is
    done again, with new keys.
    """
    with services.store.transaction() as db:
        if db.execute("SELECT 1 FROM accounts").fetchone():
            return False
        now = datetime.now(UTC)
        keys = {account: _account(services, db, account, now) for account in ACCOUNTS}
        keys[SERVICE] = _pair(
            insert_key(db, services.vault, principal=SERVICE, account="", now=now)
        )
        _write_private(credentials, keys)
    return True


def _account(
    services: Services, db: sqlite3.Connection, account: str, now: datetime
) -> dict[str, str]:
    arn = f"arn:aws:iam::{account}:user/{OPERATOR}"
    db.execute("INSERT INTO accounts VALUES (?)", (account,))
    values = (arn, "user", account, OPERATOR, "/", new_id("AIDA"), now.isoformat(),
              None, None, None, None, "[]")  # fmt: skip
    db.execute(f"INSERT INTO entities VALUES ({','.join('?' * len(values))})", values)  # noqa: S608
    policy = (arn, "AdministratorAccess", json.dumps(_ADMINISTRATOR))
    db.execute("INSERT INTO inline_policies VALUES (?, ?, ?)", policy)
    return _pair(insert_key(db, services.vault, principal=arn, account=account, now=now))


def _pair(key: tuple[str, str]) -> dict[str, str]:
    return {"access_key_id": key[0], "secret_access_key": key[1]}


def _write_private(path: Path, document: Mapping[str, Mapping[str, str]]) -> None:
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(document, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
