"""From the application to the root filesystem that is measured: what it loads, and no more.

`closure` lets the application work and sees what it loads, against the practice KMS of `rehearsal`;
`wheels` says whose each file is and whether it is the locked one; `root_filesystem` lays it out.

>>> from enclave_image.packing import COMMAND
>>> " ".join(COMMAND)
'/usr/bin/python3 -I -S -B /app'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from enclave_image.packing.closure import Closure, Script, find_closure
    from enclave_image.packing.given_rootfs import lay_out_given
    from enclave_image.packing.rehearsal import KEY_ARN, PracticeKms
    from enclave_image.packing.root_filesystem import (
        COMMAND,
        ENVIRONMENT,
        FileRecord,
        RootfsReport,
        build_rootfs,
        inspect_parent,
        report_json,
    )

_HOMES = {
    "COMMAND": "root_filesystem",
    "Closure": "closure",
    "ENVIRONMENT": "root_filesystem",
    "FileRecord": "root_filesystem",
    "KEY_ARN": "rehearsal",
    "PracticeKms": "rehearsal",
    "RootfsReport": "root_filesystem",
    "Script": "closure",
    "build_rootfs": "root_filesystem",
    "find_closure": "closure",
    "inspect_parent": "root_filesystem",
    "lay_out_given": "given_rootfs",
    "report_json": "root_filesystem",
}

__all__ = [
    "COMMAND",
    "ENVIRONMENT",
    "KEY_ARN",
    "Closure",
    "FileRecord",
    "PracticeKms",
    "RootfsReport",
    "Script",
    "build_rootfs",
    "find_closure",
    "inspect_parent",
    "lay_out_given",
    "report_json",
]

__getattr__ = lazy_names(__name__, _HOMES)
