"""The vsock proxy of the parent: from a vsock port to one allowed remote. TLS ends in the enclave.

``python -m nitro_workflow.vsock.proxy [-4|-6] [-w N] [--config FILE] LOCAL_PORT REMOTE
REMOTE_PORT`` as AWS's ``vsock-proxy``. ``--trace FILE`` adds, for each connection and direction,
one line: bytes, digest, TLS record types and lengths, server name asked for. That is all that a
proxy can see. ``--pieces FILE`` keeps the newest of what it carried, as it passed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nitro_workflow.errors import InputError, NitroWorkflowError
from nitro_workflow.version import __version__
from nitro_workflow.vsock.accepting import accept_next, run_in_thread
from nitro_workflow.vsock.allowlist import Remote, check_allowed, parse_allowlist, resolve
from nitro_workflow.vsock.burst_observer import BurstObserver, watch_bursts
from nitro_workflow.vsock.kept_pieces import PieceKeeper
from nitro_workflow.vsock.relay import relay_sockets
from nitro_workflow.vsock.trace_lines import TraceWriter
from nitro_workflow.vsock.transport import open_transport

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nitro_workflow.vsock.transport import Transport

__all__ = ["Proxy", "main", "run_proxy", "user_config"]

CONFIG: Final = Path("/etc/nitro_enclaves/vsock-proxy.yaml")
"""AWS's default; where there is none, `user_config`. [src: vsock_proxy src/main.rs]"""

VERSION: Final = f"Vsock-TCP proxy 1.0.2+nitro-workflow.{__version__}"

DEFAULT_WORKERS: Final = 4
"""Connections at a time. [src: vsock_proxy src/main.rs]"""

CONNECT_SECONDS: Final = 10.0

CLOSE_SECONDS: Final = 2.0  # for what was cut to be noted; milliseconds in fact

_ENDING: Final = (signal.SIGINT, signal.SIGTERM)


class Proxy:
    """One listener, one remote; at most ``workers`` connections at a time, the others wait."""

    def __init__(
        self,
        listener: socket.socket,
        remote: Remote,
        *,
        workers: int = DEFAULT_WORKERS,
        family: int = socket.AF_UNSPEC,
        trace: TraceWriter | None = None,
        pieces: PieceKeeper | None = None,
    ) -> None:
        self._listener = listener
        self._remote = remote
        self._family = family
        self._trace = trace
        self._pieces = pieces
        self._workers = workers
        self._free = threading.BoundedSemaphore(workers)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def serve_forever(self) -> None:
        """Accept until the listener is closed; where descriptors have run out, rest and go on."""
        while True:
            self._free.acquire()
            client = accept_next(self._listener)
            if client is None:
                return
            if not run_in_thread(self._carry, client):
                client.close()
                self._free.release()

    def close(self) -> None:
        """Accept no more and cut what is open, so that its last burst is noted."""
        self._listener.close()
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + CLOSE_SECONDS
        for _ in range(self._workers):
            self._free.acquire(timeout=max(deadline - time.monotonic(), 0))

    def _carry(self, client: socket.socket) -> None:
        try:
            server = self._connected()
            if server is None:
                client.close()
                return
            with self._lock:
                self._open |= {client, server}
            try:
                self._observe(client, server)
            finally:
                with self._lock:
                    self._open -= {client, server}
        finally:
            self._free.release()

    def _connected(self) -> socket.socket | None:
        """Return the connection to the remote; None, and a line on standard error, for none."""
        try:
            address = resolve(self._remote.address, self._family)
            server = socket.create_connection((address, self._remote.port), CONNECT_SECONDS)
        except (OSError, NitroWorkflowError) as error:
            where = f"{self._remote.address}:{self._remote.port}"
            print(f"{where}: {error}", file=sys.stderr, flush=True)
            return None
        server.settimeout(None)
        return server

    def _observe(self, client: socket.socket, server: socket.socket) -> None:
        """Relay; note each burst once its direction is quiet, and the rest at the end.

        Where nobody wants to know, nothing is looked at: the kernel moves the bytes.
        """
        if self._trace is None and self._pieces is None:
            relay_sockets(client, server)
            return
        outward = BurstObserver("D3", "enclave", "kms", self._trace, self._pieces)
        inward = BurstObserver("D6", "kms", "enclave", self._trace, self._pieces)
        ended = threading.Event()
        watch = run_in_thread(watch_bursts, ended, outward, inward)
        if watch is None:  # both ends notice
            client.close()
            server.close()
            return
        relay_sockets(client, server, from_left=outward.feed, from_right=inward.feed)
        ended.set()
        watch.join()
        for direction in (outward, inward):
            direction.note(outward.server_name, ended=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the proxy where this process has vsock by itself; return its exit status."""
    return run_proxy(arguments, open_transport)


def run_proxy(arguments: Sequence[str] | None, transport: Callable[[], Transport]) -> int:
    """Run the proxy on a port of ``transport()``; return its exit status."""
    options = _parser().parse_args(arguments)
    family = {4: socket.AF_INET, 6: socket.AF_INET6}.get(options.family, socket.AF_UNSPEC)
    remote = Remote(options.remote_addr, options.remote_port)
    try:
        check_allowed(remote, parse_allowlist(_configuration(options.config)), family)
        listener = transport().listen(options.local_port)
    except NitroWorkflowError as error:
        print(error.diagnostics(), file=sys.stderr)
        return error.exit_code
    trace = TraceWriter(options.trace) if options.trace else None
    pieces = PieceKeeper(options.pieces) if options.pieces else None
    proxy = Proxy(
        listener, remote, workers=options.num_workers, family=family, trace=trace, pieces=pieces
    )
    print(
        f"vsock port {options.local_port} -> {remote.address}:{remote.port}",
        file=sys.stderr,
        flush=True,
    )
    try:
        # Also where SIGINT was ignored by whoever started this, as a shell does in the background.
        for number in _ENDING:
            signal.signal(number, lambda *_: sys.exit(0))
        proxy.serve_forever()
    except SystemExit:
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)
    proxy.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("vsock-proxy", description="Vsock to one allowed TCP remote.")
    version = parser.add_mutually_exclusive_group()
    version.add_argument("-4", "--ipv4", dest="family", action="store_const", const=4)
    version.add_argument("-6", "--ipv6", dest="family", action="store_const", const=6)
    parser.add_argument("-w", "--num_workers", type=_port, default=DEFAULT_WORKERS, metavar="N")
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"[default: {CONFIG}]")
    parser.add_argument("--trace", type=Path, metavar="FILE")
    parser.add_argument("--pieces", type=Path, metavar="FILE")
    parser.add_argument("-V", "--version", action="version", version=VERSION)
    parser.add_argument("local_port", type=_vsock_port)
    parser.add_argument("remote_addr")
    parser.add_argument("remote_port", type=_port)
    return parser


def _port(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and 65535")
    return value


def _vsock_port(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**32 - 1:  # VMADDR_PORT_ANY is none
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and {2**32 - 2}")
    return value


def user_config() -> Path:
    """Return where a user without root keeps the allowlist: ``$XDG_CONFIG_HOME/nitro-workflow``."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "nitro-workflow" / "vsock-proxy.yaml"


def _configuration(named: Path | None) -> str:
    """Return the text of the configuration; nothing is allowed without one."""
    own = user_config()
    path = named or (own if own.exists() and not CONFIG.exists() else CONFIG)
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} cannot be read ({type(error).__name__})",
            expected="vsock-proxy's configuration file",
            where="--config",
            next=f"give the file with the allowlist, or write {own}",
        ) from error


if __name__ == "__main__":
    sys.exit(main())
