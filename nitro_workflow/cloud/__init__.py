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

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from nitro_workflow.cloud.connection import Connection
    from nitro_workflow.cloud.local.call import Settings
    from nitro_workflow.cloud.local.serve import ServeOptions, serve

__all__ = ["Connection", "ServeOptions", "Settings", "serve"]

_HOMES = {
    "Connection": "connection",
    "ServeOptions": "local.serve",
    "Settings": "local.call",
    "serve": "local.serve",
}

__getattr__ = lazy_names(__name__, _HOMES)  # the server's libraries take 0.3 s
