"""The rules of nitro-cli 1.5.0 for memory, CPUs, CID and name, as pure functions."""

from __future__ import annotations

import os
import platform
import re
from typing import TYPE_CHECKING, Final

from nitro_workflow.host.rules.ecodes import failure

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = ["check_memory", "choose_cid", "choose_cpus", "choose_name", "cpu_pool", "parse_memory"]

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
    minimum = -(-eif_bytes // MIB) * EIF_SHARE
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
            f"Insufficient memory available. Requested {requested_mib} MiB, this machine has "
            f"{available_mib} MiB",
            expected=f"≤ {available_mib} MiB",
            next=f"--memory {minimum}, if that is less",
        )
    return -(-requested_mib // REGION_MIB) * REGION_MIB


def machine_memory_mib() -> int:
    """Return this machine's memory in MiB: the pool that stands in for the allocator's."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MIB


def choose_cid(wanted: int | None, taken: Collection[int]) -> int:
    """Return the CID: ``wanted``, or a free one for None and 0; raises `HostError` E03 or E29."""
    if not wanted:
        return next(cid for cid in range(AUTOMATIC_CID, LAST_CID) if cid not in taken)
    if not FIRST_CID <= wanted <= LAST_CID:
        raise failure(
            "E03",
            f"Invalid argument provided: enclave-cid {wanted}",
            expected=f"{FIRST_CID} to {LAST_CID}; 3 is the parent",
            next="leave --enclave-cid out",
        )
    if wanted in taken:
        raise failure("E29", f"CID {wanted} is in use", next="leave --enclave-cid out")
    return wanted


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
            raise failure("E20", "Duplicate CPU IDs", expected="each id once")
        missing = [cpu for cpu in ids if cpu not in free]
        if missing:
            raise failure(
                "E21", f"CPU {missing[0]} is not available in the pool", expected=f"of {free}"
            )
        _check_cores(len(ids))
        return tuple(ids)
    if count is None or count < 0:
        raise failure("E03", f"Invalid argument provided: cpu-count {count}", expected="≥ 1")
    if count > len(free):
        raise failure(
            "E22",
            f"Insufficient CPUs available. Requested {count}, available {len(free)}",
            expected=f"≤ {len(free)}",
            next="terminate another enclave, or ask for fewer",
        )
    _check_cores(count)
    return tuple(free[:count])


def _check_cores(count: int) -> None:
    """Refuse what the driver refuses: no CPU, half a core.

    [src: Linux uapi/linux/nitro_enclaves.h, NE_ERR_NO_VCPUS_ADDED, NE_ERR_FULL_CORES_NOT_USED]
    """
    threads = THREADS_A_CORE.get(host_architecture(), 1)
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


def choose_name(wanted: str | None, eif_name: str, taken: Collection[str]) -> str:
    """Return the name: ``wanted`` or the file's without ``.eif``; a taken one gets ``_1``, ``_2``.

    Raises `HostError` E58 for a name that is empty, too long or unprintable.
    """
    name = wanted if wanted is not None else eif_name.removesuffix(".eif")
    if not name or len(name) > NAME_LIMIT or not name.isprintable():
        raise failure("E58", "Naming error", expected=f"1 to {NAME_LIMIT} printable characters")
    numbered = (name if not n else f"{name}_{n}" for n in range(len(taken) + 1))
    return next(it for it in numbered if it not in taken)


def host_architecture() -> str:
    """Return this machine's architecture in the words of EIF headers."""
    return {"arm64": "aarch64"}.get(platform.machine(), platform.machine())
