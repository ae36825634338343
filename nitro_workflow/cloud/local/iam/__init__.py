"""IAM: users, roles, their policies, access keys, instance profiles. Small state, real effect.

What is written here is what the gate reads at the next request.

>>> "AttachRolePolicy" in OPERATIONS
True
"""

from __future__ import annotations

from collections.abc import Mapping

from nitro_workflow.cloud.local.auth import SCHEMA as _TABLES
from nitro_workflow.cloud.local.handler import Handler
from nitro_workflow.cloud.local.iam.access_keys import OPERATIONS as _KEYS
from nitro_workflow.cloud.local.iam.aws_managed import aws_managed_sql
from nitro_workflow.cloud.local.iam.entities import OPERATIONS as _ENTITIES
from nitro_workflow.cloud.local.iam.entities import forget
from nitro_workflow.cloud.local.iam.entity_tags import OPERATIONS as _TAGS
from nitro_workflow.cloud.local.iam.inline_policies import OPERATIONS as _POLICIES
from nitro_workflow.cloud.local.iam.managed_policies import OPERATIONS as _MANAGED
from nitro_workflow.cloud.local.iam.profiles import OPERATIONS as _PROFILES

__all__ = ["OPERATIONS", "SCHEMA", "forget"]

SCHEMA = _TABLES + aws_managed_sql()
OPERATIONS: Mapping[str, Handler] = {
    **_ENTITIES,
    **_KEYS,
    **_MANAGED,
    **_POLICIES,
    **_PROFILES,
    **_TAGS,
}
