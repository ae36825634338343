"""The log of decision records: taken from any thread, written behind the answer by one of its own.

Records are written in one transaction every few milliseconds (CloudTrail too comes later): a cloud
that is killed may lack the records of its last moments, never an acknowledged write.

What a full disk does not take waits in memory; once `budgets.WAITING_RECORDS` do, no call is
answered before there is room: nobody acts unseen by filling the disk.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from nitro_workflow.cloud.local import budgets
from nitro_workflow.cloud.local.gate.record_rows import insert_records, ring_sizes, trim
from nitro_workflow.cloud.local.store import Store

__all__ = ["EventLog", "MakeEvent"]

MakeEvent: TypeAlias = Callable[[bool], Mapping[str, Any]]
"""``make(brief)`` returns a record; a brief one is not explained."""
_FLUSH_S = 0.05
_RETRY_S = 0.5  # where the disk took nothing
_log = logging.getLogger("nitro_workflow.cloud")


class EventLog:
    """Takes events from any thread; one thread of its own writes them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sizes = ring_sizes(store)
        self._pending: list[MakeEvent] = []
        self._making = 0  # of those that were taken to be written
        self._unwritten: Sequence[Mapping[str, Any]] = ()  # what the disk did not take
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._wake = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        self._thread.start()

    def record(self, make: MakeEvent) -> None:
        """Take one event, which `make` makes when its turn comes; it is on the disk in 50 ms.

        Where too many wait, the caller's thread writes them first: answers come as fast as their
        records can be written, and memory holds no more of them. Raises
        `sqlite3.OperationalError` where the disk takes none: then this one is not taken either.
        """
        with self._lock:
            waiting = len(self._pending) + self._making + len(self._unwritten)
        if waiting >= budgets.WAITING_RECORDS:
            self.flush()
        with self._lock:
            self._pending.append(make)
        self._wake.set()

    def _run(self) -> None:
        while not self._closed:
            self._wake.wait()
            self._wake.clear()
            # Let a burst gather: one transaction, one fsync.
            time.sleep(_FLUSH_S)
            try:
                self.flush()
            except sqlite3.OperationalError as error:
                _log.error("decision records wait for the disk: %s", type(error).__name__)
                time.sleep(_RETRY_S)
                self._wake.set()
            except Exception as error:  # noqa: BLE001 - whatever it was, later records are written
                _log.error("decision records were lost: %s", type(error).__name__)

    def flush(self) -> None:
        """Write all that is pending; when this returns, they can be looked up.

        Raises `sqlite3.OperationalError`: the disk took not all of them; the others wait.
        """
        with self._writing:
            with self._lock:
                batch, self._pending = self._pending, []
                self._making = len(batch)
            brief = len(batch) > budgets.WAITING_EXPLANATIONS
            made = [event for make in batch if (event := _made(make, brief)) is not None]
            events = [*self._unwritten, *made]
            self._unwritten = events
            self._making = 0  # only now: counted twice for a moment, and never not at all
            if events:
                self._write(events)

    def _write(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Write all in one transaction; where one of them cannot be, all others."""
        self._unwritten = events
        try:
            with self._store.transaction(records=True) as db:
                sizes = dict(self._sizes)
                for ring, grown in insert_records(db, events).items():
                    sizes[ring] = sizes.get(ring, 0) + grown
                trim(db, sizes)
            self._sizes = sizes
        except sqlite3.OperationalError:  # the disk's fault, not a record's
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, the others are written
            self._write_apart(events, error)
        self._unwritten = ()

    def _write_apart(self, events: Sequence[Mapping[str, Any]], error: Exception) -> None:
        if len(events) == 1:
            _log.error("a decision record was lost: %s", type(error).__name__)
            return
        for at, event in enumerate(events):
            try:
                self._write([event])
            except sqlite3.OperationalError:
                self._unwritten = events[at:]
                raise

    def forget_old(self, now: datetime) -> None:
        """Delete what is older than CloudTrail's event history."""
        before = (now - timedelta(days=budgets.RECORD_DAYS)).timestamp()
        with self._writing:
            with self._store.transaction(records=True) as db:
                db.execute("DELETE FROM events WHERE time < ?", (before,))
            self._sizes = ring_sizes(self._store)

    def close(self) -> None:
        """Write the rest and stop the thread."""
        self._closed = True
        self._wake.set()
        self._thread.join()
        try:
            self.flush()
        except sqlite3.OperationalError as error:
            _log.error("decision records were lost: %s", type(error).__name__)


def _made(make: MakeEvent, brief: bool) -> Mapping[str, Any] | None:
    try:
        return make(brief)
    except Exception as error:  # noqa: BLE001 - one record must not take the batch along
        _log.error("a decision record was lost: %s", type(error).__name__)
        return None
