"""The cloud that the workflow talks to: `local`, which this package serves, or AWS.

    from pathlib import Path
    from nitro_workflow.cloud import Connection

    connection = Connection.of(Path("lab"))          # a cloud that `cloud serve` runs
    with connection.client("kms", "111122223333") as kms:
        kms.list_keys()

A `Connection` holds what an SDK needs to reach a local cloud: endpoint, CA, credentials. `serve`
runs one until it is told to stop. `isolated_session` makes boto3 sessions that can reach one cloud
and nothing else; `cloud_errors` turns what a cloud refuses into the package's own errors.

>>> from pathlib import Path
>>> from nitro_workflow.cloud import Connection
>>> Connection("https://localhost:8443", Path("ca.pem"), {}).key("111122223333")
Traceback (most recent call last):
nitro_workflow.errors.UsageError: no credentials of 111122223333 ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from nitro_workflow.cloud.client_errors import DENIED, cloud_errors, recorded_error, refusal
    from nitro_workflow.cloud.connection import Connection
    from nitro_workflow.cloud.endpoint import REGION, Endpoint
    from nitro_workflow.cloud.isolated_sessions import Observe, isolated_session
    from nitro_workflow.cloud.local.call import Settings
    from nitro_workflow.cloud.local.seed import draw_keys, write_private
    from nitro_workflow.cloud.local.serve import ServeOptions, serve, tls_files

__all__ = [
    "DENIED",
    "REGION",
    "Connection",
    "Endpoint",
    "Observe",
    "ServeOptions",
    "Settings",
    "cloud_errors",
    "draw_keys",
    "isolated_session",
    "recorded_error",
    "refusal",
    "serve",
    "tls_files",
    "write_private",
]

_HOMES = {
    "DENIED": "client_errors",
    "REGION": "endpoint",
    "Connection": "connection",
    "Endpoint": "endpoint",
    "Observe": "isolated_sessions",
    "ServeOptions": "local.serve",
    "Settings": "local.call",
    "cloud_errors": "client_errors",
    "draw_keys": "local.seed",
    "isolated_session": "isolated_sessions",
    "recorded_error": "client_errors",
    "refusal": "client_errors",
    "serve": "local.serve",
    "tls_files": "local.serve",
    "write_private": "local.seed",
}

__getattr__ = lazy_names(__name__, _HOMES)  # the server's libraries take 0.3 s
