"""Memory put in order again and again: given back to the system, and kept from the collector.

Services' models come with the first request of each, and the collector would walk them at every
round from then on. They are passed over (`keep_for_good`) once few connections are open: those
that are would keep their memory, and an attack has hundreds.
"""

from __future__ import annotations

import asyncio

from nitro_workflow.cloud.local import budgets
from nitro_workflow.cloud.local.process_memory import give_memory_back, keep_for_good
from nitro_workflow.cloud.local.protocol import models_loaded

__all__ = ["Connections", "Tidying", "keep_tidy"]


class Connections:
    """How many connections this process has open; the event loop alone counts."""

    open = 0


class Tidying:
    """Knows for how many models the collector was told already."""

    def __init__(self) -> None:
        self._kept = 0

    def once(self, loaded: int, connections: int) -> None:
        """Give memory back, and keep what has been loaded since the last time that it was calm."""
        if loaded > self._kept and connections <= budgets.CALM_CONNECTIONS:
            keep_for_good()
            self._kept = loaded
        give_memory_back()


async def keep_tidy() -> None:
    """Do so every `budgets.TRIM_SECONDS`, until cancelled."""
    tidying = Tidying()
    while True:
        await asyncio.sleep(budgets.TRIM_SECONDS)
        await asyncio.to_thread(tidying.once, models_loaded(), Connections.open)
