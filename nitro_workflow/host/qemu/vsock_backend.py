"""The vsock of a machine: connections between a guest and the sockets of its parent's folder.

From the guest, only CID 3 is reached: the heartbeat's port is the hypervisor's, every other one a
socket that the parent listens on. From the parent, ``CONNECT <port>`` reaches a port of the guest.
One thread serves all; what waits for a guest without buffers is bounded, and then the guest's own
packets wait, too.
"""

from __future__ import annotations

import contextlib
import itertools
import secrets
import socket
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from nitro_workflow.errors import VsockError
from nitro_workflow.host.qemu.guest_memory import guest_fault
from nitro_workflow.host.qemu.parent_dials import ParentDials
from nitro_workflow.host.qemu.vhost_user import VhostUserDevice
from nitro_workflow.host.qemu.vsock_connection import Connection, State
from nitro_workflow.host.qemu.vsock_packets import (
    ANY_SHUTDOWN,
    HEADER_SIZE,
    STREAM,
    Header,
    Operation,
    Shutdown,
    buffers_after_header,
    cut,
    split_packet,
)
from nitro_workflow.vsock import HEARTBEAT_PORT, PARENT_CID

if TYPE_CHECKING:
    from collections.abc import Callable

    from nitro_workflow.host.qemu.device_loop import Watcher
    from nitro_workflow.host.qemu.virtqueue import Chain

__all__ = ["CONNECTIONS", "VsockBackend"]

CONNECTIONS: Final = 320
"""Connections of one enclave at a time: at most 40 MiB are kept for them."""

WAITING: Final = 512  # packets without data that wait for buffers of the guest
AT_ONCE: Final = 256  # packets each way before others have their turn
ANSWER_SECONDS: Final = 10.0  # for the guest to take a connection
FIRST_PORT: Final = 1 << 30  # of ours, as a guest sees them
PIECE: Final = 64 << 10  # bytes of data in one packet, as Linux has it


class Parent(Protocol):
    """The parent's end: where it dials an enclave, and where an enclave dials it."""

    def listen(self) -> socket.socket:
        """Return the listener."""

    def dial(self, port: int, name: bytes) -> socket.socket:
        """Connect to a port of the parent, as ``name``; raises OSError or `VsockError`."""


