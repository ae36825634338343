"""The way to a parent application on EC2: through SSM to the instance, there to its socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nitro_workflow.host.ec2.instance_line import InstanceLine

__all__ = ["SLACK", "SsmChannel"]

SLACK: Final = 30.0  # seconds of SSM, beside what the request itself may take


class SsmChannel:
    """The way to a parent application through SSM: one JSON object there, one back."""

    def __init__(self, line: InstanceLine, instance_id: str) -> None:
        self._line = line
        self._instance_id = instance_id

    def ask(self, request: Mapping[str, Any], *, timeout: float = 120.0) -> dict[str, Any]:
        """Return the answer; raises `HostError` with code ``ParentUnavailable`` for none."""
        try:
            answer: dict[str, Any] = self._line.ask(
                self._instance_id,
                "ask",
                seconds=timeout + SLACK,
                request=dict(request),
                timeout=timeout,
            )
        except HostError as error:
            error.code = "ParentUnavailable"
            raise
        return answer
