"""A crew: lines of calls, each in order, made by as many threads as there are processors."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

Sink: TypeAlias = "Callable[[bytes | memoryview], None]"

# Under this many bytes a call is made at once, so that a small image starts no thread.
INLINE: Final = 64 * 1024


def processors() -> int:
    """Return how many processors this process may run on."""
    return len(os.sched_getaffinity(0))


@dataclass(eq=False, slots=True)
class _Line:
    """Calls that follow each other: the number of the piece, the sink, the piece."""

    calls: deque[tuple[int, Sink, bytes | memoryview]] = field(default_factory=deque)
    busy: bool = False  # its first call is being made


class Crew:
    """Makes calls ``sink(data)`` side by side in several lines, in each in the order they were put.

    The caller's thread is one of the crew: while more than `depth` pieces wait, it makes calls too.
    Whoever is free makes the call that has waited longest. So there are never more threads than
    processors, for the scheduler to share out unevenly, and none rests while a call waits.

    Threads are of use only if the sinks let go of the interpreter lock. A sink's exception is
    raised by the next `put` or `drain`.
    """

    def __init__(self, lines: int, depth: int) -> None:
        self._lines = tuple(_Line() for _ in range(lines))
        self._depth = depth
        self._pieces = 0
        self._changed = threading.Condition(threading.Lock())
        self._helpers: list[threading.Thread] = []
        self._wanted = min(lines, processors() - 1)
        self._closed = False
        self._error: BaseException | None = None

    def put(self, sinks: Sequence[Sink | None], data: bytes | memoryview) -> None:
        """Call the sink of each line with the piece; None: nothing to do in that line.

        On return, all calls are made but those with the last ``depth`` pieces.
        """
        if not self._helpers and (len(data) < INLINE or not self._wanted):
            for call in filter(None, sinks):
                call(data)
            return
        self._start()
        with self._changed:
            for line, sink in zip(self._lines, sinks, strict=True):
                if sink is not None:
                    line.calls.append((self._pieces, sink, data))
            self._pieces += 1
            self._changed.notify_all()
        self._catch_up(self._pieces - self._depth)

    def drain(self) -> None:
        """Help until all calls are made."""
        self._catch_up(self._pieces)

    def close(self) -> None:
        """End the threads without the calls that wait; safe to call twice."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for helper in self._helpers:
            helper.join()

    def _start(self) -> None:
        while len(self._helpers) < self._wanted:
            helper = threading.Thread(target=self._help, name="image-crew", daemon=True)
            helper.start()
            self._helpers.append(helper)

    def _help(self) -> None:
        self._work_until(lambda: self._closed)

    def _catch_up(self, piece: int) -> None:
        """Help until all calls with the pieces before this one are made."""
        self._work_until(lambda: self._oldest() >= piece)
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _oldest(self) -> int:
        return min((line.calls[0][0] for line in self._lines if line.calls), default=self._pieces)

    def _work_until(self, done: Callable[[], bool]) -> None:
        while (line := self._take(done)) is not None:
            _, sink, data = line.calls[0]
            try:
                if self._error is None:
                    sink(data)
            except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
                self._error = error
            with self._changed:
                line.calls.popleft()
                line.busy = False
                self._changed.notify_all()

    def _take(self, done: Callable[[], bool]) -> _Line | None:
        """Return the line whose next call has waited longest, waiting for one; None when done."""
        with self._changed:
            while not done():
                free = [line for line in self._lines if line.calls and not line.busy]
                if free:
                    line = min(free, key=lambda line: line.calls[0][0])
                    line.busy = True
                    return line
                self._changed.wait()
        return None
