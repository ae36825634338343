"""One running enclave: its sandbox, module, vsock and console, from launch to end."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import HostError
from nitro_workflow.host.rules.ecodes import ended_at_once, failure
from nitro_workflow.host.rules.limits import enclave_limits
from nitro_workflow.host.sandbox import launcher as sandboxes
from nitro_workflow.host.sandbox.enclave_console import Console
from nitro_workflow.host.sandbox.enclave_vsock import CarriedVsock, SupervisedVsock
from nitro_workflow.host.sandbox.launch_measurement import awaited_measurement
from nitro_workflow.host.sandbox.launcher import Sandbox, SandboxSpec
from nitro_workflow.host.sandbox.module_line import serve_module
from nitro_workflow.host.sandbox.watch import Watch
from nitro_workflow.nsm import NsmModule
from nitro_workflow.remove_tree import remove_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future
    from pathlib import Path

    from nitro_workflow.host.sandbox.enclave_vsock import EnclaveVsock
    from nitro_workflow.host.sandbox.launch_measurement import MeasuredImage
    from nitro_workflow.host.sandbox.launcher import BootEvent

__all__ = ["EnclaveProcess", "Plan"]

BOOT_SECONDS: Final = 90.0
"""For the heartbeat, once for the image and once for the memory, as nitro-cli below 6 GiB."""

SETTLE_SECONDS: Final = 1.0
"""How long a program may end and be told of in run-enclave's answer, unless it is seen at work."""

SETTLE_PAUSE: Final = 0.01


@dataclass(frozen=True, slots=True)
class Plan:
    """What was decided before the start. ``memory_mib`` in MiB."""

    name: str
    enclave_id: str
    cid: int
    cpus: tuple[int, ...]
    memory_mib: int
    debug: bool
    image: int  # sealed memfd
    number: int  # of the sandbox user, when root starts it
    unsafe_folder: Path | None = None  # run without a sandbox, in this folder

    @property
    def instance_id(self) -> str:
        """The instance that it runs on."""
        return self.enclave_id.rpartition("-enc")[0]


