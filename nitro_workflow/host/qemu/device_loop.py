"""One thread's loop over descriptors: whoever watches one is called when it has something."""

from __future__ import annotations

import contextlib
import select
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DeviceLoop", "Watcher"]


class Watcher(Protocol):
    """What a device needs of the loop."""

    def watch(self, descriptor: int, call: Callable[[], None], *, edge: bool = False) -> None:
        """Call when ``descriptor`` can be read; with ``edge`` once for each change, writes too."""

    def unwatch(self, descriptor: int) -> None:
        """Call no more; without effect where it is not watched."""


class DeviceLoop:
    """An epoll and what is called for each descriptor."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._calls: dict[int, Callable[[], None]] = {}

    def watch(self, descriptor: int, call: Callable[[], None], *, edge: bool = False) -> None:
        """Call when ``descriptor`` can be read; with ``edge`` once for each change, writes too."""
        mask = select.EPOLLIN
        if edge:
            mask |= select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
        if descriptor in self._calls:
            self._epoll.modify(descriptor, mask)
        else:
            self._epoll.register(descriptor, mask)
        self._calls[descriptor] = call

    def unwatch(self, descriptor: int) -> None:
        """Call no more; without effect where it is not watched."""
        if self._calls.pop(descriptor, None) is not None:
            with contextlib.suppress(OSError):
                self._epoll.unregister(descriptor)

    def turn(self, seconds: float) -> None:
        """Wait at most so long, then call everyone whose descriptor has something."""
        for descriptor, _ in self._epoll.poll(seconds):
            call = self._calls.get(descriptor)
            if call is not None:  # an earlier call of this turn may have ended it
                call()

    def close(self) -> None:
        """Watch nothing any more."""
        self._calls.clear()
        self._epoll.close()
