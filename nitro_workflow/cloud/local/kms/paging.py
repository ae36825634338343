"""Pages of lists: a Limit, a NextMarker that only this operation's next call understands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nitro_workflow.cloud.local.call import Call
from nitro_workflow.cloud.local.protocol import PageTokens

__all__ = ["Page"]


@dataclass(frozen=True, slots=True)
class Page:
    """What to read: at most `limit` items that sort behind `after`."""

    tokens: PageTokens
    after: str
    limit: int

    @classmethod
    def of(cls, call: Call, *, default: int) -> Page:
        """Read Limit and Marker. Raises `ServiceFault` (InvalidMarkerException)."""
        text = "Could not deserialize pagination token"
        tokens = PageTokens(call.operation, "InvalidMarkerException", text)
        after = tokens.read(call.params.get("Marker"))
        return cls(tokens, after, int(call.params.get("Limit", default)))

    def answer(
        self, member: str, items: Sequence[Any], sort_key: Callable[[Any], str]
    ) -> dict[str, Any]:
        """Return one page of `items`, of which one more than `limit` was read."""
        if len(items) <= self.limit:
            return {member: list(items), "Truncated": False}
        page = list(items[: self.limit])
        marker = self.tokens.write(sort_key(page[-1]))
        return {member: page, "NextMarker": marker, "Truncated": True}
