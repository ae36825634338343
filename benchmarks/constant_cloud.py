"""A cloud of constants: what the hypervisor asks of one, for benchmarks that measure no cloud."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from nitro_workflow.cloud import Endpoint
from nitro_workflow.host import InstanceRecord, RoleCredentials

__all__ = ["ConstantCloud"]


class ConstantCloud:
    """Instances with enclaves, a role, and no network."""

    def __init__(self, ca: Path) -> None:
        self._ca = ca
        ca.write_text("")

    def address(self) -> Endpoint:
        """Return an address that nothing answers at."""
        return Endpoint("https://127.0.0.1:9", str(self._ca))

    def instance(self, instance_id: str) -> InstanceRecord:
        """Return the record."""
        role = "arn:aws:iam::444455556666:role/ParentInstance"
        return InstanceRecord(instance_id, role, True, "running")

    def role_credentials(self, record: InstanceRecord) -> RoleCredentials:
        """Return credentials of no account."""
        return RoleCredentials("A", "S", "T", datetime.now(UTC) + timedelta(hours=1))
