"""The process beside one QEMU: starts it, serves its devices, ends with it.

``python -I -m nitro_workflow.host.qemu.device_process SPEC``; SPEC is JSON. It holds the guest's
memory, and no key: a guest that breaks the protocol ends this process and its own machine, nothing
else. It tells the hypervisor by datagrams on one socket; when that closes, both end.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import HostError
from nitro_workflow.host.qemu.device_loop import DeviceLoop
from nitro_workflow.host.qemu.nsm_backend import NsmBackend
from nitro_workflow.host.qemu.vsock_backend import VsockBackend
from nitro_workflow.host.sandbox import linux
from nitro_workflow.host.sandbox.parent_side import ParentSide

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["main"]

TICK: Final = 1.0  # seconds
KILL_SECONDS: Final = 5.0

NAMESPACES: Final = linux.CLONE_NEWNET | linux.CLONE_NEWIPC


class _Line:
    """The line to the hypervisor."""

    def __init__(self, descriptor: int) -> None:
        self.sock = socket.socket(fileno=descriptor)
        self.open = True

    def tell(self, event: str, *descriptors: int, **fields: Any) -> None:
        data = json.dumps({"event": event, **fields}).encode()
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        with contextlib.suppress(OSError):
            self.sock.sendmsg([data], rights if descriptors else [])

    def heard(self) -> None:
        """Nothing is ever said this way: it has been closed."""
        self.open = False


def main(spec: Mapping[str, Any]) -> int:
    """Run the machine; return QEMU's exit status, 1 for a guest that broke the protocol."""
    line = _Line(spec["line"])
    alone = _leave_network()
    loop = DeviceLoop()
    vsock, nsm, module = (socket.socket(fileno=spec[name]) for name in ("vsock", "nsm", "module"))
    parent = ParentSide(spec["folder"], spec["cid"])
    try:
        devices = (
            VsockBackend(
                vsock, loop, cid=spec["cid"], parent=parent,
                heartbeat=lambda sock: _hand_over(line, sock),
            ),
            NsmBackend(nsm, loop, module),
        )  # fmt: skip
        qemu = _start(spec["command"], spec["passed"])
        loop.watch(line.sock.fileno(), line.heard)
        line.tell("started", pid=qemu.pid, alone=alone)
        try:
            return _serve(qemu, loop, devices, line)
        finally:
            qemu.kill()
            qemu.wait()
    finally:
        parent.close()


def _serve(
    qemu: subprocess.Popen[bytes],
    loop: DeviceLoop,
    devices: tuple[VsockBackend, NsmBackend],
    line: _Line,
) -> int:
    ended = os.pidfd_open(qemu.pid)
    loop.watch(ended, lambda: None)
    vsock, nsm = devices
    next_tick = time.monotonic() + TICK
    try:
        while line.open and qemu.poll() is None and not (vsock.closed or nsm.closed):
            loop.turn(0 if vsock.busy else TICK)
            if vsock.busy:
                vsock.serve()
            if time.monotonic() > next_tick:
                vsock.tick()
                next_tick = time.monotonic() + TICK
    except HostError as error:
        line.tell("fault", text=str(error)[:500])
        return 1
    if line.open:
        with contextlib.suppress(subprocess.TimeoutExpired):
            qemu.wait(KILL_SECONDS)  # its devices are closed a moment before it has ended
    return qemu.poll() or 0


def _hand_over(line: _Line, sock: socket.socket) -> None:
    line.tell("heartbeat", sock.fileno())
    sock.close()


def _leave_network() -> bool:
    """Leave this machine's network, where that is allowed; the sockets of a folder stay."""
    flags = NAMESPACES if os.geteuid() == 0 else NAMESPACES | linux.CLONE_NEWUSER
    uid, gid = os.geteuid(), os.getegid()
    try:
        linux.unshare(flags)
        if flags & linux.CLONE_NEWUSER:
            for name, text in (
                ("setgroups", "deny"),
                ("uid_map", f"{uid} {uid} 1"),
                ("gid_map", f"{gid} {gid} 1"),
            ):
                with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123 - no path of a file
                    file.write(text)
    except OSError:
        return False
    return True


def _start(command: Sequence[str], passed: Sequence[int]) -> subprocess.Popen[bytes]:
    """Start QEMU with the descriptors that are its own; they are closed here."""
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            pass_fds=passed,
            env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
            cwd="/",
        )
    finally:
        for descriptor in passed:
            os.close(descriptor)


if __name__ == "__main__":
    os._exit(main(json.loads(sys.argv[1])))
