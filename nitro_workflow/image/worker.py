"""A lane: calls made in order on a thread of their own, with at most `depth` waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final, TypeAlias

Sink: TypeAlias = "Callable[[bytes | memoryview], None]"

# Under this many bytes a call is made at once, so that a small image starts no thread.
INLINE: Final = 64 * 1024


class Lane:
    """Makes calls ``sink(data)`` in the order they were put; starts its thread for long ones.

    A sink's exception is raised by the next `put`, `drain` or `close`.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._jobs: SimpleQueue[tuple[Sink | None, bytes | memoryview] | None] = SimpleQueue()
        self._room: SimpleQueue[None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def put(self, sink: Sink | None, data: bytes | memoryview) -> None:
        """Call ``sink(data)`` after the calls before it; waits while `depth` calls wait.

        None calls nothing, but takes its place in the order all the same.
        """
        if self._thread is None and (sink is None or len(data) < INLINE):
            if sink is not None:
                sink(data)
            return
        self._start()
        self._room.get()
        self._raise()
        self._jobs.put((sink, data))

    def drain(self) -> None:
        """Wait until all calls were made."""
        if self._thread is None:
            return
        for _ in range(self._depth):
            self._room.get()
        for _ in range(self._depth):
            self._room.put(None)
        self._raise()

    def close(self) -> None:
        """Make the calls that wait and end the thread; safe to call twice."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None
        self._raise()

    def _start(self) -> None:
        if self._thread is None:
            self._jobs, self._room = SimpleQueue(), SimpleQueue()
            for _ in range(self._depth):
                self._room.put(None)
            self._thread = threading.Thread(target=self._run, name="image-lane", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            sink, data = job
            try:
                if sink is not None and self._error is None:
                    sink(data)
            except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
                self._error = error
            self._room.put(None)

    def _raise(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error
