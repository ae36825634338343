"""The host on AWS: a parent instance of EC2, driven from here through SSM and S3.

Its nitro-cli is AWS's own, run by `NitroCliHost` on the instance: what comes back is what that says
there. The administrator commands, the developer sends files; nobody opens a port. What the instance
says is the administrator's word: what counts is the document.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud import LAB_TAG, cloud_errors
from nitro_workflow.errors import HostError, NitroWorkflowError, VsockError
from nitro_workflow.host.ec2.aws_blobs import boot_parts_of, keep_blobs
from nitro_workflow.host.ec2.images_bucket import ImagesBucket
from nitro_workflow.host.ec2.instance_line import InstanceLine
from nitro_workflow.host.ec2.instance_places import IMAGES
from nitro_workflow.host.ec2.instance_start import InstanceStart
from nitro_workflow.host.ec2.kept_records import keep_record, read_record
from nitro_workflow.host.ec2.machine_launch import RECORD_LIMIT, MachineLaunch
from nitro_workflow.host.ec2.parent_bundle import write_bundle
from nitro_workflow.host.ec2.ssm_channel import SLACK, SsmChannel
from nitro_workflow.host.ec2.ssm_commands import SsmCommands
from nitro_workflow.host.ec2.user_data import ParentStart
from nitro_workflow.host.rules.ecodes import failure
from nitro_workflow.host.rules.limits import DISK_MIB

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nitro_workflow.cloud import AwsCloud
    from nitro_workflow.host.ec2.machine_launch import InstancePlace
    from nitro_workflow.host.instance.instance_spec import ParentPrograms
    from nitro_workflow.host.protocol import LaunchRequest
    from nitro_workflow.image import BootParts
    from nitro_workflow.vsock import Transport

__all__ = ["Ec2Host"]

QUICK: Final = 60.0  # seconds for what only looks
LAUNCH: Final = 600.0  # seconds: the image comes from S3, then nitro-cli's own 400
BLOBS: Final = 120.0


class Ec2Host:
    """Runs enclaves on a parent instance; errors are `HostError` with nitro-cli's codes.

    ``client`` gives (party, service) → client, ``place`` says where the instance may be; both are
    asked when they are needed. ``folder`` keeps the host's records. ``memory_mib`` and ``cpus``
    are what the allocator is to set apart; ``parent`` what the instance runs.
    """

    def __init__(
        self,
        cloud: AwsCloud,
        *,
        client: Callable[[str, str], Any],
        place: Callable[[], InstancePlace],
        folder: Path,
        parent: ParentPrograms,
        memory_mib: int,
        cpus: int,
        say: Callable[[str], None],
    ) -> None:
        clients = functools.cache(client)
        administrator = functools.partial(clients, "administrator")
        self._cloud = cloud
        self._folder = folder
        self._parent = parent
        self._memory_mib = memory_mib
        self._cpus = cpus
        self._say = say
        self._ec2 = functools.partial(administrator, "ec2")
        self._bucket = ImagesBucket(cloud, functools.partial(clients, "developer", "s3"))
        self._commands = SsmCommands(functools.partial(administrator, "ssm"))
        self._line = InstanceLine(
            self._commands, functools.partial(administrator, "s3"), self._bucket.name
        )
        self._starts = InstanceStart(self._ec2, self._commands, say)
        self._launches = MachineLaunch(
            cloud, administrator, place, self._user_data, folder / "launch.json"
        )

    # -- the instance ------------------------------------------------------------------------------

    def given_instance(self) -> str:
        """Return the instance that the company's rules provide; "" where P8 launches one."""
        return self._cloud.settings.given.get("instance", "")

    def launch_settings(self, token: str) -> dict[str, Any]:
        """Return image, type, subnet, group, disk and user data: the same for the same token."""
        return self._launches.settings(token)

    def launch_again(self, code: str) -> bool:
        """Tell whether another zone's subnet is tried, after EC2 had no room in the last one.

        Also where the record of a launch was lost: another token ends what that one has made.
        """
        if code == "IdempotentParameterMismatch":
            return True
        subnet = self._launches.again(code)
        if subnet:
            self._say(f"EC2 has none of this type there ({code}): trying {subnet} …")
        return bool(subnet)

    def boot_instance(self, instance_id: str, *, disk_mib: int = DISK_MIB) -> dict[str, Any]:
        """Wait until the parent's program runs there; returns as `describe_instance`.

        An instance that is given gets its program here, by SSM. ``disk_mib`` is EC2's to say: its
        volume has 16 GiB. Raises `HostError` with the step that failed and the end of its log.
        """
        del disk_mib
        if instance_id == self.given_instance():
            self._start_given(instance_id)
        self._starts.wait(instance_id)
        self._launches.succeeded()
        keep_record(self._ready, {"instance_id": instance_id})
        return self.describe_instance(instance_id)

    def describe_instance(self, instance_id: str) -> dict[str, Any]:
        """Return ``InstanceId, RoleArn, Sandboxed, Programs, EndedFor``.

        Raises `HostError` where it has another role than the key policy names.
        """
        found = self._line.ask(instance_id, "describe", seconds=QUICK)
        self._require_role(instance_id, str(found["role"]))
        return {
            "InstanceId": instance_id,
            "RoleArn": self._role_arn,
            "Sandboxed": True,
            "EndedFor": "",
            "Programs": found["programs"],
        }

    def describe_instances(self) -> list[dict[str, Any]]:
        """Return the lab's instances with their enclaves: EC2 is asked, by the lab's tag."""
        mine = [{"Name": f"tag:{LAB_TAG}", "Values": [self._cloud.identity]}]
        with cloud_errors("EC2, DescribeInstances"):
            answer = self._ec2().describe_instances(Filters=mine)
        return [
            self._described(one) for group in answer["Reservations"] for one in group["Instances"]
        ]

    def stop_instance(self, instance_id: str) -> None:
        """End its enclaves, where it was ready once; the machine is ended by TerminateInstances."""
        if instance_id == self._known_instance:
            self._line.ask(instance_id, "stop", seconds=QUICK)

    def sweep(self) -> None:
        """Remove nothing: what an instance stores ends with its volume."""

    def run_command(
        self, instance_id: str, argv: Sequence[str], *, timeout: float = 60.0
    ) -> dict[str, Any]:
        """Run ``argv`` there as root: ``{"exit", "stdout", "stderr"}``."""
        answer: dict[str, Any] = self._line.ask(
            instance_id, "run", seconds=timeout + SLACK, argv=list(argv), timeout=timeout
        )
        return answer

    def channel(self, instance_id: str) -> SsmChannel:
        """Return the way to the parent application; asks nobody yet."""
        return SsmChannel(self._line, instance_id)

    def vsock(self, instance_id: str) -> Transport:
        """Raise `VsockError`: vsock is between the instance and its enclaves."""
        raise VsockError(
            "vsock of an instance that is elsewhere",
            expected="a program on the instance",
            where=f"instance {instance_id}",
            next="run it there with `run_command`, or open this lab on the parent itself",
        )

    def trace(self, instance_id: str | None = None) -> list[dict[str, Any]]:
        """Return what the parent and its proxy wrote; nothing of an instance that is not ready."""
        known = self._known_instance
        if not known or instance_id not in (None, known):
            return []
        lines: list[dict[str, Any]] = self._line.ask(known, "trace", seconds=QUICK)
        return lines

    def logs(self, instance_id: str) -> dict[str, str]:
        """Return the ends of what the instance's programs printed, by program."""
        texts: dict[str, str] = self._line.ask(instance_id, "logs", seconds=QUICK)
        return texts

    def boot_parts(self) -> BootParts:
        """Return AWS's kernel and init: of ``NITRO_CLI_BLOBS``, else as `fetch_blobs` got them.

        Raises `HostError` where neither is there.
        """
        return boot_parts_of(self._folder / "blobs")

    def fetch_boot_parts(self, instance_id: str) -> Mapping[str, str]:
        """Get AWS's boot parts from the instance's package; return name → SHA-256.

        Raises `ImageRefused` for others than AWS has published.
        """
        text = self._line.ask(instance_id, "blobs", seconds=BLOBS)
        return keep_blobs(text, self._folder / "blobs")

    # -- nitro-cli ---------------------------------------------------------------------------------

    def run_enclave(self, request: LaunchRequest) -> dict[str, Any]:
        """Send the image by its digest, have it run; return nitro-cli's object for run-enclave."""
        instance = self._require_instance(request.instance_id)
        with cloud_errors("S3, the image for the instance"):
            try:
                sent = self._bucket.send(Path(request.eif_path))
            except OSError as error:
                raise failure("E19", f"{request.eif_path}: {error.strerror}") from error
        answer: dict[str, Any] = self._line.ask(
            instance, "run_enclave", seconds=LAUNCH, request=request.to_json(), eif=sent.to_json()
        )
        return answer

    def describe_enclaves(self, *, metadata: bool = False) -> list[dict[str, Any]]:
        """Return nitro-cli's objects for the running enclaves; none before an instance is ready."""
        instance = self._known_instance
        if not instance:
            return []
        found: list[dict[str, Any]] = self._line.ask(
            instance, "describe_enclaves", seconds=QUICK, metadata=metadata
        )
        return found

    def terminate_enclave(
        self, enclave_id: str | None = None, *, enclave_name: str | None = None
    ) -> dict[str, Any]:
        """End one enclave."""
        return self._of_enclave("terminate_enclave", enclave_id, enclave_name)

    def console(
        self, enclave_id: str | None = None, *, enclave_name: str | None = None, offset: int = 0
    ) -> dict[str, Any]:
        """Return ``{"text", "offset", "ended"}`` of a debug enclave, from byte ``offset`` on."""
        return self._of_enclave("console", enclave_id, enclave_name, offset=offset)

    def image_folder(self, image: Path) -> str:
        """Return where `run_enclave` has put it on the instance: by its digest."""
        with image.open("rb") as file:
            return f"{IMAGES}/{hashlib.file_digest(file, 'sha256').hexdigest()}"

    # -- the hypervisor ----------------------------------------------------------------------------

    def limits(self) -> str:
        """Return what holds the limits."""
        return "the Nitro hypervisor: CPUs and huge pages that nitro-enclaves-allocator set apart"

    def execution(self) -> str:
        """Return what of an image is executed."""
        return "all of it, by the Nitro hypervisor of a parent instance on EC2"

    def attestation_root(self) -> bytes:
        """Return the root that the cloud is believed by: AWS's G1, DER."""
        return self._cloud.trust().root_der

    def control_paths(self) -> list[str]:
        """Return none: nothing of this machine commands it but the administrator's credentials."""
        return []

    # -- helpers -----------------------------------------------------------------------------------

    @property
    def _ready(self) -> Path:
        return self._folder / "ready.json"

    @property
    def _known_instance(self) -> str:
        """Return the instance that was ready last; "" before there was one."""
        return str(read_record(self._ready, RECORD_LIMIT).get("instance_id", ""))

    @property
    def _role_arn(self) -> str:
        account = self._cloud.accounts.compute
        return f"arn:aws:iam::{account}:role/{self._cloud.names.roles['instance']}"

    def _require_role(self, instance_id: str, found: str) -> None:
        """Hold the session that STS sees (which has no path) against the role of our names."""
        name = self._role_arn.rpartition("/")[2]
        if f":assumed-role/{name}/" not in found:
            raise HostError(
                f"its role is {found}",
                expected=f"{name}: PCR3 of its enclaves is that role's",
                where=f"instance {instance_id}",
                next="give the role that it has with --role-instance, in a new lab",
            )

    def _require_instance(self, wanted: str | None = None) -> str:
        known = self._known_instance
        if known and wanted in (None, known):
            return known
        raise HostError(
            f"instance {wanted} is not ready" if wanted else "no instance is ready",
            expected="a parent instance",
            where="host ec2",
            next="run step P8: it launches one",
            code="E39",
        )

    def _of_enclave(
        self, op: str, enclave_id: str | None, enclave_name: str | None, **more: Any
    ) -> dict[str, Any]:
        named = {"enclave_id": enclave_id, "enclave_name": enclave_name, **more}
        answer: dict[str, Any] = self._line.ask(
            self._require_instance(), op, seconds=QUICK, **named
        )
        return answer

    def _described(self, record: Mapping[str, Any]) -> dict[str, Any]:
        instance, state = str(record["InstanceId"]), str(record["State"]["Name"])
        enclaves: list[dict[str, Any]] = []
        if state == "running" and instance == self._known_instance:
            with contextlib.suppress(NitroWorkflowError):
                enclaves = self.describe_enclaves()
        words = {"pending": "booting", "running": "running"}
        return {
            "InstanceId": instance,
            "State": words.get(state, "stopped"),
            "EndedFor": record.get("StateReason", {}).get("Message", ""),
            "Enclaves": enclaves,
        }

    def _parent_start(self, *, stop_minutes: int) -> str:
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "parent.tar.gz"
            with path.open("wb") as sink:
                write_bundle(sink, self._parent.folders)
            program = self._bucket.send(path)
        return ParentStart(
            region=self._cloud.region,
            kms=self._cloud.url,
            program=program,
            parent=self._parent,
            memory_mib=self._memory_mib,
            cpus=self._cpus,
            stop_minutes=stop_minutes,
        ).text()

    def _user_data(self) -> str:
        return self._parent_start(stop_minutes=self._cloud.settings.stop_after_minutes)

    def _start_given(self, instance_id: str) -> None:
        """Have SSM run the start: an instance that is given has user data of its own."""
        with tempfile.TemporaryDirectory() as place, cloud_errors("S3, the parent's program"):
            path = Path(place) / "parent_start.sh"
            path.write_text(self._parent_start(stop_minutes=0), "utf-8")
            sent = self._bucket.send(path)
        self._starts.by_command(instance_id, sent, self._cloud.region)
