"""The line to the hypervisor: one JSON object a line each way, over a Unix socket."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow import errors
from nitro_workflow.errors import HostError, NitroWorkflowError, UsageError
from nitro_workflow.vsock import accept_next, run_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["NO_HYPERVISOR", "SOCKET_NAME", "ControlServer", "ask"]

SOCKET_NAME: Final = "hypervisor.sock"

NO_HYPERVISOR: Final = (FileNotFoundError, ConnectionRefusedError)
"""The cause of an `ask` that nobody hears: no hypervisor runs."""

LINE_LIMIT: Final = 8 << 20
"""Bytes of a line: a debug console's last MiB, escaped, fits."""


class ControlServer:
    """Answers requests ``{"op": name, …}`` from threads of its own; the socket's folder is 0700."""

    def __init__(self, path: Path, operations: Mapping[str, Callable[..., Any]]) -> None:
        self._path = path
        self._operations = operations
        path.unlink(missing_ok=True)  # the lock says that no living process holds it
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        path.chmod(0o600)
        self._listener.listen(64)

    def serve_forever(self) -> None:
        """Accept until `close`."""
        while (sock := accept_next(self._listener)) is not None:
            if not run_in_thread(self._serve, sock):
                sock.close()

    def close(self) -> None:
        """Stop accepting and remove the socket."""
        self._path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError), sock.makefile("rb") as lines:
            if _peer_uid(sock) not in (os.geteuid(), 0):
                return
            while line := lines.readline(LINE_LIMIT):
                sock.sendall(json.dumps(self._answer(line)).encode() + b"\n")

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            operation = self._operations[request.pop("op")]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            error: NitroWorkflowError = UsageError("no such operation", where="hypervisor")
            return _failed(error)
        try:
            return {"ok": operation(**request)}
        except NitroWorkflowError as error:
            return _failed(error)
        except TypeError as error:
            return _failed(UsageError(f"wrong arguments ({error})"[:200], where="hypervisor"))
        except Exception as error:  # noqa: BLE001 - one request must not end the hypervisor
            text = f"{type(error).__name__}: {error}"[:300]
            return _failed(HostError(text, where="hypervisor", next="see the hypervisor's log"))


def ask(path: Path, op: str, *, timeout: float, **request: Any) -> Any:
    """Send one request and return its answer; raises the error that it answers.

    ``timeout`` in seconds. Raises `HostError` when nobody answers.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(timeout)
            sock.connect(str(path))
            sock.sendall(json.dumps({"op": op, **request}).encode() + b"\n")
            with sock.makefile("rb") as lines:
                line = lines.readline(LINE_LIMIT)
        answer = json.loads(line)
    except (OSError, ValueError) as error:
        raise HostError(
            f"no answer to {op}: {_why(error)}",
            expected="a running hypervisor",
            where="hypervisor",
            next="`nitro-workflow step P8` starts it and an enclave; `nitro-workflow status` tells",
            code="E39",
        ) from error
    if "error" in answer:
        raise _rebuilt(answer["error"])
    return answer.get("ok")


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, NO_HYPERVISOR):
        return "the hypervisor is not running"
    return getattr(error, "strerror", None) or str(error)


def _failed(error: NitroWorkflowError) -> dict[str, Any]:
    return {"error": {"type": type(error).__name__, **error.to_json()}}


def _rebuilt(body: Mapping[str, str]) -> NitroWorkflowError:
    """Return the error that crossed the socket, as the class of the tree that it was."""
    fields = {key: str(body.get(key, "")) for key in ("expected", "where", "next")}
    kind = getattr(errors, str(body.get("type", "")), HostError)
    code, found = str(body.get("code", "")), str(body.get("found", ""))
    if not (isinstance(kind, type) and issubclass(kind, NitroWorkflowError)):
        kind = HostError
    try:
        return kind(found, **fields, code=code)
    except TypeError:  # a class whose constructor takes other fields
        return HostError(found, **fields, code=code)


def _peer_uid(sock: socket.socket) -> int:
    data = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    uid: int = struct.unpack("3i", data)[1]
    return uid
