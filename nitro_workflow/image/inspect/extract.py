"""Write one section of an image to a file of its own."""

from __future__ import annotations

from pathlib import Path

from nitro_workflow.atomic import atomic_file, write_all
from nitro_workflow.errors import ImageError
from nitro_workflow.image.format import Image
from nitro_workflow.image.inspect.measure import CHUNK


def extract_section(image: Image, index: int, target: Path) -> int:
    """Write section ``index``'s data to ``target``, whole or not at all; return its bytes.

    Raises `ImageError` for a section that is not there or a file that cannot be written.
    """
    if not 0 <= index < len(image.sections):
        raise ImageError(
            f"section {index}",
            expected=f"0 to {len(image.sections) - 1}",
            where="image",
            next="`nitro-workflow image describe --contents` lists the sections.",
        )
    section = image.sections[index]
    with atomic_file(target, failure=ImageError) as fd:
        for at in range(0, section.size, CHUNK):
            count = min(CHUNK, section.size - at)
            write_all(fd, image.source.read_exactly(section.data_offset + at, count))
    return section.size
