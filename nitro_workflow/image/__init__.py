"""Enclave images: what is in one, what it measures to; build, sign, check and compare.

>>> from nitro_workflow.image import measure_parts
>>> measure_parts(b"kernel", b"quiet", [b"bootstrap"]).hex()["PCR2"][:16]
'21b9efbc18480766'

Names are imported when they are used: the enclave's bootstrap reads images with the standard
library alone (`nitro_workflow.image.format.eif` and what it rests on).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from nitro_workflow.image.build.build_image import build_from_parts, build_image
    from nitro_workflow.image.build.sign_image import (
        KmsSigningKey,
        SigningKey,
        VerifiedSignature,
        sign_image,
        signing_key_from_pem,
        verify_signature,
    )
    from nitro_workflow.image.build.write_image import BuiltImage, measure_part_files
    from nitro_workflow.image.container.container_image import ContainerImage, open_container_image
    from nitro_workflow.image.container.dockerfile import built_dockerfile
    from nitro_workflow.image.container.entry_command import CommandChoice, choose_command
    from nitro_workflow.image.container.folder_tree import Tree, tree_from_folder
    from nitro_workflow.image.format.boot_parts import BootParts
    from nitro_workflow.image.format.eif import Image, open_image
    from nitro_workflow.image.format.metadata import build_time
    from nitro_workflow.image.format.signature_section import certificate_der
    from nitro_workflow.image.inspect.check_image import check_image
    from nitro_workflow.image.inspect.check_report import CheckReport, Finding
    from nitro_workflow.image.inspect.describe import describe_contents, describe_image
    from nitro_workflow.image.inspect.image_diff import ImageDiff, diff_images
    from nitro_workflow.image.inspect.measure import (
        Measurements,
        measure_fd,
        measure_file,
        measure_image,
        measure_parts,
        pcr_of,
    )
    from nitro_workflow.image.ramdisk.ramdisk_entries import RamdiskEntry, ramdisk_entries
    from nitro_workflow.image.ramdisk.unpack import Unpacked, unpack_ramdisk

_HOMES = {
    "BootParts": "format.boot_parts",
    "BuiltImage": "build.write_image",
    "CheckReport": "inspect.check_report",
    "CommandChoice": "container.entry_command",
    "ContainerImage": "container.container_image",
    "Finding": "inspect.check_report",
    "Image": "format.eif",
    "ImageDiff": "inspect.image_diff",
    "KmsSigningKey": "build.sign_image",
    "Measurements": "inspect.measure",
    "RamdiskEntry": "ramdisk.ramdisk_entries",
    "SigningKey": "build.sign_image",
    "Tree": "container.folder_tree",
    "Unpacked": "ramdisk.unpack",
    "VerifiedSignature": "build.sign_image",
    "build_from_parts": "build.build_image",
    "build_image": "build.build_image",
    "build_time": "format.metadata",
    "built_dockerfile": "container.dockerfile",
    "certificate_der": "format.signature_section",
    "check_image": "inspect.check_image",
    "choose_command": "container.entry_command",
    "describe_contents": "inspect.describe",
    "describe_image": "inspect.describe",
    "diff_images": "inspect.image_diff",
    "measure_fd": "inspect.measure",
    "measure_file": "inspect.measure",
    "measure_image": "inspect.measure",
    "measure_part_files": "build.write_image",
    "measure_parts": "inspect.measure",
    "open_container_image": "container.container_image",
    "open_image": "format.eif",
    "pcr_of": "inspect.measure",
    "ramdisk_entries": "ramdisk.ramdisk_entries",
    "sign_image": "build.sign_image",
    "signing_key_from_pem": "build.sign_image",
    "tree_from_folder": "container.folder_tree",
    "unpack_ramdisk": "ramdisk.unpack",
    "verify_signature": "build.sign_image",
}

__all__ = [
    "BootParts",
    "BuiltImage",
    "CheckReport",
    "CommandChoice",
    "ContainerImage",
    "Finding",
    "Image",
    "ImageDiff",
    "KmsSigningKey",
    "Measurements",
    "RamdiskEntry",
    "SigningKey",
    "Tree",
    "Unpacked",
    "VerifiedSignature",
    "build_from_parts",
    "build_image",
    "build_time",
    "built_dockerfile",
    "certificate_der",
    "check_image",
    "choose_command",
    "describe_contents",
    "describe_image",
    "diff_images",
    "measure_fd",
    "measure_file",
    "measure_image",
    "measure_part_files",
    "measure_parts",
    "open_container_image",
    "open_image",
    "pcr_of",
    "ramdisk_entries",
    "sign_image",
    "signing_key_from_pem",
    "tree_from_folder",
    "unpack_ramdisk",
    "verify_signature",
]


__getattr__ = lazy_names(__name__, _HOMES)
