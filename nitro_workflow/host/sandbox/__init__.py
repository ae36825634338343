"""A program behind a boundary of this machine's kernel: an enclave from its image, or an instance.

>>> from nitro_workflow.host.sandbox import SandboxSpec
>>> from nitro_workflow.host.rules import instance_limits
>>> SandboxSpec(instance_limits(), command=("/bin/true",)).folder
'/'

`launcher` starts `bootstrap` in a child, which makes the namespaces, builds the root, gives up
every privilege and runs the program; `enclave_process` is one enclave from launch to end. Imported
on first use: the bootstrap loads no more than it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from nitro_workflow.host.sandbox.enclave_process import EnclaveProcess, Plan
    from nitro_workflow.host.sandbox.launcher import Bind, Sandbox, SandboxSpec, require_sandbox

_HOMES = {
    "Bind": "launcher",
    "EnclaveProcess": "enclave_process",
    "Plan": "enclave_process",
    "Sandbox": "launcher",
    "SandboxSpec": "launcher",
    "require_sandbox": "launcher",
}

__all__ = [
    "Bind",
    "EnclaveProcess",
    "Plan",
    "Sandbox",
    "SandboxSpec",
    "require_sandbox",
]

__getattr__ = lazy_names(__name__, _HOMES)
