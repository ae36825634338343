"""QEMU with `-M nitro-enclave`: it reads, measures and boots images, and has a Nitro module."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from nitro_workflow.errors import HostError, VsockError
from nitro_workflow.host import install_qemu, installed_blobs
from nitro_workflow.host.qemu.device_loop import DeviceLoop
from nitro_workflow.host.qemu.vsock_backend import VsockBackend
from tests.interop.peers import Unbuilt, command, peer

__all__ = ["BOOT_LIMIT", "MODULE_ID", "PARENT_ID", "PARENT_ROLE", "REMEDY", "Qemu", "make"]

HERE = Path(__file__).parent
REMEDY = (
    "QEMU's nitro-enclave machine: on Debian for amd64, apt-get install build-essential ninja-build"
    " pkg-config libcbor-dev libfdt-dev libglib2.0-dev libgnutls28-dev"
)
BOOT_LIMIT = 180  # seconds; a boot takes 5 to 10 by emulation
MODULE_ID = "i-0123456789abcdef0-enc0123456789abcdef"
PARENT_ID = "i-0123456789abcdef0"
PARENT_ROLE = "arn:aws:iam::444455556666:role/ParentInstance"
# Added by QEMU after it has measured. The clock counts instructions (-icount), so its rate is
# known: a kernel that calibrates it under emulation hangs now and then.
APPENDED = "quiet reboot=t panic=-1 tsc=reliable tsc_early_khz=1000000 no_timer_check"


class Parent(threading.Thread):
    """The product's vsock for a machine of the oracle's: it answers the heartbeat, nothing else."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(daemon=True)
        self._loop = DeviceLoop()
        self._backend = VsockBackend(sock, self._loop, cid=4, parent=self, heartbeat=self._beat)
        self.heard = b""

    def listen(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind("")  # a name of the kernel's choice, that nobody is told
        listener.listen()
        return listener

    def dial(self, port: int, name: bytes) -> socket.socket:
        raise VsockError("nobody listens")

    def run(self) -> None:
        while not self._backend.closed:
            self._loop.turn(0.2)
            self._backend.serve()
        self._backend.close()
        self._loop.close()

    def _beat(self, sock: socket.socket) -> None:
        threading.Thread(target=self._answer, args=(sock,), daemon=True).start()

    def _answer(self, sock: socket.socket) -> None:
        with sock:
            self.heard = sock.recv(1)
            sock.sendall(self.heard)


@dataclass(frozen=True)
class Qemu:
    """The oracle's program with its firmware, the boot parts of images, the program in them."""

    parts: Path
    blobs: Path

    def refusal(self, image: Path) -> str:
        """Return what it says of an image that it does not start."""
        words = self._command(image, "null,id=parent")
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 1, done
        return done.stderr

    def boot(self, image: Path) -> list[str]:
        """Return what the guest's console says until it ends."""
        ours, theirs = socket.socketpair()
        parent = Parent(ours)
        parent.start()
        words = self._command(image, f"socket,id=parent,fd={theirs.fileno()}")
        said = []
        with theirs, subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            pass_fds=[theirs.fileno()],
        ) as qemu:  # fmt: skip
            timer = threading.Timer(BOOT_LIMIT, qemu.kill)
            timer.start()
            said = [line.strip() for line in qemu.stdout or ()]
            timer.cancel()
        parent.join(10)
        assert parent.heard == b"\xb7", said
        return said

    def _command(self, image: Path, parent: str) -> list[str]:
        machine = f"nitro-enclave,acpi=on,vsock=parent,id={MODULE_ID},"
        machine += f"parent-role={PARENT_ROLE},parent-id={PARENT_ID}"
        return [
            str(self.parts / "qemu-system-x86_64"), "-L", str(self.parts), "-bios", "qboot.rom", "-accel", "tcg",
            "-icount", "shift=3", "-cpu", "max", "-m", "256M", "-M", machine,
            "-chardev", parent, "-kernel", str(image), "-append", APPENDED,
            "-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot",
        ]  # fmt: skip


def make() -> Qemu:
    """Build what is not there yet.

    Raises `Unbuilt`: this machine is not one for it, or its mirror or compiler could not give a
    part.
    """
    if shutil.which("apt-get") is None or os.uname().machine != "x86_64":
        raise Unbuilt("no apt, or not x86_64")
    try:
        install_qemu(print)
    except HostError as error:
        raise Unbuilt(str(error)) from error
    with peer(HERE / "qemu_build") as (folder, stale):
        if stale:
            command("nice", "-n", "10", "sh", "build.sh", sys.executable, cwd=folder)
        command(
            "cc", "-static", "-O2", "-Wall", "-o", "parts/ask", str(HERE / "qemu_ask.c"), cwd=folder
        )
    return Qemu(folder / "parts", installed_blobs())
