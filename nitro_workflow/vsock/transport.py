"""Addresses and sockets: AF_VSOCK where the kernel carries it, Unix sockets where a sandbox does.

Three ways to one address ``(cid, port)``. Outside, Firecracker's convention: a folder a machine
holds ``v.sock``, where one says ``CONNECT <port>`` and is answered ``OK <port>``; who listens
binds ``v.sock_<port>``. [src: firecracker docs/vsock.md] In a sandbox, AF_VSOCK as on EC2; where
that cannot be supervised, one folder plays the device.
"""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from nitro_workflow.errors import UsageError, VsockError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "GATEWAY",
    "GUEST_FOLDER",
    "HEARTBEAT_PORT",
    "PARENT_CID",
    "PARENT_DEVICE",
    "PROXY_PORT",
    "SETTING",
    "GuestTransport",
    "HostTransport",
    "KernelTransport",
    "Transport",
    "has_own_transport",
    "open_transport",
    "read_line",
]

PARENT_CID: Final = 3
"""AWS's fixed CID of the parent instance. [src: vsock(7); nitro-cli docs]"""

PROXY_PORT: Final = 8000
"""The parent's proxy to KMS. [src: nitro-enclaves-vsock-proxy.service]"""

"""The parent instance, seen from an enclave. [src: nitro-cli docs]"""

HEARTBEAT_PORT: Final = 9000
"""Where an enclave says that it has booted. [src: sdk-bootstrap init/init.c]"""

GUEST_FOLDER: Final = Path("/run/vsock")
"""The folder that plays the vsock device in a sandbox without a supervisor."""

PARENT_DEVICE: Final = Path("/dev/nitro_enclaves")
"""What only an EC2 parent with enclaves enabled has. [src: Linux drivers/virt/nitro_enclaves]"""

GATEWAY: Final = "host.sock"
"""The socket in `GUEST_FOLDER` that carries connections out: ``CONNECT <cid> <port>``."""

SETTING: Final = "NITRO_WORKFLOW_VSOCK"
"""``host:FOLDER`` chooses `HostTransport`, ``guest:FOLDER`` `GuestTransport`."""

LINE_LIMIT: Final = 64  # bytes; the longest line, "CONNECT 4294967295 4294967295", has 29


class Transport(Protocol):
    """What a user of vsock needs; all errors are `VsockError`."""

    def connect(self, cid: int, port: int, timeout: float = 10.0) -> socket.socket:
        """Return a connected stream socket; ``timeout`` in seconds, for the connection only."""

    def listen(self, port: int, backlog: int = 16) -> socket.socket:
        """Return a listening stream socket."""


class KernelTransport:
    """AF_VSOCK of the kernel: on an EC2 parent, and in a real enclave."""

    def connect(self, cid: int, port: int, timeout: float = 10.0) -> socket.socket:
        """Connect to ``(cid, port)``."""
        sock = _kernel_socket()
        with _closing_on_failure(sock, f"vsock {cid}:{port}"):
            sock.settimeout(timeout)
            sock.connect((cid, port))
            sock.settimeout(None)
        return sock

    def listen(self, port: int, backlog: int = 16) -> socket.socket:
        """Listen on ``port`` for any CID."""
        sock = _kernel_socket()
        with _closing_on_failure(sock, f"vsock port {port}"):
            sock.bind((socket.VMADDR_CID_ANY, port))
            sock.listen(backlog)
        return sock


