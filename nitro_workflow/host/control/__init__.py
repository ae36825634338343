"""The hypervisor as a process, the line to it, and its client.

>>> from nitro_workflow.host.control import SandboxHost
>>> SandboxHost("/run/lab").channel("i-0").path.name
'control.sock'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from nitro_workflow.host.control.control_line import ControlServer, ask
    from nitro_workflow.host.control.hypervisor import serve
    from nitro_workflow.host.control.machine import Hypervisor
    from nitro_workflow.host.control.sandbox_host import SandboxHost

_HOMES = {
    "ControlServer": "control_line",
    "Hypervisor": "machine",
    "SandboxHost": "sandbox_host",
    "ask": "control_line",
    "serve": "hypervisor",
}

__all__ = [
    "ControlServer",
    "Hypervisor",
    "SandboxHost",
    "ask",
    "serve",
]

__getattr__ = lazy_names(__name__, _HOMES)
