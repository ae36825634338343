"""An instance for one's own enclaves: cloud, hypervisor and parent, and no step of the workflow.

nitro-cli needs an instance, and makes this one on first need, in a folder of its own, so that a
walk and one's own enclaves do not meet. It is as P8 makes one: the parent administrator's
RunInstances, with the parent instance's role, its metadata service, and the vsock proxy to the
lab's KMS on port 8000.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud import Endpoint, cloud_errors
from nitro_workflow.errors import HostError, LabError
from nitro_workflow.host import launch_problems, read_pool, vsock_folder
from nitro_workflow.lab.engine.disk_errors import disk_errors
from nitro_workflow.lab.lab_folder import LabFolder, data_folder, save
from nitro_workflow.lab.processes import LocalPair, choose_host
from nitro_workflow.lab.steps.parent_launch import instance_of_launch
from nitro_workflow.lab.workbench import Workbench
from nitro_workflow.regular_file import read_regular
from nitro_workflow.vsock import PARENT_CID, PROXY_PORT

if TYPE_CHECKING:
    from collections.abc import Callable

    from nitro_workflow.host import Host, LaunchRequest

__all__ = ["OwnInstance", "own_folder"]

CREDENTIALS: Final = """
import json, boto3
keys = boto3.Session().get_credentials()
now = keys.get_frozen_credentials()
print(json.dumps({"Version": 1, "AccessKeyId": now.access_key, "SecretAccessKey": now.secret_key,
                  "SessionToken": now.token, "Expiration": keys._expiry_time.isoformat()}))
"""
"""Runs in the instance: what any program there is given by the metadata service."""

LOG_TAIL: Final = 16 * 1024  # bytes

_OF_AN_INSTANCE: Final = (
    *("role", "credentials", "metadata", "kms", "ca", "proxy", "limits", "environment"),
)


def own_folder() -> Path:
    """Return ``NITRO_WORKFLOW_LAB``, else the folder of this user's own host."""
    if named := os.environ.get("NITRO_WORKFLOW_LAB"):
        return Path(named)
    return data_folder() / "host"


