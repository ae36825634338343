"""The rules of nitro-cli 1.5.0 for memory, CPUs, CID and name, as pure functions."""

from __future__ import annotations

import os
import platform
import re
from typing import TYPE_CHECKING, Final

from nitro_workflow.host.rules.ecodes import failure

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = [
    "check_cid",
    "check_memory",
    "check_name",
    "choose_cid",
    "choose_cpus",
    "choose_name",
    "cpu_pool",
    "least_memory",
    "machine_memory_mib",
    "parse_memory",
    "threads_of_a_core",
]

MIB: Final = 1 << 20

MINIMUM_MIB: Final = 64
"""NE_MIN_ENCLAVE_MEM_SIZE. [src: Linux uapi/linux/nitro_enclaves.h]"""

REGION_MIB: Final = 2
"""Memory comes in regions of 2 MiB."""

EIF_SHARE: Final = 4
"""An enclave needs this many times the size of its image. [src: nitro-cli src/enclave_proc]"""

FIRST_CID: Final = 4
LAST_CID: Final = 0xFFFFFFFE
AUTOMATIC_CID: Final = 16
"""Where automatic CIDs start."""

POOL_AT_LEAST: Final = 16
"""CPUs of the pool on a small machine: the ids stand in for ``ne_cpus``, nothing is pinned."""

THREADS_A_CORE: Final = {"x86_64": 2, "aarch64": 1}
"""An enclave gets whole cores. [src: EC2 user guide, CPU options of Nitro instance types]"""

NAME_LIMIT: Final = 128  # characters; nitro-cli has no rule, but a name becomes text everywhere


def parse_memory(text: str) -> int:
    """Return MiB for ``512``, ``512M``, ``2G`` or ``1T``; raises `HostError` E47."""
    match = re.fullmatch(r"([0-9]{1,9})([MmGgTt]?)", text)
    if match is None:
        raise failure("E47", f"Invalid memory size {text!r:.40}", expected="n, nM, nG or nT")
    return int(match[1]) * {"": 1, "m": 1, "g": 1024, "t": 1024 * 1024}[match[2].lower()]


