"""Pages of lists: a Limit, a NextMarker that only this operation's next call understands."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault


@dataclass(frozen=True, slots=True)
class Page:
    """What to read: at most `limit` items that sort behind `after`."""

    operation: str
    after: str
    limit: int

    @classmethod
    def of(cls, call: Call, *, default: int) -> Page:
        """Read Limit and Marker. Raises `ServiceFault` (InvalidMarkerException)."""
        after = _read_marker(call.operation, call.params.get("Marker", ""))
        return cls(call.operation, after, int(call.params.get("Limit", default)))

    def answer(
        self, member: str, items: Sequence[Any], sort_key: Callable[[Any], str]
    ) -> dict[str, Any]:
        """Return one page of `items`, of which one more than `limit` was read."""
        if len(items) <= self.limit:
            return {member: list(items), "Truncated": False}
        page = list(items[: self.limit])
        marker = f"{self.operation}\n{sort_key(page[-1])}".encode()
        return {
            member: page,
            "NextMarker": base64.urlsafe_b64encode(marker).decode(),
            "Truncated": True,
        }


def _read_marker(operation: str, marker: str) -> str:
    if not marker:
        return ""
    try:
        name, _, after = base64.urlsafe_b64decode(marker).decode().partition("\n")
    except (binascii.Error, ValueError):
        name, after = "", ""
    if name != operation or not after:
        raise ServiceFault("InvalidMarkerException", "Could not deserialize pagination token")
    return after
