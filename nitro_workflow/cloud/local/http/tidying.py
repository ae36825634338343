"""Memory that was freed, given back to the system again and again."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from typing import TYPE_CHECKING

from nitro_workflow.cloud.local import budgets
from nitro_workflow.cloud.local.process_memory import give_memory_back

if TYPE_CHECKING:
    from nitro_workflow.cloud.local.store import Store

__all__ = ["keep_tidy"]


async def keep_tidy(pool: Executor, store: Store) -> None:
    """Do so every `budgets.TRIM_SECONDS` in a thread of ``pool``, until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(budgets.TRIM_SECONDS)
        await loop.run_in_executor(pool, store.give_memory_back)
        await loop.run_in_executor(pool, give_memory_back)
