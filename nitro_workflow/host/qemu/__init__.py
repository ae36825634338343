"""The real image, booted: stock QEMU with a vsock and a security module of ours.

>>> from nitro_workflow.host.qemu import tested_kernel_series
>>> tested_kernel_series()
'6.12'

`qemu_machine` is one kind of machine for the hypervisor; `device_process` serves the guest's
devices from outside (`vsock_backend`, `nsm_backend` over `vhost_user`, `virtqueue`,
`guest_memory`); `qemu_install` fetches QEMU and a kernel, `boot_blobs` makes the boot parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from nitro_workflow.host.qemu.boot_blobs import MadeBlobs, make_blobs
    from nitro_workflow.host.qemu.kvm_trial import Acceleration, acceleration
    from nitro_workflow.host.qemu.qemu_install import install_qemu, tested_kernel_series
    from nitro_workflow.host.qemu.qemu_machine import QemuMachine
    from nitro_workflow.host.qemu.qemu_program import QemuProgram, find_qemu, installed_blobs

_HOMES = {
    "Acceleration": "kvm_trial",
    "MadeBlobs": "boot_blobs",
    "QemuMachine": "qemu_machine",
    "QemuProgram": "qemu_program",
    "acceleration": "kvm_trial",
    "find_qemu": "qemu_program",
    "install_qemu": "qemu_install",
    "installed_blobs": "qemu_program",
    "make_blobs": "boot_blobs",
    "tested_kernel_series": "qemu_install",
}

__all__ = [
    "Acceleration",
    "MadeBlobs",
    "QemuMachine",
    "QemuProgram",
    "acceleration",
    "find_qemu",
    "install_qemu",
    "installed_blobs",
    "make_blobs",
    "tested_kernel_series",
]

__getattr__ = lazy_names(__name__, _HOMES)
