"""Whether programs can be supervised on this machine; if not, what is missing, what allows it."""

from __future__ import annotations

import functools
import os
import re
import socket
import subprocess
import tempfile
import threading
from typing import Final

from nitro_workflow.errors import HostError, SandboxUnavailable
from nitro_workflow.host.rules.limits import instance_limits
from nitro_workflow.host.sandbox import launcher
from nitro_workflow.host.sandbox.launcher import TRIAL_SECONDS, SandboxSpec, Supervision
from nitro_workflow.vsock import PARENT_CID

__all__ = ["supervision_problem"]

KERNEL: Final = (5, 14)
"""SECCOMP_ADDFD_FLAG_SEND. [src: seccomp_unotify(2)]"""


_turn: Final = threading.Lock()


def supervision_problem() -> str | None:
    """Return None where a sandbox's programs have AF_VSOCK and /dev/nsm, else what is missing.

    Found by trying, once: a sandbox is started and asks for a vsock socket. Who asks meanwhile
    waits, so that nothing of it runs any more once somebody has been answered.
    """
    with _turn:
        return _found()


@functools.cache
def _found() -> str | None:
    if _kernel(os.uname().release) < KERNEL:
        return f"Linux {os.uname().release} has no ADDFD_FLAG_SEND; 5.14 or later is needed"
    try:
        _try()
    except TimeoutError:
        return f"a supervised sandbox did not start within {TRIAL_SECONDS:.0f} s"
    except SandboxUnavailable as error:
        return f"{error.found}; {error.next}" if error.next else error.found
    except (HostError, OSError) as error:
        return getattr(error, "found", str(error))
    return None


def _try() -> None:
    binds, links = launcher.system_binds()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with tempfile.TemporaryDirectory() as folder, ours, theirs:
        spec = SandboxSpec(
            limits=instance_limits(),
            command=("/bin/true",),
            binds=binds,
            links=links,
            user=launcher.sandbox_user(0),
            supervision=Supervision(PARENT_CID, theirs.fileno(), folder=folder),
        )
        sandbox = launcher.start(spec, output=subprocess.DEVNULL)
        try:
            for descriptor in sandbox.next_event(TRIAL_SECONDS).descriptors:
                os.close(descriptor)
        finally:
            sandbox.kill()


def _kernel(release: str) -> tuple[int, int]:
    numbers = re.match(r"(\d+)\.(\d+)", release)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)
