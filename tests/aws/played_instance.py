"""An EC2 parent played by a sandbox: its file system, its programs, the way to its hypervisor.

What is real: bash and coreutils of this machine run the user data and SSM's commands as they are,
the metadata service, the network (the cloud and nothing else), AF_VSOCK, the enclaves. What is
fake is in `played_machine.programs` and says so.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

from nitro_workflow.errors import HostError, UsageError
from nitro_workflow.host.control.control_line import SOCKET_NAME, ControlServer
from nitro_workflow.host.instance import instance_folder, instance_spec
from nitro_workflow.host.instance.instance_disk import own_everything
from nitro_workflow.host.instance.instance_network import places
from nitro_workflow.host.instance.parent_instance import READY_SECONDS, ParentInstance
from nitro_workflow.host.sandbox.launcher import Bind, SandboxSpec
from tests.aws.played_aws import user_data_of
from tests.aws.played_machine import programs

MACHINE = Path(programs.__file__).parent
AGENT_SOCKET = "agent.sock"
USER_DATA = "user-data"
FAULTS = "faults"
SYSTEM = "/run/machine"
"""Where an instance sees this machine's programs, and those that are played."""

lab_of: dict[str, Any] = {}
"""The lab and the hypervisor of this process; `ParentInstance` is told of neither."""

_FOLDERS = {
    "var": "/var", "opt": "/opt", "nitro_enclaves": "/etc/nitro_enclaves", "sys": "/sys",
}  # fmt: skip
_SYS = {
    "devices/virtual/dmi/id/board_asset_tag": "{instance}\n",
    "kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": "0\n",
    "kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages": "0\n",
}


class PlayedInstance(ParentInstance):
    """An instance that runs cloud-init's part and an SSM agent; no program is started for it."""

    _nitro: ControlServer | None = None

    @property
    def healthy(self) -> bool:
        """Whether the sandbox and its network run; what the user data started is its own affair."""
        running = self._sandbox is not None and self._sandbox.process.poll() is None
        return running and self._network is not None and self._network.alive and not self.ended_for

    def stop(self) -> None:
        if self._nitro is not None:
            self._nitro.close()
        super().stop()

    def _spec(self, address: Any, programs: Any, endpoint: str | None) -> SandboxSpec:
        if not self.sandboxed:
            raise UsageError("a stand-in without a sandbox", where="stand-in")
        self._furnish()
        played = (sys.executable, "-I", f"{SYSTEM}/played/agent.py", self._inside)
        return SandboxSpec(
            limits=self.limits,
            command=played,
            environment=self._environment(address),
            binds=self._binds(address),
            links=_links(),
            folder=self._inside,
            hostname=self.record.instance_id,
            user=self._user,
            listeners=places(address),
            supervision=None if self._line is None else self._supervision(self._line.control),
        )

    def _furnish(self) -> None:
        """Write what the machine has before anything runs on it."""
        name = self.record.instance_id
        machine = self.folder / "machine"
        for folder in (*_FOLDERS, "var/log", "var/lib", "var/tmp"):
            (machine / folder).mkdir(parents=True)
        for path, text in _SYS.items():
            file = machine / "sys" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.format(instance=name))
        lab = lab_of["path"]
        (self.folder / USER_DATA).write_bytes(base64.b64decode(user_data_of(lab, name)))
        faults = lab / FAULTS
        (self.folder / FAULTS).write_text(faults.read_text() if faults.exists() else "")
        self._nitro = NitroLine(self.folder, name)
        if self._user is not None:
            own_everything(self.folder, self._user)

    def _environment(self, address: Any) -> dict[str, str]:
        """Return what cloud-init and the agent hand on; AWS_… are the stand-in's only word."""
        vsock = {} if self.supervised else {"NITRO_WORKFLOW_VSOCK": f"host:{self._inside}/vsock"}
        return {
            "PATH": "/usr/local/bin:/usr/bin:/usr/sbin",
            "HOME": "/var/lib",
            "LC_ALL": "C.UTF-8",
            "AWS_ENDPOINT_URL": address.url,
            "AWS_CA_BUNDLE": instance_spec.CA_INSIDE,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_METADATA_SERVICE_TIMEOUT": "5",
            "AWS_METADATA_SERVICE_NUM_ATTEMPTS": "3",
            **vsock,
        }

    def _binds(self, address: Any) -> list[Bind]:
        machine = self.folder / "machine"
        binds = [
            Bind(str(path), str(path))
            for path in (*sorted(Path("/usr").iterdir()), *_roots())
            if path.is_dir() and not path.is_symlink() and path != Path("/usr/bin")
        ]
        binds.append(Bind(str(_programs_folder(self.folder.parent.parent)), "/usr/bin"))
        binds.append(Bind("/usr/bin", f"{SYSTEM}/bin"))
        binds.append(Bind(str(MACHINE), f"{SYSTEM}/played"))
        binds.append(Bind(str(instance_spec.PACKAGE), f"{SYSTEM}/package/nitro_workflow"))
        # A Python of the system has the prefix /usr: bound once more, it would hide what is played.
        seen = ["/usr", *(bind.target for bind in binds)]
        prefixes = dict.fromkeys((sys.base_prefix, sys.prefix))
        binds += [Bind(it, it) for it in prefixes if not any(it.startswith(one) for one in seen)]
        files = ("/etc/ld.so.cache", "/etc/localtime", "/etc/nsswitch.conf")
        binds += [Bind(name, name) for name in files if Path(name).exists()]
        binds += [Bind(str(machine / name), at, writable=True) for name, at in _FOLDERS.items()]
        binds.append(Bind(address.ca, instance_spec.CA_INSIDE))
        binds.append(Bind(str(self.folder / "hosts"), "/etc/hosts"))
        binds.append(Bind(str(self.folder), self._inside, writable=True))
        return binds

    def _await_ready(self) -> None:
        """Wait for the agent; what the user data does takes its own time."""
        deadline = time.monotonic() + READY_SECONDS
        while not instance_folder.answers(self.folder / AGENT_SOCKET):
            alive = self._sandbox is not None and self._sandbox.process.poll() is None
            if not alive or time.monotonic() > deadline:
                said = instance_folder.last_lines(self.folder / "instance.log")
                raise HostError(
                    f"the played machine does not run: {said}",
                    expected="its agent on a socket",
                    where=f"instance {self.record.instance_id}",
                )
            time.sleep(0.02)


