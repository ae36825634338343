"""vsock: addresses and sockets, framed messages, the parent's proxy and its trace.

>>> import socket
>>> from nitro_workflow.vsock import recv_json, send_json
>>> ours, theirs = socket.socketpair()
>>> send_json(ours, {"op": "ping"})
>>> recv_json(theirs)
{'op': 'ping'}
>>> ours.close(), theirs.close()
(None, None)

Imported on first use: the sandbox's bootstrap needs the addresses alone, and its start counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from nitro_workflow.vsock.accepting import accept_next, rest_where_run_out, run_in_thread
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
    from nitro_workflow.vsock.kept_pieces import PIECES_FILE, PieceKeeper, read_pieces
    from nitro_workflow.vsock.proxy import run_proxy
    from nitro_workflow.vsock.relay import relay_sockets
    from nitro_workflow.vsock.tls_records import TlsRecord, records_in, server_name
    from nitro_workflow.vsock.trace_lines import TraceWriter, read_trace
    from nitro_workflow.vsock.transport import (
        GATEWAY,
        HEARTBEAT_PORT,
        PARENT_CID,
        PARENT_DEVICE,
        PROXY_PORT,
        GuestTransport,
        HostTransport,
        KernelTransport,
        Transport,
        has_own_transport,
        open_transport,
        read_line,
    )

_HOMES = {
    "CHUNK_SIZE": "frames",
    "FRAME_LIMIT": "frames",
    "GATEWAY": "transport",
    "GuestTransport": "transport",
    "HEARTBEAT_PORT": "transport",
    "HostTransport": "transport",
    "KernelTransport": "transport",
    "PARENT_CID": "transport",
    "PARENT_DEVICE": "transport",
    "PIECES_FILE": "kept_pieces",
    "PROXY_PORT": "transport",
    "PieceKeeper": "kept_pieces",
    "StreamReader": "frames",
    "TlsRecord": "tls_records",
    "TraceWriter": "trace_lines",
    "Transport": "transport",
    "accept_next": "accepting",
    "has_own_transport": "transport",
    "open_transport": "transport",
    "read_line": "transport",
    "read_pieces": "kept_pieces",
    "read_trace": "trace_lines",
    "records_in": "tls_records",
    "recv_frame": "frames",
    "recv_json": "frames",
    "relay_sockets": "relay",
    "rest_where_run_out": "accepting",
    "run_proxy": "proxy",
    "run_in_thread": "accepting",
    "send_frame": "frames",
    "send_json": "frames",
    "server_name": "tls_records",
    "write_stream": "frames",
}

__all__ = [
    "CHUNK_SIZE",
    "FRAME_LIMIT",
    "GATEWAY",
    "HEARTBEAT_PORT",
    "PARENT_CID",
    "PARENT_DEVICE",
    "PIECES_FILE",
    "PROXY_PORT",
    "GuestTransport",
    "HostTransport",
    "KernelTransport",
    "PieceKeeper",
    "StreamReader",
    "TlsRecord",
    "TraceWriter",
    "Transport",
    "accept_next",
    "has_own_transport",
    "open_transport",
    "read_line",
    "read_pieces",
    "read_trace",
    "records_in",
    "recv_frame",
    "recv_json",
    "relay_sockets",
    "rest_where_run_out",
    "run_in_thread",
    "run_proxy",
    "send_frame",
    "send_json",
    "server_name",
    "write_stream",
]

__getattr__ = lazy_names(__name__, _HOMES)
