"""A guest's memory, as QEMU hands it in: pieces of it by descriptor, every access checked.

The guest writes the addresses: whatever it says, nothing outside these pieces is touched. A piece
that could be cut short is refused, since touching what was cut away would end this process.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nitro_workflow.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["REGIONS", "GuestMemory", "Region", "guest_fault"]

REGIONS: Final = 8
"""Pieces of memory. [src: QEMU docs/interop/vhost-user.rst, without CONFIGURE_MEM_SLOTS]"""

LARGEST: Final = 1 << 40  # bytes of one piece
ADDRESSES: Final = 1 << 64


def guest_fault(found: str, where: str) -> HostError:
    """Return the error of a guest, or a machine, that breaks the protocol: the enclave ends."""
    return HostError(
        found,
        expected="what the virtio specification allows",
        where=where,
        next="the enclave's kernel or its machine is at fault; it harms only itself",
    )


@dataclass(frozen=True, slots=True)
class Region:
    """One piece: where the guest and QEMU have it, its size and offset in its file, in bytes."""

    guest: int
    size: int
    qemu: int
    offset: int


class _Mapped:
    """A piece that is mapped here."""

    def __init__(self, region: Region, descriptor: int) -> None:
        _check(region, descriptor)
        self.region = region
        self._map = mmap.mmap(descriptor, region.offset + region.size)
        self.view = memoryview(self._map)[region.offset :]

    def close(self) -> None:
        self.view.release()
        with contextlib.suppress(BufferError):  # a chain that is being served still holds it
            self._map.close()


class GuestMemory:
    """The pieces that are mapped now; raises `HostError` for an address outside of them."""

    def __init__(self) -> None:
        self._pieces: list[_Mapped] = []

    def replace(self, regions: Sequence[Region], descriptors: Sequence[int]) -> None:
        """Map ``regions``, one a descriptor, in place of all before. The descriptors stay open."""
        if not 1 <= len(regions) <= REGIONS or len(regions) != len(descriptors):
            found = f"{len(regions)} pieces of memory, {len(descriptors)} descriptors"
            raise guest_fault(found, "SET_MEM_TABLE")
        pairs = zip(regions, descriptors, strict=True)
        pieces = [_Mapped(region, descriptor) for region, descriptor in pairs]
        self.close()
        self._pieces = pieces

    def close(self) -> None:
        """Let all pieces go."""
        pieces, self._pieces = self._pieces, []
        for piece in pieces:
            piece.close()

    def at_guest(self, address: int, size: int) -> memoryview:
        """Return ``size`` bytes at an address of the guest's."""
        for piece in self._pieces:
            start = address - piece.region.guest
            if start >= 0 and start + size <= piece.region.size:
                return piece.view[start : start + size]
        raise guest_fault(f"{size} bytes at {address:#x}", "guest memory")

    def at_qemu(self, address: int, size: int) -> memoryview:
        """Return ``size`` bytes at an address of QEMU's: rings are named so."""
        for piece in self._pieces:
            start = address - piece.region.qemu
            if start >= 0 and start + size <= piece.region.size:
                return piece.view[start : start + size]
        raise guest_fault(f"{size} bytes at QEMU's {address:#x}", "ring")


def _check(region: Region, descriptor: int) -> None:
    """Refuse a piece that wraps around, is not there wholly, or can be made shorter later."""
    if not 0 < region.size <= LARGEST or region.offset > LARGEST:
        raise guest_fault(f"a piece of {region.size} bytes", "SET_MEM_TABLE")
    if max(region.guest, region.qemu) + region.size > ADDRESSES:
        raise guest_fault("a piece beyond the last address", "SET_MEM_TABLE")
    if os.fstat(descriptor).st_size < region.offset + region.size:
        raise guest_fault("a file shorter than its piece", "SET_MEM_TABLE")
    try:
        sealed = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & fcntl.F_SEAL_SHRINK
    except OSError:
        sealed = 0
    if not sealed:
        raise guest_fault("memory that is not sealed against shrinking", "SET_MEM_TABLE")
