"""The host on an EC2 parent: this very machine is the instance, AWS's nitro-cli runs its enclaves.

What it gives is what `SandboxHost` gives; one contract suite holds both. It can start no instance
and stop none: it runs on it. Stopping it here ends its enclaves.
"""

from __future__ import annotations

import subprocess
import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import HostError
from nitro_workflow.host.control.launch_tokens import LaunchTokens
from nitro_workflow.host.control.parent_channel import SocketChannel
from nitro_workflow.host.instance.instance_paths import CONTROL_SOCKET, LOGS, TRACE_FILE
from nitro_workflow.host.nitro_cli.console_follower import ConsoleFollower
from nitro_workflow.host.nitro_cli.nitro_cli_call import PROGRAM, NitroCliCall
from nitro_workflow.host.rules.ecodes import failure
from nitro_workflow.host.rules.limits import DISK_MIB
from nitro_workflow.regular_file import read_regular
from nitro_workflow.vsock import PARENT_DEVICE, KernelTransport, read_trace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nitro_workflow.host.protocol import LaunchRequest
    from nitro_workflow.image import BootParts

__all__ = ["NitroCliHost"]

ASSET_TAG: Final = Path("/sys/devices/virtual/dmi/id/board_asset_tag")
"""Holds the instance's id. [src: nitro-cli src/common/mod.rs]"""

BLOBS: Final = Path("/usr/share/nitro_enclaves/blobs")
SOCKETS: Final = Path("/run/nitro_enclaves")
NO_INSTANCE: Final = "i-0000000000000000"  # nitro-cli's own word where the tag holds none

QUICK: Final = 30.0  # seconds for what only looks
LAUNCH: Final = 400.0  # seconds: the heartbeat alone may take 180, memory of 100 GiB more
LOG_TAIL: Final = 64 * 1024  # bytes of each log
CONSOLES: Final = 16
"""Consoles that can be read, those of ended enclaves among them."""