class EnclaveProcess:
    """An enclave. `launch` returns once it has booted; ``on_end`` is called when it is gone."""

    def __init__(
        self, plan: Plan, on_end: Callable[[EnclaveProcess], None], *, supervised: bool
    ) -> None:
        self.plan = plan
        self.state = "EMPTY"
        self.exit_status: int | None = None
        self.ended = threading.Event()
        self.measured: MeasuredImage | None = None
        self._on_end = on_end
        self._settled = threading.Event()  # it has asked its module, or has ended
        self._limit_watch: Watch | None = None
        self._nsm, guest = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._vsock: EnclaveVsock = (
            SupervisedVsock(plan.cid, guest, self._lost_supervisor)
            if supervised
            else CarriedVsock(plan.cid, guest)
        )
        read_end, write_end = os.pipe()
        spec = SandboxSpec(
            limits=enclave_limits(plan.memory_mib),
            image=plan.image,
            nsm=self._vsock.module,
            supervision=self._vsock.supervision,
            user=sandboxes.sandbox_user(plan.number),
            unsafe_folder=str(plan.unsafe_folder) if plan.unsafe_folder else None,
        )
        if plan.unsafe_folder:
            plan.unsafe_folder.mkdir(mode=0o700, parents=True)
        try:
            self._sandbox: Sandbox = sandboxes.start(spec, output=write_end)
            try:
                self._vsock.started()
                self.console = Console(read_end, keep=plan.debug)
            except BaseException:  # no thread is left
                self._sandbox.kill()
                raise
        except BaseException:
            os.close(read_end)
            self._nsm.close()
            self._vsock.close()
            raise
        finally:
            guest.close()
            os.close(write_end)

    @property
    def pid(self) -> int:
        """The process that `terminate` ends, as this machine sees it."""
        return self._sandbox.pid

    def launch(
        self,
        measuring: Future[MeasuredImage],
        registers: Callable[[MeasuredImage], Mapping[int, bytes]],
        issue: Callable[..., bytes],
        host_folder: int,
    ) -> None:
        """Boot while ``measuring`` runs; the image's program starts only once it has succeeded.

        Raises `HostError` (E35, E36, E59) or `SandboxUnavailable`; then nothing of it is left.
        """
        deadline = time.monotonic() + 2 * BOOT_SECONDS
        try:
            try:
                event = self._next_event(deadline)
            except HostError:
                awaited_measurement(
                    measuring
                )  # an image that cannot be read is E35, whoever saw it first
                raise
            self._vsock.unpacked(event, host_folder)
            self.measured = awaited_measurement(measuring)
            module = NsmModule(
                self.plan.enclave_id, registers(self.measured), issue, secrets.token_bytes
            )
            line = (self._nsm, module, self._settled.set)
            threading.Thread(target=serve_module, args=line, daemon=True).start()
            self._vsock.approve()
            started = self._next_event(deadline)  # the heartbeat was answered, the program runs
            self._watch_over(started)
            self._sandbox.close()
            self.state = "RUNNING"
            threading.Thread(target=self._watch, daemon=True).start()
        except BaseException:
            self.state = "TERMINATING"
            self._sandbox.kill()
            self._clean_up()
            raise
        self._settle()
        if self.exit_status is not None:
            self._ended_at_once(self.exit_status)

    def _settle(self) -> None:
        """Wait until the program listens, has asked its module, has ended, or some time is over."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while not self._settled.wait(SETTLE_PAUSE) and time.monotonic() < deadline:
            if self._vsock.is_listened_on:
                return

    def _lost_supervisor(self, said: str) -> None:
        """End an enclave that nothing answers any more: it would only fail from here on."""
        if self.state == "RUNNING":
            self._log(f"ended: its supervisor has ended ({said})")
            self.state = "TERMINATING"
            self._sandbox.kill()

    def _watch_over(self, started: BootEvent) -> None:
        """Hold the memory of all its processes together, where no control group does."""
        root = next(iter(started.descriptors), None)
        if self._sandbox.group is None:
            limits = enclave_limits(self.plan.memory_mib)
            apart = started.fields.get("supervisor")
            self._limit_watch = Watch(self.pid, limits, root, self._over_limit, apart=apart)
        elif root is not None:
            os.close(root)

    def _over_limit(self, reason: str) -> None:
        self._log(f"ended: more than its {reason}")
        self.terminate()

    def _log(self, text: str) -> None:
        """Tell the person at the keyboard."""
        print(f"{self.plan.enclave_id} {text}", file=sys.stderr, flush=True)

    def _ended_at_once(self, status: int) -> None:
        """Log what the program said; raises `HostError` E36 where it failed."""
        self.ended.wait(10)
        how = f"signal {256 - status}" if status > 192 else f"status {status}"
        said = self.console.last_words() or "nothing"
        self._log(f"ended at once, {how}; it said: {said}")
        if status:
            raise ended_at_once(f", {how}", said if self.plan.debug else "")

    def terminate(self) -> None:
        """End the enclave; returns when every process of it is gone."""
        self.state = "TERMINATING"
        self._sandbox.kill()
        self.ended.wait(10)

    def _next_event(self, deadline: float) -> Any:
        try:
            return self._sandbox.next_event(deadline - time.monotonic())
        except TimeoutError as error:
            raise failure(
                "E36",
                "Waiting on enclave to boot failed with error VsockTimeoutError",
                expected=f"a heartbeat within {2 * BOOT_SECONDS:.0f} s",
                next="start it with --debug-mode and read its console",
            ) from error

    def _watch(self) -> None:
        self.exit_status = self._sandbox.process.wait()
        if self._sandbox.group is not None and self._sandbox.group.ran_out_of_memory():
            self._log("ended: out of its memory")
        self._sandbox.release()
        self.console.join(2.0)
        self._vsock.hear_out()
        self._clean_up()
        self._settled.set()

    def _clean_up(self) -> None:
        """Let go of all that it had; until ``on_end`` was told, its CID and CPUs are taken."""
        self.state = "TERMINATING"
        if self._limit_watch is not None:
            self._limit_watch.close()
        self._vsock.close()
        with contextlib.suppress(OSError):
            self._nsm.shutdown(socket.SHUT_RDWR)
        self._nsm.close()
        os.close(self.plan.image)
        if self.plan.unsafe_folder:
            with contextlib.suppress(OSError):
                remove_tree(self.plan.unsafe_folder)
        self._on_end(self)
        self.state = "TERMINATED"
        self.ended.set()
