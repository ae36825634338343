"""What the lab asks the parent application, over the control socket of its instance.

The administrator may do all this: nothing here needs, or gets, what is inside the enclave.
"""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud import recorded_error
from nitro_workflow.errors import EnclaveError, HostError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["Parent", "wait_for"]

ANSWER_SECONDS: Final = 120.0
"""GetObject of the largest data set that the notebooks offer takes a tenth of this."""
LINE_LIMIT: Final = 8 * 1024 * 1024  # bytes of one JSON answer: evidence, result and receipt
POLL_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Parent:
    """The parent application of one instance; ``socket_path`` is its control socket."""

    socket_path: Path

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send one request, return its answer.

        Raises `HostError` where nobody answers, and the recorded error where the parent refuses.
        """
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(ANSWER_SECONDS)
                connection.connect(str(self.socket_path))
                connection.sendall(json.dumps(request).encode() + b"\n")
                answer = _read_line(connection)
        except OSError as error:
            raise HostError(
                f"the parent application does not answer: {error}",
                expected="its control socket",
                where="parent instance",
                next="run step P8: it launches the instance again",
                code="ParentUnavailable",
            ) from error
        if "error" in answer and answer.get("status") not in ("refused", "failed"):
            raise recorded_error(answer["error"], "parent instance")
        return answer

    def alive(self) -> bool:
        """Tell whether the parent application answers."""
        try:
            self.ask(op="ping")
        except HostError:
            return False
        return True


def _read_line(connection: socket.socket) -> dict[str, Any]:
    data = bytearray()
    while not data.endswith(b"\n"):
        chunk = connection.recv(65536)
        if not chunk or len(data) > LINE_LIMIT:
            break
        data += chunk
    try:
        answer = json.loads(bytes(data))
    except (ValueError, RecursionError) as error:
        raise HostError(
            f"{len(data)} bytes that are not a JSON object",
            expected="one JSON object on a line",
            where="parent instance",
            next="run step P8: it launches the instance again",
            code="ParentUnavailable",
        ) from error
    if not isinstance(answer, dict):
        raise HostError(
            f"a JSON {type(answer).__name__}",
            expected="one JSON object on a line",
            where="parent instance",
            next="run step P8: it launches the instance again",
            code="ParentUnavailable",
        )
    return answer


def wait_for(
    state: Callable[[], Mapping[str, Any]],
    ready: Callable[[Mapping[str, Any]], bool],
    *,
    seconds: float,
    what: str,
) -> Mapping[str, Any]:
    """Return the first state that is ready; raises `EnclaveError` at the deadline."""
    deadline = time.monotonic() + seconds
    pause = 0.005
    while True:
        seen = state()
        if ready(seen):
            return seen
        if time.monotonic() > deadline:
            raise EnclaveError(
                f"{what} has not come within {seconds:.0f} s",
                expected="evidence of the enclave, its result or its refusal",
                where=what,
                next="`nitro-workflow status` shows whether the enclave runs; run step D2 again",
            )
        time.sleep(pause)
        pause = min(pause * 1.5, POLL_SECONDS)
