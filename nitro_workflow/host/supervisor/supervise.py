"""The supervisor's loop: receives each call, has it answered, and never waits for a program."""

from __future__ import annotations

import errno
import platform
import select
import time
from typing import TYPE_CHECKING, Final

from nitro_workflow.host.supervisor.caller_files import CallerFiles
from nitro_workflow.host.supervisor.cpu_budget import CpuBudget
from nitro_workflow.host.supervisor.event_loop import EventLoop
from nitro_workflow.host.supervisor.filter_code import NSM_IOCTL
from nitro_workflow.host.supervisor.notification import CONTINUE, Gone, receive
from nitro_workflow.host.supervisor.pending import ANSWERED, Later, PendingCall
from nitro_workflow.host.supervisor.syscall_numbers import numbers
from nitro_workflow.host.supervisor.vsock_calls import VsockCalls, is_played_device
from nitro_workflow.host.supervisor.vsock_connections import VsockConnections
from nitro_workflow.host.supervisor.vsock_table import VsockTable

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from nitro_workflow.host.supervisor.enclave_gate import EnclaveGate
    from nitro_workflow.host.supervisor.fabric import Fabric
    from nitro_workflow.host.supervisor.nsm_calls import NsmCalls
    from nitro_workflow.host.supervisor.pending import Outcome
    from nitro_workflow.host.supervisor.vsock_table import Address

__all__ = ["Supervisor"]

WAITING: Final = 512
"""Calls of one machine that wait: twice as many as an enclave may have threads."""

LOOK_SECONDS: Final = 0.25
"""Between two looks at whether those who wait are still there."""

RETRY_SECONDS: Final = 0.01
"""Between two tries of what waits for no descriptor."""


class Supervisor:
    """Answers the calls of ``listener`` until the last program that makes them is gone."""

    def __init__(
        self,
        listener: int,
        fabric: Fabric,
        loop: EventLoop,
        *,
        nsm: NsmCalls | None = None,
        files: CallerFiles | None = None,
    ) -> None:
        self._listener, self._loop, self._nsm = listener, loop, nsm
        self._files = files or CallerFiles()
        self._calls = VsockCalls(fabric, VsockTable(), self._files)
        self._connections = VsockConnections(self._calls, self._exchange)
        self.gate: EnclaveGate | None = None
        self.on_bound: Callable[[], None] = lambda: None
        self._waiting: dict[int, tuple[PendingCall, Later]] = {}
        self._next_look = 0.0
        self._handlers = self._by_number()
        self._budget = CpuBudget()
        self._ended = False
        loop.tick = self._tick
        loop.watch(listener, self._receive, mask=select.EPOLLIN)

    def run(self) -> None:
        """Return when no process has the filter any more."""
        while not self._ended:
            self._loop.turn()
            rest = self._budget.settle()
            if rest:
                time.sleep(rest)

    # -- calls ------------------------------------------------------------------------------------

    def _by_number(self) -> dict[int, Callable[[PendingCall], Outcome]]:
        calls, connections = self._calls, self._connections
        named: dict[str, Callable[[PendingCall], Outcome]] = {
            "accept": connections.accept,
            "accept4": connections.accept4,
            "bind": self._bind,
            "connect": connections.connect,
            "getpeername": calls.peer_name,
            "getsockname": calls.own_name,
            "getsockopt": calls.get_option,
            "ioctl": self._control,
            "setsockopt": calls.set_option,
            "socket": calls.make,
        }
        table = numbers(platform.machine())
        return {table[name]: handler for name, handler in named.items()}

    def _receive(self) -> None:
        if not self._loop.seen & select.EPOLLIN:
            self._ended = True
            return
        given = receive(self._listener)
        if given is None:
            return
        if given.tid in self._waiting:  # a thread makes one call at a time: it was interrupted
            self._forget(given.tid)
        self._handle(PendingCall(given), self._handlers.get(given.number))

    def _handle(self, call: PendingCall, handler: Callable[[PendingCall], Outcome] | None) -> None:
        outcome = self._outcome(call, handler)
        if isinstance(outcome, Later):
            outcome = self._wait(call, outcome)
        if isinstance(outcome, Later):
            return
        if outcome != ANSWERED:
            heard = call.notification.answer(outcome)
            if not heard and outcome == 0 and call.on_unheard is not None:
                call.on_unheard()
        call.close()

    def _outcome(
        self, call: PendingCall, handler: Callable[[PendingCall], Outcome] | None
    ) -> Outcome:
        """Run a handler; what goes wrong in it is an answer: without one a caller never ends."""
        try:
            return handler(call) if handler is not None else -errno.ENOSYS
        except Gone:
            return -errno.EIO  # to nobody, unless what is gone is only this process's room
        except OSError as error:
            return -(error.errno or errno.EIO)
        except (ValueError, OverflowError):  # nonsense that no check had thought of
            return -errno.EINVAL

    def _bind(self, call: PendingCall) -> Outcome:
        outcome = self._calls.bind(call)
        if outcome == -errno.EADDRINUSE:  # a listener lives as long as a copy held for who waited
            self._forget_gone()
            call.close()
            outcome = self._calls.bind(call)
        if outcome == 0:
            self.on_bound()
        return outcome

    def _control(self, call: PendingCall) -> Outcome:
        """``ioctl`` on /dev/nsm or /dev/vsock."""
        given = call.notification
        if given.int_argument(1) != NSM_IOCTL:
            return self._calls.local_cid(call)
        descriptor = self._files.fetch(given, given.int_argument(0))
        call.descriptors.append(descriptor)
        if self._nsm is None or not is_played_device(descriptor):
            return CONTINUE
        return self._nsm.ask(call)

    def _exchange(self, name: bytes) -> tuple[socket.socket, Address] | None:
        return self.gate.exchange(name) if self.gate is not None else None

    # -- calls that wait --------------------------------------------------------------------------

    def _wait(self, call: PendingCall, later: Later) -> Outcome:
        if len(self._waiting) >= WAITING:
            return -errno.ENOBUFS
        if later.descriptor is not None:
            try:
                self._loop.watch(
                    later.descriptor, lambda: self._again(call.tid), until=later.deadline
                )
            except OSError as error:
                return -(error.errno or errno.EIO)
        self._waiting[call.tid] = call, later
        return later

    def _again(self, tid: int) -> None:
        call, later = self._waiting.pop(tid)
        if later.descriptor is not None:
            self._loop.unwatch(later.descriptor)
        if call.notification.waits:
            self._handle(call, later.again)
        else:
            call.close()

    def _forget(self, tid: int) -> None:
        call, later = self._waiting.pop(tid)
        if later.descriptor is not None:
            self._loop.unwatch(later.descriptor)
        call.close()

    def _forget_gone(self) -> None:
        gone = [tid for tid, (call, _) in self._waiting.items() if not call.notification.waits]
        for tid in gone:
            self._forget(tid)

    def _tick(self) -> float | None:
        """Try again what waits for no descriptor; let those go who have gone."""
        if not self._waiting:
            return None
        for tid, (_, later) in list(self._waiting.items()):
            if later.descriptor is None and tid in self._waiting:
                self._again(tid)
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + LOOK_SECONDS
            self._forget_gone()
        retries = any(later.descriptor is None for _, later in self._waiting.values())
        return RETRY_SECONDS if retries else LOOK_SECONDS
