"""Build an image: from a root filesystem as nitro-cli does, or from parts as eif_build does."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nitro_workflow.errors import ImageError
from nitro_workflow.image.build.image_writer import (
    BuiltImage,
    bytes_part,
    file_part,
    ramdisk_part,
    write_image,
)
from nitro_workflow.image.container import Tree, tree_from_folder
from nitro_workflow.image.format import (
    BootParts,
    BuildInfo,
    Identity,
    SectionKind,
    is_stand_in_kernel,
    rfc3339,
)
from nitro_workflow.image.ramdisk import (
    RamdiskLayout,
    bootstrap_nodes,
    command_problem,
    customer_nodes,
    files_of_nodes,
)

if TYPE_CHECKING:
    from nitro_workflow.image.build.signing_key import SigningKey
    from nitro_workflow.image.format import Progress


def build_image(
    *,
    rootfs: Path | Tree,
    command: Sequence[str],
    environment: Mapping[str, str] | Sequence[str],
    output: Path,
    name: str,
    version: str,
    boot: BootParts,
    build_time: datetime | None = None,
    build_info: BuildInfo | None = None,
    architecture: str | None = None,
    signing: SigningKey | None = None,
    custom_metadata: Mapping[str, Any] | None = None,
    docker_info: Any = None,
    progress: Progress | None = None,
) -> BuiltImage:
    """Build an image from a root filesystem (a folder, or a tree from `rootfs_from`).

    The first ramdisk holds the bootstrap, the second ``cmd``, ``env`` and ``rootfs/``, as
    nitro-cli lays them out. ``build_time`` goes into the metadata, or ``build_info`` does whole;
    ``environment`` is a mapping or "NAME=value" lines.
    ``progress(done, total)`` gets bytes. Raises `ImageError`.
    """
    if architecture not in (None, boot.architecture):
        raise ImageError(
            f"boot parts for {boot.architecture}",
            expected=f"boot parts for {architecture}",
            where="boot parts",
            next="Give the boot parts of the image's architecture.",
        )
    tree = rootfs if isinstance(rootfs, Tree) else tree_from_folder(rootfs)
    if not command:
        raise ImageError(
            "no command",
            expected="the program the enclave runs, and its arguments",
            where="command",
            next="Give a command; an image's own is used when it has Cmd or Entrypoint.",
        )
    lines = _environment_lines(environment)
    build = build_info or _build_info(boot, build_time)
    identity = Identity(name, version, build, docker_info, custom_metadata)
    problem = command_problem(files_of_nodes(tree.nodes), command, lines)
    parts = [
        bytes_part(SectionKind.KERNEL, boot.kernel),
        bytes_part(SectionKind.CMDLINE, boot.command_line),
        bytes_part(SectionKind.METADATA, identity.pack()),
        ramdisk_part(RamdiskLayout(bootstrap_nodes(boot.init, boot.nsm_module))),
        ramdisk_part(RamdiskLayout(customer_nodes(tree.nodes, command, lines))),
    ]
    return write_image(
        parts,
        output=output,
        architecture=boot.architecture,
        signing=signing,
        is_stand_in=boot.is_stand_in,
        notes=(*tree.notes, *([f"{problem}: it ends at once (E36)"] if problem else [])),
        progress=progress,
    )


def _build_info(boot: BootParts, build_time: datetime | None) -> BuildInfo:
    if build_time is None:
        raise ImageError(
            "no build time",
            expected="build_time or build_info: no clock is read here",
            where="build_image",
            next="Give the time; `build_time()` takes SOURCE_DATE_EPOCH where it is set.",
        )
    return BuildInfo(
        rfc3339(build_time),
        operating_system=boot.operating_system,
        kernel_version=boot.kernel_version,
    )


def _environment_lines(environment: Mapping[str, str] | Sequence[str]) -> list[str]:
    if isinstance(environment, Mapping):
        return [f"{key}={value}" for key, value in environment.items()]
    return list(environment)


def build_from_parts(
    *,
    kernel: Path,
    command_line: bytes,
    ramdisks: Sequence[Path],
    identity: Identity,
    output: Path,
    architecture: str,
    signing: SigningKey | None = None,
    progress: Progress | None = None,
) -> BuiltImage:
    """Build an image from a kernel and ramdisks that are files, as AWS's eif_build does.

    The command line is taken verbatim. Raises `ImageError`.
    """
    with kernel.open("rb") if kernel.is_file() else contextlib.nullcontext() as file:
        stand_in = file is not None and is_stand_in_kernel(file.read(256))
    parts = [
        file_part(SectionKind.KERNEL, kernel),
        bytes_part(SectionKind.CMDLINE, command_line),
        bytes_part(SectionKind.METADATA, identity.pack()),
        *(file_part(SectionKind.RAMDISK, path) for path in ramdisks),
    ]
    return write_image(
        parts,
        output=output,
        architecture=architecture,
        signing=signing,
        is_stand_in=stand_in,
        progress=progress,
    )
