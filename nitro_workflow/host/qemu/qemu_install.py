"""Fetch QEMU and a kernel into the user's cache, on Debian; say elsewhere what to install."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.atomic import write_atomic
from nitro_workflow.errors import HostError
from nitro_workflow.host.qemu.boot_blobs import make_blobs
from nitro_workflow.host.qemu.debian_packages import DebianPackages, require_debian
from nitro_workflow.host.qemu.qemu_program import (
    OLDEST,
    RECORD,
    cache_folder,
    find_qemu,
    record_of,
)
from nitro_workflow.remove_tree import remove_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nitro_workflow.host.qemu.boot_blobs import MadeBlobs
    from nitro_workflow.host.qemu.debian_packages import Package

__all__ = ["blobs_from_debian", "install_qemu", "tested_kernel_series"]

STABLE, BACKPORTS = "trixie", "trixie-backports"
KERNEL: Final = "linux-image-cloud-amd64"
QEMU: Final = "qemu-system-x86"
SERIES: Final = "6.12"

_BY_HAND: Final = (
    f"install qemu-system-x86_64 {OLDEST[0]}.{OLDEST[1]} or later by this system's own tools; for "
    "boot parts unpack a Linux 6.8 or later with the modules nsm and vsock, or set NITRO_CLI_BLOBS"
)


def tested_kernel_series() -> str:
    """Return the series of Linux that this version was tested with."""
    return SERIES


def install_qemu(say: Callable[[str], None], *, folder: Path | None = None) -> dict[str, Any]:
    """Fetch what is missing, and return the record: versions, digests, boot parts.

    A QEMU of this system that is new enough is used as it is. Raises `HostError`.
    """
    place = folder or cache_folder()
    try:
        program = find_qemu()
    except HostError:
        program = None
    own = program is not None and not program.firmware
    record = record_of(place)
    complete = record and (place / "blobs").is_dir() and (own or (place / "prefix").is_dir())
    if complete and program is not None:
        return record
    require_debian(_BY_HAND)
    return _fetch(place, say, with_qemu=not own)


def blobs_from_debian(target: Path, say: Callable[[str], None]) -> MadeBlobs:
    """Make boot parts in ``target`` from Debian's kernel; raises `HostError`, `ImageRefused`."""
    require_debian("unpack a Debian kernel package elsewhere and name it with --kernel")
    with tempfile.TemporaryDirectory(prefix="nitro-workflow-") as temporary:
        work = Path(temporary)
        debian = DebianPackages(work, (STABLE,))
        say(f"Reading {STABLE}'s lists, signed by Debian …")
        debian.update()
        return _blobs(debian, work, target, say)


def _fetch(place: Path, say: Callable[[str], None], *, with_qemu: bool) -> dict[str, Any]:
    """Make everything in a new folder, then put it into ``place``: a broken try leaves no half."""
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch.", dir=place) as temporary:
        work = Path(temporary)
        debian = DebianPackages(work, (STABLE, BACKPORTS))
        say(f"Reading the lists of {STABLE} and {BACKPORTS}, signed by Debian …")
        debian.update()
        record: dict[str, Any] = {"packages": []}
        if with_qemu:
            say(f"Fetching QEMU of {BACKPORTS} with what it needs …")
            packages = debian.needed_by(QEMU, BACKPORTS)
            _unpack(packages, work / "prefix")
            record["qemu"] = next(it.version for it in packages if it.name == QEMU)
            record["packages"] = _listed(packages)
        made = _blobs(debian, work, work / "blobs", say)
        record["kernel"], record["blobs"] = made.origin, dict(made.digests)
        for name in ("prefix", "blobs"):
            if (work / name).is_dir():
                remove_tree(place / name)
                (work / name).replace(place / name)
    write_atomic(place / RECORD, json.dumps(record, indent=2).encode(), failure=HostError)
    return record


def _blobs(
    debian: DebianPackages, work: Path, target: Path, say: Callable[[str], None]
) -> MadeBlobs:
    say(f"Fetching the kernel of {STABLE} …")
    name = debian.dependency(KERNEL, "linux-image-")
    [package] = debian.alone(name)
    _unpack([package], work / "kernel")
    if f"linux-image-{SERIES}." not in package.name:
        say(f"This kernel is {package.version}: {SERIES} is what was tested.")
    origin = {"package": package.name, "version": package.version, "sha256": package.sha256}
    return make_blobs(target, work / "kernel", origin)


def _unpack(packages: Sequence[Package], folder: Path) -> None:
    """Unpack the files; scripts of the packages are not run."""
    folder.mkdir(exist_ok=True)
    for package in packages:
        done = subprocess.run(
            ["dpkg-deb", "--extract", str(package.path), str(folder)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise HostError(
                done.stderr.strip()[:300], expected="a package", where=package.path.name
            )
        package.path.unlink()


def _listed(packages: Sequence[Package]) -> list[dict[str, str]]:
    return [{"name": it.name, "version": it.version, "sha256": it.sha256} for it in packages]
