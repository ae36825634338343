"""S3 as far as the workflow needs it: buckets, objects with versions, multipart, bucket policies.

Bodies stream to files and back; SQLite holds what is said about them.

>>> sorted(OPERATIONS)[:3]
['AbortMultipartUpload', 'CompleteMultipartUpload', 'CreateBucket']
"""

from __future__ import annotations

from collections.abc import Mapping

from nitro_workflow.cloud.local.handler import Handler
from nitro_workflow.cloud.local.s3.buckets import OPERATIONS as _BUCKETS
from nitro_workflow.cloud.local.s3.deletes import OPERATIONS as _DELETES
from nitro_workflow.cloud.local.s3.lists import OPERATIONS as _LISTS
from nitro_workflow.cloud.local.s3.multipart import OPERATIONS as _MULTIPART
from nitro_workflow.cloud.local.s3.object_files import SCHEMA, admits, sweep
from nitro_workflow.cloud.local.s3.objects import OPERATIONS as _OBJECTS

__all__ = ["OPERATIONS", "SCHEMA", "admits", "sweep"]

OPERATIONS: Mapping[str, Handler] = {**_BUCKETS, **_DELETES, **_LISTS, **_MULTIPART, **_OBJECTS}
