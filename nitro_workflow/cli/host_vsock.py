"""`vsock connect|listen`: a terminal's, or a pipe's, two ends of a connection with an enclave."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from nitro_workflow.cli.lab_options import host_folder_option
from nitro_workflow.errors import HostError, VsockError

if TYPE_CHECKING:
    from nitro_workflow.vsock import Transport

__all__ = ["transport_of", "vsock"]

PIECE: Final = 256 * 1024  # bytes
LAST_PORT: Final = 0xFFFFFFFE


def transport_of(folder: Path | None) -> Transport:
    """Return vsock as this process has it, else as the instance of your own host has it.

    A setting, an enclave or the kernel of an EC2 parent come first, unless ``folder`` is given.
    Raises `HostError` where no instance runs.
    """
    from nitro_workflow.lab import OwnInstance
    from nitro_workflow.vsock import has_own_transport, open_transport

    if folder is None and has_own_transport():
        return open_transport()
    own = OwnInstance.find(folder)
    instance = own.running() if own else None
    if own is None or instance is None:
        raise HostError(
            "no instance runs here",
            expected="one with enclaves on it",
            where="vsock",
            next="`nitro-workflow host up` starts it, so does nitro-cli run-enclave",
        )
    return own.host.vsock(instance)


@click.group()
def vsock() -> None:
    """Talk to an enclave from a terminal or a script."""


@vsock.command()
@host_folder_option
@click.argument("cid", type=click.IntRange(3, LAST_PORT))
@click.argument("port", type=click.IntRange(0, LAST_PORT))
@click.option("--timeout", default=10.0, show_default=True, help="Seconds to wait for a listener.")
def connect(folder: Path | None, cid: int, port: int, timeout: float) -> None:
    """Connect to PORT of the enclave CID: standard input there, its answer to standard output.

    The end of the input closes that direction alone; the command ends with the enclave's answer.
    """
    with transport_of(folder).connect(cid, port, timeout) as sock:
        _carry(sock)


@vsock.command()
@host_folder_option
@click.argument("port", type=click.IntRange(0, LAST_PORT))
def listen(folder: Path | None, port: int) -> None:
    """Take one connection to PORT of the parent (CID 3), as `vsock connect` carries it."""
    with transport_of(folder).listen(port, 1) as listener:
        click.echo(f"listening on vsock 3:{port}", err=True)
        sock, _ = listener.accept()
    with sock:
        _carry(sock)


def _carry(sock: socket.socket) -> None:
    """Carry standard input there and what comes back to standard output, until that has ended."""
    threading.Thread(target=_send, args=(sock,), daemon=True).start()
    output = sys.stdout.buffer
    while data := _received(sock):
        output.write(data)
        output.flush()


def _received(sock: socket.socket) -> bytes:
    try:
        return sock.recv(PIECE)
    except OSError as error:
        raise VsockError(
            f"the connection was cut ({error.strerror})",
            expected="the enclave to end it",
            where="vsock",
            next="see the enclave's console",
        ) from error


def _send(sock: socket.socket) -> None:
    with contextlib.suppress(OSError, ValueError):  # the other side left: its last words count
        source = sys.stdin.fileno()
        while data := os.read(source, PIECE):
            sock.sendall(data)
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
