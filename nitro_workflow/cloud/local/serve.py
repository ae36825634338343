"""The process: ``python -m nitro_workflow.cloud.local.serve --lab FOLDER``.

It says that it is ready by writing ``endpoint.json``; it stops gracefully on SIGTERM and SIGINT:
requests under way are answered, records are written.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nitro_workflow.atomic import write_atomic
from nitro_workflow.cloud.local import budgets
from nitro_workflow.cloud.local.assemble import CREDENTIALS, open_services
from nitro_workflow.cloud.local.call import MAX_AGE_S, Settings
from nitro_workflow.cloud.local.dispatch import Dispatcher
from nitro_workflow.cloud.local.handler import Services
from nitro_workflow.cloud.local.http import (
    TlsFiles,
    ensure_tls,
    log_warnings,
    make_access_log,
    make_app,
)
from nitro_workflow.cloud.local.process_memory import keep_memory_private, limit_heaps
from nitro_workflow.cloud.local.seed import read_keys
from nitro_workflow.errors import CertificateError, CloudUnavailable, UsageError

if TYPE_CHECKING:
    from uvicorn import Server

__all__ = ["ServeOptions", "main", "serve"]

_BACKLOG = 1024
_HTTP = "nitro_workflow.cloud.local.http"  # where uvicorn looks for our loop and our connection
# Seconds that a thread of the pool may keep the interpreter while the event loop waits for it.
# Python's 5 ms make a convoy: with eight clients half the answers a second (benchmarks/kms.py).
_SWITCH_S = 0.0005


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """How the cloud is served.

    `port` 0 takes a free one; `tls` None takes the cloud's own; `credentials` is a file of keys to
    seed a new cloud with; `name` is the host name clients use where it is not the address; `say` is
    told the endpoint when it answers.
    """

    settings: Settings
    host: str = "127.0.0.1"
    port: int = 0
    tls: TlsFiles | None = None
    credentials: Path | None = None
    access_log: bool = False
    name: str = ""
    say: Callable[[str], None] | None = None


def serve(options: ServeOptions) -> None:
    """Serve until told to stop.

    Raises `CloudUnavailable`: the port is taken, or another process serves this folder. Raises
    `UsageError`: seeded credentials on an address that others can reach.
    """
    settings = options.settings
    settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _refuse_open_doors(options)
    keys = read_keys(options.credentials) if options.credentials else None
    with _claim(settings.folder):
        (settings.folder / "endpoint.json").unlink(missing_ok=True)
        tls = options.tls or ensure_tls(settings.folder, settings.region)
        with _listen(options.host, options.port) as listener:
            services = open_services(settings, keys)
            try:
                _run(options, services, tls, listener)
            finally:
                (settings.folder / "endpoint.json").unlink(missing_ok=True)
                services.events.close()
                services.store.close()


def _refuse_open_doors(options: ServeOptions) -> None:
    """On an address that others can reach: no keys but those given, no certificate but theirs."""
    if _is_loopback(options.host):
        return
    folder = options.settings.folder
    drawn = (folder / CREDENTIALS).exists()
    made = (folder / "state.sqlite3").exists()
    if drawn or not (made or options.credentials):
        raise UsageError(
            f"{options.host}, which other machines can reach, and keys that were drawn by default",
            expected="a cloud seeded with --credentials FILE",
            where="--bind",
            next="nitro-workflow cloud new-credentials FILE, then serve a new folder with it",
        )
    if options.tls is None:
        raise UsageError(
            f"{options.host}, which other machines can reach, and the lab's own certificate",
            expected="--tls-certificate, --tls-key and --tls-ca of a name that clients can check",
            where="--bind",
            next="give the three files, or bind to 127.0.0.1",
        )


def tls_files(certificate: Path | None, key: Path | None, ca: Path | None) -> TlsFiles | None:
    """Return the files given, checked to belong together; None where none is given.

    Raises `UsageError`: one without the others. Raises `CertificateError`: not a certificate and
    its key.
    """
    if certificate is None and key is None and ca is None:
        return None
    if certificate is None or key is None or ca is None:
        raise UsageError(
            "one of the three TLS files without the others",
            expected="--tls-certificate, --tls-key and --tls-ca",
            where="--tls-…",
            next="give all three, or none for the cloud's own",
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(ca)
    except (ssl.SSLError, OSError) as error:
        raise CertificateError(
            f"TLS files that do not load ({error})",
            expected="a PEM chain, its private key, and a PEM CA",
            where="--tls-…",
            next="check them with `openssl x509 -in FILE -text`",
        ) from None
    return TlsFiles(ca.resolve(), certificate, key)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _claim:  # noqa: N801 - used as a with-statement, not as a type
    """Hold the folder's lock: one process, one cloud."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"

    def __enter__(self) -> None:
        import fcntl

        self._file = self._path.open("a")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise CloudUnavailable(
                "another process that serves this folder",
                expected="one process for one cloud",
                where=self._path.parent.name,
                next="endpoint.json in that folder says where it listens",
            ) from None

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Inherited by every connection: what we have not taken yet, what a client leaves unread.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, budgets.RECEIVE_BUFFER_BYTES)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, budgets.SEND_BUFFER_BYTES)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise CloudUnavailable(
            f"{host}:{port} can not be bound ({error.strerror})",
            expected="a free port",
            where="--port",
            next="choose another port, or 0 for a free one",
        ) from None
    listener.listen(_BACKLOG)
    return listener


