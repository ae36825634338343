"""A program on the parent, unmodified: AF_VSOCK is there, as on EC2, whatever it is written in."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Final

from nitro_workflow.errors import SandboxUnavailable
from nitro_workflow.host.sandbox.parent_devices import furnish_vsock_device
from nitro_workflow.host.supervisor.descriptor_lines import receive_descriptors, send_descriptors
from nitro_workflow.host.supervisor.event_loop import EventLoop
from nitro_workflow.host.supervisor.fabric import ParentFabric
from nitro_workflow.host.supervisor.filter_code import parent_filter
from nitro_workflow.host.supervisor.notification import install_listener
from nitro_workflow.host.supervisor.supervise import Supervisor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["run_program"]

NOT_FOUND: Final = 127
NOT_STARTED: Final = 126
"""Statuses of a shell for what it cannot run."""


def run_program(argv: Sequence[str], folder: Path) -> int:
    """Run ``argv`` as CID 3 of the instance whose vsock folder is given; return its exit status.

    128 and the number for one that a signal has ended. Descriptors 0 to 2, the environment and the
    working folder are the caller's; set-uid programs are without effect. Raises `UsageError` for a
    folder that is not there, `SandboxUnavailable` where the kernel gives no supervisor.
    """
    fabric = ParentFabric(folder)
    program = parent_filter()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        ours.close()
        _become(list(argv), program, theirs)
    theirs.close()
    said, passed = receive_descriptors(ours)
    if not passed:
        os.waitpid(child, 0)
        raise SandboxUnavailable(
            f"a program cannot be supervised here ({said.decode() or 'it ended'})",
            expected="Linux 5.14 and seccomp with user notifications",
            where="parent",
            next="take a kernel of 5.14 or later; in a container, allow seccomp and pidfd_getfd",
        )
    handlers = {it: signal.signal(it, signal.SIG_IGN) for it in (signal.SIGINT, signal.SIGQUIT)}
    handlers[signal.SIGTERM] = signal.signal(
        signal.SIGTERM, lambda number, _: os.kill(child, number)
    )
    try:
        Supervisor(passed[0], fabric, EventLoop()).run()
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.close(passed[0])
        ours.close()
    return status if status >= 0 else 128 - status


def _become(argv: list[str], program: bytes, line: socket.socket) -> None:
    """Be the program; never returns."""
    try:
        with contextlib.suppress(OSError):
            furnish_vsock_device()
        try:
            listener = install_listener(program)
        except OSError as error:
            line.send(str(error).encode()[:60])
            os._exit(NOT_STARTED)
        send_descriptors(line, b"L", [listener])
        os.close(listener)
        line.close()
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.execvp(argv[0], argv)  # noqa: S606 - it is the point
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
        os._exit(NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_STARTED)
    finally:
        os._exit(NOT_STARTED)