def check_memory(eif_bytes: int, requested_mib: int, available_mib: int) -> int:
    """Return the MiB that will be set apart; raises `HostError` E26 for too little, E27 too much.

    ``eif_bytes`` is the size of the image in bytes; ``available_mib`` what the machine has.
    """
    minimum = _share(eif_bytes)
    if requested_mib < minimum:
        raise failure(
            "E26",
            f"Insufficient memory requested. User provided `memory` is {requested_mib} MB, but "
            f"based on the EIF file size, the minimum memory should be {minimum} MB",
            expected=f"≥ {minimum} MiB: 4 times the image",
            next=f"--memory {max(minimum, MINIMUM_MIB)}",
        )
    if requested_mib < MINIMUM_MIB:
        raise failure(
            "E26",
            f"Insufficient memory requested. User provided `memory` is {requested_mib} MB, which "
            f"is below the minimum of {MINIMUM_MIB} MB",
            expected=f"≥ {MINIMUM_MIB} MiB",
            next=f"--memory {MINIMUM_MIB}",
        )
    if requested_mib > available_mib:
        raise failure(
            "E27",
            f"Insufficient memory available. User provided `memory` is {requested_mib} MB, which "
            f"is more than the available hugepage memory ({available_mib} MB)",
            expected=f"≤ {available_mib} MiB",
            next="ask for less, terminate another enclave, or raise memory_mib in allocator.yaml",
        )
    return -(-requested_mib // REGION_MIB) * REGION_MIB


def least_memory(eif_bytes: int) -> int:
    """Return the least MiB that an image of so many bytes is started with."""
    return max(_share(eif_bytes), MINIMUM_MIB)


def _share(eif_bytes: int) -> int:
    return -(-eif_bytes // MIB) * EIF_SHARE


def machine_memory_mib() -> int:
    """Return this machine's memory in MiB: the pool that stands in for the allocator's."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MIB


def choose_cid(wanted: int | None, taken: Collection[int]) -> int:
    """Return the CID: ``wanted``, or a free one for None and 0; raises `HostError` E03 or E29."""
    if not wanted:
        return next(cid for cid in range(AUTOMATIC_CID, LAST_CID) if cid not in taken)
    check_cid(wanted)
    if wanted in taken:
        raise failure("E29", f"CID {wanted} is in use", next="leave --enclave-cid out")
    return wanted


def check_cid(wanted: int | None) -> None:
    """Raise `HostError` E03 for a CID that no enclave can have; None and 0 ask for any."""
    if wanted and not FIRST_CID <= wanted <= LAST_CID:
        raise failure(
            "E03",
            f"Invalid argument provided: enclave-cid {wanted}",
            expected=f"{FIRST_CID} to {LAST_CID}; 3 is the parent",
            next="leave --enclave-cid out",
        )


def cpu_pool(cpus: int) -> tuple[int, ...]:
    """Return the ids that stand in for ``/sys/module/nitro_enclaves/parameters/ne_cpus``."""
    return tuple(range(1, 1 + max(POOL_AT_LEAST, cpus)))


def choose_cpus(
    pool: Sequence[int],
    taken: Collection[int],
    count: int | None = None,
    ids: Sequence[int] | None = None,
) -> tuple[int, ...]:
    """Return the CPU ids for an enclave: ``ids``, or ``count`` free ones.

    Raises `HostError` E20 for an id given twice, E21 for one that is not free, E22 for too many,
    E29 for none and for half a core.
    """
    free = [cpu for cpu in pool if cpu not in taken]
    if ids is not None:
        if len(set(ids)) != len(ids):
            twice = ", ".join(
                str(cpu) for cpu in sorted({it for it in ids if list(ids).count(it) > 1})
            )
            raise failure(
                "E20",
                "Invalid CPU configuration. User provided `cpu-ids` contains same CPU(s) (CPU(s) "
                f"{twice}) multiple times.",
                expected="each id once",
            )
        missing = [cpu for cpu in ids if cpu not in free]
        if missing:
            raise failure(
                "E21",
                "No such CPU available in the pool. User provided `cpu-ids` contains CPU "
                f"{missing[0]}, which is not available in the pool.",
                expected=f"of {free}",
            )
        _check_cores(len(ids))
        return tuple(ids)
    if count is None or count < 0:
        raise failure("E03", f"Invalid argument provided: cpu-count {count}", expected="≥ 1")
    if count > len(free):
        raise failure(
            "E22",
            f"Insufficient CPUs available in the pool. User provided `cpu-count` is {count}, which "
            "is more than the configured CPU pool size.",
            expected=f"≤ {len(free)}, of {len(pool)} in the pool",
            next="terminate another enclave, or ask for fewer",
        )
    _check_cores(count)
    return tuple(free[:count])


def _check_cores(count: int) -> None:
    """Refuse what the driver refuses: no CPU, half a core.

    [src: Linux uapi/linux/nitro_enclaves.h, NE_ERR_NO_VCPUS_ADDED, NE_ERR_FULL_CORES_NOT_USED]
    """
    threads = threads_of_a_core()
    if count == 0:
        raise failure(
            "E29",
            "The enclave cannot start because no vCPUs have been added (NE_ERR_NO_VCPUS_ADDED)",
            expected=f"{threads} CPUs or a multiple",
            next=f"--cpu-count {threads}",
        )
    if count % threads:
        raise failure(
            "E29",
            "The enclave cannot start because full CPU cores have not been set "
            "(NE_ERR_FULL_CORES_NOT_USED)",
            expected=f"whole cores: {threads} CPUs or a multiple",
            next=f"--cpu-count {count + threads - count % threads}",
        )


def threads_of_a_core() -> int:
    """Return how many CPUs a core of this machine's architecture has: the least for an enclave."""
    return THREADS_A_CORE.get(host_architecture(), 1)


def choose_name(wanted: str | None, eif_name: str, taken: Collection[str]) -> str:
    """Return the name: ``wanted`` or the file's without ``.eif``; a taken one gets ``_1``, ``_2``.

    Raises `HostError` E58 for a name that is empty, too long or unprintable.
    """
    name = wanted if wanted is not None else eif_name.removesuffix(".eif")
    check_name(name)
    numbered = (name if not n else f"{name}_{n}" for n in range(len(taken) + 1))
    return next(it for it in numbered if it not in taken)


def check_name(name: str) -> None:
    """Raise `HostError` E58 for a name that is empty, too long or unprintable."""
    if not name or len(name) > NAME_LIMIT or not name.isprintable():
        raise failure("E58", "Naming error", expected=f"1 to {NAME_LIMIT} printable characters")


def host_architecture() -> str:
    """Return this machine's architecture in the words of EIF headers."""
    return {"arm64": "aarch64"}.get(platform.machine(), platform.machine())
