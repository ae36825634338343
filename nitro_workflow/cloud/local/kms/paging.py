"""Pages of lists: a Limit, a NextMarker that only this operation's next call understands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.protocol import PageTokens

__all__ = ["Page"]


@dataclass(frozen=True, slots=True)
class Page:
    """What to read: at most `limit` items that sort behind `after`."""

    tokens: PageTokens
    after: str
    limit: int

    @classmethod
    def of(cls, call: Call, *, default: int, most: int) -> Page:
        """Read Limit and Marker; `most` is the operation's own limit (KMS API Reference).

        Raises `ServiceFault`: ValidationException, InvalidMarkerException.
        """
        limit = int(call.params.get("Limit", default))
        if limit > most:
            # The model has one limit, 1000, for all lists.
            text = (
                "1 validation error detected: Value '' at 'limit' failed to satisfy constraint: "
                f"Member must have value less than or equal to {most}"
            )
            raise ServiceFault("ValidationException", text)
        text = "Could not deserialize pagination token"
        tokens = PageTokens(call.operation, "InvalidMarkerException", text)
        return cls(tokens, tokens.read(call.params.get("Marker")), limit)

    def answer(
        self, member: str, items: Sequence[Any], sort_key: Callable[[Any], str]
    ) -> dict[str, Any]:
        """Return one page of `items`, of which one more than `limit` was read."""
        if len(items) <= self.limit:
            return {member: list(items), "Truncated": False}
        page = list(items[: self.limit])
        marker = self.tokens.write(sort_key(page[-1]))
        return {member: page, "NextMarker": marker, "Truncated": True}
