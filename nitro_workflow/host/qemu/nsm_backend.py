"""The Nitro Security Module as a virtio device: the guest's own driver finds it, id 33.

The driver offers a request and room for the response, one after another, as chains of their own.
[src: Linux drivers/misc/nsm.c] The module itself is the hypervisor's: requests and responses cross
a socket of datagrams, so that this process, which holds the guest's memory, holds no key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nitro_workflow.host.qemu.guest_memory import guest_fault
from nitro_workflow.host.qemu.vhost_user import VhostUserDevice
from nitro_workflow.nsm.messages import REQUEST_LIMIT, RESPONSE_LIMIT, encode_error

if TYPE_CHECKING:
    import socket

    from nitro_workflow.host.qemu.device_loop import Watcher
    from nitro_workflow.host.qemu.virtqueue import Chain

__all__ = ["NSM_DEVICE_ID", "NSM_RING", "NsmBackend"]

NSM_DEVICE_ID: Final = 33  # [src: Linux uapi/linux/virtio_ids.h: VIRTIO_ID_NITRO_SEC_MOD]
NSM_RING: Final = 16  # descriptors of its one ring


class NsmBackend(VhostUserDevice):
    """Asks ``module``, a SEQPACKET socket: one request there, one response back, at a time."""

    def __init__(
        self,
        sock: socket.socket,
        loop: Watcher,
        module: socket.socket,
    ) -> None:
        super().__init__(sock, loop, queues=1)
        module.setblocking(False)
        self._module = module
        self._request: Chain | None = None
        self._answer_chain: Chain | None = None
        self._asked = False  # the module, and it has not answered yet
        loop.watch(module.fileno(), self._answered)

    def work(self) -> None:
        """Take the next request and the room for its answer, unless one is being answered."""
        ring = self.rings[0]
        while not self._asked and (chain := ring.pop(self.memory)) is not None:
            if self._request is None and not chain.readable:
                raise guest_fault("room for an answer to nothing", "NSM")
            self._request = self._request or chain
            if chain.writable:
                self._answer_chain = chain
                self._ask(self._request)

    def stopped(self) -> None:
        """Forget the request; its answer will go nowhere."""
        self._request = self._answer_chain = None

    def _ask(self, chain: Chain) -> None:
        request = bytearray()
        for buffer in chain.readable:
            # One byte more than the module takes: it says itself that this is too much.
            request += buffer[: REQUEST_LIMIT + 1 - len(request)]
        self._asked = True
        try:
            self._module.send(request or b"\xff")  # an empty datagram would be an end
        except OSError:
            self.closed = True

    def _answered(self) -> None:
        try:
            response = self._module.recv(RESPONSE_LIMIT + 1)
        except BlockingIOError:
            return
        except OSError:
            response = b""
        if not response:
            self.closed = True  # the hypervisor has gone
            return
        self._asked = False
        request, chain = self._request, self._answer_chain
        self.stopped()
        if request is not None and chain is not None:
            self._give_back(request, chain, response)
        self.serve()

    def _give_back(self, request: Chain, chain: Chain, response: bytes) -> None:
        if len(response) > chain.room:
            response = encode_error("BufferTooSmall")
        ring, written = self.rings[0], chain.write(response)
        # Both at once: the driver looks for both when it is told.
        if request.head != chain.head:
            ring.push(self.memory, request.head, 0)
        ring.push(self.memory, chain.head, written)
        ring.notify(self.memory)
