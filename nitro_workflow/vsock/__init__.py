"""vsock: addresses and sockets, framed messages, the parent's proxy and its trace.

>>> import socket
>>> ours, theirs = socket.socketpair()
>>> send_json(ours, {"op": "ping"})
>>> recv_json(theirs)
{'op': 'ping'}
>>> ours.close(), theirs.close()
(None, None)
"""

from __future__ import annotations

from nitro_workflow.vsock.frames import (
    CHUNK_SIZE,
    FRAME_LIMIT,
    StreamReader,
    recv_frame,
    recv_json,
    send_frame,
    send_json,
    write_stream,
)
from nitro_workflow.vsock.trace_lines import TraceWriter, read_trace
from nitro_workflow.vsock.transport import (
    HEARTBEAT_PORT,
    PARENT_CID,
    GuestTransport,
    HostTransport,
    KernelTransport,
    Transport,
    open_transport,
)

__all__ = [
    "CHUNK_SIZE",
    "FRAME_LIMIT",
    "HEARTBEAT_PORT",
    "PARENT_CID",
    "GuestTransport",
    "HostTransport",
    "KernelTransport",
    "StreamReader",
    "TraceWriter",
    "Transport",
    "open_transport",
    "read_trace",
    "recv_frame",
    "recv_json",
    "send_frame",
    "send_json",
    "write_stream",
]
