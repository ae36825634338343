"""Whether this machine's KVM runs an enclave's kernel: tried once, within a time limit.

``/dev/kvm`` says little: nested and paravirtual kinds are there and stop in the middle of a boot.
So the kernel of the boot parts is started for as long as it takes to say its first line.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nitro_workflow.atomic import write_atomic
from nitro_workflow.errors import HostError
from nitro_workflow.host.qemu.qemu_program import cache_folder

if TYPE_CHECKING:
    from nitro_workflow.host.qemu.qemu_program import QemuProgram

__all__ = ["Acceleration", "acceleration"]

KVM: Final = Path("/dev/kvm")
TRY_SECONDS: Final = 10.0
"""Ordinary KVM says the line within half a second."""

RECORD: Final = "acceleration.json"
OUTPUT_LIMIT: Final = 1 << 20  # bytes of a console that says something else
_WORKS: Final = b"Linux version"
_BROKEN: Final = b"KVM internal error"


@dataclass(frozen=True, slots=True)
class Acceleration:
    """``accelerator`` is ``kvm`` or ``tcg`` (software emulation); ``why``, in words."""

    accelerator: str
    why: str

    def __str__(self) -> str:
        if self.accelerator == "kvm":
            return "KVM"
        return f"software emulation ({self.why})"


def acceleration(program: QemuProgram, kernel: Path) -> Acceleration:
    """Return what to use; the trial's outcome is kept until this machine boots again."""
    key = _key(program, kernel)
    path = cache_folder() / RECORD
    try:
        record = json.loads(path.read_bytes())
        if record["key"] == key:
            return Acceleration(str(record["accelerator"]), str(record["why"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    found = _try(program, kernel)
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {"key": key, **asdict(found)}
    write_atomic(path, json.dumps(record).encode(), failure=HostError)
    return found


def _key(program: QemuProgram, kernel: Path) -> list[str]:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    stamp = f"{kernel.stat().st_mtime_ns}" if kernel.exists() else ""
    return [boot, program.version, str(kernel), stamp, str(os.geteuid())]


def _try(program: QemuProgram, kernel: Path) -> Acceleration:
    if not KVM.exists():
        return Acceleration("tcg", "no /dev/kvm")
    if not os.access(KVM, os.R_OK | os.W_OK):
        return Acceleration("tcg", "/dev/kvm is not this user's: join the group kvm")
    said = _first_words(program, kernel)
    if _WORKS in said:
        return Acceleration("kvm", "the kernel starts on it")
    how = "it stops with an internal error" if _BROKEN in said else "it does not start a kernel"
    return Acceleration("tcg", f"KVM is there, but {how}")


def _first_words(program: QemuProgram, kernel: Path) -> bytes:
    words = [
        *program.start(), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        "-accel", "kvm", "-cpu", "host", "-m", "256M",
        "-machine", "microvm,acpi=on,isa-serial=on", "-serial", "stdio",
        "-kernel", str(kernel), "-append", "console=ttyS0 panic=-1 reboot=t",
    ]  # fmt: skip
    deadline, said = time.monotonic() + TRY_SECONDS, b""
    with subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as qemu:
        try:
            while (
                qemu.stdout and len(said) < OUTPUT_LIMIT and not (_WORKS in said or _BROKEN in said)
            ):
                left = deadline - time.monotonic()
                if left <= 0 or not select.select([qemu.stdout], [], [], left)[0]:
                    break
                piece = os.read(qemu.stdout.fileno(), 65536)
                if not piece:
                    break
                said += piece
        finally:
            qemu.kill()
    return said