class VsockBackend(VhostUserDevice):
    """The guest is ``cid``; ``heartbeat`` is handed its first connection to port 9000."""

    def __init__(
        self,
        sock: socket.socket,
        loop: Watcher,
        *,
        cid: int,
        parent: Parent,
        heartbeat: Callable[[socket.socket], None],
    ) -> None:
        super().__init__(sock, loop, queues=2, config=cid.to_bytes(8, "little"))
        self._cid = cid
        self._parent = parent
        self._heartbeat: Callable[[socket.socket], None] | None = heartbeat
        self._known: dict[tuple[int, int], Connection] = {}
        self._left: set[Connection] = set()  # ended by the guest, with something to pass on
        self._waiting: deque[bytes] = deque()
        self._spare: Chain | None = None
        self._ports = itertools.cycle(range(FIRST_PORT, FIRST_PORT * 2))
        self._dials = ParentDials(parent.listen(), loop, self._ask_guest, self._has_room)

    def work(self) -> None:
        """Carry what can be carried, both ways."""
        self.busy = False
        self._send_waiting()
        self._take_packets()
        self._send_data()
        if self._spare is not None:  # nothing was written to it
            self._spare = None
            self.rings[0].put_back()

    def stopped(self) -> None:
        """Cut every connection: the guest's driver has started over, or ended."""
        for connection in (*self._known.values(), *self._left):
            self._drop(connection)
        self._waiting.clear()

    def tick(self) -> None:
        """End what took too long; to be called once a second or so."""
        self._dials.tick()
        for connection in list(self._known.values()):
            if connection.expired():
                self._reset(connection)
        self.serve()

    def close(self) -> None:
        """Cut every connection, and let the guest go."""
        self._dials.close()
        self.stopped()
        super().close()

    def _has_room(self) -> bool:
        return len(self._known) + len(self._left) + len(self._dials) < CONNECTIONS

    # -- to the guest ------------------------------------------------------------------------------

    def _say(self, connection: Connection, operation: Operation, flags: int = 0) -> None:
        header = connection.header(self._cid, PARENT_CID, operation, size=0, flags=flags)
        self._waiting.append(header)

    def _chain(self) -> Chain | None:
        """Return a buffer of the guest's to write into; it is kept until `_give_back`."""
        if self._spare is None:
            self._spare = self.rings[0].pop(self.memory)
            if self._spare is not None and self._spare.room <= HEADER_SIZE:
                raise guest_fault(f"a buffer of {self._spare.room} bytes", "vsock")
        return self._spare

    def _give_back(self, chain: Chain, written: int) -> None:
        self.rings[0].push(self.memory, chain.head, written)
        self._spare = None

    def _send_waiting(self) -> None:
        told = False
        while self._waiting and (chain := self._chain()) is not None:
            self._give_back(chain, chain.write(self._waiting.popleft()))
            told = True
        if told:
            self.rings[0].notify(self.memory)

    def _send_data(self) -> None:
        """Give each connection that has something one packet, again and again."""
        able = [it for it in self._known.values() if it.state is State.OPEN and it.readable]
        sent = 0
        while able and sent < AT_ONCE and not self._waiting and self._chain() is not None:
            sent += len(able)
            able = [connection for connection in able if self._send_from(connection)]
        self.busy = self.busy or sent >= AT_ONCE
        if sent:
            self.rings[0].notify(self.memory)
        self._send_waiting()

    def _send_from(self, connection: Connection) -> bool:
        """Send one packet of data; False where this connection has no more, for now."""
        room = min(connection.credit, PIECE)
        chain = self._chain()
        if chain is None or not room or Shutdown.RECEIVE in connection.guest_ended:
            return False
        size = connection.fill(buffers_after_header(chain, room))
        if size is None:
            return False
        if not size:
            connection.source_ended, connection.readable = True, False
            self._say(connection, Operation.SHUTDOWN, Shutdown.SEND)
            self._end_where_both_have(connection)
            return False
        chain.write(connection.header(self._cid, PARENT_CID, Operation.DATA, size=size, flags=0))
        self._give_back(chain, HEADER_SIZE + size)
        return True

    # -- from the guest ----------------------------------------------------------------------------

    def _take_packets(self) -> None:
        ring, taken = self.rings[1], 0
        while taken < AT_ONCE and len(self._waiting) < WAITING:
            chain = ring.pop(self.memory)
            if chain is None:
                break
            self._take(chain)
            ring.push(self.memory, chain.head, 0)
            taken += 1
        self.busy = taken >= AT_ONCE
        if taken:
            ring.notify(self.memory)
            self._send_waiting()

    def _take(self, chain: Chain) -> None:
        head, buffers = split_packet(chain)
        packet = Header.unpack(head)
        there = sum(map(len, buffers))
        if packet.size > there:
            raise guest_fault(f"a packet of {packet.size} bytes in {there}", "vsock")
        if packet.source_cid != self._cid:
            return  # not to be answered, says the specification
        connection = self._known.get((packet.source_port, packet.target_port))
        if packet.target_cid != PARENT_CID or packet.type != STREAM:
            self._refuse(packet)
        elif packet.operation == Operation.REQUEST:
            self._requested(packet, connection)
        elif connection is None:
            self._refuse(packet)
        else:
            connection.note_credit(packet)
            self._received(connection, packet, buffers)

    def _refuse(self, packet: Header) -> None:
        if packet.operation != Operation.RESET:
            self._waiting.append(packet.answer(Operation.RESET).pack())

    def _requested(self, packet: Header, known: Connection | None) -> None:
        free = known is None and self._has_room()
        sock = self._dial(packet) if free else None
        if sock is None:
            self._refuse(packet)
            return
        connection = Connection(sock, State.OPEN, packet.source_port, packet.target_port)
        connection.note_credit(packet)
        self._join(connection)
        self._say(connection, Operation.RESPONSE)

    def _dial(self, packet: Header) -> socket.socket | None:
        if packet.target_port == HEARTBEAT_PORT:
            if self._heartbeat is None:
                return None
            ours, theirs = socket.socketpair()
            tell, self._heartbeat = self._heartbeat, None
            tell(theirs)
            return ours
        try:
            # What the sandbox's supervisor reads to tell an AF_VSOCK program who has connected.
            unique = secrets.token_hex(8)
            name = f"\0vsock.{self._cid}.{packet.source_port}.{unique}"
            return self._parent.dial(packet.target_port, name.encode())
        except (OSError, VsockError):
            return None  # whoever dialled sees the refusal: that is the answer

    def _received(self, connection: Connection, packet: Header, data: list[memoryview]) -> None:
        operation = packet.operation
        if operation == Operation.RESPONSE and connection.state is State.ASKED:
            connection.state, connection.deadline = State.OPEN, None
            with contextlib.suppress(OSError):  # its end is seen when it is read from
                connection.sock.send(b"OK %d\n" % connection.port)
        elif operation == Operation.DATA and connection.state is State.OPEN:
            self._pass_on(connection, cut(data, packet.size), packet.size)
        elif operation == Operation.SHUTDOWN:
            connection.guest_ends(Shutdown(packet.flags & ANY_SHUTDOWN))
            self._end_where_both_have(connection)
        elif operation == Operation.CREDIT_REQUEST:
            self._say(connection, Operation.CREDIT_UPDATE)
        elif operation == Operation.RESET:
            self._leave(connection)
        elif operation != Operation.CREDIT_UPDATE:
            self._reset(connection)

    def _pass_on(self, connection: Connection, data: list[memoryview], size: int) -> None:
        try:
            fits = connection.keep(data, size)
        except OSError:
            fits = False
        if not fits:
            self._reset(connection)
        elif connection.wants_to_tell:
            self._say(connection, Operation.CREDIT_UPDATE)

    # -- connections -------------------------------------------------------------------------------

    def _ask_guest(self, sock: socket.socket, port: int) -> None:
        """Offer the guest a connection of the parent's to one of its ports."""
        ours = next(it for it in self._ports if (port, it) not in self._known)
        connection = Connection(sock, State.ASKED, port, ours)
        connection.deadline = time.monotonic() + ANSWER_SECONDS
        self._join(connection)
        self._say(connection, Operation.REQUEST)
        self.serve()

    def _join(self, connection: Connection) -> None:
        self._known[connection.key] = connection
        self._loop.watch(connection.sock.fileno(), partial(self._moved, connection), edge=True)

    def _moved(self, connection: Connection) -> None:
        """Go on: the socket can be read, or written, again."""
        connection.readable = not connection.source_ended
        try:
            connection.flush()
        except OSError:
            self._reset(connection)
            return
        if connection.state is State.LEFT:
            if not connection.kept:
                self._drop(connection)
            return
        if connection.wants_to_tell:
            self._say(connection, Operation.CREDIT_UPDATE)
        self.serve()

    def _end_where_both_have(self, connection: Connection) -> None:
        """Forget it once neither end has anything to say: the guest's driver waits for that."""
        ended = connection.guest_ended
        try:
            connection.flush()
        except OSError:
            self._reset(connection)
            return
        if ended == ANY_SHUTDOWN or (ended and connection.source_ended):
            self._say(connection, Operation.RESET)
            self._leave(connection)

    def _leave(self, connection: Connection) -> None:
        """Let it go from the guest; the parent still gets what was sent before."""
        if connection.kept and Shutdown.SEND in connection.guest_ended:
            self._known.pop(connection.key, None)
            connection.state = State.LEFT
            self._left.add(connection)
        else:
            self._drop(connection)

    def _reset(self, connection: Connection) -> None:
        if connection.state is not State.LEFT:
            self._say(connection, Operation.RESET)
        self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        if self._known.get(connection.key) is connection:
            del self._known[connection.key]
        self._left.discard(connection)
        if connection.sock.fileno() >= 0:
            self._loop.unwatch(connection.sock.fileno())
            connection.sock.close()
