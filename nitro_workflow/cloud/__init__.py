"""The cloud that the workflow talks to: `local`, which this package serves, or AWS.

    from pathlib import Path
    from nitro_workflow.cloud import Connection

    connection = Connection.of(Path("lab"))          # a cloud that `cloud serve` runs
    with connection.client("kms", "111122223333") as kms:
        kms.list_keys()

A `Connection` holds what an SDK needs to reach a local cloud: endpoint, CA, credentials. `serve`
runs one until it is told to stop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nitro_workflow.cloud.connection import Connection
    from nitro_workflow.cloud.local.serve import ServeOptions, serve
    from nitro_workflow.cloud.local.service import Settings

__all__ = ["Connection", "ServeOptions", "Settings", "serve"]

_HOMES = {
    "Connection": "nitro_workflow.cloud.connection",
    "ServeOptions": "nitro_workflow.cloud.local.serve",
    "Settings": "nitro_workflow.cloud.local.service",
    "serve": "nitro_workflow.cloud.local.serve",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: the server's libraries take 0.3 s."""
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
