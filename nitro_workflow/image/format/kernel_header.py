"""What a kernel image says of itself: its architecture and version string."""

from __future__ import annotations

from typing import Final

from nitro_workflow.image.format.boot_parts import is_stand_in_kernel
from nitro_workflow.image.format.eif import Image, SectionKind

# Documentation/arch/x86/boot.rst: "HdrS" at 0x202, offset of the version string at 0x20e.
_BZIMAGE: Final = (0x202, b"HdrS")
_VERSION_AT: Final = 0x20E
# Documentation/arch/arm64/booting.rst: "ARM\x64" at 56.
_ARM64: Final = (56, b"ARM\x64")
_BANNER: Final = b"Linux version "
_STEP: Final = 4 * 1024 * 1024  # bytes searched at a time
MAX_SEARCH: Final = 128 * 1024 * 1024  # bytes of a kernel searched for its banner


def kernel_architecture(start: bytes) -> str | None:
    """Return ``x86_64`` for a bzImage, ``aarch64`` for an Image, None for anything else."""
    for name, (at, magic) in (("x86_64", _BZIMAGE), ("aarch64", _ARM64)):
        if start[at : at + len(magic)] == magic:
            return name
    return None


def kernel_version(image: Image) -> str | None:
    """Return the version string in the kernel, such as ``6.6.79-amzn (…) #1 SMP …``; None if none.

    A bzImage names it in its header; in an Image it is looked for.
    """
    kernels = image.of_kind(SectionKind.KERNEL)
    if not kernels:
        return None
    section = kernels[0]
    start = image.source.read_at(section.data_offset, min(section.size, 0x10000))
    if is_stand_in_kernel(start):
        return None
    if kernel_architecture(start) == "x86_64":
        at = int.from_bytes(start[_VERSION_AT : _VERSION_AT + 2], "little") + 0x200
        return _text(start[at : at + 512])
    return _search(image, section.data_offset, min(section.size, MAX_SEARCH))


def _search(image: Image, offset: int, size: int) -> str | None:
    overlap = len(_BANNER) + 512
    for at in range(0, size, _STEP):
        window = image.source.read_at(offset + at, min(_STEP + overlap, size - at))
        found = window.find(_BANNER)
        # The format string of /proc/version has the same words before a "%s".
        while found >= 0:
            text = _text(window[found + len(_BANNER) : found + overlap])
            if text and not text.startswith("%"):
                return text
            found = window.find(_BANNER, found + 1)
    return None


def _text(raw: bytes) -> str | None:
    line = raw.split(b"\0", 1)[0].split(b"\n", 1)[0]
    return line.decode("ascii", "replace").strip() or None
