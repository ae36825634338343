"""QEMU's command line for one enclave: a machine with a serial line, a vsock and a module.

No network, no disk, no display, no file of this machine: what boots comes by descriptor, and so do
the two devices. QEMU's own system-call filter is on.
"""

from __future__ import annotations

import ctypes
import mmap
import platform
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nitro_workflow.host.qemu.nsm_backend import NSM_DEVICE_ID, NSM_RING

if TYPE_CHECKING:
    from nitro_workflow.host.qemu.qemu_program import QemuProgram

__all__ = ["QemuDescriptors", "QemuSpec", "qemu_command", "time_stamp_khz"]

_SANDBOX: Final = "on,obsolete=deny,spawn=deny,resourcecontrol=deny,elevateprivileges="

_MEASURING: Final = 0.02  # seconds over which the time stamp counter is measured
_READ_COUNTER: Final = bytes.fromhex("0f31 48c1e220 4809d0 c3")  # rdtsc; shl rdx,32; or; ret


@dataclass(frozen=True, slots=True)
class QemuDescriptors:
    """What QEMU inherits: files to boot, sockets of its devices and of its monitor."""

    kernel: int
    ramdisk: int
    vsock: int
    nsm: int
    monitor: int


@dataclass(frozen=True, slots=True)
class QemuSpec:
    """What kind of machine; ``accelerator`` is ``kvm`` or ``tcg``, ``user`` a number or None."""

    command_line: str
    memory_mib: int
    cpus: int
    accelerator: str
    user: int | None


def qemu_command(program: QemuProgram, spec: QemuSpec, given: QemuDescriptors) -> list[str]:
    """Return the whole command line."""
    memory = f"{spec.memory_mib}M"
    # Started by root, it becomes another user: the filter has to let that call through.
    life = "exit-with-parent=on" + (f",user={spec.user}:{spec.user}" if spec.user else "")
    sandbox = _SANDBOX + ("allow" if spec.user else "deny")
    kvm = spec.accelerator == "kvm"
    return [
        *program.start(),
        "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        "-sandbox", sandbox, "-run-with", life,
        "-accel", "kvm" if kvm else "tcg,thread=multi", "-cpu", "host" if kvm else "max",
        "-smp", str(spec.cpus), "-m", memory,
        "-object", f"memory-backend-memfd,id=memory,size={memory},share=on,seal=on",
        "-machine", "microvm,acpi=on,rtc=on,pit=on,pic=on,isa-serial=on,memory-backend=memory",
        "-global", "virtio-mmio.force-legacy=false",
        "-chardev", f"socket,id=vsock,fd={given.vsock}",
        "-device", "vhost-user-vsock-device,chardev=vsock",
        "-chardev", f"socket,id=nsm,fd={given.nsm}",
        "-device",
        f"vhost-user-test-device,virtio-id={NSM_DEVICE_ID},num_vqs=1,vq_size={NSM_RING},chardev=nsm",
        "-chardev", f"socket,id=monitor,fd={given.monitor}",
        "-qmp", "chardev:monitor",
        "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
        "-kernel", f"/proc/self/fd/{given.kernel}", "-initrd", f"/proc/self/fd/{given.ramdisk}",
        "-append", _appended(spec.command_line, kvm=kvm),
    ]  # fmt: skip


def _appended(command_line: str, *, kvm: bool) -> str:
    """Return the image's command line, and after it what this machine needs; it is not measured.

    Under emulation one boot in four hangs where the kernel measures its own clock: it is told. A
    reset and a panic end the machine at once: nobody waits for AWS's 30 seconds.
    """
    words = [command_line, "reboot=t", "panic=-1"]
    if not kvm:
        words += [f"tsc_early_khz={time_stamp_khz()}", "tsc=reliable", "no_timer_check"]
    return " ".join(words)


def time_stamp_khz() -> int:
    """Return the rate of the counter that an emulated machine reads, in kHz.

    It is this processor's where that is x86; elsewhere QEMU counts nanoseconds.
    [src: QEMU include/qemu/timer.h, cpu_get_host_ticks]
    """
    if platform.machine() != "x86_64":
        return 1_000_000
    with mmap.mmap(
        -1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    ) as page:
        page.write(_READ_COUNTER)
        code = (ctypes.c_char * len(_READ_COUNTER)).from_buffer(page)
        read = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(code))
        before, begun = read(), time.monotonic_ns()
        time.sleep(_MEASURING)
        after, ended = read(), time.monotonic_ns()
        del code
    return int(after - before) * 1_000_000 // (ended - begun)
