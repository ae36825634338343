"""When a Jupyter server can be asked: its log tells an address before anything listens there."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from pathlib import Path

START_SECONDS = 120


def wait_for_port(server: subprocess.Popen[bytes], log: Path) -> int:
    """Return the port of a server that logs to ``log``, once it takes connections.

    jupyter_server chooses a port, lets go of it, prints it, and listens only from its event loop.

    Raises `RuntimeError` with the end of the log: it ended, or took longer than START_SECONDS.
    """
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        told = re.search(r"http://(?:localhost|127\.0\.0\.1):(\d+)/", log.read_text())
        if told and _takes_connections(int(told[1])):
            return int(told[1])
        time.sleep(0.1)
    raise RuntimeError(f"the Jupyter server did not start:\n{log.read_text()[-3000:]}")


def _takes_connections(port: int) -> bool:
    with socket.socket() as sock:
        sock.settimeout(START_SECONDS)
        return sock.connect_ex(("127.0.0.1", port)) == 0
