"""Session credentials: a token that holds, sealed, all that the cloud must know of the session.

Nothing of a session is stored: the token is opened with the wrapping key when it is used. A session
ends at its time, or when its role is gone (a role made again under the same name has another id).
"""

from __future__ import annotations

import base64
import json
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from nitro_workflow.cloud.local.auth.identities import new_id
from nitro_workflow.cloud.local.call import Caller
from nitro_workflow.cloud.local.store import Store, Vault
from nitro_workflow.errors import CloudUnavailable

__all__ = ["Session", "make_session", "open_session"]

_PURPOSE = "sts/session"
_SECRET_BYTES = 30  # 40 characters of base64, as AWS's secret access keys


@dataclass(frozen=True, slots=True)
class Session:
    """The credentials of one assumed role, or of a user for a while, and who they make of them."""

    access_key_id: str
    secret_access_key: str
    token: str
    expires: datetime
    caller: Caller


def new_secret() -> str:
    """Return a secret access key: 40 characters."""
    return base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def make_session(
    vault: Vault,
    role: sqlite3.Row,
    *,
    name: str,
    expires: datetime,
    policy: str = "",
    tags: Mapping[str, str] | None = None,
) -> Session:
    """Return new credentials for a session of the role or user (a row of ``entities``)."""
    fields = {
        "key": new_id("ASIA"),
        "secret": new_secret(),
        "expires": expires.timestamp(),
        "role": role["arn"],
        "id": role["id"],
        "role_name": role["name"],
        "account": role["account"],
        "name": name,
        "policy": policy,
        "tags": dict(tags or {}),
    }
    token = base64.b64encode(vault.seal(json.dumps(fields).encode(), _PURPOSE)).decode()
    return _session(fields, token)


def open_session(vault: Vault, store: Store, token: str) -> Session | None:
    """Return the session of a token; None where the token is not ours or its role is gone.

    Whether it has expired is for the caller to see.
    """
    try:
        fields = json.loads(vault.open(base64.b64decode(token, validate=True), _PURPOSE))
    except (CloudUnavailable, ValueError):
        return None
    role = fields["role"]
    if store.cached(("role id", role), lambda db: _role_id(db, role)) != fields["id"]:
        return None
    return _session(fields, token)


def _role_id(db: sqlite3.Connection, arn: str) -> str | None:
    row = db.execute("SELECT id FROM entities WHERE arn = ?", (arn,)).fetchone()
    return row["id"] if row else None


def _session(fields: Mapping[str, object], token: str) -> Session:
    account, role, name = (str(fields[k]) for k in ("account", "role_name", "name"))
    tags, entity = fields["tags"], str(fields["role"])
    user = entity.split(":", 5)[5].startswith("user/")
    caller = Caller(
        account=account,
        arn=entity if user else f"arn:aws:sts::{account}:assumed-role/{role}/{name}",
        kind="user" if user else "role",
        principal_id=str(fields["id"]) if user else f"{fields['id']}:{name}",
        name=role,
        entity_arn=entity,
        session_name=name,
        session_policy=str(fields["policy"]),
        access_key_id=str(fields["key"]),
        tags=tags if isinstance(tags, dict) else {},
    )
    expires = datetime.fromtimestamp(float(str(fields["expires"])), UTC)
    return Session(caller.access_key_id, str(fields["secret"]), token, expires, caller)
