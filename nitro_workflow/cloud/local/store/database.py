"""The cloud's state: one SQLite file in WAL mode, one writer at a time, readers never wait.

``synchronous=FULL``: when `transaction` has left its block, the rows are on the disk. What a reader
sees is always one committed state, so a write killed in its middle was never there.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from nitro_workflow.cloud.local import budgets

__all__ = ["Store"]

# Milliseconds that a writer of another process may hold the file (the seeding of a second start).
_BUSY_MS = 10_000
# Characters of the texts among the values that are remembered, beside their number.
_CACHED_CHARACTERS = 4 * budgets.MIB
T = TypeVar("T")


class Store:
    """One SQLite file, shared by the threads of one process.

    >>> from tempfile import mkdtemp
    >>> store = Store(Path(mkdtemp()) / "state.sqlite3")
    >>> store.create("CREATE TABLE IF NOT EXISTS t (a TEXT)")
    >>> with store.transaction() as db:
    ...     _ = db.execute("INSERT INTO t VALUES ('x')")
    >>> [row["a"] for row in store.read().execute("SELECT a FROM t")]
    ['x']
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._cache: dict[Hashable, Any] = {}
        self._weight = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        self._writer = self._connect()
        self._writer.execute("PRAGMA journal_mode=WAL")
        self._writer.execute(f"PRAGMA journal_size_limit={budgets.JOURNAL_BYTES}")

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        connection.execute("PRAGMA foreign_keys=ON")
        self._opened.append(connection)
        return connection

    def create(self, schema: str) -> None:
        """Run a service's ``SCHEMA``: statements that create what is not there yet."""
        with self._lock:
            self._writer.executescript(schema)

    @contextmanager
    def transaction(self, *, records: bool = False) -> Iterator[sqlite3.Connection]:
        """Yield the one writing connection inside ``BEGIN IMMEDIATE``.

        Leaving the block commits to the disk; an exception rolls back. Not reentrant: do not call
        another writer inside. Rows are ``sqlite3.Row``. `records` says that only decision records
        are written, of which nothing is `cached`.
        """
        with self._lock:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                # A full disk may have ended the transaction already, or leave it open at COMMIT.
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
            finally:
                if not records:
                    self._forget()

    def _forget(self) -> None:
        self._cache, self._weight = {}, 0

    def cached(
        self,
        key: Hashable,
        load: Callable[[sqlite3.Connection], T],
        *,
        weigh: Callable[[T], int] = lambda _value: 0,
    ) -> T:
        """Return what `load` reads from the store, remembered until the next transaction.

        An acknowledged write is seen at once: the memory is dropped before `transaction` returns.
        The value is shared by all threads: do not change it. `weigh` says how many characters a
        value holds, where that may be many.
        """
        cache = self._cache
        try:
            found: T = cache[key]
        except KeyError:
            # Read into the memory that was there before: what is read while a transaction commits
            # goes with the memory that it drops.
            found = cache[key] = load(self.read())
            self._weight += weigh(found)
            if len(cache) > budgets.CACHED_ROWS or self._weight > _CACHED_CHARACTERS:
                self._forget()
        return found

    def read(self) -> sqlite3.Connection:
        """Return this thread's connection for SELECT. It sees every committed transaction."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
            connection.execute("PRAGMA query_only=ON")
            connection.execute(f"PRAGMA cache_size=-{budgets.PAGES_BYTES // budgets.KIB}")
        return connection

    def give_memory_back(self) -> None:
        """Drop the pages that the writing connection keeps, up to 2 MB; the system has them too.

        Those that read keep `budgets.PAGES_BYTES` each, and are their threads' alone.
        """
        with self._lock:
            self._writer.execute("PRAGMA shrink_memory")

    def close(self) -> None:
        """Close every connection; the WAL is folded into the file."""
        with self._lock:
            for connection in self._opened:
                connection.close()
            self._opened.clear()
