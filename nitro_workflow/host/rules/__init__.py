"""nitro-cli's rules, as pure functions: memory, CPUs, CID, name, and its error codes.

>>> choose_cpus((1, 2, 3, 4), {1}, count=2)
(2, 3)
>>> MEANINGS["E26"]
'Insufficient memory requested'
"""

from __future__ import annotations

from nitro_workflow.host.rules.ecodes import MEANINGS, failure, status_of
from nitro_workflow.host.rules.launch_rules import (
    check_memory,
    choose_cid,
    choose_cpus,
    choose_name,
    cpu_pool,
    parse_memory,
)
from nitro_workflow.host.rules.limits import Limits, enclave_limits, instance_limits

__all__ = [
    "MEANINGS",
    "Limits",
    "check_memory",
    "choose_cid",
    "choose_cpus",
    "choose_name",
    "cpu_pool",
    "enclave_limits",
    "failure",
    "instance_limits",
    "parse_memory",
    "status_of",
]
