"""Where things are on a parent instance: as `parent_start.sh` makes them."""

from __future__ import annotations

from typing import Final

__all__ = ["ANSWER", "FOLDER", "IMAGES", "LAUNCHES", "LOG", "MARKER", "PROGRAM"]

_STATE: Final = "/var/lib/nitro-workflow"

MARKER: Final = f"{_STATE}/start.json"
"""How far the start has come."""
LOG: Final = "/var/log/nitro-workflow-start.log"

FOLDER: Final = f"{_STATE}/instance"
"""The parent application's: control socket, trace, logs."""
IMAGES: Final = f"{_STATE}/images"
LAUNCHES: Final = f"{_STATE}/launches"
"""One record a token: what run-enclave was asked for, and what it answered."""

PROGRAM: Final = "/opt/nitro-workflow/parent"
ANSWER: Final = "/opt/nitro-workflow/answer"
"""Carries out one request of the administrator's: see `on_instance`."""