class OwnInstance:
    """The instance of one folder. Where a walk has launched one there, it is that one.

    ::

        OwnInstance.open().up()["InstanceId"]  # 'i-0c5f2a9b3d1e4f607'
    """

    def __init__(self, folder: LabFolder, say: Callable[[str], None] | None = None) -> None:
        tell = say or (lambda _: None)
        self.folder = folder
        self.pair = LocalPair(folder, tell)
        self._bench = Workbench(folder, self.pair, tell)

    @classmethod
    def open(
        cls,
        path: Path | None = None,
        *,
        host: str = "",
        say: Callable[[str], None] | None = None,
    ) -> OwnInstance:
        """Open it, making its folder where there is none; raises `LabError`.

        ``host`` or ``NITRO_WORKFLOW_HOST`` says what runs its enclaves, else what did before.
        """
        folder = LabFolder.open(path or own_folder())
        choose_host(folder, host)
        return cls(folder, say)

    @classmethod
    def find(cls, path: Path | None = None) -> OwnInstance | None:
        """Return the one that was made before, if any; makes nothing."""
        place = path or own_folder()
        if not (place.expanduser() / "lab.json").exists():
            return None
        return cls(LabFolder.open(place, make=False))

    @property
    def host(self) -> Host:
        """Return the host, started or not."""
        return self.pair.host

    @property
    def config_file(self) -> Path:
        """Return the AWS configuration with the instance role's ``credential_process``."""
        return self.folder.path / "cloud" / "aws-config-instance"

    def running(self) -> str | None:
        """Return the id of the instance that runs; None where none does. Starts nothing."""
        try:
            found = self.host.describe_instances()
        except HostError:
            return None
        ids = [str(one["InstanceId"]) for one in found if one["State"] == "running"]
        launched = self._bench.result("P8")
        known = str(launched.produced.get("instance_id", "")) if launched else ""
        return known if known in ids else next(iter(ids), None)

    def up(self) -> dict[str, Any]:
        """Have it run; returns as `Host.describe_instance`."""
        with self.folder.lock("starting the host"), disk_errors("starting the host"):
            self.pair.up()
            if found := self.running():
                return self.host.describe_instance(found)
            with cloud_errors("the host's instance"):
                self._bench.parties.ensure()
                ec2 = self._bench.parties.session("administrator").client("ec2")
                record = instance_of_launch(self._bench, ec2)
            save(self.config_file, self._config().encode())
            return self.host.boot_instance(record["InstanceId"])

    def vsock_folder(self, instance_id: str) -> Path:
        """Return the folder that plays vsock for the instance's programs."""
        return vsock_folder(self.pair.processes.runtime, instance_id)

    def credentials(self) -> dict[str, str]:
        """Return the instance role's credentials as ``credential_process`` gives them.

        Read from IMDSv2 inside the instance. Raises `HostError` where it does not run.
        """
        instance = self.running()
        if instance is None:
            raise HostError(
                "no instance runs",
                expected="one that has credentials of its role",
                where="host",
                next="`nitro-workflow host up` starts it",
            )
        done = self.host.run_command(instance, [sys.executable, "-c", CREDENTIALS])
        try:
            answer = json.loads(done["stdout"])
        except ValueError as error:
            raise LabError(
                f"the metadata service gave none: {done['stderr'][-200:]}",
                expected="credentials of the instance's role",
                where=f"instance {instance}",
                next="`nitro-workflow host down`, then `host up`",
            ) from error
        return {str(name): value for name, value in answer.items()}

    # -- nitro-cli ---------------------------------------------------------------------------------

    def run_enclave(self, request: LaunchRequest) -> dict[str, Any]:
        """Run an image on the instance, which is started for it; see `Host.run_enclave`.

        What forbids the launch is said before anything is started: raises `HostError`.
        """
        for problem in launch_problems(request):
            raise problem
        instance = str(self.up()["InstanceId"])
        return self.host.run_enclave(replace(request, instance_id=instance))

    def describe_enclaves(self, *, metadata: bool = False) -> list[dict[str, Any]]:
        """Return nitro-cli's objects for the running enclaves; none where nothing was started."""
        if not self._is_up:
            return []
        return self.host.describe_enclaves(metadata=metadata)

    def terminate_enclave(
        self, enclave_id: str | None = None, *, enclave_name: str | None = None
    ) -> dict[str, Any]:
        """End one enclave; see `Host.terminate_enclave`."""
        self._require(enclave_id, enclave_name)
        return self.host.terminate_enclave(enclave_id, enclave_name=enclave_name)

    def console(
        self, enclave_id: str | None = None, *, enclave_name: str | None = None, offset: int = 0
    ) -> dict[str, Any]:
        """Return a debug enclave's output; see `Host.console`."""
        self._require(enclave_id, enclave_name)
        return self.host.console(enclave_id, enclave_name=enclave_name, offset=offset)

    @property
    def _is_up(self) -> bool:
        return self.pair.status()["hypervisor"].startswith("running")

    def _require(self, enclave_id: str | None, name: str | None) -> None:
        if not self._is_up:
            raise HostError(
                f"Could not find enclave {enclave_id or name or ''}",
                expected="a running enclave: nothing was started here",
                where="nitro-cli",
                next="nitro-cli run-enclave starts one",
                code="E11" if enclave_id else "E58",
            )

    # -- the instance ------------------------------------------------------------------------------

    def down(self) -> list[str]:
        """Stop it, its enclaves, and the processes behind it; returns the names of what ran."""
        return self.pair.down()

    def facts(self) -> dict[str, Any]:
        """Return what a person wants to know of it; values are "" where nothing runs."""
        instance = self.running()
        pool = read_pool()
        where = f"of {pool.file}" if pool.file else "of this machine: no allocator.yaml"
        facts: dict[str, Any] = {
            "folder": str(self.folder.path),
            "host": self.folder.settings().get("host") or "sandbox",
            "processes": self.pair.status(),
            "instance": instance or "",
            "pool": f"{len(pool.cpus)} CPUs, {pool.memory_mib} MiB {where}",
            "enclaves": self.describe_enclaves(),
            "ended": self._last_words(instance) if instance else "",
            **dict.fromkeys(_OF_AN_INSTANCE, ""),
        }
        return facts | (self._running_facts(instance) if instance else {})

    def _last_words(self, instance: str) -> str:
        """Return what the hypervisor told last of an enclave that ended by itself; "" for none."""
        log = self.folder.path / "logs" / "hypervisor.log"
        lines = read_regular(log, LOG_TAIL, from_end=True).decode("utf-8", "replace").splitlines()
        told = (line for line in reversed(lines) if line.startswith(f"{instance}-enc"))
        return next((line for line in told if " ended" in line), "")

    def environment(self) -> dict[str, str]:
        """Return what SDKs of the instance's programs need: the cloud, its CA, the role's keys.

        Raises `CloudUnavailable` where the cloud does not run.
        """
        at = Endpoint.of(self.folder.path)
        return {
            "AWS_CONFIG_FILE": str(self.config_file),
            "AWS_ENDPOINT_URL": at.url,
            "AWS_CA_BUNDLE": at.ca,
            "AWS_REGION": self._bench.cloud.region,
        }

    def _running_facts(self, instance: str) -> dict[str, str]:
        described = self.host.describe_instance(instance)
        at = Endpoint.of(self.folder.path)
        named = self.environment().items()
        exports = " ".join(f"{name}={shlex.quote(value)}" for name, value in named)
        return {
            "role": str(described["RoleArn"] or "none"),
            "credentials": f"{self.config_file} (credential_process, the role's)",
            "metadata": f"{described['MetadataEndpoint']} (IMDSv2, inside the instance)",
            "kms": at.url,
            "ca": at.ca,
            "proxy": f"vsock {PARENT_CID}:{PROXY_PORT} -> that KMS",
            "limits": self.host.limits(),
            "environment": f"export {exports}",
        }

    def _config(self) -> str:
        command = [
            *(sys.executable, "-m", "nitro_workflow.cli", "host", "credentials"),
            *("--lab", str(self.folder.path), "--print-secrets"),
        ]
        return f"[default]\ncredential_process = {shlex.join(command)}\n"
