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
    from nitro_workflow.image.describe import describe_image
    from nitro_workflow.image.eif import Image, open_image
    from nitro_workflow.image.finding import CheckReport, Finding
    from nitro_workflow.image.measure import (
        Measurements,
        measure_fd,
        measure_file,
        measure_image,
        measure_parts,
    )
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
    from nitro_workflow.image.unpack import Unpacked, unpack_ramdisk
    from nitro_workflow.image.write import BuiltImage

_HOMES = {
    "BootParts": "boot",
    "BuiltImage": "write",
    "CheckReport": "finding",
    "Finding": "finding",
    "Image": "eif",
    "KmsSigningKey": "signature",
    "Measurements": "measure",
    "RamdiskEntry": "ramdisk",
    "SigningKey": "signature",
    "Tree": "rootfs",
    "Unpacked": "unpack",
    "VerifiedSignature": "signature",
    "build_from_parts": "build",
    "build_image": "build",
    "check_image": "check",
    "describe_image": "describe",
    "measure_fd": "measure",
    "measure_file": "measure",
    "measure_image": "measure",
    "measure_parts": "measure",
    "open_image": "eif",
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
    "Finding",
    "Image",
    "KmsSigningKey",
    "Measurements",
    "RamdiskEntry",
    "SigningKey",
    "Tree",
    "Unpacked",
    "VerifiedSignature",
    "build_from_parts",
    "build_image",
    "check_image",
    "describe_image",
    "measure_fd",
    "measure_file",
    "measure_image",
    "measure_parts",
    "open_image",
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
