"""The session of one party, as a notebook uses it: boto3's clients, and whose they are."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any, Final

__all__ = ["PARTY_COLOURS", "PartySession"]

PARTY_COLOURS: Final = {
    "owner": "#0a58a6",
    "developer": "#6f42c1",
    "administrator": "#b35900",
    "instance": "#12683a",
}
"""Party → its colour, dark enough as a background for white letters."""


class PartySession:
    """``lesson.owner`` and the others. ``find`` returns the party's boto3 session.

    It is asked for at each client: an instance's credentials run out, and are read again.
    """

    def __init__(self, party: str, title: str, role_arn: str, find: Callable[[], Any]) -> None:
        self.party = party
        self.title = title
        self.role_arn = role_arn
        self._find = find

    def client(self, service: str, **settings: Any) -> Any:
        """Return a boto3 client that signs as this party; raises what its session raises."""
        return self._find().client(service, **settings)

    def __repr__(self) -> str:
        return f"{self.title}: a boto3 session of {self.role_arn}"

    def _repr_html_(self) -> str:
        chip = (
            f'<b style="background:{PARTY_COLOURS[self.party]};color:#fff;border-radius:4px;'
            f'padding:1px 8px">{escape(self.title)}</b>'
        )
        return f"<p>{chip} a boto3 session of <code>{escape(self.role_arn)}</code></p>"
