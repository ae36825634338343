"""The hypervisor's own watch over a sandbox: ends it where it takes more than it was given.

What the kernel does not hold for all of a sandbox together without a control group: memory that
several processes or several memfds take, the disk, processes on old kernels.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING, Final

from nitro_workflow.host.sandbox.memory_use import use_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from nitro_workflow.host.rules.limits import Limits
    from nitro_workflow.host.sandbox.memory_use import Usage

__all__ = ["Watch"]

PAUSE: Final = 0.2  # seconds between two looks
CLOSE_PAUSE: Final = 0.02  # where half of the memory is taken
SHARE: Final = 4  # of the time, at most one part is spent looking

MIB: Final = 1 << 20


class Watch:
    """Looks until `close`, or until nothing runs.

    ``end`` is called once, with what was too much, from its thread. ``root`` is a descriptor of the
    sandbox's tmpfs, owned by this. ``memory`` is False where a control group holds memory and
    processes. ``more`` looks at what else there is; ``apart`` is a process that is not counted.
    """

    def __init__(
        self,
        pid: int,
        limits: Limits,
        root: int | None,
        end: Callable[[str], None],
        *,
        memory: bool = True,
        more: Callable[[Usage], str] | None = None,
        apart: int | None = None,
    ) -> None:
        self._pid, self._limits, self._root, self._apart = pid, limits, root, apart
        self._end, self._memory, self._more = end, memory, more
        self._stop = threading.Event()
        threading.Thread(target=self._run, daemon=True, name="watch").start()

    def close(self) -> None:
        """Look no more; may be called again."""
        self._stop.set()

    def _run(self) -> None:
        pause = PAUSE
        try:
            while not self._stop.wait(pause):
                begun = time.monotonic()
                usage = use_of(self._pid, self._root, enough=self._limits.memory, apart=self._apart)
                if not usage.processes:
                    return  # it has ended
                reason = self._too_much(usage)
                if reason and not self._stop.is_set():
                    self._end(reason)
                    return
                is_close = self._memory and usage.memory > self._limits.memory // 2
                spent = time.monotonic() - begun
                pause = max(CLOSE_PAUSE if is_close else PAUSE, SHARE * spent)
        except Exception as error:  # noqa: BLE001 - what cannot be watched is not let run
            self._end(f"limits: they cannot be watched ({type(error).__name__}: {error})"[:200])
        finally:
            if self._root is not None:
                with contextlib.suppress(OSError):
                    os.close(self._root)

    def _too_much(self, usage: Usage) -> str:
        limits = self._limits
        if self._memory and usage.memory > limits.memory:
            return f"memory: {usage.memory // MIB} MiB of {limits.memory // MIB}"
        if self._memory and usage.processes > limits.processes:
            return f"processes: {usage.processes} of {limits.processes}"
        return self._more(usage) if self._more else ""
