"""The drop page on this machine alone: 127.0.0.1, a secret in its address, nothing stored.

Another page in the same browser cannot reach it: the address holds a token of 128 bits, the Host
header must name this server (against names that are made to resolve here), an Origin must be this
one, and answers may be read by nobody else.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from nitro_workflow.widgets.drop_zone import DropZone
from nitro_workflow.widgets.inspectors.drop_model import MAX_DROPPED_BYTES, make_drop
from nitro_workflow.widgets.live_answers import told
from nitro_workflow.widgets.opened import Ask
from nitro_workflow.widgets.page_of_views import saved_page
from nitro_workflow.widgets.view import View

__all__ = ["MAX_BODY_BYTES", "drop_server"]

MAX_BODY_BYTES = MAX_DROPPED_BYTES * 4 // 3 + 4096
"""Bytes of a request: the largest file in base64, and its name."""

_SECONDS = 30  # that a request may take to arrive


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    token: str
    zone: DropZone
    page: bytes


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _SECONDS
    server_version = "nitro-workflow"
    sys_version = ""

    def do_GET(self) -> None:
        """Send the page."""
        if self._admitted(f"/{self.server.token}/"):
            self._send(200, self.server.page, "text/html; charset=utf-8")

    def do_POST(self) -> None:
        """Answer one question."""
        if not self._admitted(f"/{self.server.token}/ask"):
            return
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            self._send(413, b"too large", "text/plain")
            return
        try:
            message = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            self._send(400, b"not JSON", "text/plain")
            return
        reply = json.dumps(told(self.server.zone.answers, message))
        self._send(200, reply.encode(), "application/json")

    def _admitted(self, path: str) -> bool:
        """Tell whether a request is the page's own; what is not gets 404, and no reason."""
        own = f"127.0.0.1:{self.server.server_address[1]}"
        hosts = {own, f"localhost:{self.server.server_address[1]}"}
        host, origin = self.headers.get("host", ""), self.headers.get("origin")
        good = hmac.compare_digest(self.path.encode(), path.encode()) and host in hosts
        if good and (origin is None or origin == f"http://{host}"):
            return True
        self.close_connection = True
        self._send(404, b"not here", "text/plain")
        return False

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing: the address is a secret."""


def drop_server(ask: Ask, *, port: int = 0) -> tuple[str, Callable[[], None], Callable[[], None]]:
    """Return the page's address, what serves it until it is stopped, and what stops it."""
    server = _Server(("127.0.0.1", port), _Handler)
    server.token = secrets.token_urlsafe(16)
    server.zone = DropZone(ask)
    view = View(make_drop())
    server.page = saved_page([view], title="Inspect", ask="ask").encode()
    address = f"http://127.0.0.1:{server.server_address[1]}/{server.token}/"

    def stop() -> None:
        server.shutdown()
        server.server_close()

    return address, server.serve_forever, stop
