"""What a host is: whatever runs enclaves, as a lab's steps and attacks use it.

`SandboxHost` is one. Another (a machine emulator, nitro-cli on a real parent) takes its place by
giving the same: the instance's life, nitro-cli's operations, commands inside the instance, a
channel to the parent application, and what was written there. Objects that nitro-cli prints come
back as its JSON; the parent's words are never more than its testimony.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from nitro_workflow.image import BootParts
    from nitro_workflow.vsock import Transport

__all__ = ["Host", "LaunchRequest", "ParentChannel"]


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """What run-enclave is asked for; ``memory_mib`` in MiB.

    One of ``cpu_count`` and ``cpu_ids``. ``instance_id`` says whose administrator asks, where
    several instances run. The same ``client_token`` gives the same enclave, for as long as it runs.

    >>> LaunchRequest("app.eif", 512, 2).to_json()["memory_mib"]
    512
    """

    eif_path: str
    memory_mib: int
    cpu_count: int | None = None
    enclave_name: str | None = None
    enclave_cid: int | None = None
    debug_mode: bool = False
    cpu_ids: tuple[int, ...] | None = None
    instance_id: str | None = None
    client_token: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the fields by name, as they cross a socket."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> LaunchRequest:
        """Return the request of `to_json`; raises TypeError for other fields."""
        ids = fields.get("cpu_ids")
        return cls(**{**fields, "cpu_ids": None if ids is None else tuple(ids)})


class ParentChannel(Protocol):
    """The way to an instance's parent application: one JSON object there, one back."""

    def ask(self, request: Mapping[str, Any], *, timeout: float = 120.0) -> dict[str, Any]:
        """Return the answer, whatever it says; ``timeout`` in seconds, for all of it.

        Raises `HostError` with code ``ParentUnavailable`` where nobody answers, or not an object.
        """


class Host(Protocol):
    """Runs instances and the enclaves in them; errors are `HostError` with nitro-cli's code."""

    # -- the instance ------------------------------------------------------------------------------

    def given_instance(self) -> str:
        """Return the id of an instance that is there and not P8's to launch or end; "" for none."""

    def launch_settings(self, token: str) -> dict[str, Any]:
        """Return what RunInstances is to be told for this host beyond what P8 says.

        Parameters of that call by name; one that P8 says too takes its place. May ask and prepare
        (on AWS: a security group, what the instance reads at its start). The same ``token`` gives
        the same: EC2 refuses a launch that is asked for again with other parameters.
        """

    def launch_again(self, code: str) -> bool:
        """Tell whether another place is tried, after RunInstances was refused with ``code``.

        `launch_settings` of the next token names it then.
        """

    def boot_instance(self, instance_id: str, *, disk_mib: int = 512) -> dict[str, Any]:
        """Start what RunInstances has made; returns as `describe_instance`, once it is ready.

        ``disk_mib``: the size of its disk, for ciphertexts and records, a file at most half of it.
        """

    def describe_instance(self, instance_id: str) -> dict[str, Any]:
        """Return ``InstanceId, RoleArn, Sandboxed, Programs`` (``{name: {"pid", "exit"}}``).

        And ``EndedFor``: what it took too much of, where it was ended for that.
        """

    def describe_instances(self) -> list[dict[str, Any]]:
        """Return all that runs, is being booted, or has left anything, whoever asked for it.

        ``InstanceId, State`` (running, impaired, booting, stopped) ``, Enclaves``: nitro-cli's
        objects with ``State``, also of those whose launch has only begun (EMPTY), and ``EndedFor``.
        """

    def stop_instance(self, instance_id: str) -> None:
        """Stop it and its enclaves; without effect where it does not run."""

    def sweep(self) -> None:
        """Remove what instances have stored that do not run; raises OSError where it cannot."""

    def run_command(
        self, instance_id: str, argv: Sequence[str], *, timeout: float = 60.0
    ) -> dict[str, Any]:
        """Run ``argv`` inside, as its administrator may: ``{"exit", "stdout", "stderr"}``."""

    def channel(self, instance_id: str) -> ParentChannel:
        """Return the way to the parent application; asks nobody yet."""

    def vsock(self, instance_id: str) -> Transport:
        """Return vsock as programs of the instance have it: to its enclaves, and for them."""

    def trace(self, instance_id: str | None = None) -> list[dict[str, Any]]:
        """Return the lines that the parent and its proxy wrote, in each file's order.

        None: of every instance that left any. They are the parent's words, whatever they say.
        """

    def logs(self, instance_id: str) -> dict[str, str]:
        """Return the ends of what the instance's programs printed, by program."""

    def boot_parts(self) -> BootParts:
        """Return the kernel and first ramdisk that images for this host are built with."""

    def fetch_boot_parts(self, instance_id: str) -> Mapping[str, str]:
        """Get them from a booted instance, where `boot_parts` raises ``NoBootParts``.

        Returns name → SHA-256 of what was got, {} where there was nothing to get.
        """

    # -- nitro-cli ---------------------------------------------------------------------------------

    def run_enclave(self, request: LaunchRequest) -> dict[str, Any]:
        """Return nitro-cli's object for run-enclave once the enclave has booted."""

    def describe_enclaves(self, *, metadata: bool = False) -> list[dict[str, Any]]:
        """Return nitro-cli's objects for the running enclaves."""

    def terminate_enclave(
        self, enclave_id: str | None = None, *, enclave_name: str | None = None
    ) -> dict[str, Any]:
        """End one enclave; returns when every process of it is gone."""

    def console(
        self, enclave_id: str | None = None, *, enclave_name: str | None = None, offset: int = 0
    ) -> dict[str, Any]:
        """Return ``{"text", "offset", "ended"}`` of a debug enclave, from byte ``offset`` on."""

    def image_folder(self, image: Path) -> str:
        """Return where an image that was run lies for the parent's own nitro-cli.

        "" where this package's nitro-cli runs the lab's enclaves, on this machine.
        """

    # -- the hypervisor ----------------------------------------------------------------------------

    def limits(self) -> str:
        """Return in words what holds the limits of instances and enclaves on this machine."""

    def execution(self) -> str:
        """Return in words what of an image is executed here, and by what."""

    def attestation_root(self) -> bytes:
        """Return the root certificate under which its enclaves' documents verify, DER."""

    def control_paths(self) -> list[str]:
        """Return the paths of this machine that command the host: no instance may reach them."""
