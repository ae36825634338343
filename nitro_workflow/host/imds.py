"""The instance metadata service, version 2: a token first, by PUT; then role credentials and facts.

What EC2 answers at 169.254.169.254 is here on a port of loopback, one an instance. Version 1 (a GET
without a token) is refused, a PUT that a proxy has forwarded too, and the PUT's answer carries the
instance's hop limit as its TTL. [src: EC2 user guide, instancedata-data-retrieval]

EC2's address is the instance's alone; a port of loopback is every user's of this machine, and
every instance's. So only the users that the lab runs as are answered (the kernel says whose the
other end is), and only below a path that the instance alone was told.
"""

from __future__ import annotations

import contextlib
import functools
import hmac
import json
import os
import secrets
import socket
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import NitroWorkflowError

if TYPE_CHECKING:
    from collections.abc import Callable

    from nitro_workflow.host.records import InstanceRecord, RoleCredentials

__all__ = ["MetadataService"]

LONGEST_TOKEN: Final = 21_600
"""Seconds a token may live. [src: EC2 user guide]"""

RENEW_BEFORE: Final = timedelta(minutes=20)
"""Credentials are renewed this long before they end: botocore asks 15 to 10 minutes before."""

TOKENS: Final = 1_000  # live tokens; the oldest go first

_READINGS: Final = 3
"""The kernel writes its table in pieces: an entry may be missed while others come and go."""

_ROOT: Final = "/latest/meta-data"
_CREDENTIALS: Final = f"{_ROOT}/iam/security-credentials"


class MetadataService:
    """Serves one instance's metadata on a free port of loopback, from threads of its own.

    ``fetch`` returns fresh credentials of the instance's role; its errors become a 500, as EC2's
    do. ``user``: the instance's, where it is not this process's own.
    """

    def __init__(
        self,
        record: InstanceRecord,
        fetch: Callable[[], RoleCredentials],
        *,
        user: int | None = None,
    ) -> None:
        self._record = record
        self._fetch = fetch
        self._tokens: dict[str, float] = {}
        self._place = f"/{secrets.token_urlsafe(24)}"
        self._cached: tuple[RoleCredentials, datetime] | None = None
        self._lock = threading.Lock()
        service = self

        class Handler(_Handler):
            metadata = service

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.users = {os.geteuid(), os.geteuid() if user is None else user}
        serve = functools.partial(self._server.serve_forever, poll_interval=0.1)
        threading.Thread(target=serve, daemon=True, name="imds").start()

    def prepare(self) -> threading.Thread:
        """Fetch the credentials in a thread: botocore waits 1 s for an answer, once."""
        thread = threading.Thread(target=self._fetch_early, daemon=True, name="imds-prepare")
        thread.start()
        return thread

    @property
    def endpoint(self) -> str:
        """The URL for ``AWS_EC2_METADATA_SERVICE_ENDPOINT``."""
        return f"http://127.0.0.1:{self._server.server_address[1]}{self._place}/"

    def inside(self, path: str) -> str:
        """Return a request's path below `endpoint`, empty where it is not below it."""
        place, rest = path[: len(self._place)], path[len(self._place) :]
        mine = hmac.compare_digest(place.encode(), self._place.encode())
        return rest if mine and rest.startswith("/") else ""

    @property
    def hop_limit(self) -> int:
        """HttpPutResponseHopLimit of the instance."""
        return self._record.hop_limit

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def issue_token(self, seconds: int) -> str:
        """Return a new token that lives for ``seconds``."""
        token = secrets.token_urlsafe(42)
        with self._lock:
            self._tokens[token] = time.monotonic() + seconds
            while len(self._tokens) > TOKENS:
                del self._tokens[next(iter(self._tokens))]
        return token

    def knows(self, token: str) -> bool:
        """Whether ``token`` was issued and still lives."""
        with self._lock:
            known = [it for it in self._tokens if hmac.compare_digest(it.encode(), token.encode())]
            return bool(known) and self._tokens[known[0]] > time.monotonic()

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


class _Server(ThreadingHTTPServer):
    users: set[int]
    daemon_threads = True

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether the other end is one of `users`; the connection is closed where it is not."""
        return _user_of(client_address, self.server_address) in self.users


def _user_of(client: Any, server: Any) -> int | None:
    """Return who owns the client's end of a connection over IPv4, None where that is not known.

    [src: Linux, Documentation/networking/proc_net_tcp]
    """
    ends = [_in_proc(*client[:2]), _in_proc(*server[:2])]
    for _ in range(_READINGS):
        for line in Path("/proc/net/tcp").read_text("ascii").splitlines():
            fields = line.split()
            if fields[1:3] == ends:
                return int(fields[7])
    return None


def _in_proc(address: str, port: int) -> str:
    return f"{int.from_bytes(socket.inet_aton(address), sys.byteorder):08X}:{port:04X}"


class _Handler(BaseHTTPRequestHandler):
    metadata: MetadataService
    protocol_version = "HTTP/1.1"
    server_version = "EC2ws"
    sys_version = ""
    timeout = 10  # seconds a client may take for its request

    def do_PUT(self) -> None:
        """Issue a token."""
        if self.metadata.inside(self.path).rstrip("/") != "/latest/api/token":
            self._answer(404)
        elif self.headers.get("X-Forwarded-For") is not None:
            self._answer(403)  # a proxy passed this on: exactly what version 2 is there to refuse
        else:
            self._token(self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", ""))

    def do_GET(self) -> None:
        """Answer a fact to whoever has a token."""
        path = self.metadata.inside(self.path)
        token = self.headers.get("X-aws-ec2-metadata-token")
        if not path:
            self._answer(404)
            return
        if token is None or not self.metadata.knows(token):
            self._answer(401)
            return
        try:
            text = self.metadata.lookup(path)
        except NitroWorkflowError as error:
            self._answer(
                500, json.dumps({"Code": "AssumeRoleUnauthorizedAccess", "Message": str(error)})
            )
            return
        self._answer(200 if text is not None else 404, text or "")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Log nothing: paths are dull and headers hold tokens."""

    def _token(self, seconds: str) -> None:
        if not seconds.isascii() or not seconds.isdigit() or not 1 <= int(seconds) <= LONGEST_TOKEN:
            self._answer(400)
            return
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, self.metadata.hop_limit)
        headers = {"X-aws-ec2-metadata-token-ttl-seconds": seconds}
        self._answer(200, self.metadata.issue_token(int(seconds)), headers)

    def _answer(self, status: int, text: str = "", headers: dict[str, str] | None = None) -> None:
        length = self.headers.get("Content-Length", "0")
        if length != "0":
            self.close_connection = True  # a body that nobody reads would be the next request
        body = text.encode()
        with contextlib.suppress(OSError):
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            if self.close_connection:
                self.send_header("Connection", "close")
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
