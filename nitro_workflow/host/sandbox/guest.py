"""What a sandboxed program is given, with or without a boundary around it.

The image unpacked, the vsock folder with the heartbeat, the network; `execution` starts it.
Imported by the bootstrap before the old root goes: only the standard library, `errors`, the
image's reader and the addresses of `vsock`.
"""

from __future__ import annotations

import array
import itertools
import json
import os
import socket
from pathlib import Path
from typing import Any

from nitro_workflow.host.sandbox import loopback
from nitro_workflow.host.supervisor.heartbeat import HEARTBEAT
from nitro_workflow.image import open_image, ramdisk_entries, unpack_entries
from nitro_workflow.vsock import HEARTBEAT_PORT, PARENT_CID

__all__ = ["Boot", "network_device", "say_heartbeat", "unpack", "vsock_device"]


class Boot:
    """The line to the hypervisor: JSON datagrams, sometimes with descriptors."""

    def __init__(self, descriptor: int) -> None:
        self.sock = socket.socket(fileno=descriptor)

    def tell(self, event: str, descriptors: list[int] | None = None, **fields: Any) -> None:
        """Send one event."""
        data = json.dumps({"event": event, **fields}).encode()
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors or []))]
        self.sock.sendmsg([data], rights if descriptors else [])


def unpack(descriptor: int, folder: Path) -> dict[str, Any]:
    """Unpack the customer's ramdisks; return the command and environment that they hold.

    Raises `ImageError`, or ValueError where nothing is to be run.
    """
    with open_image(descriptor) as image:
        parts = [ramdisk_entries(image, index) for index in range(1, len(image.ramdisks))]
        unpack_entries(itertools.chain(*parts), folder)
    command = [line for line in _lines(folder / "cmd") if line]
    if not command:
        raise ValueError("the image has no /cmd: nothing to run")
    pairs = (line.partition("=") for line in _lines(folder / "env"))
    environment = {name: value for name, sign, value in pairs if name and sign}
    return {"command": command, "environment": environment}


def _lines(path: Path) -> list[str]:
    if path.is_symlink() or not path.is_file():
        return []
    text = os.fsdecode(path.read_bytes())
    path.unlink()
    if "\0" in text:
        raise ValueError(f"/{path.name} holds a NUL: no program can be given one")
    return text.split("\n")


def vsock_device(boot: Boot, place: Path) -> None:
    """Make the folder that plays the device, hand both its ends out, say the heartbeat."""
    place.mkdir(0o700)
    gateway = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    gateway.bind(str(place / "host.sock"))
    gateway.listen(64)
    folder = os.open(place, os.O_PATH | os.O_DIRECTORY)
    boot.tell("unpacked", [gateway.fileno(), folder])
    gateway.close()
    os.close(folder)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as beat:
        beat.connect(str(place / "host.sock"))
        beat.sendall(f"CONNECT {PARENT_CID} {HEARTBEAT_PORT}\n".encode())
        with beat.makefile("rb") as answer:
            line = answer.readline(64)
            beat.sendall(HEARTBEAT)
            if not line.startswith(b"OK") or answer.read(1) != HEARTBEAT:
                raise ValueError("no heartbeat from the parent")


def say_heartbeat() -> None:
    """Say over vsock that the machine has booted, as AWS's init does, and wait for the answer.

    It comes once the image is measured. Raises OSError, ValueError.
    """
    with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as beat:
        beat.connect((PARENT_CID, HEARTBEAT_PORT))
        beat.sendall(HEARTBEAT)
        if beat.recv(1) != HEARTBEAT:
            raise ValueError("no heartbeat from the parent")


def network_device(boot: Boot, places: list[tuple[str, int]]) -> None:
    """Bring loopback up, and hand out what listens at ``places`` there; an enclave has none."""
    loopback.bring_up()
    if places:
        listeners = loopback.listen(places)
        boot.tell("network", [it.fileno() for it in listeners])
        for it in listeners:
            it.close()
