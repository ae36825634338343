"""The vsock proxy of the parent: from a vsock port to one allowed remote. TLS ends in the enclave.

``python -m nitro_workflow.vsock.proxy [-4|-6] [-w N] [--config FILE] LOCAL_PORT REMOTE
REMOTE_PORT`` as AWS's ``vsock-proxy``. ``--trace FILE`` adds, for each connection and direction,
one line: bytes, digest, TLS record types, server name asked for. That is all that a proxy can
see.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nitro_workflow.errors import InputError, NitroWorkflowError
from nitro_workflow.vsock.allowlist import Remote, check_allowed, parse_allowlist, resolve
from nitro_workflow.vsock.relay import relay
from nitro_workflow.vsock.tls import RecordObserver
from nitro_workflow.vsock.trace import TraceWriter
from nitro_workflow.vsock.transport import open_transport

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Proxy", "main"]

DEFAULT_CONFIG: Final = Path("/etc/nitro_enclaves/vsock-proxy.yaml")
DEFAULT_WORKERS: Final = 4
"""Connections at a time. [src: vsock_proxy src/main.rs]"""

CONNECT_SECONDS: Final = 10.0


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
        self._free = threading.BoundedSemaphore(workers)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="proxy")

    def serve_forever(self) -> None:
        """Accept until the listener is closed."""
        while True:
            self._free.acquire()
            try:
                client, _ = self._listener.accept()
            except OSError:
                self._pool.shutdown(wait=False, cancel_futures=True)
                return
            self._pool.submit(self._carry, client)

    def _carry(self, client: socket.socket) -> None:
        try:
            address = resolve(self._remote.address, self._family)
            server = socket.create_connection((address, self._remote.port), CONNECT_SECONDS)
        except (OSError, NitroWorkflowError) as error:
            client.close()
            print(
                f"{self._remote.address}:{self._remote.port}: {error}", file=sys.stderr, flush=True
            )
        else:
            server.settimeout(None)
            outward, inward = RecordObserver(), RecordObserver()
            relay(client, server, from_left=outward.feed, from_right=inward.feed)
            self._note(outward, inward)
        finally:
            self._free.release()

    def _note(self, outward: RecordObserver, inward: RecordObserver) -> None:
        if self._trace is None:
            return
        name = outward.server_name
        for step, source, target, seen in (
            ("D3", "enclave", "kms", outward),
            ("D6", "kms", "enclave", inward),
        ):
            with contextlib.suppress(OSError):  # a full disk must not cut the enclave off
                self._trace.append(
                    step=step,
                    source=source,
                    target=target,
                    what="TLS records through the vsock proxy",
                    size=seen.size,
                    sha256=seen.sha256,
                    visible_to=["proxy"],
                    records=dict(sorted(seen.records.items())),
                    only_tls=seen.only_tls,
                    not_tls_at=seen.not_tls_at,
                    server_name=name,
                )


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
    with contextlib.suppress(KeyboardInterrupt):
        proxy.serve_forever()
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
