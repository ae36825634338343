"""What a sandboxed program is given, with or without a boundary around it.

The image unpacked, the vsock folder with the heartbeat, the network, descriptors, environment.
Imported by the bootstrap before the old root goes: only the standard library, `errors`, the
image's reader and the addresses of `vsock`.
"""

from __future__ import annotations

import array
import fcntl
import itertools
import json
import os
import resource
import signal
import socket
from pathlib import Path
from typing import Any

from nitro_workflow.host.sandbox import linux, loopback
from nitro_workflow.host.sandbox.heartbeat import HEARTBEAT
from nitro_workflow.image import open_image, ramdisk_entries, unpack_entries
from nitro_workflow.vsock import HEARTBEAT_PORT, PARENT_CID

__all__ = ["Boot", "network_device", "reap", "start", "unpack", "vsock_device"]

DEFAULT_PATH = "/sbin:/usr/sbin:/bin:/usr/bin"  # [src: sdk-bootstrap init/init.c]
NSM = 3  # the descriptor an enclave finds its module at


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


def network_device(boot: Boot, places: list[tuple[str, int]]) -> None:
    """Hand out what listens at ``places`` of the new network namespace; an enclave has none."""
    if places:
        listeners = loopback.listen(places)
        boot.tell("network", [it.fileno() for it in listeners])
        for it in listeners:
            it.close()


def start(spec: dict[str, Any]) -> int:
    """Fork the program; return its pid once it runs. Raises OSError when it cannot be executed."""
    failed, report = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _execute(spec, report)
        except OSError as error:
            os.write(report, f"{error.errno}".encode())
        finally:
            os._exit(127)
    os.close(report)
    number = os.read(failed, 16)
    os.close(failed)
    if number:
        text = f"{spec['command'][0]}: {os.strerror(int(number))}"
        raise OSError(int(number), text)
    return child


def _execute(spec: dict[str, Any], report: int) -> None:
    """Be the program: descriptors 0 to 2, for an enclave 3, and nothing else."""
    os.setsid()
    linux.die_with_parent()
    os.chdir(spec["folder"])
    report = _move_up(report)
    nsm = _move_up(spec["nsm"]) if spec["nsm"] is not None else None
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(1, 2)  # until here, standard error was the bootstrap's own
    first = 3
    if nsm is not None:
        os.dup2(nsm, NSM, inheritable=True)
        first = NSM + 1
    os.dup2(report, first, inheritable=False)
    linux.close_from(first + 1)
    if spec["limit"]:
        resource.setrlimit(resource.RLIMIT_DATA, (spec["memory"], spec["memory"]))
    for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    environment = {"PATH": DEFAULT_PATH, **spec["environment"]}
    try:
        os.execvpe(spec["command"][0], spec["command"], environment)  # noqa: S606 - it is the point
    except OSError as error:
        os.write(first, f"{error.errno}".encode())
        os._exit(127)


def _move_up(descriptor: int) -> int:
    """Return a copy above those that are about to be set."""
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 64)


def reap(child: int) -> int:
    """Wait for the program and for whatever it left; return the program's exit status."""
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status) & 0xFF
