"""Accept connections for as long as there is a listener, whatever runs out meanwhile.

An instance can use up the descriptors or threads of the hypervisor's process for a while. What
accepts must neither end over that (nobody would answer once they are free again) nor spin.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.system_errors import RUN_OUT

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

__all__ = ["accept_next", "rest_where_run_out", "run_in_thread"]

PAUSE: Final = 0.1  # seconds until the next try: whoever waits would wake us at once


def accept_next(listener: socket.socket) -> socket.socket | None:
    """Return the next connection; None once the listener is closed."""
    while True:
        try:
            return listener.accept()[0]
        except ConnectionAbortedError:
            continue
        except OSError as error:
            if not rest_where_run_out(error):
                return None


def rest_where_run_out(error: OSError) -> bool:
    """Wait a moment, and return True, where something has run out that comes back."""
    if error.errno not in RUN_OUT:
        return False
    time.sleep(PAUSE)
    return True


def run_in_thread(function: Callable[..., None], *arguments: Any) -> threading.Thread | None:
    """Run ``function`` in a thread of its own, and return it; None where no thread is left."""
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return None
    return thread
