"""Ramdisks: cpio archives, read entry by entry, written reproducibly, unpacked into a folder.

>>> from nitro_workflow.image.ramdisk import RamdiskLayout, folder_node, symlink_node
>>> layout = RamdiskLayout([folder_node(b"bin"), symlink_node(b"bin/sh", b"busybox")])
>>> archive = b"".join(layout.pieces())
>>> archive[:6], len(archive) == layout.size
(b'070701', True)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from nitro_workflow.image.ramdisk.application_ramdisk import ApplicationRamdisk
    from nitro_workflow.image.ramdisk.file_tree import (
        Node,
        RamdiskLayout,
        bootstrap_nodes,
        customer_nodes,
        file_node,
        folder_node,
        symlink_node,
    )
    from nitro_workflow.image.ramdisk.ramdisk_entry import (
        RamdiskEntry,
        ramdisk_entries,
        safe_path,
    )
    from nitro_workflow.image.ramdisk.start_command import (
        command_problem,
        files_of_nodes,
    )
    from nitro_workflow.image.ramdisk.unpack import (
        Unpacked,
        unpack_entries,
        unpack_ramdisk,
    )

_HOMES = {
    "ApplicationRamdisk": "application_ramdisk",
    "Node": "file_tree",
    "RamdiskEntry": "ramdisk_entry",
    "RamdiskLayout": "file_tree",
    "Unpacked": "unpack",
    "bootstrap_nodes": "file_tree",
    "command_problem": "start_command",
    "customer_nodes": "file_tree",
    "file_node": "file_tree",
    "files_of_nodes": "start_command",
    "folder_node": "file_tree",
    "ramdisk_entries": "ramdisk_entry",
    "safe_path": "ramdisk_entry",
    "symlink_node": "file_tree",
    "unpack_entries": "unpack",
    "unpack_ramdisk": "unpack",
}

__all__ = [
    "ApplicationRamdisk",
    "Node",
    "RamdiskEntry",
    "RamdiskLayout",
    "Unpacked",
    "bootstrap_nodes",
    "command_problem",
    "customer_nodes",
    "file_node",
    "files_of_nodes",
    "folder_node",
    "ramdisk_entries",
    "safe_path",
    "symlink_node",
    "unpack_entries",
    "unpack_ramdisk",
]

__getattr__ = lazy_names(__name__, _HOMES)
