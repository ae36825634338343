"""The metadata service over HTTP, for one instance.

A sandboxed instance has it where EC2 has it, at 169.254.169.254: an address of the sandbox's own
network namespace, which no other process of this machine has. Without a sandbox a port of loopback
stands in, which every user of this machine reaches. So only the users that the lab runs as are
answered there (the kernel says whose the other end is), and only below a path that the instance
alone was told.
"""

from __future__ import annotations

import contextlib
import functools
import hmac
import json
import os
import re
import secrets
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import NitroWorkflowError
from nitro_workflow.host.instance.imds import LONGEST_TOKEN
from nitro_workflow.host.sandbox.descriptor_reserve import is_of_reserve
from nitro_workflow.vsock import rest_where_run_out

if TYPE_CHECKING:
    from nitro_workflow.host.instance.imds import MetadataService

__all__ = ["ADDRESS", "MetadataServer"]

ADDRESS: Final = ("169.254.169.254", 80)
"""Where an instance finds it. [src: EC2 user guide]"""

CONNECTIONS: Final = 32
"""At a time; a further one takes the oldest one's place. EC2 throttles too."""

CUT_SECONDS: Final = 1.0  # for a connection that is cut to end; milliseconds in fact

_DIGITS: Final = re.compile(r"[0-9]{1,6}")

_READINGS: Final = 3
"""The kernel writes its table in pieces: an entry may be missed while others come and go."""


class MetadataServer:
    """Serves ``service`` from threads of its own, on ``listener`` or on a free port of loopback.

    ``listener`` lies in the instance's network namespace, where nobody else is; this owns it.
    """

    def __init__(self, service: MetadataService, listener: socket.socket | None = None) -> None:
        class Handler(_Handler):
            metadata = service
            place = f"/{secrets.token_urlsafe(24)}" if listener is None else ""

        self._place = Handler.place
        self._server = _Server(listener, Handler)
        serve = functools.partial(self._server.serve_forever, poll_interval=0.1)
        self._thread = threading.Thread(target=serve, daemon=True, name="imds")
        self._thread.start()

    @property
    def endpoint(self) -> str:
        """The URL for ``AWS_EC2_METADATA_SERVICE_ENDPOINT``."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}{self._place}/"

    @property
    def alive(self) -> bool:
        """Whether it serves."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Stop serving; may be called again."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = CONNECTIONS

    def __init__(self, listener: socket.socket | None, handler: type[_Handler]) -> None:
        super().__init__(("127.0.0.1", 0), handler, bind_and_activate=listener is None)
        self._shared = listener is None
        self._free = threading.BoundedSemaphore(CONNECTIONS)
        self._open: dict[Any, None] = {}  # the oldest first
        if listener is not None:
            self.socket.close()
            self.socket = listener
            self.server_address = listener.getsockname()

    def get_request(self) -> Any:
        """Accept one connection; where no descriptor is left, not at once again."""
        try:
            return super().get_request()
        except OSError as error:
            rest_where_run_out(error)
            raise

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether the other end may ask; the connection is closed where it may not."""
        if is_of_reserve(request):
            return False
        if not self._shared:
            return True
        return _user_of(client_address, self.server_address) == os.geteuid()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give the connection a thread; where there are too many, the oldest one is cut for it."""
        if not self._free.acquire(blocking=False):
            self._cut_oldest()
            if not self._free.acquire(timeout=CUT_SECONDS):
                self.shutdown_request(request)
                return
        self._open[request] = None
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no further thread
            self._open.pop(request, None)
            self._free.release()
            self.shutdown_request(request)

    def _cut_oldest(self) -> None:
        for request in list(self._open)[:1]:
            with contextlib.suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._open.pop(request, None)
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Write nothing: an instance could fill the log by hanging up."""


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
    place: str  # what every path begins with
    protocol_version = "HTTP/1.1"
    server_version = "EC2ws"
    sys_version = ""
    timeout = 10  # seconds a client may take for its request
    disable_nagle_algorithm = (
        True  # an answer in two pieces would wait 40 ms for an acknowledgement
    )

    def do_PUT(self) -> None:
        """Issue a token."""
        if self._inside().rstrip("/") != "/latest/api/token":
            self._answer(404)
        elif self.headers.get("X-Forwarded-For") is not None:
            self._answer(403)  # a proxy passed this on: exactly what version 2 is there to refuse
        else:
            self._token(self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", ""))

    def do_GET(self) -> None:
        """Answer a fact to whoever has a token."""
        path = self._inside()
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

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer another method, or what is no request, without a page about this server."""
        self.close_connection = True
        self._answer(405 if code == 501 else code)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Log nothing: paths are dull and headers hold tokens."""

    def _inside(self) -> str:
        """Return the request's path below `place`, empty where it is not below it."""
        place, rest = self.path[: len(self.place)], self.path[len(self.place) :]
        mine = hmac.compare_digest(place.encode(), self.place.encode())
        return rest if mine and rest.startswith("/") else ""

    def _token(self, seconds: str) -> None:
        if not _DIGITS.fullmatch(seconds) or not 1 <= int(seconds) <= LONGEST_TOKEN:
            self._answer(400)
            return
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, self.metadata.hop_limit)
        headers = {"X-aws-ec2-metadata-token-ttl-seconds": seconds}
        self._answer(200, self.metadata.issue_token(int(seconds)), headers)

    def _answer(self, status: int, text: str = "", headers: dict[str, str] | None = None) -> None:
        given = getattr(self, "headers", {})  # none where the request could not be read
        if given.get("Content-Length", "0") != "0" or "Transfer-Encoding" in given:
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
