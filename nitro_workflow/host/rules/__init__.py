"""nitro-cli's rules: memory, CPUs, CID, name, the pool they come from, and its error codes.

>>> from nitro_workflow.host.rules import MEANINGS, choose_cpus
>>> choose_cpus((1, 2, 3, 4), {1}, count=2)
(2, 3)
>>> MEANINGS["E26"]
'Insufficient memory requested'

Imported on first use: `launch_problems` reads images, which the sandbox's start must not wait for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from nitro_workflow.host.rules.allocator import (
        Pool,
        allocator_file,
        parse_allocator,
        read_pool,
    )
    from nitro_workflow.host.rules.ecodes import MEANINGS, failure, status_of
    from nitro_workflow.host.rules.launch_checks import launch_problems, least_launch
    from nitro_workflow.host.rules.launch_rules import (
        check_memory,
        choose_cid,
        choose_cpus,
        choose_name,
        cpu_pool,
        parse_memory,
    )
    from nitro_workflow.host.rules.limits import Limits, enclave_limits, instance_limits

_HOMES = {
    "Limits": "limits",
    "MEANINGS": "ecodes",
    "Pool": "allocator",
    "allocator_file": "allocator",
    "check_memory": "launch_rules",
    "choose_cid": "launch_rules",
    "choose_cpus": "launch_rules",
    "choose_name": "launch_rules",
    "cpu_pool": "launch_rules",
    "enclave_limits": "limits",
    "failure": "ecodes",
    "instance_limits": "limits",
    "launch_problems": "launch_checks",
    "least_launch": "launch_checks",
    "parse_allocator": "allocator",
    "parse_memory": "launch_rules",
    "read_pool": "allocator",
    "status_of": "ecodes",
}

__all__ = [
    "MEANINGS",
    "Limits",
    "Pool",
    "allocator_file",
    "check_memory",
    "choose_cid",
    "choose_cpus",
    "choose_name",
    "cpu_pool",
    "enclave_limits",
    "failure",
    "instance_limits",
    "launch_problems",
    "least_launch",
    "parse_allocator",
    "parse_memory",
    "read_pool",
    "status_of",
]

__getattr__ = lazy_names(__name__, _HOMES)
