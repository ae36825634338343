"""A command that a signal ends unwinds as after Ctrl-C, and says which signal it was."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["Terminated", "end_in_order", "exit_status"]

_ENDING: Final = (signal.SIGTERM, signal.SIGHUP)


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP came: what cleans up after Ctrl-C cleans up after these, too."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def end_in_order() -> None:
    """Raise `Terminated` where a signal would end the process at once.

    One that is ignored stays so (``nohup``). Who serves until a signal comes sets their own.
    """
    for number in _ENDING:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _raise)


def _raise(number: int, _: FrameType | None) -> None:
    raise Terminated(number)


def exit_status(ended: BaseException | None) -> int:
    """Return what a shell reports of a program that such a signal, or Ctrl-C, has ended."""
    number = ended.number if isinstance(ended, Terminated) else signal.SIGINT
    return 128 + number
