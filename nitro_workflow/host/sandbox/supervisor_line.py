"""The hypervisor's line to a sandbox's supervisor: what it is told, and how it ended."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Final

from nitro_workflow.host.supervisor.descriptor_lines import send_descriptors
from nitro_workflow.host.supervisor.sandbox_supervisor import BOUND, ENDED, OPEN

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SupervisorLine"]

SAID_LIMIT: Final = 512  # bytes of what a supervisor says at its end

HEAR_SECONDS: Final = 5.0  # for what has been said to be heard; milliseconds in fact


class SupervisorLine:
    """``on_failure`` is told what a supervisor says that ends before its sandbox."""

    def __init__(self, on_failure: Callable[[str], None]) -> None:
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._on_failure = on_failure
        self._hearing: threading.Thread | None = None
        self.bound = threading.Event()
        """Set once a port was bound inside."""

    @property
    def control(self) -> int:
        """The descriptor that goes into the sandbox's `Supervision`."""
        return self._theirs.fileno()

    def started(self) -> None:
        """Close the copy that the sandbox has, and listen."""
        self._theirs.close()
        hearing = threading.Thread(target=self._hear, daemon=True, name="supervisor")
        hearing.start()
        self._hearing = hearing

    def open_door(self, descriptors: list[int]) -> None:
        """Send an enclave's supervisor its door and the parent's folder; raises OSError."""
        send_descriptors(self._ours, OPEN, descriptors)

    def hear_out(self) -> None:
        """Wait until ``on_failure`` was told, if it is to be; the supervisor has ended.

        Its programs may end first over its end: that is why they did.
        """
        if self._hearing is not None and self._hearing is not threading.current_thread():
            self._hearing.join(HEAR_SECONDS)

    def close(self) -> None:
        """Hear no more; may be called again."""
        self._on_failure = lambda _: None
        with contextlib.suppress(OSError):
            self._ours.shutdown(socket.SHUT_RDWR)
        self._ours.close()
        self._theirs.close()

    def _hear(self) -> None:
        said = b"it was killed"
        with contextlib.suppress(OSError):
            while message := self._ours.recv(SAID_LIMIT):
                if message == BOUND:
                    self.bound.set()
                else:
                    said = message
        if said != ENDED:
            self._on_failure(said.decode("utf-8", "replace"))
