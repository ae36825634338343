"""One thread that waits for descriptors and times, and calls who asked to be called."""

from __future__ import annotations

import contextlib
import select
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["EventLoop"]

_READABLE: Final = select.EPOLLIN


class EventLoop:
    """Descriptors are the caller's own: unwatch one before it is closed."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._watched: dict[int, Callable[[], None]] = {}
        self._times: dict[int, float] = {}
        self.seen = 0  # the events of the descriptor whose turn it is
        self.tick: Callable[[], float | None] = lambda: None
        """Called in every round; returns the seconds until it wants to be, None: no matter."""

    def watch(
        self, descriptor: int, ready: Callable[[], None], *, until: float | None = None,
        mask: int = _READABLE,
    ) -> None:  # fmt: skip
        """Call ``ready`` whenever the descriptor can be read, once the monotonic ``until`` is over.

        Raises OSError where the kernel watches no more.
        """
        self._poll.register(descriptor, mask)
        self._watched[descriptor] = ready
        if until is not None:
            self._times[descriptor] = until

    def unwatch(self, descriptor: int) -> None:
        """Watch it no more."""
        if self._watched.pop(descriptor, None) is not None:
            with contextlib.suppress(OSError):
                self._poll.unregister(descriptor)
        self._times.pop(descriptor, None)

    def turn(self) -> None:
        """Wait once, and call whoever it concerns."""
        for descriptor, mask in self._poll.poll(self._patience()):
            self.seen = mask
            ready = self._watched.get(descriptor)
            if ready is not None:
                ready()
        now = time.monotonic()
        for descriptor in [it for it, until in self._times.items() if now >= until]:
            ready = self._watched.get(descriptor)
            if ready is not None:
                ready()

    def close(self) -> None:
        """Let the kernel's object go."""
        self._poll.close()

    def _patience(self) -> float | None:
        wanted = self.tick()
        if self._times:
            first = max(0.0, min(self._times.values()) - time.monotonic())
            wanted = first if wanted is None else min(wanted, first)
        return wanted
