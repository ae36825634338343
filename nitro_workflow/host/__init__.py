"""What runs enclaves on this machine, with nitro-cli's operations, JSON and error codes.

>>> from nitro_workflow.host import SandboxHost
>>> SandboxHost(runtime).describe_enclaves()  # doctest: +SKIP
[]

Imported on first use: the sandbox's bootstrap lives in this room, and its start time counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nitro_workflow.host.client import SandboxHost
    from nitro_workflow.host.sandbox import require_sandbox

__all__ = ["SandboxHost", "require_sandbox"]


def __getattr__(name: str) -> Any:
    if name == "SandboxHost":
        from nitro_workflow.host.client import SandboxHost

        return SandboxHost
    if name == "require_sandbox":
        from nitro_workflow.host.sandbox import require_sandbox

        return require_sandbox
    raise AttributeError(name)
