"""The EIF format: header, sections, metadata, signature section, and its limits. Bytes to records.

>>> from nitro_workflow.image.format import MAX_SECTIONS, parse_json
>>> parse_json(b'{"ImageName": "a", "ImageName": "b"}')  # the value, and what is there twice
({'ImageName': 'b'}, ('ImageName',), ())
>>> MAX_SECTIONS
32

The enclave's bootstrap reads images with this room and `ramdisk`: the standard library alone, and
names are imported when they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from nitro_workflow.image.format.boot_parts import (
        COMMAND_LINES,
        BootParts,
        host_architecture,
        is_stand_in_kernel,
    )
    from nitro_workflow.image.format.byte_source import (
        FileSource,
        Progress,
        Readable,
        Source,
        open_source,
    )
    from nitro_workflow.image.format.eif import (
        ARCHITECTURES,
        CRC_OFFSET,
        CURRENT_VERSION,
        DEFAULT_CPUS,
        DEFAULT_MEMORY,
        FLAG_AARCH64,
        HEADER,
        MAGIC,
        SECTION_HEADER,
        UNKNOWN_FLAGS,
        VERSIONS,
        EifHeader,
        Image,
        Section,
        SectionKind,
        open_image,
        parse_header,
        walk_sections,
    )
    from nitro_workflow.image.format.image_limits import (
        MAX_COMMAND_LINE,
        MAX_ENTRIES,
        MAX_JSON,
        MAX_LAYERS,
        MAX_METADATA_SECTION,
        MAX_NAME,
        MAX_PATH,
        MAX_SECTIONS,
        MAX_TAR_HEADER,
        MAX_UNPACKED,
        MIN_SECTIONS,
    )
    from nitro_workflow.image.format.kernel_header import (
        kernel_architecture,
        kernel_version,
    )
    from nitro_workflow.image.format.metadata import (
        BUILD_TOOL,
        IDENTITY_KEYS,
        BuildInfo,
        Identity,
        build_time,
        kernel_identity,
        missing_keys,
        parse_custom_metadata,
        rfc3339,
    )
    from nitro_workflow.image.format.signature_section import (
        SignatureSection,
        certificate_der,
        parse_signature_section,
        pcr0_payload,
    )
    from nitro_workflow.image.format.strict_json import (
        parse_json,
    )

_HOMES = {
    "ARCHITECTURES": "eif",
    "BUILD_TOOL": "metadata",
    "COMMAND_LINES": "boot_parts",
    "CRC_OFFSET": "eif",
    "CURRENT_VERSION": "eif",
    "DEFAULT_CPUS": "eif",
    "DEFAULT_MEMORY": "eif",
    "FLAG_AARCH64": "eif",
    "HEADER": "eif",
    "IDENTITY_KEYS": "metadata",
    "MAGIC": "eif",
    "MAX_COMMAND_LINE": "image_limits",
    "MAX_ENTRIES": "image_limits",
    "MAX_JSON": "image_limits",
    "MAX_LAYERS": "image_limits",
    "MAX_METADATA_SECTION": "image_limits",
    "MAX_NAME": "image_limits",
    "MAX_PATH": "image_limits",
    "MAX_SECTIONS": "image_limits",
    "MAX_TAR_HEADER": "image_limits",
    "MAX_UNPACKED": "image_limits",
    "MIN_SECTIONS": "image_limits",
    "SECTION_HEADER": "eif",
    "UNKNOWN_FLAGS": "eif",
    "VERSIONS": "eif",
    "BootParts": "boot_parts",
    "BuildInfo": "metadata",
    "EifHeader": "eif",
    "FileSource": "byte_source",
    "Identity": "metadata",
    "Image": "eif",
    "Progress": "byte_source",
    "Readable": "byte_source",
    "Section": "eif",
    "SectionKind": "eif",
    "SignatureSection": "signature_section",
    "Source": "byte_source",
    "build_time": "metadata",
    "certificate_der": "signature_section",
    "host_architecture": "boot_parts",
    "is_stand_in_kernel": "boot_parts",
    "kernel_architecture": "kernel_header",
    "kernel_identity": "metadata",
    "kernel_version": "kernel_header",
    "missing_keys": "metadata",
    "open_image": "eif",
    "open_source": "byte_source",
    "parse_custom_metadata": "metadata",
    "parse_header": "eif",
    "parse_json": "strict_json",
    "parse_signature_section": "signature_section",
    "pcr0_payload": "signature_section",
    "rfc3339": "metadata",
    "walk_sections": "eif",
}

__all__ = [
    "ARCHITECTURES",
    "BUILD_TOOL",
    "COMMAND_LINES",
    "CRC_OFFSET",
    "CURRENT_VERSION",
    "DEFAULT_CPUS",
    "DEFAULT_MEMORY",
    "FLAG_AARCH64",
    "HEADER",
    "IDENTITY_KEYS",
    "MAGIC",
    "MAX_COMMAND_LINE",
    "MAX_ENTRIES",
    "MAX_JSON",
    "MAX_LAYERS",
    "MAX_METADATA_SECTION",
    "MAX_NAME",
    "MAX_PATH",
    "MAX_SECTIONS",
    "MAX_TAR_HEADER",
    "MAX_UNPACKED",
    "MIN_SECTIONS",
    "SECTION_HEADER",
    "UNKNOWN_FLAGS",
    "VERSIONS",
    "BootParts",
    "BuildInfo",
    "EifHeader",
    "FileSource",
    "Identity",
    "Image",
    "Progress",
    "Readable",
    "Section",
    "SectionKind",
    "SignatureSection",
    "Source",
    "build_time",
    "certificate_der",
    "host_architecture",
    "is_stand_in_kernel",
    "kernel_architecture",
    "kernel_identity",
    "kernel_version",
    "missing_keys",
    "open_image",
    "open_source",
    "parse_custom_metadata",
    "parse_header",
    "parse_json",
    "parse_signature_section",
    "pcr0_payload",
    "rfc3339",
    "walk_sections",
]

__getattr__ = lazy_names(__name__, _HOMES)