class HostTransport:
    """The parent's side of sandboxed enclaves, in a folder with one subfolder a CID."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def connect(self, cid: int, port: int, timeout: float = 10.0) -> socket.socket:
        """Connect to ``port`` of the enclave ``cid``; refused while nothing listens there."""
        path = self._folder / str(cid) / "v.sock"
        return _dial(path, f"CONNECT {port}\n", timeout, f"vsock {cid}:{port}")

    def listen(self, port: int, backlog: int = 16) -> socket.socket:
        """Listen on ``port`` of the parent (CID 3) for every enclave of this instance."""
        folder = self._folder / str(PARENT_CID)
        folder.mkdir(mode=0o700, exist_ok=True)
        return _bind(folder / f"v.sock_{port}", backlog, f"vsock {PARENT_CID}:{port}")


class GuestTransport:
    """The enclave's side, in the sandbox."""

    def __init__(self, folder: Path = GUEST_FOLDER) -> None:
        self._folder = folder

    def connect(self, cid: int, port: int, timeout: float = 10.0) -> socket.socket:
        """Connect to ``(cid, port)``; the hypervisor carries CID 3 only."""
        line = f"CONNECT {cid} {port}\n"
        return _dial(self._folder / GATEWAY, line, timeout, f"vsock {cid}:{port}")

    def listen(self, port: int, backlog: int = 16) -> socket.socket:
        """Listen on ``port`` for the parent."""
        return _bind(self._folder / str(port), backlog, f"vsock port {port}")


def open_transport() -> Transport:
    """Return the transport of this process: by `SETTING`, by `GUEST_FOLDER`, else the kernel's.

    Raises `UsageError` for a setting that is neither.
    """
    setting = os.environ.get(SETTING, "")
    side, _, folder = setting.partition(":")
    if folder and side == "host":
        return HostTransport(Path(folder))
    if folder and side == "guest":
        return GuestTransport(Path(folder))
    if setting:
        expected = "host:FOLDER or guest:FOLDER"
        raise UsageError(setting, expected=expected, where=SETTING, next="unset it")
    if GUEST_FOLDER.is_dir():
        return GuestTransport()
    return KernelTransport()


def has_own_transport() -> bool:
    """Tell whether this process has vsock by itself: set, in an enclave, on an EC2 parent."""
    return bool(os.environ.get(SETTING)) or GUEST_FOLDER.is_dir() or PARENT_DEVICE.exists()


def read_line(sock: socket.socket, limit: int = LINE_LIMIT) -> bytes:
    """Return one line without its end, never reading past it; raises `VsockError`.

    Byte by byte: what follows the line belongs to whoever gets the socket.
    """
    line = bytearray()
    while len(line) < limit:
        byte = sock.recv(1)
        if not byte:
            raise VsockError(
                "closed before the line ended", expected="a line", where="vsock handshake"
            )
        if byte == b"\n":
            return bytes(line)
        line += byte
    raise VsockError(f"no line end in {limit} bytes", expected="a line", where="vsock handshake")


def _dial(path: Path, line: str, timeout: float, where: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with _closing_on_failure(sock, where):
        sock.settimeout(timeout)
        sock.connect(str(path))
        sock.sendall(line.encode())
        answer = read_line(sock)
        if not answer.startswith(b"OK"):
            raise VsockError(f"answered {answer!r:.40}", expected="OK", where=where)
        sock.settimeout(None)
    return sock


def _bind(path: Path, backlog: int, where: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with _closing_on_failure(sock, where):
        _remove_dead_socket(path, where)
        sock.bind(str(path))
        sock.listen(backlog)
    return sock


def _remove_dead_socket(path: Path, where: str) -> None:
    """Remove what a killed process left; a socket with a listener stays, and is an error."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
    raise VsockError(
        "the port is taken", expected="a free port", where=where, next="stop the other one"
    )


def _kernel_socket() -> socket.socket:
    try:
        return socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
    except OSError as error:
        raise VsockError(
            f"this kernel gives no AF_VSOCK socket ({error.strerror})",
            expected="a Nitro parent, an enclave, or a sandboxed one",
            where="vsock",
            next=f"on a machine without vsock, set {SETTING}=host:FOLDER",
        ) from error


@contextlib.contextmanager
def _closing_on_failure(sock: socket.socket, where: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        sock.close()
        raise VsockError(
            error.strerror or str(error) or type(error).__name__,
            expected="a listener at the other end",
            where=where,
            next="see that the other side runs and listens on this port",
        ) from error
    except VsockError as error:
        sock.close()
        raise VsockError(
            f"nobody took the connection ({error.found})",
            expected="a listener at the other end",
            where=where,
            next="see that the other side runs and listens on this port",
        ) from error
    except BaseException:
        sock.close()
        raise
