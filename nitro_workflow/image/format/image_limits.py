"""Every limit of the image readers, with its unit and its source."""

from __future__ import annotations

from typing import Final

# EIF: README and src/defs/mod.rs of aws-nitro-enclaves-image-format.
MIN_SECTIONS: Final = 2
MAX_SECTIONS: Final = 32
MAX_SIGNATURE_SECTION: Final = 32_768  # bytes, SIGNATURE_MAX_SIZE
MAX_CUSTOM_METADATA: Final = 4_096  # bytes of the user's JSON file, MAX_META_FILE_SIZE
# The source sets none: a docker inspect of an image with 127 layers is under 64 KiB.
MAX_METADATA_SECTION: Final = 4 * 1024**2  # bytes
MAX_COMMAND_LINE: Final = 4_096  # bytes; Linux COMMAND_LINE_SIZE is 2048 on both architectures

# Archives: ours, far above what an enclave can hold in memory and far below what harms a machine.
MAX_PATH: Final = 4_096  # bytes, Linux PATH_MAX
MAX_NAME: Final = 255  # bytes of one part of a path, Linux NAME_MAX
MAX_ENTRIES: Final = 1_000_000  # files, folders and links of one ramdisk or root filesystem
MAX_UNPACKED: Final = 16 * 1024**3  # bytes of content after decompression and of sparse holes
MAX_LAYERS: Final = 256  # Docker's own limit is 127
MAX_JSON: Final = 16 * 1024**2  # bytes of a manifest, configuration or index
MAX_TAR_HEADER: Final = 1024**2  # bytes of all headers of one entry: pax, long names, its own
