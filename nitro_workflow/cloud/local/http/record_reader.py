"""Where decrypted bytes go: one buffer for all connections, from which the parser takes its own.

To a protocol without a buffer of its own, TLS gives a new object for each record: so large that it
has memory of its own from the system, and then cut to a sixteenth. An upload took half as much
processor time again (benchmarks/large_objects.py), and two hundred connections kept 50 MB.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from nitro_workflow.cloud.local import budgets
from nitro_workflow.cloud.local.http.patience import PatientProtocol

__all__ = ["RecordReader"]

# Filled and parsed within one call of the loop, so that connections cannot meet in it.
_BUFFER = memoryview(bytearray(budgets.BLOCK_BYTES))


class RecordReader(asyncio.BufferedProtocol):
    """Gives the connection's bytes, and all that happens to it, to a `PatientProtocol`."""

    def __init__(self, **options: Any) -> None:
        self._inner = PatientProtocol(**options)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the next bytes go."""
        del sizehint  # what does not fit comes with the next call
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        """Parse what came; httptools copies what it hands on."""
        # (Which takes any buffer; uvicorn names the one kind that it has.)
        self._inner.data_received(cast("bytes", _BUFFER[:nbytes]))

    def eof_received(self) -> None:
        """Tell of the end of what the client sends."""
        self._inner.eof_received()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own
        """Tell of the connection, once its TLS stands."""
        transport.set_write_buffer_limits(high=budgets.WAITING_BYTES)
        transport.set_read_buffer_limits(high=budgets.UNREAD_BYTES)  # type: ignore[attr-defined]  # TLS has it
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell of the connection's end."""
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """Tell that the client does not read."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Tell that it reads again."""
        self._inner.resume_writing()
