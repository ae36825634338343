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
    from nitro_workflow.host.sandbox.launcher import require_sandbox

__all__ = ["SandboxHost", "require_sandbox"]


_HOMES = {
    "SandboxHost": "control.sandbox_host",
    "require_sandbox": "sandbox.launcher",
}

__getattr__ = lazy_names(__name__, _HOMES)
