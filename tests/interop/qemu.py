"""QEMU with `-M nitro-enclave`: it reads, measures and boots images, and has a Nitro module."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from tests.interop.peers import Unbuilt, command, peer
from tests.interop.vhost_vsock import Parent

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
APPENDED = "quiet tsc=reliable tsc_early_khz=1000000 no_timer_check"


@dataclass(frozen=True)
class Qemu:
    """The program with its firmware, and what an image for it is made of, in one folder."""

    parts: Path

    def refusal(self, image: Path) -> str:
        """Return what it says of an image that it does not start."""
        words = self._command(image, "null,id=parent")
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 1, done
        return done.stderr

    def boot(self, image: Path, folder: Path) -> list[str]:
        """Return what the guest's console says until its init ends; ``folder`` is for a socket."""
        path = folder / "vsock"
        parent = Parent(path)
        parent.start()
        words = self._command(image, f"socket,id=parent,path={path}")
        said = []
        with subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        ) as qemu:
            timer = threading.Timer(BOOT_LIMIT, qemu.kill)
            timer.start()
            for line in qemu.stdout or ():
                said.append(line.strip())
                if said[-1] == "END":
                    break
            timer.cancel()
            qemu.kill()
        parent.join(10)
        path.unlink()
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

    Raises:
        Unbuilt: this machine is not one for it, or its mirror or compiler could not give a part.
    """
    if shutil.which("apt-get") is None or os.uname().machine != "x86_64":
        raise Unbuilt("no apt, or not x86_64")
    with peer(HERE / "qemu_build") as (folder, stale):
        if stale:
            command("nice", "-n", "10", "sh", "build.sh", sys.executable, cwd=folder)
        command(
            "cc", "-static", "-O2", "-Wall", "-o", "parts/init", str(HERE / "qemu_init.c"),
            cwd=folder,
        )  # fmt: skip
    return Qemu(folder / "parts")
