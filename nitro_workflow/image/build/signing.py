"""Sign an image that exists, in its place or into a new file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nitro_workflow.image.build.image_writer import section_part, write_image
from nitro_workflow.image.format import SectionKind, is_stand_in_kernel, open_image

if TYPE_CHECKING:
    from nitro_workflow.image.build.image_writer import BuiltImage
    from nitro_workflow.image.build.signing_key import SigningKey


def sign_image(path: Path, key: SigningKey, output: Path | None = None) -> BuiltImage:
    """Sign an image, in its place or into ``output``; a signature that is there is replaced.

    Everything else stays as it is, PCR0 to PCR2 included; the table of sizes and the CRC are made
    again (``nitro-cli sign-eif`` leaves the old size behind when it signs again). A version 2 image
    becomes version 3, the first with signatures. Raises `ImageError`.
    """
    with open_image(path) as image:
        kept = [section for section in image.sections if section.kind is not SectionKind.SIGNATURE]
        kernel = next((s for s in kept if s.kind is SectionKind.KERNEL), kept[0])
        return write_image(
            [section_part(image, section) for section in kept],
            output=output or path,
            architecture=image.header.architecture,
            signing=key,
            header=replace(image.header, version=max(image.header.version, 3)),
            is_stand_in=is_stand_in_kernel(image.source.read_at(kernel.data_offset, 256)),
        )