class NitroLine(ControlServer):
    """What ``/dev/nitro_enclaves`` is to nitro-cli: the hypervisor, for this instance's enclaves."""

    def __init__(self, folder: Path, instance: str) -> None:
        self._machine = folder / "machine"
        self._instance = instance
        operations = {
            "run-enclave": self._run,
            "describe-enclaves": self._describe,
            "terminate-enclave": lambda **given: self._own("terminate_enclave", given),
            "console": lambda **given: self._own("console", given),
        }
        super().__init__(folder / SOCKET_NAME, operations)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        """Answer; the folder is the instance's, so whoever comes is on it."""
        with sock, contextlib.suppress(OSError), sock.makefile("rb") as lines:
            while line := lines.readline(1 << 20):
                sock.sendall(json.dumps(self._answer(line)).encode() + b"\n")

    def _run(self, **given: Any) -> Any:
        inside = Path(str(given["eif_path"]))
        if ".." in inside.parts or not inside.is_relative_to("/var"):
            raise UsageError(f"{inside}", expected="an image below /var", where="played nitro-cli")
        there = self._machine / inside.relative_to("/")
        return lab_of["hypervisor"].run_enclave(
            **{**given, "eif_path": str(there), "instance_id": self._instance}
        )

    def _describe(self, **given: Any) -> Any:
        found = lab_of["hypervisor"].describe_enclaves(**given)
        return [one for one in found if one["EnclaveID"].startswith(f"{self._instance}-")]

    def _own(self, method: str, given: dict[str, Any]) -> Any:
        name = given.get("enclave_id")
        if name and not name.startswith(f"{self._instance}-"):
            raise HostError("no such enclave", where="played nitro-cli", code="E19")
        return getattr(lab_of["hypervisor"], method)(**given)


def _roots() -> list[Path]:
    return [Path("/", name) for name in ("lib", "lib64", "lib32", "bin", "sbin")]


def _links() -> dict[str, str]:
    return {str(path): str(path.readlink()) for path in _roots() if path.is_symlink()}


def _programs_folder(runtime: Path) -> Path:
    """Return the folder of an instance's /usr/bin: this machine's programs, some of them played."""
    folder = runtime / "played-bin"
    if folder.exists():
        return folder
    draft = runtime / f"played-bin.{os.getpid()}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    draft.chmod(0o755)
    for path in Path("/usr/bin").iterdir():
        if path.name not in programs.PLAYED:
            (draft / path.name).symlink_to(f"{SYSTEM}/bin/{path.name}")
    for name, text in programs.wrappers(sys.executable, Path(sys.base_prefix)).items():
        (draft / name).write_text(text)
        (draft / name).chmod(0o755)
    draft.rename(folder)
    return folder
