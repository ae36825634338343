"""One enclave in a machine of QEMU's, from launch to end."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

from nitro_workflow.errors import HostError
from nitro_workflow.host.qemu.boot_image import boot_files
from nitro_workflow.host.qemu.qemu_monitor import QemuMonitor
from nitro_workflow.host.qemu.qemu_process import QemuProcess
from nitro_workflow.host.rules.ecodes import ended_at_once, failure
from nitro_workflow.host.sandbox.enclave_console import Console
from nitro_workflow.host.sandbox.launch_measurement import awaited_measurement
from nitro_workflow.host.sandbox.module_line import serve_module
from nitro_workflow.host.supervisor.heartbeat import HEARTBEAT
from nitro_workflow.nsm import NsmModule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from nitro_workflow.host.qemu.kvm_trial import Acceleration
    from nitro_workflow.host.qemu.qemu_program import QemuProgram
    from nitro_workflow.host.sandbox.enclave_process import Plan
    from nitro_workflow.host.sandbox.launch_measurement import MeasuredImage

__all__ = ["QemuEnclave"]

BOOT_SECONDS: Final = 180.0
"""For the heartbeat, as nitro-cli waits below 6 GiB."""

SETTLE_SECONDS: Final = 1.0
"""How long a program may end and be told of in run-enclave's answer, unless it is seen at work."""

END_SECONDS: Final = 10.0

# What init or the kernel says last where the command did not end well.
_FAILED: Final = ("child exited with error", "child exited by signal", "Kernel panic")


class QemuEnclave:
    """An enclave. `launch` returns once it has booted; ``on_end`` is called when it is gone."""

    def __init__(
        self,
        plan: Plan,
        program: QemuProgram,
        accelerated: Acceleration,
        on_end: Callable[[QemuEnclave], None],
    ) -> None:
        self.plan = plan
        self.state = "EMPTY"
        self.exit_status: int | None = None
        self.ended = threading.Event()
        self.measured: MeasuredImage | None = None
        self._program, self._accelerated, self._on_end = program, accelerated, on_end
        self._settled = threading.Event()  # it has asked its module, or has ended
        self._process: QemuProcess | None = None
        self._monitor: QemuMonitor | None = None
        self._module, self._asked = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        read_end, self._output = os.pipe()
        try:
            self.console = Console(read_end, keep=plan.debug)
        except BaseException:  # no thread is left
            for descriptor in (read_end, self._output):
                os.close(descriptor)
            self._module.close()
            self._asked.close()
            raise

    @property
    def pid(self) -> int:
        """The machine, as this machine sees it; 0 before it is started."""
        return self._process.pid if self._process else 0

    def launch(
        self,
        measuring: Future[MeasuredImage],
        registers: Callable[[MeasuredImage], Mapping[int, bytes]],
        issue: Callable[..., bytes],
        host_folder: int,
    ) -> None:
        """Boot the image once it is measured; raises `HostError`, and then nothing is left."""
        try:
            self.measured = awaited_measurement(measuring)
            module = NsmModule(
                self.plan.enclave_id, registers(self.measured), issue, secrets.token_bytes
            )
            self._start(host_folder)
            line = (self._module, module, self._was_asked)
            threading.Thread(target=serve_module, args=line, daemon=True).start()
            self._answer_heartbeat(time.monotonic() + BOOT_SECONDS)
            self.state = "RUNNING"
            threading.Thread(target=self._watch, daemon=True).start()
        except BaseException:
            self.state = "TERMINATING"
            self._end_process()
            self._clean_up()
            raise
        self._settled.wait(SETTLE_SECONDS)
        if self.exit_status is not None:
            self._ended_at_once()

    def terminate(self) -> None:
        """End the enclave; returns when every process of it is gone."""
        if self.ended.is_set():
            return
        self.state = "TERMINATING"
        if self._monitor is not None:
            self._monitor.quit()
        if self._process is not None and not self.ended.wait(END_SECONDS / 2):
            self._process.end()
        self.ended.wait(END_SECONDS)

    def _start(self, host_folder: int) -> None:
        ours, theirs = socket.socketpair()
        files = boot_files(self.plan.image)
        try:
            with theirs, self._asked:
                self._process = QemuProcess(
                    self._program, self._accelerated.accelerator, self.plan, files,
                    host_folder=host_folder, monitor=theirs.fileno(),
                    module=self._asked.fileno(), output=self._output,
                )  # fmt: skip
        finally:
            files.close()
            os.close(self._output)
            self._output = -1
        self._monitor = QemuMonitor(ours, self.plan.enclave_id)

    def _answer_heartbeat(self, deadline: float) -> None:
        """Wait for the guest's init to say that it is up; the program runs once it is answered."""
        process, monitor = self._process, self._monitor
        if process is None or monitor is None:
            raise HostError("no machine", expected="a machine that was started", where="QEMU")
        try:
            process.event("started", deadline)
            monitor.connect()
            [descriptor] = process.event("heartbeat", deadline).descriptors
            with socket.socket(fileno=descriptor) as sock:
                sock.settimeout(max(deadline - time.monotonic(), 0.1))
                if sock.recv(1) != HEARTBEAT:
                    raise self._not_booted("it said something else than the heartbeat")
                sock.sendall(HEARTBEAT)
        except TimeoutError as error:
            raise self._not_booted("VsockTimeoutError") from error
        except (HostError, OSError) as error:
            if isinstance(error, HostError) and error.code == "E36":
                raise
            raise self._not_booted(str(error)) from error

    def _not_booted(self, why: str) -> HostError:
        process = self._process
        said = process.last_line() if process is not None else ""
        words = self.console.last_words() or "nothing"
        self._log(f"did not boot ({why}{'; ' + said if said else ''}); it said: {words}")
        return failure(
            "E36",
            f"Waiting on enclave to boot failed with error {why}" + (f" ({said})" if said else ""),
            expected=f"a heartbeat within {BOOT_SECONDS:.0f} s",
            next="start it with --debug-mode and read its console",
        )

    def _log(self, text: str) -> None:
        """Tell the person at the keyboard."""
        print(f"{self.plan.enclave_id} {text}", file=sys.stderr, flush=True)

    def _was_asked(self) -> None:
        if self.state == "RUNNING":  # before, it was the guest's kernel that asked
            self._settled.set()

    def _ended_at_once(self) -> None:
        self.ended.wait(END_SECONDS)
        if self.exit_status:
            said = self.console.last_words() or "nothing"
            raise ended_at_once("", said if self.plan.debug else "")

    def _watch(self) -> None:
        process = self._process
        if process is None:
            return
        fault = process.wait()
        self.console.join(2.0)
        said = self.console.last_words()
        failed = bool(fault) or any(words in said for words in _FAILED)
        self.exit_status = int(failed)
        if self.state != "TERMINATING":
            self._log(f"ended{': ' + fault if fault else ''}; it said: {said or 'nothing'}")
        self._clean_up()
        self._settled.set()

    def _end_process(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process.wait()

    def _clean_up(self) -> None:
        """Let go of all that it had; until ``on_end`` was told, its CID and CPUs are taken."""
        self.state = "TERMINATING"
        if self._monitor is not None:
            self._monitor.close()
        with contextlib.suppress(OSError):
            self._module.shutdown(socket.SHUT_RDWR)
        self._module.close()
        self._asked.close()
        if self._output >= 0:
            os.close(self._output)
        os.close(self.plan.image)
        self._on_end(self)
        self.state = "TERMINATED"
        self.ended.set()
