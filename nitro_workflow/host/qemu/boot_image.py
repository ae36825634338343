"""What boots of an image, taken out of it: kernel, ramdisks in one, command line."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nitro_workflow.host.rules.ecodes import failure
from nitro_workflow.image import SectionKind, is_stand_in_kernel, open_image

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nitro_workflow.image import Section

__all__ = ["BootFiles", "boot_files"]

PIECE: Final = 16 << 20  # bytes a call
ALIGNED: Final = 4  # a further ramdisk begins at such an offset [src: Linux init/initramfs.c]


@dataclass(frozen=True, slots=True)
class BootFiles:
    """Descriptors of files in memory, owned by whoever has this, and the image's command line."""

    kernel: int
    ramdisk: int
    command_line: str

    def close(self) -> None:
        """Close both."""
        os.close(self.kernel)
        os.close(self.ramdisk)


def boot_files(image: int) -> BootFiles:
    """Return what to boot of the image behind the descriptor, measured and checked before.

    Raises `HostError` E36 for a stand-in, which no machine boots, `ImageError` for no image.
    """
    with open_image(image) as opened:
        [kernel] = opened.of_kind(SectionKind.KERNEL)
        if is_stand_in_kernel(os.pread(image, 256, kernel.data_offset)):
            raise failure(
                "E36",
                "The image has a stand-in for a kernel: no machine boots it",
                expected="an image built with a kernel and an init",
                next="build it with boot parts: `nitro-workflow image blobs`, or AWS's",
            )
        command_line = opened.command_line.decode("ascii", "replace")
        return BootFiles(
            _in_memory("kernel", image, [kernel]),
            _in_memory("ramdisk", image, opened.ramdisks),
            command_line,
        )


def _in_memory(name: str, image: int, sections: Iterable[Section]) -> int:
    """Return a file with the data of ``sections``, one behind the other."""
    target = os.memfd_create(name)
    try:
        for section in sections:
            os.lseek(target, -(-os.lseek(target, 0, os.SEEK_END) // ALIGNED) * ALIGNED, os.SEEK_SET)
            offset, left = section.data_offset, section.size
            while left:
                count = os.sendfile(target, image, offset, min(left, PIECE))
                offset, left = offset + count, left - count
    except BaseException:
        os.close(target)
        raise
    return target
