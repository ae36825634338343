"""What a proxy notes of each direction: one line of trace a burst, of what passed and how."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from nitro_workflow.vsock.tls_records import RecordObserver

if TYPE_CHECKING:
    from nitro_workflow.vsock.kept_pieces import PieceKeeper
    from nitro_workflow.vsock.trace_lines import TraceWriter

__all__ = ["BurstObserver", "watch_bursts"]

QUIET_SECONDS: Final = 0.05
"""A direction that rests so long has ended a burst: one line of trace for each."""


class BurstObserver:
    """One direction of one connection, noted burst by burst: it may stay open for long."""

    def __init__(
        self,
        step: str,
        source: str,
        target: str,
        trace: TraceWriter | None,
        pieces: PieceKeeper | None = None,
    ) -> None:
        self._names = {"step": step, "source": source, "target": target}
        self._trace = trace
        self._pieces = pieces
        self._lock = threading.Lock()
        self._all = RecordObserver()
        self._burst = hashlib.sha256()
        self._size = 0
        self._counted: dict[str, int] = {}
        self._last = 0.0
        self._began: datetime | None = None  # the burst: its line is written when it has ended

    @property
    def server_name(self) -> str | None:
        """The name that the client asked for, as far as it has come by."""
        return self._all.server_name

    @property
    def quiet(self) -> bool:
        """Whether something has passed, and then nothing for `QUIET_SECONDS`."""
        return self._size > 0 and time.monotonic() - self._last > QUIET_SECONDS

    def feed(self, data: bytes) -> None:
        """Take the next piece."""
        with self._lock:
            self._all.feed(data)
            self._began = self._began or datetime.now(UTC)
            self._burst.update(data)
            self._size += len(data)
            self._last = time.monotonic()
        if self._pieces is not None:
            self._pieces.keep(self._names["source"], self._names["target"], data)

    def note(self, name: str | None, *, ended: bool = False) -> None:
        """Write one line about what has passed since the last one.

        Until the direction has ``ended``, the last record may still be on its way.
        """
        with self._lock:
            if self._trace is None or not self._size:
                return
            seen, before = dict(self._all.records), self._counted
            records = {kind: seen[kind] - before.get(kind, 0) for kind in sorted(seen)}
            whole = self._all.only_tls if ended else self._all.not_tls_at is None
            with contextlib.suppress(OSError):  # a full disk must not cut the enclave off
                self._trace.append(
                    **self._names,
                    at=self._began,
                    what="TLS records through the vsock proxy",
                    size=self._size,
                    sha256=self._burst.hexdigest(),
                    visible_to=["enclave", "kms"],
                    carried_by=["proxy"],
                    records={kind: count for kind, count in records.items() if count},
                    lengths=self._all.take_lengths(),
                    only_tls=whole,
                    not_tls_at=self._all.not_tls_at,
                    server_name=name,
                )
            self._burst, self._size, self._counted = hashlib.sha256(), 0, seen
            self._began = None


def watch_bursts(ended: threading.Event, outward: BurstObserver, inward: BurstObserver) -> None:
    """Note each direction's burst once it is quiet, until ``ended``.

    The client speaks first: what it sent is noted before the answer, though it may still send.
    """
    while not ended.wait(QUIET_SECONDS / 2):
        answered = inward.quiet
        if answered or outward.quiet:
            outward.note(outward.server_name)
        if answered:
            inward.note(outward.server_name)
