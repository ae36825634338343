"""The instance metadata service, version 2: a token first, by PUT; then role credentials and facts.

Version 1 (a GET without a token) is refused, a PUT that a proxy has forwarded too, and the PUT's
answer carries the instance's hop limit as its TTL. [src: EC2 user guide,
instancedata-data-retrieval]
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import secrets
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from nitro_workflow.errors import NitroWorkflowError

if TYPE_CHECKING:
    from collections.abc import Callable

    from nitro_workflow.host.instance.cloud_records import InstanceRecord, RoleCredentials

__all__ = ["LONGEST_TOKEN", "MetadataService"]

LONGEST_TOKEN: Final = 21_600
"""Seconds a token may live. [src: EC2 user guide]"""

RENEW_BEFORE: Final = timedelta(minutes=20)
"""Credentials are renewed this long before they end: botocore asks 15 to 10 minutes before."""

TOKEN_BYTES: Final = 8 + 10 + 24  # its end, a nonce, an HMAC: 56 characters, as EC2's have

_ROOT: Final = "/latest/meta-data"
_CREDENTIALS: Final = f"{_ROOT}/iam/security-credentials"


class MetadataService:
    """What one instance may know: its tokens, its facts, its role's credentials.

    ``fetch`` returns fresh credentials of the instance's role; its errors become a 500, as EC2's
    do. `imds_server` carries it.
    """

    def __init__(self, record: InstanceRecord, fetch: Callable[[], RoleCredentials]) -> None:
        self._record = record
        self._fetch = fetch
        self._key = secrets.token_bytes(32)
        self._cached: tuple[RoleCredentials, datetime] | None = None
        self._lock = threading.Lock()

    def prepare(self) -> threading.Thread:
        """Fetch the credentials in a thread: botocore waits 1 s for an answer, once."""
        thread = threading.Thread(target=self._fetch_early, daemon=True, name="imds-prepare")
        thread.start()
        return thread

    @property
    def hop_limit(self) -> int:
        """HttpPutResponseHopLimit of the instance."""
        return self._record.hop_limit

    def issue_token(self, seconds: int) -> str:
        """Return a new token that lives for ``seconds``.

        It says so itself, under this service's key: however many are asked for, none is forgotten.
        """
        end = int((time.monotonic() + seconds) * 1000)
        body = end.to_bytes(8, "big") + secrets.token_bytes(10)
        return base64.urlsafe_b64encode(body + self._seal(body)).decode()

    def knows(self, token: str) -> bool:
        """Whether ``token`` was issued and still lives."""
        try:
            data = base64.b64decode(token.encode("ascii"), b"-_", validate=True)
        except ValueError:
            return False
        body, seal = data[:18], data[18:]
        if len(data) != TOKEN_BYTES or not hmac.compare_digest(seal, self._seal(body)):
            return False
        return int.from_bytes(body[:8], "big") > time.monotonic() * 1000

    def lookup(self, path: str) -> str | None:
        """Return the text at ``path``, or None; raises the error of the cloud."""
        record, role = self._record, (self._record.role_arn or "").rpartition("/")[2]
        facts: dict[str, Callable[[], str]] = {
            f"{_ROOT}/instance-id": lambda: record.instance_id,
            f"{_ROOT}/instance-type": lambda: record.instance_type,
            f"{_ROOT}/placement/region": lambda: record.region,
            f"{_ROOT}/placement/availability-zone": lambda: f"{record.region}a",
            "/latest/dynamic/instance-identity/document": self._identity,
        }
        if role:
            facts[_CREDENTIALS] = lambda: role
            facts[f"{_CREDENTIALS}/{role}"] = self._credentials
            facts[f"{_ROOT}/iam/info"] = self._profile
        found = facts.get(path.rstrip("/"))
        return found() if found else None

    def _seal(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256")[:24]

    def _fetch_early(self) -> None:
        if self._record.role_arn is not None:
            with contextlib.suppress(NitroWorkflowError):  # whoever asks is told then
                self._credentials()

    def _credentials(self) -> str:
        now = datetime.now(UTC)
        with self._lock:
            if self._cached is None or self._cached[0].expiration - now < RENEW_BEFORE:
                self._cached = self._fetch(), now
            it, updated = self._cached
        body = {
            "Code": "Success",
            "LastUpdated": _time(updated),
            "Type": "AWS-HMAC",
            "AccessKeyId": it.access_key_id,
            "SecretAccessKey": it.secret_access_key,
            "Token": it.session_token,
            "Expiration": _time(it.expiration),
        }
        return json.dumps(body, indent=2)

    def _profile(self) -> str:
        arn = (self._record.role_arn or "").replace(":role/", ":instance-profile/")
        body = {
            "Code": "Success",
            "LastUpdated": _time(datetime.now(UTC)),
            "InstanceProfileArn": arn,
        }
        return json.dumps(body, indent=2)

    def _identity(self) -> str:
        it = self._record
        body = {"accountId": it.account, "instanceId": it.instance_id, "region": it.region}
        return json.dumps({**body, "instanceType": it.instance_type}, indent=2)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
