"""The parent instance: its record in the cloud, its folder, network, metadata service and programs.

>>> from nitro_workflow.host.instance import instance_path
>>> from pathlib import Path
>>> instance_path(Path("/run/lab"), "i-0123456789abcdef0").name
'i-0123456789abcdef0'

Imported on first use: the instance's first process loads no more than it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from nitro_workflow.host.instance.cloud_records import (
        CloudRecords,
        InstanceRecord,
        LabCloud,
        RoleCredentials,
    )
    from nitro_workflow.host.instance.instance_paths import LONGEST_SOCKET, instance_path
    from nitro_workflow.host.instance.instance_spec import ParentPrograms
    from nitro_workflow.host.instance.parent_instance import ParentInstance

_HOMES = {
    "CloudRecords": "cloud_records",
    "InstanceRecord": "cloud_records",
    "LONGEST_SOCKET": "instance_paths",
    "LabCloud": "cloud_records",
    "ParentInstance": "parent_instance",
    "ParentPrograms": "instance_spec",
    "RoleCredentials": "cloud_records",
    "instance_path": "instance_paths",
}

__all__ = [
    "LONGEST_SOCKET",
    "CloudRecords",
    "InstanceRecord",
    "LabCloud",
    "ParentInstance",
    "ParentPrograms",
    "RoleCredentials",
    "instance_path",
]

__getattr__ = lazy_names(__name__, _HOMES)
