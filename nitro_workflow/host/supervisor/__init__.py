"""AF_VSOCK and /dev/nsm for programs that nobody changed, by seccomp's user notifications.

>>> from nitro_workflow.host.supervisor import name_of, peer_of
>>> peer_of(name_of(16, 40000))
(16, 40000)

A filter sends the calls on vsock sockets and on the module to a supervisor outside of the sandbox;
it answers with sockets of the instance's own *fabric*. What is then read and written goes from
program to program, through the kernel alone. From the top: `sandbox_supervisor` is the process,
`supervise` the loop; `vsock_calls`, `vsock_connections`, `enclave_gate` and `nsm_calls` are the
answers, `notification` and `caller_files` the kernel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from nitro_workflow.host.supervisor.fabric import ParentFabric, name_of, peer_of

_HOMES = {
    "ParentFabric": "fabric",
    "name_of": "fabric",
    "peer_of": "fabric",
}

__all__ = ["ParentFabric", "name_of", "peer_of"]

__getattr__ = lazy_names(__name__, _HOMES)
