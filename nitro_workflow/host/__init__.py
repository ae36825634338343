"""What runs instances and their enclaves, with nitro-cli's operations, JSON and error codes.

`Host` is what the workflow knows of it; `SandboxHost` is this machine's, `NitroCliHost` an EC2
parent's, `Ec2Host` drives one from elsewhere.

>>> from nitro_workflow.host import SandboxHost, parse_memory
>>> host = SandboxHost("/run/lab")
>>> host.trace()
[]
>>> parse_memory("2G")
2048

From the top: `control` (the hypervisor, its client), `instance` (the parent), `sandbox` (what
stands between), `supervisor` (vsock and the module for any program), `rules` (nitro-cli's).
Imported on first use: the sandbox's bootstrap lives in this room, and its start time counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from nitro_workflow.host.control.enclave_machines import checked_machine
    from nitro_workflow.host.control.machine import Hypervisor
    from nitro_workflow.host.control.qemu_host import QemuHost, local_host
    from nitro_workflow.host.control.sandbox_host import SandboxHost
    from nitro_workflow.host.ec2.aws_blobs import NO_BOOT_PARTS
    from nitro_workflow.host.ec2.ec2_host import Ec2Host
    from nitro_workflow.host.ec2.machine_launch import InstancePlace
    from nitro_workflow.host.ec2.user_data import start_script
    from nitro_workflow.host.instance.cloud_records import (
        InstanceRecord,
        RoleCredentials,
    )
    from nitro_workflow.host.instance.instance_paths import LONGEST_SOCKET, vsock_folder
    from nitro_workflow.host.instance.instance_spec import ParentPrograms
    from nitro_workflow.host.nitro_cli.nitro_cli_host import NitroCliHost
    from nitro_workflow.host.nitro_cli.own_parent_host import OwnParentHost
    from nitro_workflow.host.protocol import Host, LaunchRequest, ParentChannel
    from nitro_workflow.host.qemu.boot_blobs import MadeBlobs, make_blobs
    from nitro_workflow.host.qemu.qemu_install import blobs_from_debian, install_qemu
    from nitro_workflow.host.qemu.qemu_program import installed_blobs
    from nitro_workflow.host.rules.allocator import allocator_file, read_pool
    from nitro_workflow.host.rules.ecodes import MEANINGS, status_of
    from nitro_workflow.host.rules.launch_checks import launch_problems, least_launch
    from nitro_workflow.host.rules.launch_rules import parse_memory
    from nitro_workflow.host.rules.limits import LEAST_ON_AWS_MIB, VOLUME_GIB
    from nitro_workflow.host.sandbox.launcher import require_sandbox
    from nitro_workflow.host.sandbox.parent_program import run_program
    from nitro_workflow.host.sandbox.supervision import supervision_problem

_HOMES = {
    "Ec2Host": "ec2.ec2_host",
    "Host": "protocol",
    "Hypervisor": "control.machine",
    "InstancePlace": "ec2.machine_launch",
    "InstanceRecord": "instance.cloud_records",
    "LEAST_ON_AWS_MIB": "rules.limits",
    "LONGEST_SOCKET": "instance.instance_paths",
    "LaunchRequest": "protocol",
    "MEANINGS": "rules.ecodes",
    "MadeBlobs": "qemu.boot_blobs",
    "NO_BOOT_PARTS": "ec2.aws_blobs",
    "NitroCliHost": "nitro_cli.nitro_cli_host",
    "OwnParentHost": "nitro_cli.own_parent_host",
    "ParentChannel": "protocol",
    "ParentPrograms": "instance.instance_spec",
    "QemuHost": "control.qemu_host",
    "RoleCredentials": "instance.cloud_records",
    "SandboxHost": "control.sandbox_host",
    "VOLUME_GIB": "rules.limits",
    "allocator_file": "rules.allocator",
    "blobs_from_debian": "qemu.qemu_install",
    "checked_machine": "control.enclave_machines",
    "install_qemu": "qemu.qemu_install",
    "installed_blobs": "qemu.qemu_program",
    "launch_problems": "rules.launch_checks",
    "least_launch": "rules.launch_checks",
    "local_host": "control.qemu_host",
    "make_blobs": "qemu.boot_blobs",
    "parse_memory": "rules.launch_rules",
    "read_pool": "rules.allocator",
    "require_sandbox": "sandbox.launcher",
    "run_program": "sandbox.parent_program",
    "start_script": "ec2.user_data",
    "status_of": "rules.ecodes",
    "vsock_folder": "instance.instance_paths",
    "supervision_problem": "sandbox.supervision",
}

__all__ = [
    "LEAST_ON_AWS_MIB",
    "LONGEST_SOCKET",
    "MEANINGS",
    "NO_BOOT_PARTS",
    "VOLUME_GIB",
    "Ec2Host",
    "Host",
    "Hypervisor",
    "InstancePlace",
    "InstanceRecord",
    "LaunchRequest",
    "MadeBlobs",
    "NitroCliHost",
    "OwnParentHost",
    "ParentChannel",
    "ParentPrograms",
    "QemuHost",
    "RoleCredentials",
    "SandboxHost",
    "allocator_file",
    "blobs_from_debian",
    "checked_machine",
    "install_qemu",
    "installed_blobs",
    "launch_problems",
    "least_launch",
    "local_host",
    "make_blobs",
    "parse_memory",
    "read_pool",
    "require_sandbox",
    "run_program",
    "start_script",
    "status_of",
    "supervision_problem",
    "vsock_folder",
]

__getattr__ = lazy_names(__name__, _HOMES)
