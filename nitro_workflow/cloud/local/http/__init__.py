"""The socket's side of the cloud: TLS, connections, bodies; behind it nobody knows of HTTP servers.

`make_app` is the ASGI application in front of the dispatcher, `ensure_tls` the lab's certificate;
uvicorn is told of our loop (`patient_loop`) and our connection (`record_reader`) by their names.

>>> from pathlib import Path
>>> from tempfile import mkdtemp
>>> from nitro_workflow.cloud.local.http import ensure_tls
>>> files = ensure_tls(Path(mkdtemp()), "us-east-1")
>>> files.certificate.read_text().splitlines()[0]
'-----BEGIN CERTIFICATE-----'

Names are imported when they are used: the server's libraries take 0.3 s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from nitro_workflow.cloud.local.http.access_log import log_warnings, make_access_log
    from nitro_workflow.cloud.local.http.edge import make_app
    from nitro_workflow.cloud.local.http.tls_identity import TlsFiles, ensure_tls

__all__ = [
    "TlsFiles",
    "ensure_tls",
    "log_warnings",
    "make_access_log",
    "make_app",
]

_HOMES = {
    "TlsFiles": "tls_identity",
    "ensure_tls": "tls_identity",
    "log_warnings": "access_log",
    "make_access_log": "access_log",
    "make_app": "edge",
}

__getattr__ = lazy_names(__name__, _HOMES)
