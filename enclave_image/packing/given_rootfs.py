"""P5 for an application that brings its own root filesystem: it is laid out as it was given.

From a folder, or from what a Dockerfile builds. The measured configuration is put into it; what
reads it there, and speaks the job protocol on vsock 5005, is the application's own program.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from enclave_image.configuration import CONFIG_PATH, parse_config
from enclave_image.packing.root_filesystem import (
    EMPTY_FOLDERS,
    FileRecord,
    RootfsReport,
    trusted,
    vsock_ports,
)
from nitro_workflow.errors import ImageError

if TYPE_CHECKING:
    from nitro_workflow.image import Node, Tree

__all__ = ["lay_out_given"]


def lay_out_given(
    target: Path,
    tree: Tree,
    *,
    config: bytes,
    command: Sequence[str],
    environment: Mapping[str, str],
) -> RootfsReport:
    """Write the tree and the configuration into ``target``, and report on every file.

    Raises `InputError` for a configuration that is none, `ImageError` for a device or pipe in the
    tree, or a file where the configuration belongs.
    """
    measured = parse_config(config)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in EMPTY_FOLDERS:
        (target / name).mkdir()
    records = [record for node in tree.nodes if (record := _write(target, node)) is not None]
    records.append(_configuration(target, config))
    return RootfsReport(
        files=tuple(sorted(records, key=lambda it: it.path)),
        size=sum(record.size for record in records),
        command=tuple(command),
        environment=dict(environment),
        vsock_ports=vsock_ports(measured),
        dependencies=(),
        python="",
        trust=trusted(measured),
    )


def _write(target: Path, node: Node) -> FileRecord | None:
    """Write one node below ``target``; folders come before what is in them, as paths sort."""
    path = os.fsdecode(node.path)
    place, mode = target / path, node.mode
    data = b"".join(node.content()) if node.content else b""
    if not place.parent.resolve().is_relative_to(target.resolve()):
        raise _odd(f"/{path} lies behind a link", "files in their own folders")
    if stat.S_ISDIR(mode):
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(stat.S_IMODE(mode))
        return None
    place.parent.mkdir(parents=True, exist_ok=True)
    if stat.S_ISLNK(mode):
        place.symlink_to(os.fsdecode(data))
        return None
    if not stat.S_ISREG(mode):
        raise _odd(f"/{path} is neither a file, a folder nor a link", "no devices: init makes /dev")
    place.write_bytes(data)
    place.chmod(stat.S_IMODE(mode))
    digest = hashlib.sha256(data).hexdigest()
    return FileRecord(f"/{path}", len(data), digest, "your root filesystem")


def _configuration(target: Path, config: bytes) -> FileRecord:
    """Put the measured configuration in, through no link of the tree's."""
    place = target
    for part in CONFIG_PATH.strip("/").split("/")[:-1]:
        place /= part
        if place.is_symlink():
            raise _odd(f"a link at {CONFIG_PATH}", "/etc/nitro-workflow left to the lab")
        place.mkdir(exist_ok=True)
    path = target / CONFIG_PATH[1:]
    path.unlink(missing_ok=True)
    path.write_bytes(config)
    digest = hashlib.sha256(config).hexdigest()
    return FileRecord(CONFIG_PATH, len(config), digest, "measured configuration")


def _odd(found: str, expected: str) -> ImageError:
    return ImageError(found, expected=expected, where="P5", next="change the root filesystem")