def _run(options: ServeOptions, services: Services, tls: TlsFiles, listener: socket.socket) -> None:
    import uvicorn

    keep_memory_private()
    limit_heaps()
    log_warnings()
    sys.setswitchinterval(_SWITCH_S)

    async def ready() -> None:
        address = _address(options, listener)
        write_endpoint(options.settings.folder, address, tls.ca)
        if options.say is not None:
            options.say(address)

    app = make_app(Dispatcher(services), log=make_access_log(options.access_log), on_start=ready)
    config = uvicorn.Config(
        app,
        loop=f"{_HTTP}.patient_loop:PatientLoop",
        http=f"{_HTTP}.record_reader:RecordReader",
        lifespan="on",
        ws="none",
        ssl_certfile=tls.certificate,
        ssl_keyfile=tls.key,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=budgets.GRACE_SECONDS,
        backlog=_BACKLOG,
    )
    _serve_on(uvicorn.Server(config), listener)


def _serve_on(server: Server, listener: socket.socket) -> None:
    # Uvicorn ends gracefully and then raises the signal again: being told to stop is no failure.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    server.run(sockets=[listener])


def _stop(_number: int, _frame: object) -> None:
    raise SystemExit(0)


def _address(options: ServeOptions, listener: socket.socket) -> str:
    host, port = options.name or options.host, listener.getsockname()[1]
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def write_endpoint(folder: Path, endpoint: str, ca: Path) -> None:
    """Say, in one step, that the cloud answers: where, under which CA, as which process."""
    # A copy of the folder brings this file along: it must not lead to this cloud.
    inode = folder.stat().st_ino
    document = {"endpoint": endpoint, "ca": str(ca), "pid": os.getpid(), "inode": inode}
    text = json.dumps(document).encode()
    write_atomic(folder / "endpoint.json", text, failure=CloudUnavailable)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="nitro_workflow.cloud.local.serve")
    parser.add_argument("--lab", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--bind", default="127.0.0.1")
    parser.add_argument("--json-log", action="store_true")
    parser.add_argument("--attestation-max-age", type=int, default=MAX_AGE_S, metavar="SECONDS")
    values = parser.parse_args(arguments)
    settings = Settings(values.lab.resolve(), attestation_max_age_s=values.attestation_max_age)
    serve(ServeOptions(settings, values.bind, values.port, access_log=values.json_log))


if __name__ == "__main__":
    main()
