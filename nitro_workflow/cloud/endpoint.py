"""Where a local cloud answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["REGION", "Endpoint"]

REGION: Final = "us-east-1"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the local cloud answers: ``url``, the CA file that its certificate chains to."""

    url: str
    ca: str
