"""What the instance runs beside its enclave; ``python -m enclave_image.parent`` starts it.

It gets the ciphertext with the instance role, hands jobs to the enclave over vsock and keeps what
comes back. It is in no measurement, and nobody needs to trust it.

>>> import tempfile, pathlib
>>> from enclave_image.parent import JobRecords
>>> with tempfile.TemporaryDirectory() as folder:
...     records = JobRecords(pathlib.Path(folder))
...     records.create("0b0e6a12-4f4f-4a8e-9d3c-0c9f3a1d2b10")
...     records.get("0b0e6a12-4f4f-4a8e-9d3c-0c9f3a1d2b10")["status"]
'queued'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from enclave_image.parent.instance_role import Fetched, InstanceRole
    from enclave_image.parent.job_records import JobRecords
    from enclave_image.parent.parent_application import ParentApplication, serve

_HOMES = {
    "Fetched": "instance_role",
    "InstanceRole": "instance_role",
    "JobRecords": "job_records",
    "ParentApplication": "parent_application",
    "serve": "parent_application",
}

__all__ = ["Fetched", "InstanceRole", "JobRecords", "ParentApplication", "serve"]

__getattr__ = lazy_names(__name__, _HOMES)
