"""A call in the supervisor's hands, and what its handler says of it.

A handler returns a result (0 and above), a negative error number, `CONTINUE`, `ANSWERED`, or
`Later`: the call then waits for a descriptor, or a time, and is asked again.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from nitro_workflow.host.supervisor.notification import Notification

__all__ = ["ANSWERED", "Later", "Outcome", "PendingCall"]

ANSWERED: Final = (1 << 32) + 1
"""The caller has its answer, or is gone."""


@dataclass(slots=True)
class PendingCall:
    """A call, the descriptors that are held for it, and whom to tell that nobody heard."""

    notification: Notification
    descriptors: list[int] = field(default_factory=list)
    deadline: float | None = None  # of time.monotonic
    on_unheard: Callable[[], None] | None = None

    @property
    def tid(self) -> int:
        """The thread that calls."""
        return self.notification.tid

    def close(self) -> None:
        """Let the held descriptors go."""
        while self.descriptors:
            os.close(self.descriptors.pop())


@dataclass(frozen=True, slots=True)
class Later:
    """Ask ``again`` once ``descriptor`` can be read, or when ``deadline`` (monotonic) has passed.

    Without a descriptor: at the next look, some milliseconds later, or when told.
    """

    again: Callable[[PendingCall], Outcome]
    descriptor: int | None = None
    deadline: float | None = None


Outcome = int | Later
