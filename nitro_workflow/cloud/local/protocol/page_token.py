"""Page tokens and markers of every list: written here, and read strictly.

A token names the list that gave it, so that no other list takes it for its own. What a client
made up, cut or re-coded is refused in the service's words; it is never a failure of the cloud.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from nitro_workflow.cloud.local.call import ServiceFault

__all__ = ["MAX_POSITION", "PageTokens", "read_decimal"]

MAX_POSITION = 2**63 - 1  # what SQLite holds
_DIGITS = len(str(MAX_POSITION))


def read_decimal(text: str, *, most: int = MAX_POSITION) -> int | None:
    """Return the number that ASCII digits say, None where they say none up to `most`.

    Python's own `int` takes other scripts' digits, signs, spaces and underscores, and fails at
    5,000 of them.

    >>> read_decimal("17"), read_decimal("²"), read_decimal("+1"), read_decimal("9" * 5000)
    (17, None, None, None)
    """
    if not (text.isascii() and text.isdigit()) or len(text) > _DIGITS:
        return None
    number = int(text)
    return number if number <= most else None


@dataclass(frozen=True, slots=True)
class PageTokens:
    """The tokens of one list: `scope` tells it from others, `code` and `message` refuse.

    >>> tokens = PageTokens("ListKeys", "InvalidMarkerException", "Could not deserialize")
    >>> tokens.read(tokens.write("key-17"))
    'key-17'
    >>> tokens.read("²")
    Traceback (most recent call last):
    nitro_workflow.cloud.local.call.ServiceFault: ('InvalidMarkerException', ..., 400)
    """

    scope: str
    code: str
    message: str

    def write(self, place: str | int) -> str:
        """Return the token of the page that begins behind `place`."""
        return base64.urlsafe_b64encode(f"{self.scope}\n{place}".encode()).decode()

    def read(self, token: str | None) -> str:
        """Return the place that `write` was given; "" where there is no token.

        Raises `ServiceFault`: not a token of this list, written exactly so.
        """
        if token is None:
            return ""
        try:
            scope, _, place = base64.urlsafe_b64decode(token).decode().partition("\n")
        except ValueError:
            raise self.fault() from None
        # Base64 has several spellings of one value, of which `write` makes one.
        if scope != self.scope or not place or self.write(place) != token:
            raise self.fault()
        return place

    def read_position(self, token: str | None) -> int:
        """Return the number that `write` was given; 0 where there is no token.

        Raises `ServiceFault`: as `read`, and for a place that is not a number.
        """
        if token is None:
            return 0
        number = read_decimal(self.read(token))
        if number is None:
            raise self.fault()
        return number

    def fault(self) -> ServiceFault:
        """Return the refusal in the service's words."""
        return ServiceFault(self.code, self.message)
