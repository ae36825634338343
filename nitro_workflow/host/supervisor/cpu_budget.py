"""What a supervisor may take of the processor: a flood of calls slows down whoever makes it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CpuBudget"]

SHARE: Final = 0.5
"""Of one processor, in the long run: some 2,000 connections a second."""

SAVED_SECONDS: Final = 2.0
"""Processor time that may be used at once, after a quiet while."""

LONGEST_REST: Final = 0.05  # seconds: whoever ends the sandbox is heard after it


class CpuBudget:
    """Counts this thread's processor time against the clock; both are functions of seconds."""

    def __init__(
        self,
        share: float = SHARE,
        saved: float = SAVED_SECONDS,
        *,
        clock: Callable[[], float] = time.monotonic,
        processor: Callable[[], float] = time.thread_time,
    ) -> None:
        self._share, self._most, self._left = share, saved, saved
        self._clock, self._processor = clock, processor
        self._now, self._used = clock(), processor()

    def settle(self) -> float:
        """Return the seconds to rest now: 0 for who has something left."""
        now, used = self._clock(), self._processor()
        earned = (now - self._now) * self._share
        self._left = min(self._most, self._left + earned - (used - self._used))
        self._now, self._used = now, used
        return min(LONGEST_REST, -self._left / self._share) if self._left < 0 else 0.0
