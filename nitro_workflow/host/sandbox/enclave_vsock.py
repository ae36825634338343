"""What the hypervisor has of an enclave's vsock and module: one way with a supervisor, one without.

Supervised, it only opens the door: the supervisor takes the parent's connections itself. Without,
it carries them.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from nitro_workflow.host.sandbox.gateway import Gateway
from nitro_workflow.host.sandbox.launcher import Supervision
from nitro_workflow.host.sandbox.parent_side import ParentSide
from nitro_workflow.host.sandbox.supervisor_line import SupervisorLine

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from nitro_workflow.host.sandbox.launcher import BootEvent

__all__ = ["CarriedVsock", "EnclaveVsock", "SupervisedVsock"]


class EnclaveVsock(Protocol):
    """One enclave's. ``supervision`` and ``module`` go into its sandbox."""

    supervision: Supervision | None
    module: int | None

    @property
    def is_listened_on(self) -> bool:
        """Whether the enclave listens on a port, or has done so."""

    def started(self) -> None:
        """Note that the sandbox's process has its copies of what was made for it."""

    def unpacked(self, event: BootEvent, folder: int) -> None:
        """Open the door to the parent's vsock ``folder``."""

    def approve(self) -> None:
        """Let it boot: its image was measured."""

    def hear_out(self) -> None:
        """Hear what a supervisor has said at its end; every process of the sandbox has ended."""

    def close(self) -> None:
        """Cut everything."""


class SupervisedVsock:
    """``on_failure`` is told what a supervisor says that ends before its enclave."""

    module: int | None = None

    def __init__(self, cid: int, nsm: socket.socket, on_failure: Callable[[str], None]) -> None:
        self._line = SupervisorLine(on_failure)
        self._cid = cid
        self._parent: ParentSide | None = None
        self._door: socket.socket | None = None
        self.supervision: Supervision | None = Supervision(cid, self._line.control, nsm.fileno())

    @property
    def is_listened_on(self) -> bool:
        """Whether a port was bound."""
        return self._line.bound.is_set()

    def started(self) -> None:
        """Listen to the supervisor."""
        self._line.started()

    def unpacked(self, event: BootEvent, folder: int) -> None:
        """Make ``<cid>/v.sock``."""
        self._parent = ParentSide(folder, self._cid)
        self._door = self._parent.listen()

    def approve(self) -> None:
        """Hand the door over; with it the boot's heartbeat is answered. Raises OSError."""
        if self._parent is not None and self._door is not None:
            self._line.open_door([self._door.fileno(), self._parent.folder])
            self._door.close()

    def hear_out(self) -> None:
        """Wait until ``on_failure`` was told, if it is to be."""
        self._line.hear_out()

    def close(self) -> None:
        """Remove the door; the connections are the enclave's own, and end with it."""
        self._line.close()
        if self._door is not None:
            self._door.close()
        if self._parent is not None:
            self._parent.close()
            self._parent = None


class CarriedVsock:
    """Without a supervisor: the module is an inherited socket, the hypervisor carries vsock."""

    supervision: Supervision | None = None

    def __init__(self, cid: int, nsm: socket.socket) -> None:
        self.module: int | None = nsm.fileno()
        self._cid = cid
        self._approved = threading.Event()
        self._gateway: Gateway | None = None

    @property
    def is_listened_on(self) -> bool:
        """Whether its folder has a port."""
        return self._gateway is not None and self._gateway.is_listened_on

    def started(self) -> None:
        """Do nothing: nothing was made for it alone."""

    def unpacked(self, event: BootEvent, folder: int) -> None:
        """Carry between the sandbox's folder and the parent's."""
        gateway, inside = event.descriptors
        self._gateway = Gateway(gateway, inside, folder, self._cid, self._approved)

    def approve(self) -> None:
        """Answer the heartbeat."""
        self._approved.set()

    def hear_out(self) -> None:
        """Do nothing: there is no supervisor."""

    def close(self) -> None:
        """Cut every connection."""
        if self._gateway is not None:
            self._gateway.close()
            self._gateway = None
