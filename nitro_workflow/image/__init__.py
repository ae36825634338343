"""Enclave images: what is in one, what it measures to; build, sign, check and compare.

>>> from nitro_workflow.image import measure_parts
>>> measure_parts(b"kernel", b"quiet", [b"bootstrap"]).hex()["PCR2"][:16]
'21b9efbc18480766'

Names are imported when they are used: the enclave's bootstrap reads images with the standard
library alone (`nitro_workflow.image.eif`, ``ramdisk``, ``unpack``, ``measure``).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nitro_workflow.image.boot import BootParts
    from nitro_workflow.image.build import build_from_parts, build_image
    from nitro_workflow.image.check import check_image
    from nitro_workflow.image.command import CommandChoice, choose_command
    from nitro_workflow.image.describe import describe_contents, describe_image
    from nitro_workflow.image.diff import ImageDiff, diff_images
    from nitro_workflow.image.dockerfile import built_dockerfile
    from nitro_workflow.image.eif import Image, open_image
    from nitro_workflow.image.finding import CheckReport, Finding
    from nitro_workflow.image.measure import (
        Measurements,
        measure_fd,
        measure_file,
        measure_image,
        measure_parts,
        pcr_of,
    )
    from nitro_workflow.image.metadata import build_time
    from nitro_workflow.image.oci import ContainerImage, open_container_image
    from nitro_workflow.image.ramdisk import RamdiskEntry, ramdisk_entries
    from nitro_workflow.image.rootfs import Tree, tree_from_folder
    from nitro_workflow.image.signature import (
        KmsSigningKey,
        SigningKey,
        VerifiedSignature,
        sign_image,
        signing_key_from_pem,
        verify_signature,
    )
    from nitro_workflow.image.signature_section import certificate_der
    from nitro_workflow.image.unpack import Unpacked, unpack_ramdisk
    from nitro_workflow.image.write import BuiltImage, measure_part_files

_HOMES = {
    "BootParts": "boot",
    "BuiltImage": "write",
    "CheckReport": "finding",
    "CommandChoice": "command",
    "ContainerImage": "oci",
    "Finding": "finding",
    "Image": "eif",
    "ImageDiff": "diff",
    "KmsSigningKey": "signature",
    "Measurements": "measure",
    "RamdiskEntry": "ramdisk",
    "SigningKey": "signature",
    "Tree": "rootfs",
    "Unpacked": "unpack",
    "VerifiedSignature": "signature",
    "build_from_parts": "build",
    "build_image": "build",
    "build_time": "metadata",
    "built_dockerfile": "dockerfile",
    "certificate_der": "signature_section",
    "check_image": "check",
    "choose_command": "command",
    "describe_contents": "describe",
    "describe_image": "describe",
    "diff_images": "diff",
    "measure_fd": "measure",
    "measure_file": "measure",
    "measure_image": "measure",
    "measure_part_files": "write",
    "measure_parts": "measure",
    "open_container_image": "oci",
    "open_image": "eif",
    "pcr_of": "measure",
    "ramdisk_entries": "ramdisk",
    "sign_image": "signature",
    "signing_key_from_pem": "signature",
    "tree_from_folder": "rootfs",
    "unpack_ramdisk": "unpack",
    "verify_signature": "signature",
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


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
