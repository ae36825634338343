"""What the lab asks the parent application, over the host's channel to its instance.

The administrator may do all this: nothing here needs, or gets, what is inside the enclave.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud import recorded_error
from nitro_workflow.errors import EnclaveError, HostError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nitro_workflow.host import ParentChannel
    from nitro_workflow.lab.call_record import CallRecorder

__all__ = ["ParentClient", "wait_for"]

ANSWER_SECONDS: Final = 120.0
"""GetObject of the largest data set that the notebooks offer takes a tenth of this."""
POLL_SECONDS: Final = 0.05
LOOKING: Final = ("ping", "job")
"""What only looks is no call of a step."""


@dataclass(frozen=True, slots=True)
class ParentClient:
    """The parent application of one instance, at the other end of ``channel``.

    ``calls`` takes what it is asked to do.
    """

    channel: ParentChannel
    calls: CallRecorder | None = None

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send one request, return its answer.

        Raises `HostError` where nobody answers, and the recorded error where the parent refuses.
        """
        answer = self.channel.ask(request, timeout=ANSWER_SECONDS)
        if self.calls is not None and request.get("op") not in LOOKING:
            shown = {name: value for name, value in request.items() if value is not None}
            self.calls.note("parent", "parent administrator", str(request.get("op")), shown,
                            answer=answer, source="the control socket")  # fmt: skip
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
