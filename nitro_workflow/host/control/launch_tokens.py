"""A launch that is asked for twice happens once: whoever was cut off can ask again.

As EC2's ClientToken: the same token gives the same enclave, for as long as that runs.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.host.rules.ecodes import failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from nitro_workflow.host.protocol import LaunchRequest

__all__ = ["LaunchTokens"]

WAIT_SECONDS: Final = 200.0  # for the launch of whoever asked first: the heartbeat may take 180

_Answer = dict[str, Any]


class LaunchTokens:
    """Launches by token; threads may call at once."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[LaunchRequest, Future[_Answer]]] = {}
        self._lock = threading.Lock()

    def once(self, request: LaunchRequest, run: Callable[[], _Answer]) -> _Answer:
        """Return what ``run`` does, or did for the same token; without a token, always run.

        Raises `HostError` E03 where the token stands for another request.
        """
        token = request.client_token
        if not token:
            return run()
        mine: Future[_Answer] = Future()
        with self._lock:
            first, answer = self._known.setdefault(token, (request, mine))
        if first != request:
            raise failure(
                "E03",
                f"Invalid argument provided: client token {token!r:.80} of another launch",
                expected="the same launch, or a new token",
                next="ask with a token of its own",
            )
        if answer is mine:
            self._run(token, mine, run)
        return answer.result(WAIT_SECONDS)

    def known(self) -> set[str]:
        """Return the ids of the enclaves that stand behind tokens."""
        with self._lock:
            done = [answer for _, answer in self._known.values() if answer.done()]
        return {str(answer.result()["EnclaveID"]) for answer in done}

    def forget(self, enclave_id: str) -> None:
        """Drop the token of an enclave that is gone."""
        with self._lock:
            for token, (_, answer) in list(self._known.items()):
                if answer.done() and answer.result()["EnclaveID"] == enclave_id:
                    del self._known[token]

    def _run(self, token: str, answer: Future[_Answer], run: Callable[[], _Answer]) -> None:
        try:
            found = run()
        except BaseException as error:
            with self._lock:
                del self._known[token]  # it can be tried again
            answer.set_exception(error)
            raise
        with self._lock:
            answer.set_result(found)
