"""The boot parts: kernel, command line, and what the bootstrap ramdisk holds (init, nsm.ko).

AWS ships them with nitro-cli (``/usr/share/nitro_enclaves/blobs``); they are AWS's to distribute,
so this package has none. Without them an image is made with a stand-in: it measures, is signed,
checked and compared like any other, the lab's sandbox runs what its second ramdisk holds, and no
machine boots it. The kernel, the metadata and every command's output say so.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nitro_workflow.errors import ImageError, UsageError
from nitro_workflow.image.format.eif import ARCHITECTURES
from nitro_workflow.image.format.metadata import kernel_identity

KERNEL_NAMES: Final = {"x86_64": "bzImage", "aarch64": "Image"}
# blobs/<architecture>/cmdline of aws-nitro-enclaves-cli 1.5.0, trimmed as nitro-cli trims it.
COMMAND_LINES: Final = {
    "x86_64": b"reboot=k panic=30 pci=off nomodules console=ttyS0 i8042.noaux i8042.nomux "
    b"i8042.nopnp i8042.dumbkbd random.trust_cpu=on",
    "aarch64": b"reboot=k panic=30 pci=off nomodules console=ttyS0 random.trust_cpu=on "
    b"root=/dev/ram0",
}
STAND_IN_MARK: Final = b"NOT BOOTABLE: a stand-in made by nitro-workflow in place of AWS's "
STAND_IN_VERSION: Final = "none (stand-in, does not boot)"


@dataclass(frozen=True, slots=True)
class BootParts:
    """What boots: bytes of each part, and what the metadata says about the kernel.

    Named constructors: `stand_in`, `from_blobs`, `from_files`.
    """

    architecture: str
    kernel: bytes
    command_line: bytes
    init: bytes
    nsm_module: bytes
    operating_system: str
    kernel_version: str
    is_stand_in: bool = False

    @classmethod
    def stand_in(cls, architecture: str | None = None) -> BootParts:
        """Return parts that are labelled as not bootable, the same ones each time.

        >>> BootParts.stand_in("x86_64").is_stand_in
        True
        """
        name = checked_architecture(architecture or host_architecture())
        return cls(
            architecture=name,
            kernel=_mark("kernel", name),
            command_line=COMMAND_LINES[name],
            init=_mark("init", name),
            nsm_module=_mark("nsm.ko", name),
            operating_system="Linux",
            kernel_version=STAND_IN_VERSION,
            is_stand_in=True,
        )

    @classmethod
    def from_blobs(cls, folder: Path, architecture: str | None = None) -> BootParts:
        """Read the parts from a folder with AWS's names, or one with a folder an architecture.

        Names: ``bzImage`` or ``Image``, the same with ``.config``, ``cmdline``, ``init``,
        ``nsm.ko``. Raises `ImageError` naming the file that is missing.
        """
        name, place = _find_blobs(folder, architecture)
        kernel = place / KERNEL_NAMES[name]
        return cls.from_files(
            architecture=name,
            kernel=kernel,
            init=place / "init",
            nsm_module=place / "nsm.ko",
            command_line=_read(place / "cmdline").strip(),
            kernel_config=kernel.with_name(kernel.name + ".config"),
        )

    @classmethod
    def from_files(
        cls,
        *,
        architecture: str,
        kernel: Path,
        init: Path,
        nsm_module: Path,
        command_line: bytes,
        kernel_config: Path | None = None,
    ) -> BootParts:
        """Read each part from its own path. Raises `ImageError`."""
        system, version = ("Linux", "Unknown")
        if kernel_config is not None:
            system, version = kernel_identity(_read(kernel_config))
        return cls(
            checked_architecture(architecture),
            _read(kernel),
            command_line,
            _read(init),
            _read(nsm_module),
            system,
            version,
        )


def _mark(part: str, architecture: str) -> bytes:
    return STAND_IN_MARK + f"{part} for {architecture}\n".encode()


def is_stand_in_kernel(start: bytes) -> bool:
    """Tell by a kernel's first bytes whether it is this package's stand-in."""
    return start.startswith(STAND_IN_MARK)


def host_architecture() -> str:
    """Return this machine's architecture as the format names it. Raises `UsageError` for others."""
    machine = {"arm64": "aarch64", "amd64": "x86_64"}.get(platform.machine(), platform.machine())
    return checked_architecture(machine)


def checked_architecture(name: str) -> str:
    """Return ``name`` if the format has it. Raises `UsageError`."""
    if name not in ARCHITECTURES:
        raise UsageError(
            f"architecture {name!r}",
            expected="x86_64 or aarch64",
            next="Give --architecture; enclaves run on these two.",
        )
    return name


def _find_blobs(folder: Path, architecture: str | None) -> tuple[str, Path]:
    names = [checked_architecture(architecture)] if architecture else list(KERNEL_NAMES)
    host = platform.machine()
    names.sort(key=lambda name: name != host)  # the host's first where both are there
    for name in names:
        for place in (folder, folder / name):
            if (place / KERNEL_NAMES[name]).is_file():
                return name, place
    wanted = " or ".join(KERNEL_NAMES[name] for name in names)
    raise ImageError(
        f"no {wanted}",
        expected="AWS's blobs: bzImage or Image, its .config, cmdline, init, nsm.ko",
        where=str(folder),
        next="An EC2 parent with nitro-cli has them in /usr/share/nitro_enclaves/blobs.",
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(
            error.strerror or str(error),
            expected="a readable boot part",
            where=str(path),
            next="Give the part's path, or a folder with all of them.",
        ) from error
