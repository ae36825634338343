"""What a sandbox may take of the machine: an enclave by its launch, an instance by its size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = [
    "DISK_MIB",
    "LEAST_ON_AWS_MIB",
    "VOLUME_GIB",
    "Limits",
    "enclave_limits",
    "instance_limits",
]

MIB: Final = 1 << 20

PROCESSES: Final = 256
"""Processes and threads: the application has 10, an instance with a shell and boto3 20."""

DESCRIPTORS: Final = 1024
"""Of one process: the usual soft limit."""

DISK_MIB: Final = 512
"""Of an instance's folder, where whoever boots it does not say: ten walks of the default size."""

LEAST_ON_AWS_MIB: Final = 1024
"""Of an enclave: nitro-cli wants 4 times the image, which has 90 MiB with AWS's kernel."""

VOLUME_GIB: Final = 16
"""Of a parent instance's disk on AWS: it is launched with that, and the plan has its price."""


@dataclass(frozen=True, slots=True)
class Limits:
    """In bytes and numbers. ``memory`` is of all processes, their memfds and tmpfs together.

    ``heap`` is RLIMIT_DATA and ``file_size`` RLIMIT_FSIZE of each process, which bounds a memfd
    too; ``root`` is the size of the one tmpfs; ``disk`` of the folder on disk, 0 where there is
    none.
    """

    memory: int
    heap: int
    root: int
    file_size: int
    disk: int = 0
    processes: int = PROCESSES
    descriptors: int = DESCRIPTORS


def enclave_limits(memory_mib: int) -> Limits:
    """Return the limits of an enclave: what it was launched with, a file at most half of it.

    >>> enclave_limits(512).file_size >> 20
    256
    """
    memory = memory_mib * MIB
    return Limits(memory=memory, heap=memory, root=memory, file_size=memory // 2)


def instance_limits(disk_mib: int = DISK_MIB) -> Limits:
    """Return the limits of an instance: 1 GiB of memory, half of it for one process."""
    disk = disk_mib * MIB
    return Limits(memory=1024 * MIB, heap=512 * MIB, root=512 * MIB, file_size=disk // 2, disk=disk)