class NitroCliHost:
    """Runs enclaves with AWS's nitro-cli; errors are `HostError` with its own codes.

    ``folder`` is the parent application's: its control socket, trace and logs. ``role_arn`` is the
    instance's role, which the machine itself is not asked for.
    """

    def __init__(
        self,
        folder: Path,
        *,
        role_arn: str | None = None,
        program: Path = PROGRAM,
        asset_tag: Path = ASSET_TAG,
        blobs: Path = BLOBS,
    ) -> None:
        self._folder = folder
        self._role_arn = role_arn
        self._cli = NitroCliCall(program)
        self._asset_tag = asset_tag
        self._blobs = blobs
        self._tokens = LaunchTokens()
        self._consoles: OrderedDict[str, ConsoleFollower] = OrderedDict()
        self._lock = threading.Lock()

    # -- the instance ------------------------------------------------------------------------------

    def given_instance(self) -> str:
        """Return this machine's id; raises `HostError` where it is no instance of EC2."""
        if self._instance_id == NO_INSTANCE:
            raise HostError(
                "this machine is no instance of EC2",
                expected="a parent instance, with its id in the board's asset tag",
                where="host nitro_cli",
                next="run this on the parent, or make a lab with --host ec2",
            )
        return self._instance_id

    def launch_settings(self, token: str) -> dict[str, Any]:
        """Return nothing: the instance is this machine, launched by whoever owns it."""
        del token
        return {}

    def launch_again(self, code: str) -> bool:
        """Return False: there is no other place."""
        del code
        return False

    def boot_instance(self, instance_id: str, *, disk_mib: int = DISK_MIB) -> dict[str, Any]:
        """Return the description of this machine, which runs already; another id is `HostError`."""
        del disk_mib  # its disk is what EC2 gave it
        return self.describe_instance(instance_id)

    def describe_instance(self, instance_id: str) -> dict[str, Any]:
        """Return what there is to know; ``Sandboxed``: the hardware stands in between."""
        self._require(instance_id)
        return {
            "InstanceId": self._instance_id,
            "RoleArn": self._role_arn,
            "Sandboxed": True,
            "EndedFor": "",
            "Programs": {},
        }

    def describe_instances(self) -> list[dict[str, Any]]:
        """Return this machine with its enclaves."""
        return [
            {
                "InstanceId": self._instance_id,
                "State": "running",
                "EndedFor": "",
                "Enclaves": self.describe_enclaves(),
            }
        ]

    def stop_instance(self, instance_id: str) -> None:
        """End its enclaves; the machine is EC2's to stop, from outside. Nothing for another id."""
        if instance_id == self._instance_id:
            for enclave in self.describe_enclaves():
                self.terminate_enclave(str(enclave["EnclaveID"]))

    def sweep(self) -> None:
        """Remove nothing: what the instance stores is on its own disk."""

    def run_command(
        self, instance_id: str, argv: Sequence[str], *, timeout: float = 60.0
    ) -> dict[str, Any]:
        """Run ``argv`` on this machine: ``{"exit", "stdout", "stderr"}``."""
        self._require(instance_id)
        return self.run_here(argv, timeout=timeout)

    @staticmethod
    def run_here(argv: Sequence[str], *, timeout: float) -> dict[str, Any]:
        """Run ``argv`` as `run_command` does, whatever this machine is called."""
        try:
            done = subprocess.run(
                list(argv),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return {"exit": 124, "stdout": "", "stderr": f"still running after {timeout:g} s"}
        except (OSError, ValueError) as error:
            return {"exit": 127, "stdout": "", "stderr": str(error)}
        return {"exit": done.returncode, "stdout": done.stdout, "stderr": done.stderr}

    def channel(self, instance_id: str) -> SocketChannel:
        """Return the way to the parent application; asks nobody yet."""
        del instance_id
        return SocketChannel(self._folder / CONTROL_SOCKET)

    def vsock(self, instance_id: str) -> KernelTransport:
        """Return the kernel's own vsock."""
        del instance_id
        return KernelTransport()

    def trace(self, instance_id: str | None = None) -> list[dict[str, Any]]:
        """Return what the parent and its proxy wrote."""
        if instance_id not in (None, self._instance_id):
            return []
        return list(read_trace(self._folder / TRACE_FILE))

    def logs(self, instance_id: str) -> dict[str, str]:
        """Return the last 64 KiB of what the parent's programs printed, by program."""
        del instance_id
        return {
            name: read_regular(self._folder / file, LOG_TAIL, from_end=True).decode(
                "utf-8", "replace"
            )
            for name, file in LOGS.items()
        }

    def boot_parts(self) -> BootParts:
        """Return AWS's kernel and init, of the package; raises `ImageError` without them."""
        from nitro_workflow.image import BootParts

        return BootParts.from_blobs(self._blobs)

    def fetch_boot_parts(self, instance_id: str) -> Mapping[str, str]:
        """Return {}: `boot_parts` has its own."""
        del instance_id
        return {}

    # -- nitro-cli ---------------------------------------------------------------------------------

    def run_enclave(self, request: LaunchRequest) -> dict[str, Any]:
        """Return nitro-cli's object for run-enclave."""
        if request.instance_id is not None:
            self._require(request.instance_id)
        self._forget_the_dead()
        return self._tokens.once(request, lambda: self._run(request))

    def describe_enclaves(self, *, metadata: bool = False) -> list[dict[str, Any]]:
        """Return nitro-cli's objects for the running enclaves."""
        more = ["--metadata"] if metadata else []
        found: list[dict[str, Any]] = self._cli.json(
            "describe-enclaves", *more, timeout=QUICK, kind=list
        )
        return found

    def terminate_enclave(
        self, enclave_id: str | None = None, *, enclave_name: str | None = None
    ) -> dict[str, Any]:
        """End one enclave."""
        which = self._which(enclave_id, enclave_name)
        answer: dict[str, Any] = self._cli.json("terminate-enclave", *which, timeout=QUICK)
        return answer

    def console(
        self, enclave_id: str | None = None, *, enclave_name: str | None = None, offset: int = 0
    ) -> dict[str, Any]:
        """Return ``{"text", "offset", "ended"}`` of a debug enclave, from byte ``offset`` on.

        What it said before the first call may have gone by.
        """
        follower = self._console(enclave_id, enclave_name)
        text, after = follower.read(offset)
        return {"text": text, "offset": after, "ended": follower.ended.is_set()}

    def image_folder(self, image: Path) -> str:
        """Return the image's own folder: nitro-cli is on this machine."""
        return str(image.absolute().parent)

    # -- the hypervisor ----------------------------------------------------------------------------

    def limits(self) -> str:
        """Return what holds the limits: hardware, set apart by the allocator."""
        return "the Nitro hypervisor: CPUs and huge pages that nitro-enclaves-allocator set apart"

    def execution(self) -> str:
        """Return what of an image is executed."""
        return "all of it, by the Nitro hypervisor"

    def attestation_root(self) -> bytes:
        """Return AWS's root G1, DER."""
        from nitro_workflow.attestation import aws_root

        return aws_root()

    def control_paths(self) -> list[str]:
        """Return the driver's device and nitro-cli's sockets."""
        return [str(PARENT_DEVICE), str(SOCKETS)]

    @property
    def blobs(self) -> Path:
        """Return the folder of AWS's boot parts."""
        return self._blobs

    def console_command(self, enclave_id: str) -> list[str]:
        """Return the command that prints a debug enclave's console for as long as it runs."""
        return self._cli.command("console", f"--enclave-id={enclave_id}")

    @property
    def _instance_id(self) -> str:
        text = read_regular(self._asset_tag, 64).decode("ascii", "replace").strip()
        return text if text.startswith("i-") else NO_INSTANCE

    def _require(self, instance_id: str) -> None:
        if instance_id != self._instance_id:
            raise HostError(
                f"{instance_id:.40} is not this machine",
                expected=self._instance_id,
                where="nitro-cli host",
                next="run this on that instance",
                code="E39",
            )

    def _run(self, request: LaunchRequest) -> dict[str, Any]:
        words = ["--eif-path", str(Path(request.eif_path).absolute())]
        words += ["--memory", str(request.memory_mib)]
        if request.cpu_ids is not None:
            words += ["--cpu-ids", *map(str, request.cpu_ids)]
        elif request.cpu_count is not None:
            words += ["--cpu-count", str(request.cpu_count)]
        if request.enclave_cid:
            words += ["--enclave-cid", str(request.enclave_cid)]
        if request.enclave_name is not None:
            words += [f"--enclave-name={request.enclave_name}"]
        if request.debug_mode:
            words.append("--debug-mode")
        answer: dict[str, Any] = self._cli.json("run-enclave", *words, timeout=LAUNCH)
        return answer

    def _forget_the_dead(self) -> None:
        """Drop the tokens of enclaves that are gone: asked again, those are started again."""
        running = {str(it["EnclaveID"]) for it in self.describe_enclaves()}
        for gone in self._tokens.known() - running:
            self._tokens.forget(gone)

    def _console(self, enclave_id: str | None, name: str | None) -> ConsoleFollower:
        with self._lock:
            known = enclave_id or self._id_of(name)
            if known in self._consoles:
                return self._consoles[known]
            which = self._which(enclave_id, name)
            follower = ConsoleFollower(self._cli.command("console", *which))
            self._consoles[known] = follower
            while len(self._consoles) > CONSOLES:
                self._consoles.popitem(last=False)[1].close()
            return follower

    def _id_of(self, name: str | None) -> str:
        for enclave in self.describe_enclaves():
            if enclave.get("EnclaveName") == name:
                return str(enclave["EnclaveID"])
        return ""

    @staticmethod
    def _which(enclave_id: str | None, name: str | None) -> list[str]:
        if enclave_id:
            return [f"--enclave-id={enclave_id}"]
        if name:
            return [f"--enclave-name={name}"]
        raise failure("E01", "Missing argument", expected="an enclave's id or name")
