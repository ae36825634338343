"""What answers a call, and what it may use: a service is a table of handlers.

A service is a module with ``OPERATIONS: Mapping[str, Handler]`` and ``SCHEMA: str`` (SQL, every
statement ``IF NOT EXISTS``). A handler gets the parsed call and returns botocore's output shape:
blobs as bytes, times as datetime, absent members left out. A service that keeps whom somebody named
has a `Forget` too, ``forget``: it names them by their id once they are deleted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from nitro_workflow.cloud.local.call import Call, Settings
from nitro_workflow.cloud.local.gate import Departed, EventLog, Gate
from nitro_workflow.cloud.local.store import Store, Vault

__all__ = ["Forget", "Handler", "Services"]

Forget: TypeAlias = Callable[[sqlite3.Connection, Departed], None]


@dataclass(frozen=True, slots=True)
class Services:
    """What a handler may use; one for the life of the process, shared by all threads."""

    settings: Settings
    store: Store
    vault: Vault
    gate: Gate
    events: EventLog
    forget: tuple[Forget, ...]


Handler: TypeAlias = Callable[[Services, Call], Mapping[str, Any]]
