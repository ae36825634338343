"""The rows of the KMS, as frozen records, and the SQL that makes their tables."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from nitro_workflow.cloud.local.kms.specs import ALGORITHM_MEMBER, SPECS, SYMMETRIC, KeySpec

__all__ = ["KEY_QUERY", "SCHEMA", "Key", "key_conditions", "metadata", "moment"]

# Times are seconds since 1970 in UTC. Key material is sealed by the vault, never in clear.
# `kms_aliases` is of earlier versions, which had one region: its rows move, once.
SCHEMA = """
CREATE TABLE IF NOT EXISTS kms_keys (
    key_id TEXT PRIMARY KEY, account TEXT NOT NULL, arn TEXT NOT NULL, description TEXT NOT NULL,
    spec TEXT NOT NULL, usage TEXT NOT NULL, policy TEXT NOT NULL, created REAL NOT NULL,
    enabled INTEGER NOT NULL, deletion REAL, window INTEGER,
    rotation_days INTEGER, rotation_next REAL
) STRICT;
CREATE INDEX IF NOT EXISTS kms_keys_account ON kms_keys (account, key_id);
CREATE TABLE IF NOT EXISTS kms_material (
    key_id TEXT NOT NULL REFERENCES kms_keys ON DELETE CASCADE, number INTEGER NOT NULL,
    material_id TEXT NOT NULL, sealed BLOB NOT NULL, rotated REAL NOT NULL, rotation TEXT NOT NULL,
    PRIMARY KEY (key_id, number)
) STRICT;
CREATE TABLE IF NOT EXISTS kms_alias_names (
    account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
    key_id TEXT NOT NULL REFERENCES kms_keys ON DELETE CASCADE,
    created REAL NOT NULL, updated REAL NOT NULL, PRIMARY KEY (account, region, name)
) STRICT;
CREATE INDEX IF NOT EXISTS kms_alias_names_key ON kms_alias_names (key_id, name);
CREATE TABLE IF NOT EXISTS kms_tags (
    key_id TEXT NOT NULL REFERENCES kms_keys ON DELETE CASCADE,
    name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (key_id, name)
) STRICT;
CREATE TABLE IF NOT EXISTS kms_grants (
    grant_id TEXT PRIMARY KEY, key_id TEXT NOT NULL REFERENCES kms_keys ON DELETE CASCADE,
    token TEXT NOT NULL UNIQUE, name TEXT NOT NULL, grantee TEXT NOT NULL, retiring TEXT NOT NULL,
    issuing_account TEXT NOT NULL, operations TEXT NOT NULL, constraints TEXT NOT NULL,
    created REAL NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS kms_grants_key ON kms_grants (key_id, grant_id);
CREATE INDEX IF NOT EXISTS kms_grants_grantee ON kms_grants (key_id, grantee);
BEGIN;
CREATE TABLE IF NOT EXISTS kms_aliases (
    account TEXT NOT NULL, name TEXT NOT NULL,
    key_id TEXT NOT NULL REFERENCES kms_keys ON DELETE CASCADE,
    created REAL NOT NULL, updated REAL NOT NULL, PRIMARY KEY (account, name)
) STRICT;
INSERT OR IGNORE INTO kms_alias_names
    SELECT account, 'us-east-1', name, key_id, created, updated FROM kms_aliases;
DROP TABLE kms_aliases;
COMMIT;
"""


# All that a decision about a key needs, in one statement and so in one state of the database.
KEY_QUERY = """
SELECT k.*,
    (SELECT json_group_array(name) FROM kms_alias_names a WHERE a.key_id = k.key_id) AS aliases,
    (SELECT json_group_object(name, value) FROM kms_tags t WHERE t.key_id = k.key_id) AS tags,
    EXISTS (SELECT 1 FROM kms_grants g WHERE g.key_id = k.key_id) AS granted
FROM kms_keys k WHERE k.key_id = ?
"""


@dataclass(frozen=True, slots=True)
class Key:
    """One KMS key without its material; `granted`: whether there are grants on it."""

    key_id: str
    account: str
    arn: str
    description: str
    spec: str
    usage: str
    policy: str
    created: float
    enabled: bool
    deletion: float | None
    window: int | None
    rotation_days: int | None
    rotation_next: float | None
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    granted: bool = False

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Key:
        """Read a row of `KEY_QUERY`."""
        values = dict(row)
        values["enabled"], values["granted"] = bool(row["enabled"]), bool(row["granted"])
        values["aliases"] = tuple(sorted(json.loads(row["aliases"])))
        values["tags"] = json.loads(row["tags"])
        return cls(**values)

    @property
    def region(self) -> str:
        """Where the key is: it is found, and its ciphertexts are opened, in no other region."""
        return self.arn.split(":")[3]

    @property
    def state(self) -> str:
        """KMS's KeyState: Enabled, Disabled or PendingDeletion."""
        if self.deletion is not None:
            return "PendingDeletion"
        return "Enabled" if self.enabled else "Disabled"

    @property
    def key_spec(self) -> KeySpec:
        """What this key can do."""
        return SPECS[self.spec]

    @property
    def algorithms(self) -> dict[str, list[str]]:
        """The usage's algorithms under the member that KMS lists them in."""
        return {ALGORITHM_MEMBER[self.usage]: list(self.key_spec.algorithms[self.usage])}


def moment(seconds: float) -> datetime:
    """Return a stored time as botocore's timestamp shape wants it."""
    return datetime.fromtimestamp(seconds, UTC)


def metadata(key: Key, material_id: str) -> dict[str, Any]:
    """Return KMS's KeyMetadata."""
    found: dict[str, Any] = {
        "AWSAccountId": key.account,
        "KeyId": key.key_id,
        "Arn": key.arn,
        "CreationDate": moment(key.created),
        "Enabled": key.state == "Enabled",
        "Description": key.description,
        "KeyUsage": key.usage,
        "KeyState": key.state,
        "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER",
        "CustomerMasterKeySpec": key.spec,
        "KeySpec": key.spec,
        "MultiRegion": False,
        **key.algorithms,
    }
    if key.deletion is not None:
        found["DeletionDate"] = moment(key.deletion)
    if key.spec == SYMMETRIC:
        found["CurrentKeyMaterialId"] = material_id
    return found


def key_conditions(key: Key) -> dict[str, Any]:
    """Return the condition keys that describe the key itself, for every operation on it."""
    return {
        "kms:KeySpec": key.spec,
        "kms:CustomerMasterKeySpec": key.spec,
        "kms:KeyUsage": key.usage,
        "kms:CustomerMasterKeyUsage": key.usage,
        "kms:KeyOrigin": "AWS_KMS",
        "kms:MultiRegion": "false",
        "kms:ResourceAliases": list(key.aliases),
        **{f"aws:ResourceTag/{name}": value for name, value in key.tags.items()},
    }
