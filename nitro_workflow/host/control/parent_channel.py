"""The sandbox's channel to a parent application: a JSON line each way, over its control socket."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import HostError
from nitro_workflow.host.instance.instance_socket import connect

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["SocketChannel"]

LINE_LIMIT: Final = 8 << 20
"""Bytes of an answer: a job's evidence, its result and its receipt have 21 KiB."""


@dataclass(frozen=True, slots=True)
class SocketChannel:
    """Reaches the parent application at ``path``, which is not trusted to stop talking."""

    path: Path

    def ask(self, request: Mapping[str, Any], *, timeout: float = 120.0) -> dict[str, Any]:
        """Send one request, return its answer; see `ParentChannel`."""
        deadline = time.monotonic() + timeout
        try:
            with connect(self.path, timeout) as connection:
                connection.sendall(json.dumps(dict(request)).encode() + b"\n")
                line = _line(connection, deadline)
        except OSError as error:
            raise _unavailable(
                f"the parent application does not answer: {error}", "its control socket"
            ) from error
        return _object(line)


def _line(connection: socket.socket, deadline: float) -> bytes:
    data = bytearray()
    while not data.endswith(b"\n") and len(data) <= LINE_LIMIT:
        connection.settimeout(max(deadline - time.monotonic(), 0.001))
        chunk = connection.recv(65536)
        if not chunk:
            break
        data += chunk
    return bytes(data)


def _object(line: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError) as error:
        found = f"{len(line)} bytes that are not a JSON object"
        raise _unavailable(found, "one JSON object on a line") from error
    if not isinstance(answer, dict):
        raise _unavailable(f"a JSON {type(answer).__name__}", "one JSON object on a line")
    return answer


def _unavailable(found: str, expected: str) -> HostError:
    return HostError(
        found,
        expected=expected,
        where="parent instance",
        next="run step P8: it launches the instance again",
        code="ParentUnavailable",
    )
