"""The vhost-user protocol, from the back end's side, as QEMU documents it.

[src: QEMU docs/interop/vhost-user.rst]

QEMU owns the machine; a device of it lives here, over the guest's memory. One message at a time on
a stream socket, descriptors beside it. QEMU is the user's own program, but the guest is inside of
it: a message that breaks the protocol is a `HostError`, and the machine ends.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING, Final

from nitro_workflow.host.qemu.guest_memory import REGIONS, GuestMemory, Region, guest_fault
from nitro_workflow.host.qemu.virtqueue import Virtqueue

if TYPE_CHECKING:
    from nitro_workflow.host.qemu.device_loop import Watcher

__all__ = ["VhostUserDevice"]

MESSAGE_LIMIT: Final = 4096  # bytes of a body; the largest used here, a memory table, has 264
SECONDS: Final = 5.0  # for the rest of a message whose beginning is there

VERSION_1: Final = 1 << 32  # VIRTIO_F_VERSION_1
PROTOCOL_FEATURES: Final = 1 << 30  # VHOST_USER_F_PROTOCOL_FEATURES
_REPLY_ACK, _CONFIG = 1 << 3, 1 << 9

_GET_FEATURES, _SET_FEATURES, _SET_OWNER, _RESET_OWNER, _SET_MEM_TABLE = 1, 2, 3, 4, 5
_SET_VRING_NUM, _SET_VRING_ADDR, _SET_VRING_BASE, _GET_VRING_BASE = 8, 9, 10, 11
_SET_VRING_KICK, _SET_VRING_CALL, _SET_VRING_ERR = 12, 13, 14
_GET_PROTOCOL_FEATURES, _SET_PROTOCOL_FEATURES, _GET_QUEUE_NUM = 15, 16, 17
_SET_VRING_ENABLE, _GET_CONFIG, _SET_CONFIG = 18, 24, 25
_REPLY, _NEED_REPLY = 1 << 2, 1 << 3
_NO_DESCRIPTOR: Final = 1 << 8

_HEAD: Final = struct.Struct("<III")  # request, flags, size
_U64: Final = struct.Struct("<Q")
_STATE: Final = struct.Struct("<II")  # ring, number
_ADDRESSES: Final = struct.Struct("<IIQQQQ")  # ring, flags, descriptors, used, available, log
_REGION: Final = struct.Struct("<QQQQ")
_CONFIG_HEAD: Final = struct.Struct("<III")  # offset, size, flags

# What takes a body of at least so many bytes; the others take any, and look at none of it.
_SIZES: Final = {
    _SET_FEATURES: 8, _SET_MEM_TABLE: 8, _SET_VRING_NUM: 8, _SET_VRING_ADDR: 40,
    _SET_VRING_BASE: 8, _GET_VRING_BASE: 8, _SET_VRING_KICK: 8, _SET_VRING_CALL: 8,
    _SET_VRING_ERR: 8, _SET_PROTOCOL_FEATURES: 8, _SET_VRING_ENABLE: 8, _GET_CONFIG: 12,
}  # fmt: skip


class VhostUserDevice:
    """One device with ``queues`` rings and ``config`` as its configuration space.

    A device overrides `work` and `stopped`. ``busy``: it has more to do at once, and `serve` should
    be called again.
    """

    def __init__(
        self,
        sock: socket.socket,
        loop: Watcher,
        *,
        queues: int,
        config: bytes = b"",
    ) -> None:
        sock.settimeout(SECONDS)
        self.sock = sock
        self.closed = self.busy = False
        self.memory = GuestMemory()
        self.rings = [Virtqueue(number) for number in range(queues)]
        self._config = config
        self._loop = loop
        loop.watch(sock.fileno(), self._take_message)

    def work(self) -> None:
        """Do what can be done now: the guest has given buffers, or a ring was enabled."""
        raise NotImplementedError

    def stopped(self) -> None:
        """Forget what was under way: the guest's driver, or the machine, has let a ring go."""
        raise NotImplementedError

    def serve(self) -> None:
        """Do the work, where the guest's driver is there."""
        if all(ring.ready for ring in self.rings):
            self.work()

    def close(self) -> None:
        """Let the guest's memory and every descriptor go."""
        self.closed = True
        for ring in self.rings:
            self._unwatch(ring)
            ring.close()
        self.memory.close()
        self._loop.unwatch(self.sock.fileno())
        self.sock.close()

    # -- messages ----------------------------------------------------------------------------------

    def _take_message(self) -> None:
        try:
            head, descriptors, flags, _ = socket.recv_fds(self.sock, _HEAD.size, REGIONS)
        except OSError:
            head, descriptors, flags = b"", [], 0
        try:
            if not head:
                self.closed = True  # QEMU has ended
                return
            if len(head) < _HEAD.size or flags & socket.MSG_CTRUNC:
                raise guest_fault("half a message", "vhost-user")
            request, options, size = _HEAD.unpack(head)
            answer = self._answer(request, self._body(request, size), descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        if answer is None and options & _NEED_REPLY:
            answer = _U64.pack(0)
        if answer is not None:
            self.sock.sendall(_HEAD.pack(request, 1 | _REPLY, len(answer)) + answer)

    def _body(self, request: int, size: int) -> bytes:
        if size > MESSAGE_LIMIT:
            raise guest_fault(f"a message of {size} bytes", "vhost-user")
        body = bytearray()
        while len(body) < size:
            try:
                piece = self.sock.recv(size - len(body))
            except OSError as error:
                raise guest_fault("half a message", "vhost-user") from error
            if not piece:
                raise guest_fault("half a message", "vhost-user")
            body += piece
        if size < _SIZES.get(request, 0):
            raise guest_fault(f"{size} bytes in message {request}", "vhost-user")
        return bytes(body)

    def _answer(self, request: int, body: bytes, descriptors: list[int]) -> bytes | None:
        if request == _GET_FEATURES:
            return _U64.pack(VERSION_1 | PROTOCOL_FEATURES)
        if request == _GET_PROTOCOL_FEATURES:
            return _U64.pack(_REPLY_ACK | (_CONFIG if self._config else 0))
        if request == _GET_QUEUE_NUM:
            return _U64.pack(len(self.rings))
        if request == _GET_CONFIG:
            offset, size, _ = _CONFIG_HEAD.unpack_from(body)
            return body[: _CONFIG_HEAD.size] + self._config[offset : offset + size]
        if request == _SET_MEM_TABLE:
            self.memory.replace(_regions(body), descriptors)
        elif request == _SET_FEATURES:
            (features,) = _U64.unpack_from(body)
            if not features & PROTOCOL_FEATURES:  # nobody will enable the rings one by one
                for ring in self.rings:
                    ring.enabled = True
        elif request in _ABOUT_A_RING:
            return self._about_ring(request, body, descriptors)
        elif request not in _WITHOUT_EFFECT:
            raise guest_fault(f"message {request}", "vhost-user")
        return None

    # -- rings -------------------------------------------------------------------------------------

    def _about_ring(self, request: int, body: bytes, descriptors: list[int]) -> bytes | None:
        number, value = _STATE.unpack_from(body)
        if request in _WITH_DESCRIPTOR:
            number, value = body[0], _U64.unpack_from(body)[0] & _NO_DESCRIPTOR
        if number >= len(self.rings):
            raise guest_fault(f"ring {number} of {len(self.rings)}", "vhost-user")
        ring = self.rings[number]
        if request == _SET_VRING_NUM:
            ring.set_size(value)
        elif request == _SET_VRING_ADDR:
            _, _, *tables, _ = _ADDRESSES.unpack_from(body)
            ring.set_addresses(*tables)
        elif request == _SET_VRING_BASE:
            ring.set_base(value)
        elif request == _GET_VRING_BASE:
            self.stopped()
            self._unwatch(ring)
            ring.enabled = False
            ring.close()
            return _STATE.pack(number, ring.next)
        elif request == _SET_VRING_ENABLE:
            ring.enabled = bool(value)
            self.serve()
        else:
            self._take_descriptor(request, ring, descriptors, absent=bool(value))
        return None

    def _take_descriptor(
        self, request: int, ring: Virtqueue, descriptors: list[int], *, absent: bool
    ) -> None:
        if not absent and not descriptors:
            raise guest_fault("no descriptor", f"ring {ring.number}")
        given = None if absent else os.dup(descriptors[0])
        if given is not None:
            os.set_blocking(given, False)
        if request == _SET_VRING_KICK:
            self._unwatch(ring)
            ring.kick = given
            if given is not None:
                self._loop.watch(given, lambda: self._kicked(given))
        elif request == _SET_VRING_CALL:
            if ring.call is not None:
                os.close(ring.call)
            ring.call = given
        elif given is not None:  # for errors: they end the machine
            os.close(given)

    def _kicked(self, descriptor: int) -> None:
        try:
            os.read(descriptor, 8)
        except BlockingIOError:
            return
        self.serve()

    def _unwatch(self, ring: Virtqueue) -> None:
        if ring.kick is not None:
            self._loop.unwatch(ring.kick)
            os.close(ring.kick)
            ring.kick = None


_WITH_DESCRIPTOR: Final = frozenset((_SET_VRING_KICK, _SET_VRING_CALL, _SET_VRING_ERR))
_ABOUT_A_RING: Final = _WITH_DESCRIPTOR | {
    _SET_VRING_NUM, _SET_VRING_ADDR, _SET_VRING_BASE, _GET_VRING_BASE, _SET_VRING_ENABLE,
}  # fmt: skip
_WITHOUT_EFFECT: Final = frozenset((_SET_OWNER, _RESET_OWNER, _SET_PROTOCOL_FEATURES, _SET_CONFIG))


def _regions(body: bytes) -> list[Region]:
    (count,) = struct.unpack_from("<I", body)
    if len(body) < 8 + _REGION.size * count:
        raise guest_fault(f"{count} pieces of memory in {len(body)} bytes", "SET_MEM_TABLE")
    rows = (_REGION.unpack_from(body, 8 + _REGION.size * number) for number in range(count))
    return [Region(*row) for row in rows]
