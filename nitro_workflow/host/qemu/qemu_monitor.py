"""QEMU's monitor, by its own library: what the machine's state is, and its clean end."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import HostError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine

__all__ = ["QemuMonitor"]

SECONDS: Final = 5.0
CONNECT_SECONDS: Final = 60.0  # QEMU has only begun to start; tenths in fact


class QemuMonitor:
    """One machine's monitor on a socket, which it owns; threads may call at once."""

    def __init__(self, sock: socket.socket, name: str) -> None:
        from qemu.qmp import QMPClient

        sock.setblocking(False)
        self._sock = sock
        self._client = QMPClient(name)
        self._loop = asyncio.new_event_loop()
        self._open, self._lock = True, threading.Lock()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="qmp")
        self._thread.start()

    def connect(self) -> None:
        """Shake hands; raises `HostError`."""
        self._do(lambda: self._client.connect(self._sock), CONNECT_SECONDS)

    def status(self) -> dict[str, Any]:
        """Return ``status`` (running, paused, internal-error …), ``kvm`` and the ``version``."""
        state = self._ask("query-status")
        kvm = self._ask("query-kvm")
        version = self._ask("query-version")["qemu"]
        numbers = (str(version[part]) for part in ("major", "minor", "micro"))
        return {
            "status": str(state["status"]),
            "kvm": bool(kvm["enabled"]),
            "version": ".".join(numbers),
        }

    def quit(self) -> None:
        """Have the machine end at once; without effect where it has."""
        with contextlib.suppress(HostError):
            self._do(lambda: self._client.execute("quit"))

    def close(self) -> None:
        """End the session and its thread."""
        with contextlib.suppress(HostError):
            self._do(self._client.disconnect)
        with self._lock:
            if not self._open:
                return
            self._open = False
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SECONDS)
        if not self._thread.is_alive():
            self._loop.close()

    def _ask(self, command: str) -> dict[str, Any]:
        answer: dict[str, Any] = self._do(lambda: self._client.execute(command))
        return answer

    def _do(self, work: Callable[[], Coroutine[Any, Any, Any]], seconds: float = SECONDS) -> Any:
        from qemu.qmp import QMPError

        with self._lock:
            if not self._open:
                raise _no_answer("it is closed")
            future = asyncio.run_coroutine_threadsafe(work(), self._loop)
        try:
            return future.result(seconds)
        except (QMPError, TimeoutError, OSError, EOFError, AssertionError) as error:
            # The library asserts, too, where a session ends while it begins.
            future.cancel()
            raise _no_answer(type(error).__name__) from error


def _no_answer(why: str) -> HostError:
    return HostError(
        f"the machine's monitor does not answer ({why})",
        expected="an answer",
        where="QEMU",
        next="the machine has ended, or is about to",
    )
