"""EC2's control plane, as far as a parent instance and its set-up scripts need it.

A record runs nothing: the hypervisor reads it, and takes the instance's role and id from it. PCR3
and PCR4 of an attestation document come from there, never from who asks for the document.

>>> "RunInstances" in OPERATIONS, "DescribeVpcs" in OPERATIONS
(True, True)
"""

from __future__ import annotations

from collections.abc import Mapping

from nitro_workflow.cloud.local.ec2.group_rules import OPERATIONS as _RULES
from nitro_workflow.cloud.local.ec2.instance_launch import MAX_VCPUS
from nitro_workflow.cloud.local.ec2.instance_launch import OPERATIONS as _LAUNCH
from nitro_workflow.cloud.local.ec2.instance_records import INSTANCES
from nitro_workflow.cloud.local.ec2.instance_records import OPERATIONS as _RECORDS
from nitro_workflow.cloud.local.ec2.instance_records import SCHEMA as _INSTANCES
from nitro_workflow.cloud.local.ec2.instance_types import OPERATIONS as _TYPES
from nitro_workflow.cloud.local.ec2.security_groups import OPERATIONS as _GROUPS
from nitro_workflow.cloud.local.ec2.security_groups import SCHEMA as _GROUP_TABLE
from nitro_workflow.cloud.local.ec2.surroundings import OPERATIONS as _SURROUNDINGS
from nitro_workflow.cloud.local.ec2.surroundings import image_of_parameter
from nitro_workflow.cloud.local.handler import Handler

__all__ = ["INSTANCES", "MAX_VCPUS", "OPERATIONS", "SCHEMA", "image_of_parameter"]

SCHEMA = _INSTANCES + _GROUP_TABLE
OPERATIONS: Mapping[str, Handler] = {
    **_GROUPS,
    **_LAUNCH,
    **_RECORDS,
    **_RULES,
    **_SURROUNDINGS,
    **_TYPES,
}
