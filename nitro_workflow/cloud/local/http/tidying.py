"""Memory that was freed, given back to the system again and again."""

from __future__ import annotations

import asyncio

from nitro_workflow.cloud.local import budgets
from nitro_workflow.cloud.local.process_memory import give_memory_back

__all__ = ["keep_tidy"]


async def keep_tidy() -> None:
    """Do so every `budgets.TRIM_SECONDS`, until cancelled."""
    while True:
        await asyncio.sleep(budgets.TRIM_SECONDS)
        await asyncio.to_thread(give_memory_back)
