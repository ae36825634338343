"""The vsock proxy of the parent: from a vsock port to one allowed remote. TLS ends in the enclave.

``python -m nitro_workflow.vsock.proxy [-4|-6] [-w N] [--config FILE] LOCAL_PORT REMOTE
REMOTE_PORT`` as AWS's ``vsock-proxy``. ``--trace FILE`` adds, for each connection and direction,
one line: bytes, digest, TLS record types and lengths, server name asked for. That is all that a
proxy can see.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nitro_workflow.errors import InputError, NitroWorkflowError
from nitro_workflow.vsock.accepting import accept_next, run_in_thread
from nitro_workflow.vsock.allowlist import Remote, check_allowed, parse_allowlist, resolve
from nitro_workflow.vsock.relay import relay_sockets
from nitro_workflow.vsock.tls_records import RecordObserver
from nitro_workflow.vsock.trace_lines import TraceWriter
from nitro_workflow.vsock.transport import open_transport

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Proxy", "main"]

DEFAULT_CONFIG: Final = Path("/etc/nitro_enclaves/vsock-proxy.yaml")
DEFAULT_WORKERS: Final = 4
"""Connections at a time. [src: vsock_proxy src/main.rs]"""

CONNECT_SECONDS: Final = 10.0

CLOSE_SECONDS: Final = 2.0  # for what was cut to be noted; milliseconds in fact

QUIET_SECONDS: Final = 0.05
"""A direction that rests so long has ended a burst: one line of trace for each."""


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
    ) -> None:
        self._listener = listener
        self._remote = remote
        self._family = family
        self._trace = trace
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
        """Relay; note each burst once its direction is quiet, and the rest at the end."""
        outward = _Direction("D3", "enclave", "kms", self._trace)
        inward = _Direction("D6", "kms", "enclave", self._trace)
        ended = threading.Event()
        watch = threading.Thread(target=_watch, args=(ended, outward, inward), daemon=True)
        watch.start()
        relay_sockets(client, server, from_left=outward.feed, from_right=inward.feed)
        ended.set()
        watch.join()
        for direction in (outward, inward):
            direction.note(outward.server_name, ended=True)


class _Direction:
    """One direction of one connection, noted burst by burst: it may stay open for long."""

    def __init__(self, step: str, source: str, target: str, trace: TraceWriter | None) -> None:
        self._names = {"step": step, "source": source, "target": target}
        self._trace = trace
        self._lock = threading.Lock()
        self._all = RecordObserver()
        self._burst = hashlib.sha256()
        self._size = 0
        self._counted: dict[str, int] = {}
        self._last = 0.0

    @property
    def server_name(self) -> str | None:
        """The name that the client asked for, as far as it has come by."""
        return self._all.server_name

    @property
    def quiet(self) -> bool:
        """Whether something has passed, and then nothing for `QUIET_SECONDS`."""
        return self._size > 0 and time.monotonic() - self._last > QUIET_SECONDS

    def feed(self, data: bytes) -> None:
        """Take the next piece."""
        with self._lock:
            self._all.feed(data)
            self._burst.update(data)
            self._size += len(data)
            self._last = time.monotonic()

    def note(self, name: str | None, *, ended: bool = False) -> None:
        """Write one line about what has passed since the last one.

        Until the direction has ``ended``, the last record may still be on its way.
        """
        with self._lock:
            if self._trace is None or not self._size:
                return
            seen, before = dict(self._all.records), self._counted
            records = {kind: seen[kind] - before.get(kind, 0) for kind in sorted(seen)}
            whole = self._all.only_tls if ended else self._all.not_tls_at is None
            with contextlib.suppress(OSError):  # a full disk must not cut the enclave off
                self._trace.append(
                    **self._names,
                    what="TLS records through the vsock proxy",
                    size=self._size,
                    sha256=self._burst.hexdigest(),
                    visible_to=["enclave", "kms"],
                    carried_by=["proxy"],
                    records={kind: count for kind, count in records.items() if count},
                    lengths=self._all.take_lengths(),
                    only_tls=whole,
                    not_tls_at=self._all.not_tls_at,
                    server_name=name,
                )
            self._burst, self._size, self._counted = hashlib.sha256(), 0, seen


def _watch(ended: threading.Event, outward: _Direction, inward: _Direction) -> None:
    while not ended.wait(QUIET_SECONDS / 2):
        for direction in (outward, inward):
            if direction.quiet:
                direction.note(outward.server_name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the proxy; return its exit status."""
    options = _parser().parse_args(arguments)
    family = {4: socket.AF_INET, 6: socket.AF_INET6}.get(options.family, socket.AF_UNSPEC)
    remote = Remote(options.remote_addr, options.remote_port)
    try:
        check_allowed(remote, parse_allowlist(_read(options.config)), family)
        listener = open_transport().listen(options.local_port)
    except NitroWorkflowError as error:
        print(error.diagnostics(), file=sys.stderr)
        return error.exit_code
    trace = TraceWriter(options.trace) if options.trace else None
    proxy = Proxy(listener, remote, workers=options.num_workers, family=family, trace=trace)
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
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE")
    parser.add_argument("--trace", type=Path, metavar="FILE")
    parser.add_argument("local_port", type=int)
    parser.add_argument("remote_addr")
    parser.add_argument("remote_port", type=_port)
    return parser


def _port(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and 65535")
    return value


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot be read ({type(error).__name__})",
            expected="vsock-proxy's configuration file",
            where="--config",
            next="give the file with the allowlist",
        ) from error


if __name__ == "__main__":
    sys.exit(main())
