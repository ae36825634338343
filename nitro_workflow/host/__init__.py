"""What runs enclaves on this machine, with nitro-cli's operations, JSON and error codes.

>>> from nitro_workflow.host import SandboxHost
>>> SandboxHost(runtime).describe_enclaves()  # doctest: +SKIP
[]

Imported on first use: the sandbox's bootstrap lives in this room, and its start time counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from nitro_workflow.host.control.sandbox_host import SandboxHost
    from nitro_workflow.host.instance.instance_paths import LONGEST_SOCKET
    from nitro_workflow.host.protocol import Host, LaunchRequest, ParentChannel
    from nitro_workflow.host.rules.ecodes import MEANINGS, status_of
    from nitro_workflow.host.rules.launch_rules import parse_memory
    from nitro_workflow.host.sandbox.launcher import require_sandbox

__all__ = [
    "LONGEST_SOCKET",
    "MEANINGS",
    "Host",
    "LaunchRequest",
    "ParentChannel",
    "SandboxHost",
    "parse_memory",
    "require_sandbox",
    "status_of",
]

_HOMES = {
    "Host": "protocol",
    "LONGEST_SOCKET": "instance.instance_paths",
    "LaunchRequest": "protocol",
    "MEANINGS": "rules.ecodes",
    "ParentChannel": "protocol",
    "SandboxHost": "control.sandbox_host",
    "parse_memory": "rules.launch_rules",
    "require_sandbox": "sandbox.launcher",
    "status_of": "rules.ecodes",
}

__getattr__ = lazy_names(__name__, _HOMES)
