"""AWS's side of the machine, as a process: measures images, runs enclaves, signs documents.

``python -m nitro_workflow.host.control.hypervisor --lab FOLDER --runtime FOLDER
--application FILE`` runs ``FILE`` as every instance's parent application. The keys of its
attestation PKI are in its memory only: a new process has a new root, written to
``<lab>/hypervisor/root.pem``, which the lab's cloud trusts and nobody else's.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import resource
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nitro_workflow.errors import HostError, NitroWorkflowError
from nitro_workflow.host.control.control_line import SOCKET_NAME, ControlServer
from nitro_workflow.host.control.enclave_machines import MACHINES, machine_of
from nitro_workflow.host.control.machine import Hypervisor
from nitro_workflow.host.instance.cloud_records import LabCloud
from nitro_workflow.host.instance.instance_spec import ParentPrograms
from nitro_workflow.remove_tree import remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nitro_workflow.host.control.enclave_machines import EnclaveMachine
    from nitro_workflow.host.instance.cloud_records import CloudRecords

__all__ = ["Hypervisor", "main", "serve"]

UNSAFE_SETTING: Final = "NITRO_WORKFLOW_UNSAFE_WITHOUT_SANDBOX"
"""``1`` runs everything without a boundary, for a person who has read what that means."""

DESCRIPTORS: Final = 8192
"""Of the process at a time, where the hard limit allows it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the process until SIGTERM; return its exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--lab", type=Path, required=True)
    parser.add_argument("--runtime", type=Path, required=True)
    parser.add_argument("--application", type=Path, required=True, help="the parent's program")
    parser.add_argument(
        "--visible",
        type=Path,
        action="append",
        default=[],
        help="a further folder that instances may read",
    )
    parser.add_argument("--machine", choices=MACHINES, default="sandbox", help="of the enclaves")
    parser.add_argument(
        "--unsafe-without-sandbox",
        action="store_true",
        default=os.environ.get(UNSAFE_SETTING) == "1",
        help=f"no isolation at all, where user namespaces are forbidden; also {UNSAFE_SETTING}=1",
    )
    options = parser.parse_args(arguments)
    unsafe = options.unsafe_without_sandbox
    if unsafe:
        print("UNSAFE: enclaves and instances run as ordinary processes", file=sys.stderr)
    try:
        programs = ParentPrograms(options.application, options.visible)
        cloud = LabCloud(options.lab)
        machine = machine_of(options.machine)
        serve(
            options.lab,
            options.runtime,
            cloud,
            programs,
            machine=machine,
            unsafe_without_sandbox=unsafe,
        )
    except NitroWorkflowError as error:
        print(error.diagnostics(), file=sys.stderr)
        return error.exit_code
    return 0


def serve(
    lab: Path,
    runtime: Path,
    cloud: CloudRecords,
    programs: ParentPrograms,
    *,
    machine: EnclaveMachine | None = None,
    unsafe_without_sandbox: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT, then end all that runs; raises `HostError` if not alone."""
    _take_descriptors()
    runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(runtime):
        remove_tree(runtime / "unsafe")
        hypervisor = Hypervisor(
            lab,
            runtime,
            cloud,
            programs,
            machine=machine,
            unsafe_without_sandbox=unsafe_without_sandbox,
        )
        server = ControlServer(runtime / SOCKET_NAME, hypervisor.operations)
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stop.wait()
        server.close()
        hypervisor.close()


def _take_descriptors() -> None:
    """Make room: an instance and its enclaves may hold hundreds, a soft limit is often 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, DESCRIPTORS)), hard))


@contextlib.contextmanager
def _alone(runtime: Path) -> Iterator[None]:
    """Hold the runtime folder's lock: the kernel releases it however this process ends."""
    with (runtime / "hypervisor.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise HostError(
                "another hypervisor runs for this lab",
                expected="one",
                where=str(runtime),
                next="`nitro-workflow down` stops it",
            ) from error
        yield


if __name__ == "__main__":
    sys.exit(main())
