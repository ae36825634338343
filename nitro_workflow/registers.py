"""A platform configuration register (PCR): its size, and what it is before it is used."""

from __future__ import annotations

from typing import Final

__all__ = ["PCR_BYTES", "ZERO_PCR"]

PCR_BYTES: Final = 48
"""Bytes of a register: SHA-384."""

ZERO_PCR: Final = bytes(PCR_BYTES)
"""A register that nothing was measured into, and 0, 1 and 2 of a debug enclave."""
