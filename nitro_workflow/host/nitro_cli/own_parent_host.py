"""The host where this machine is the parent instance: it runs the parent's program itself.

Which instance it is, the board says; which role it has, IMDSv2. Both are held against what the lab
was told, since PCR3 and PCR4 of the enclave's documents come from them.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import HostError, NitroWorkflowError
from nitro_workflow.host.instance.instance_folder import answers, last_lines, names_both, programs
from nitro_workflow.host.instance.instance_paths import (
    CONTROL_SOCKET,
    LOGS,
    RUN_SOCKET,
    STATE,
    STATUS_FILE,
)
from nitro_workflow.host.instance.instance_socket import connect
from nitro_workflow.host.instance.instance_spec import PACKAGE, allow_list, config
from nitro_workflow.host.nitro_cli.nitro_cli_host import NitroCliHost
from nitro_workflow.host.rules.limits import DISK_MIB
from nitro_workflow.vsock import recv_json, send_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nitro_workflow.cloud import Endpoint
    from nitro_workflow.host.instance.instance_spec import ParentPrograms

__all__ = ["OwnParentHost", "role_of_this_machine"]

READY_SECONDS: Final = 60.0
STOP_SECONDS: Final = 10.0


class OwnParentHost(NitroCliHost):
    """Runs enclaves on this machine, an EC2 parent; see `NitroCliHost`.

    ``kms``: where the proxy leads. ``role_arn``: the role that the lab expects here; ``role`` asks
    this machine for its name.
    """

    def __init__(
        self,
        folder: Path,
        *,
        role_arn: str,
        kms: Endpoint,
        parent: ParentPrograms,
        region: str,
        role: Callable[[], str] | None = None,
        **machine: Any,
    ) -> None:
        super().__init__(folder, role_arn=role_arn, **machine)
        self._expected_role = role_arn.rpartition("/")[2]
        self._kms = kms
        self._parent = parent
        self._region = region
        self._role = role or role_of_this_machine
        self._first: subprocess.Popen[bytes] | None = None

    def boot_instance(self, instance_id: str, *, disk_mib: int = DISK_MIB) -> dict[str, Any]:
        """Start the proxy and the parent application where they do not run; another id is refused.

        Raises `HostError` where this machine has another role than the key policy names.
        """
        self._require(instance_id)
        self._require_role()
        if not (self._runs() and answers(self._folder / CONTROL_SOCKET)):
            self.end_parent()
            self._start()
        return self.describe_instance(instance_id)

    def describe_instance(self, instance_id: str) -> dict[str, Any]:
        """Return what there is to know, with the parent's programs."""
        described = super().describe_instance(instance_id)
        return {**described, "Programs": programs(self._folder)}

    def end_parent(self) -> bool:
        """End the proxy and the parent application; tell whether they ran."""
        path = self._folder / RUN_SOCKET
        if not answers(path):
            return False
        # The first process, what it started and this shell are one group; what they keep is whole.
        with contextlib.suppress(OSError), connect(path, STOP_SECONDS) as sock:
            send_json(sock, {"argv": ["sh", "-c", "kill -KILL 0"], "timeout": STOP_SECONDS})
            with contextlib.suppress(NitroWorkflowError):
                recv_json(sock)
        if self._first is not None:  # else it is another process's child
            self._first.wait(STOP_SECONDS)
            self._first = None
        return True

    def execution(self) -> str:
        """Return what of an image is executed, and who is here."""
        return (
            "all of it, by the Nitro hypervisor; this machine is the parent, and whoever "
            "administers it sees what this notebook sees"
        )

    # -- helpers -----------------------------------------------------------------------------------

    def _require_role(self) -> None:
        found = self._role()
        if found != self._expected_role:
            raise HostError(
                f"this machine's role is {found or 'none'}",
                expected=f"{self._expected_role}: PCR3 of its enclaves is that role's",
                where="IMDSv2",
                next="give the role that it has with --role-instance, in a new lab",
            )

    def _runs(self) -> bool:
        found = programs(self._folder)
        return bool(found) and all(one["exit"] is None for one in found.values())

    def _start(self) -> None:
        folder = self._folder
        (folder / STATE).mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in (CONTROL_SOCKET, STATUS_FILE, LOGS["proxy"], LOGS["parent"]):
            (folder / name).unlink(missing_ok=True)
        (folder / "vsock-proxy.yaml").write_text(allow_list(self._kms), "utf-8")
        command = [sys.executable, "-P", "-m", "nitro_workflow.host.instance.first_process"]
        # Short names: a socket's path may have 107 bytes, and a lab's folder may be deep.
        command.append(config(".", self._kms, self._parent))
        with (folder / LOGS["instance"]).open("ab") as log:
            self._first = subprocess.Popen(
                command,
                cwd=folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._await()

    def _environment(self) -> dict[str, str]:
        """Return the programs' environment: the instance's role, and nothing of the caller's."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self._folder / STATE),
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": str(PACKAGE.parent),
            "PYTHONUNBUFFERED": "1",
            "NITRO_WORKFLOW_INSTANCE": ".",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_REGION": self._region,
            "AWS_DEFAULT_REGION": self._region,
        }

    def _await(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not self._is_ready():
            ended = [name for name, it in programs(self._folder).items() if it["exit"] is not None]
            if ended or time.monotonic() > deadline:
                name = (ended or ["parent"])[0]
                raise HostError(
                    f"{name} does not run: {last_lines(self._folder / LOGS[name])}",
                    expected=f"proxy and parent application within {READY_SECONDS:.0f} s",
                    where="this machine",
                    next=f"see the logs in {self._folder}; then run step P8 again",
                )
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        told = names_both(self._folder) and "->" in last_lines(self._folder / LOGS["proxy"])
        return told and answers(self._folder / CONTROL_SOCKET)


def role_of_this_machine() -> str:
    """Return the name of the role that IMDSv2 gives this machine; "" for none, or no instance."""
    from botocore.utils import InstanceMetadataFetcher

    found = InstanceMetadataFetcher(timeout=2, num_attempts=2).retrieve_iam_role_credentials()
    return str(found.get("role_name", ""))
