"""What enclaves may take of this machine: the file that stands in for ``allocator.yaml``.

``/etc/nitro_enclaves/allocator.yaml`` sets CPUs and huge pages of a parent apart; here a file of
the same form in the user's configuration does: ``memory_mib``, and one of ``cpu_count`` and
``cpu_pool``. Without one, an enclave may have what the machine has.
[src: nitro-cli bootstrap/allocator.yaml, nitro-enclaves-allocator]
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from nitro_workflow.errors import HostError
from nitro_workflow.host.rules.ecodes import failure
from nitro_workflow.host.rules.launch_rules import cpu_pool, machine_memory_mib

__all__ = ["Pool", "allocator_file", "parse_allocator", "read_pool"]

FILE_LIMIT: Final = 16 * 1024  # bytes; AWS's has 700

HIGHEST_CPU: Final = 4095
"""CONFIG_NR_CPUS goes to 8192; the biggest EC2 instance has 896."""

LARGEST_MIB: Final = 1 << 26  # 64 TiB

_KEYS: Final = frozenset(("memory_mib", "cpu_count", "cpu_pool"))
_RANGE: Final = re.compile(r"([0-9]{1,4})(?:-([0-9]{1,4}))?")


@dataclass(frozen=True, slots=True)
class Pool:
    """CPU ids and MiB for the enclaves of one instance; ``file`` is None for the machine's own.

    Only a pool that somebody wrote down is shared out: what runs leaves less of it.
    """

    cpus: tuple[int, ...]
    memory_mib: int
    file: Path | None = None

    def memory_left(self, taken_mib: int) -> int:
        """Return what the next enclave may have, in MiB, where others have ``taken_mib``."""
        return self.memory_mib if self.file is None else max(self.memory_mib - taken_mib, 0)


def allocator_file() -> Path:
    """Return where the user's file would be: ``$XDG_CONFIG_HOME/nitro-workflow``."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "nitro-workflow" / "allocator.yaml"


def read_pool() -> Pool:
    """Return the pool of the user's file, else of this machine; raises `HostError` for a bad one.

    Read at each launch: there is no service to restart.
    """
    path = allocator_file()
    try:
        with path.open("rb") as file:
            text = file.read(FILE_LIMIT).decode("utf-8", "replace")
    except FileNotFoundError:
        return Pool(cpu_pool(os.cpu_count() or 1), machine_memory_mib())
    except OSError as error:
        raise _bad(path, str(error.strerror), "a file that you may read") from error
    return parse_allocator(text, path)


def parse_allocator(text: str, path: Path) -> Pool:
    r"""Return the pool that the text of an ``allocator.yaml`` describes; raises `HostError`.

    >>> parse_allocator("---\nmemory_mib: 512\ncpu_pool: 2,6-8\n", Path("allocator.yaml")).cpus
    (2, 6, 7, 8)
    """
    import yaml

    try:
        body = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise _bad(path, f"not YAML ({type(error).__name__})", "---, then key: value") from error
    if not isinstance(body, dict) or not set(body) <= _KEYS:
        raise _bad(path, "other keys", ", ".join(sorted(_KEYS)))
    if ("cpu_count" in body) == ("cpu_pool" in body):
        raise _bad(path, "both or none of cpu_count and cpu_pool", "exactly one of them")
    memory = _number(path, body, "memory_mib", LARGEST_MIB)
    if "cpu_pool" in body:
        return Pool(_cpus(path, body["cpu_pool"]), memory, path)
    count = _number(path, body, "cpu_count", HIGHEST_CPU)
    # CPU 0 and its sibling stay with the parent. [src: EC2 user guide, enclave considerations]
    return Pool(tuple(range(1, 1 + count)), memory, path)


def _number(path: Path, body: dict[str, Any], name: str, most: int) -> int:
    value = body.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise _bad(path, f"{name} is {value!r:.40}", f"a whole number from 0 to {most}")
    return value


def _cpus(path: Path, value: Any) -> tuple[int, ...]:
    """Return the ids of ``2,3,6-9``; YAML makes a number of a single one."""
    found: set[int] = set()
    for part in str(value).replace(" ", "").split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            raise _bad(path, f"Invalid CPU ID interval ({part:.20})", "ids and ranges: 2,3,6-9")
        first, last = int(match[1]), int(match[2] or match[1])
        if first > last or last > HIGHEST_CPU:
            raise _bad(path, f"Invalid CPU ID interval ({part:.20})", f"0 to {HIGHEST_CPU}")
        found.update(range(first, last + 1))
    if 0 in found:
        raise _bad(path, "CPU 0 in cpu_pool", "other CPUs: 0 stays with the parent")
    return tuple(sorted(found))


def _bad(path: Path, found: str, expected: str) -> HostError:
    return failure(
        "E24" if "CPU" in found else "E00",
        f"{path.name}: {found}",
        expected=expected,
        next=f"edit {path}, or remove it",
    )
