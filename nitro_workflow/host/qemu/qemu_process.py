"""The two processes of a machine, QEMU and the one that serves its devices, from outside."""

from __future__ import annotations

import array
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import HostError
from nitro_workflow.host.qemu.qemu_command import QemuDescriptors, QemuSpec, qemu_command
from nitro_workflow.host.sandbox.launcher import sandbox_user

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nitro_workflow.host.qemu.boot_image import BootFiles
    from nitro_workflow.host.qemu.qemu_program import QemuProgram
    from nitro_workflow.host.sandbox.enclave_process import Plan

__all__ = ["MachineEvent", "QemuProcess"]

EVENT_LIMIT: Final = 4096  # bytes
ERROR_LIMIT: Final = 16 * 1024  # bytes of standard error
END_SECONDS: Final = 5.0
MODULE: Final = "nitro_workflow.host.qemu.device_process"


@dataclass(frozen=True, slots=True)
class MachineEvent:
    """``started`` (pid, alone), ``heartbeat`` (a socket) or ``fault`` (text)."""

    event: str
    fields: Mapping[str, Any]
    descriptors: tuple[int, ...] = ()


class QemuProcess:
    """A started machine. ``output`` gets what its serial line says."""

    def __init__(
        self,
        program: QemuProgram,
        accelerator: str,
        plan: Plan,
        files: BootFiles,
        *,
        host_folder: int,
        monitor: int,
        module: int,
        output: int,
    ) -> None:
        self.pid = 0
        self._machine: int | None = None  # a descriptor of QEMU itself
        self._fault = ""
        self._lock = threading.Lock()
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        vsock, qemu_vsock = socket.socketpair()
        nsm, qemu_nsm = socket.socketpair()
        given = QemuDescriptors(
            files.kernel, files.ramdisk, qemu_vsock.fileno(), qemu_nsm.fileno(), monitor
        )
        spec = QemuSpec(
            files.command_line, plan.memory_mib, len(plan.cpus), accelerator,
            sandbox_user(plan.number),
        )  # fmt: skip
        for_qemu = [given.kernel, given.ramdisk, given.vsock, given.nsm, given.monitor]
        body = {
            "command": qemu_command(program, spec, given),
            "passed": for_qemu,
            "line": theirs.fileno(),
            "vsock": vsock.fileno(),
            "nsm": nsm.fileno(),
            "module": module,
            "folder": host_folder,
            "cid": plan.cid,
        }
        own = (theirs.fileno(), vsock.fileno(), nsm.fileno(), module, host_folder)
        with theirs, vsock, qemu_vsock, nsm, qemu_nsm:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-m", MODULE, json.dumps(body)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.PIPE,
                pass_fds=(*own, *for_qemu),
                cwd="/",
                start_new_session=True,
            )

    def event(self, name: str, deadline: float) -> MachineEvent:
        """Return the next event, which must be that one; raises `HostError` or TimeoutError."""
        if not select.select([self._line], [], [], max(deadline - time.monotonic(), 0))[0]:
            raise TimeoutError
        found = self._next()
        if found is None:
            raise HostError(
                self._fault or f"the machine ended ({self.last_line() or 'it said nothing'})",
                expected=name,
                where="QEMU",
            )
        if found.event == "started":
            self.pid = int(found.fields["pid"])
            with contextlib.suppress(ProcessLookupError):
                self._machine = os.pidfd_open(self.pid)
        if found.event != name:
            raise HostError(f"the event {found.event}", expected=name, where="QEMU")
        return found

    def end(self) -> None:
        """Have both end; `wait` returns once they have."""
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def wait(self) -> str:
        """Wait until both have ended; returns what the guest broke of the protocol, if anything."""
        with contextlib.suppress(OSError):
            while self._next() is not None:
                pass
        self._process.wait()
        with self._lock:
            if self._machine is not None:
                # It ends with its parent; if that ended by a signal, this makes sure.
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._machine, signal.SIGKILL)
                select.select([self._machine], [], [], END_SECONDS)
                os.close(self._machine)
                self._machine = None
            self._line.close()
        if not self._fault and self._process.returncode < 0:
            self._fault = f"its devices' process ended by signal {-self._process.returncode}"
        return self._fault

    def last_line(self) -> str:
        """Return the last line that both wrote on standard error; of a machine that has ended."""
        stream = self._process.stderr
        if stream is None or stream.closed:
            return ""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)
        os.set_blocking(stream.fileno(), False)
        said = (stream.read(ERROR_LIMIT) or b"").decode("utf-8", "replace").strip()
        return said.rpartition("\n")[2][:300]

    def _next(self) -> MachineEvent | None:
        """Return the next event; None at the end, or where the guest broke the protocol."""
        data, ancillary, _, _ = self._line.recvmsg(EVENT_LIMIT, socket.CMSG_SPACE(4))
        if not data:
            return None
        fields = json.loads(data)
        if fields["event"] == "fault":
            self._fault = str(fields["text"])
            return None
        found = array.array("i")
        for _, _, rights in ancillary:
            found.frombytes(rights)
        return MachineEvent(fields["event"], fields, tuple(found))
