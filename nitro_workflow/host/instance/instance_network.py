"""What an instance reaches over its network: its metadata service and the cloud, nothing else.

Its sandbox has a network namespace of its own. What listens in it is served from here: the metadata
service directly, the cloud through a relay that knows one address. No other port of this machine,
no other lab, no other instance, no abstract Unix socket is there to connect to.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from typing import TYPE_CHECKING, Final

from nitro_workflow.errors import HostError
from nitro_workflow.host.instance.cloud_relay import CloudRelay
from nitro_workflow.host.instance.imds_server import ADDRESS, MetadataServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nitro_workflow.cloud import Endpoint
    from nitro_workflow.host.instance.imds import MetadataService

__all__ = ["InstanceNetwork", "hosts_file", "places"]

LOOPBACK: Final = "127.0.0.1"


def places(address: Endpoint) -> tuple[tuple[str, int], tuple[str, int]]:
    """Return where the sandbox must listen: for the metadata service, and for the cloud.

    The cloud is found at its own address, so that URLs and certificates stay as they are; one that
    has a name, at 127.0.0.1. Raises `HostError` for an address that loopback cannot be given.
    """
    if _is_name(address.host):
        return ADDRESS, (LOOPBACK, address.port)
    inside = ipaddress.ip_address(address.host)
    if inside.version == 6 and not inside.is_loopback:
        raise HostError(
            f"a cloud at {address.host}",
            expected="a cloud at an IPv4 address, at ::1, or with a name",
            where="hypervisor, making the instance's network",
            next="start the cloud at 127.0.0.1, as the lab does",
        )
    return ADDRESS, (str(inside), address.port)


def hosts_file(address: Endpoint) -> str:
    """Return the instance's /etc/hosts: it has no other way to look a name up."""
    names = f"localhost {address.host}" if _is_name(address.host) else "localhost"
    return f"{LOOPBACK} {names}\n::1 localhost\n"


class InstanceNetwork:
    """Serves what `places` names, on the listeners that the sandbox made and handed out.

    Owns the ``descriptors``. Raises `HostError` where they are not these two.
    """

    def __init__(
        self, descriptors: Sequence[int], metadata: MetadataService, address: Endpoint
    ) -> None:
        with contextlib.ExitStack() as unused:
            found = [unused.enter_context(socket.socket(fileno=it)) for it in descriptors]
            if [it.getsockname()[:2] for it in found] != list(places(address)):
                raise HostError("the sandbox made another network", where="hypervisor")
            unused.pop_all()
        self._metadata = MetadataServer(metadata, found[0])
        try:
            self._relay = CloudRelay(found[1], (address.host, address.port))
        except BaseException:
            self._metadata.close()
            found[1].close()
            raise

    @property
    def endpoint(self) -> str:
        """Where the instance finds its metadata service, which is where EC2 has it."""
        return f"http://{ADDRESS[0]}/"

    @property
    def alive(self) -> bool:
        """Whether both are served."""
        return self._relay.alive and self._metadata.alive

    def close(self) -> None:
        """Serve no more, and cut what is open; may be called again."""
        self._relay.close()
        self._metadata.close()


def _is_name(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False
