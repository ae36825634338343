"""A cloud's first start: two accounts, an operator in each, and AWS's own side.

Nothing is seeded with a secret that somebody else could know: every key is drawn here and written
to one file of mode 0600.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from nitro_workflow.atomic import write_atomic
from nitro_workflow.cloud.accounts import COMPUTE_ACCOUNT, DATA_ACCOUNT
from nitro_workflow.cloud.local.auth import new_id, new_secret
from nitro_workflow.cloud.local.handler import Services
from nitro_workflow.errors import InputError, UsageError

__all__ = ["ACCOUNTS", "SERVICE", "draw_keys", "read_keys", "seed", "write_private"]

Keys: TypeAlias = Mapping[str, Mapping[str, str]]
ACCOUNTS = (DATA_ACCOUNT, COMPUTE_ACCOUNT)
SERVICE = "ec2.amazonaws.com"
OPERATOR = "operator"
_MIN_SECRET = 40  # characters, as AWS's
_ADMINISTRATOR = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}


def draw_keys() -> Keys:
    """Return new keys for both operators and AWS's own side."""
    names = (*ACCOUNTS, SERVICE)
    return {
        name: {"access_key_id": new_id("AKIA"), "secret_access_key": new_secret()} for name in names
    }


def seed(services: Services, *, given: Keys | None, keep_in: Path) -> bool:
    """Seed an empty cloud with the keys given, or with drawn ones; say whether that was done.

    Drawn keys are written to `keep_in` before the rows are committed: a start that is killed
    between the two is done again, with new keys.
    """
    with services.store.transaction() as db:
        if db.execute("SELECT 1 FROM accounts").fetchone():
            return False
        now, keys = datetime.now(UTC).isoformat(), given or draw_keys()
        for account in ACCOUNTS:
            _account(db, account, now)
            arn = operator_arn(account)
            _key(services, db, keys[account], principal=arn, account=account, now=now)
        _key(services, db, keys[SERVICE], principal=SERVICE, account="", now=now)
        if given is None:
            write_private(keep_in, keys)
    return True


def operator_arn(account: str) -> str:
    """Return the ARN of the account's seeded user."""
    return f"arn:aws:iam::{account}:user/{OPERATOR}"


def _account(db: sqlite3.Connection, account: str, now: str) -> None:
    arn = operator_arn(account)
    db.execute("INSERT INTO accounts VALUES (?)", (account,))
    values = (arn, "user", account, OPERATOR, "/", new_id("AIDA"), now,
              None, None, None, None, "[]")  # fmt: skip
    db.execute(f"INSERT INTO entities VALUES ({','.join('?' * len(values))})", values)  # noqa: S608
    policy = (arn, "AdministratorAccess", json.dumps(_ADMINISTRATOR))
    db.execute("INSERT INTO inline_policies VALUES (?, ?, ?)", policy)


def _key(
    services: Services,
    db: sqlite3.Connection,
    key: Mapping[str, str],
    *,
    principal: str,
    account: str,
    now: str,
) -> None:
    name = key["access_key_id"]
    sealed = services.vault.seal(key["secret_access_key"].encode(), f"iam/{name}")
    values = (name, principal, account, sealed, "Active", now)
    db.execute("INSERT INTO access_keys VALUES (?, ?, ?, ?, ?, ?)", values)


def read_keys(path: Path) -> Keys:
    """Read the file that `write_private` wrote.

    Raises `InputError`: not such a file, keys that can be guessed, or a file that others can read.
    """
    if path.stat().st_mode & 0o077:
        raise _bad_keys(path, "a file that others can read", "chmod 600 that file")
    try:
        document = json.loads(path.read_bytes())
        keys = {name: dict(document[name]) for name in (*ACCOUNTS, SERVICE)}
        for key in keys.values():
            key["access_key_id"].encode("ascii")
            short = len(key["secret_access_key"]) < _MIN_SECRET
            if short or not key["access_key_id"].startswith("AKIA"):
                raise _bad_keys(path, "a key that is short or not one of AWS's form")
    except (ValueError, TypeError, KeyError, AttributeError):
        raise _bad_keys(path, "something else than keys") from None
    return keys


def _bad_keys(path: Path, found: str, remedy: str = "") -> InputError:
    return InputError(
        found,
        expected="the file that `nitro-workflow cloud new-credentials` writes",
        where=path.name,
        next=remedy or "make one: nitro-workflow cloud new-credentials FILE",
    )


def write_private(path: Path, keys: Keys, *, replace: bool = True) -> None:
    """Write keys with mode 0600, whole or not at all.

    Raises `UsageError`: the file is there and must not be replaced. Raises `InputError`: it cannot
    be written there.
    """
    if path.exists() and not replace:
        raise UsageError(
            f"{path.name} is there already",
            expected="a new file",
            where="PATH",
            next="name another file; keys that a cloud was seeded with are not in any other place",
        )
    text = json.dumps(keys, indent=1).encode()
    write_atomic(path, text, mode=0o600, durable=True, failure=InputError)
