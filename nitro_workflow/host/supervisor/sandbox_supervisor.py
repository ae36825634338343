"""The supervisor of one sandbox, as a process of its own: forked by the bootstrap, outside of it.

It lives in a network namespace where nothing else is: a vsock socket that a program holds is a Unix
socket of that namespace, and leads nowhere but where it was connected to.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.host.supervisor.descriptor_lines import receive_descriptors
from nitro_workflow.host.supervisor.enclave_gate import EnclaveGate, Heartbeat
from nitro_workflow.host.supervisor.event_loop import EventLoop
from nitro_workflow.host.supervisor.fabric import EnclaveFabric, ParentFabric
from nitro_workflow.host.supervisor.nsm_calls import NsmCalls
from nitro_workflow.host.supervisor.supervise import Supervisor
from nitro_workflow.vsock import PARENT_CID

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BOUND", "ENDED", "OPEN", "supervise_sandbox"]

OPEN: Final = b"open"
"""From the hypervisor: the image was measured; with the enclave's ``v.sock`` and the folder."""

BOUND: Final = b"bound"
"""To the hypervisor: the enclave has bound its first port."""

ENDED: Final = b"ended"
"""To the hypervisor: no program is left. A line that closes without it tells of a failure."""

DESCRIPTORS: Final = 4096
MEMORY: Final = 256 << 20
"""Limits of the process itself."""


def supervise_sandbox(line: socket.socket, spec: Mapping[str, Any]) -> None:
    """Be the supervisor: return when the sandbox is gone.

    ``spec`` is ``{"cid", "control", "nsm", "folder"}``: descriptors to the hypervisor and to the
    module for an enclave, the path of its vsock folder for a parent.
    """
    control = _confine(line, spec)
    _, passed = receive_descriptors(line)
    line.close()
    if not passed:
        return
    try:
        _run(passed[0], control, spec)
        control.send(ENDED)
    except Exception as error:  # noqa: BLE001 - the hypervisor says it, and ends the sandbox
        with contextlib.suppress(OSError):
            control.send(f"{type(error).__name__}: {error}".encode()[:500])


def _run(listener: int, control: socket.socket, spec: Mapping[str, Any]) -> None:
    loop = EventLoop()
    if spec["cid"] == PARENT_CID:
        Supervisor(listener, ParentFabric(Path(spec["folder"])), loop).run()
        return
    fabric, heartbeat = EnclaveFabric(spec["cid"]), Heartbeat(loop)
    module = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, spec["nsm"])
    supervisor = Supervisor(listener, fabric, loop, nsm=NsmCalls(module, loop))

    def hear() -> None:
        said, passed = receive_descriptors(control)
        if said != OPEN or len(passed) != 2:
            loop.unwatch(control.fileno())
            return
        gate = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, passed[0])
        supervisor.gate = EnclaveGate(gate, fabric.cid, loop)
        fabric.folder = passed[1]
        heartbeat.approve()

    def tell_bound() -> None:
        supervisor.on_bound = lambda: None
        with contextlib.suppress(OSError):
            control.send(BOUND)

    supervisor.on_bound = tell_bound
    loop.watch(control.fileno(), hear)
    supervisor.run()


def _confine(line: socket.socket, spec: Mapping[str, Any]) -> socket.socket:
    """Keep what is needed and no more; return the line to the hypervisor."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):  # the console would not end before this process does
        os.dup2(null, number)
    kept = sorted({line.fileno(), spec["control"], *([] if spec["nsm"] is None else [spec["nsm"]])})
    low = 3
    for descriptor in kept:
        os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, os.sysconf("SC_OPEN_MAX"))
    for kind, value in (
        (resource.RLIMIT_NOFILE, DESCRIPTORS),
        (resource.RLIMIT_DATA, MEMORY),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)  # noqa: PLW2901
        resource.setrlimit(kind, (value, hard))
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, spec["control"])
