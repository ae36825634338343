"""What an enclave says once it has booted, and is answered. [src: sdk-bootstrap init/init.c]."""

from __future__ import annotations

from typing import Final

__all__ = ["HEARTBEAT"]

HEARTBEAT: Final = b"\xb7"
