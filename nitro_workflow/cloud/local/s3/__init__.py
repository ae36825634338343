"""S3 as far as its clients ask: buckets and their settings, objects with versions, copies, parts.

Bodies stream to files and back; SQLite holds what is said about them.

>>> sorted(OPERATIONS)[:3]
['AbortMultipartUpload', 'CompleteMultipartUpload', 'CopyObject']
"""

from __future__ import annotations

from collections.abc import Mapping

from nitro_workflow.cloud.local.handler import Handler
from nitro_workflow.cloud.local.s3.bucket_policies import OPERATIONS as _POLICIES
from nitro_workflow.cloud.local.s3.bucket_policies import forget
from nitro_workflow.cloud.local.s3.bucket_rows import SCHEMA, admits
from nitro_workflow.cloud.local.s3.bucket_settings import OPERATIONS as _SETTINGS
from nitro_workflow.cloud.local.s3.buckets import OPERATIONS as _BUCKETS
from nitro_workflow.cloud.local.s3.copies import OPERATIONS as _COPIES
from nitro_workflow.cloud.local.s3.deletes import OPERATIONS as _DELETES
from nitro_workflow.cloud.local.s3.lists import OPERATIONS as _LISTS
from nitro_workflow.cloud.local.s3.multipart import OPERATIONS as _MULTIPART
from nitro_workflow.cloud.local.s3.object_facts import OPERATIONS as _FACTS
from nitro_workflow.cloud.local.s3.object_files import sweep
from nitro_workflow.cloud.local.s3.objects import OPERATIONS as _OBJECTS
from nitro_workflow.cloud.local.s3.upload_lists import OPERATIONS as _UPLOADS

__all__ = ["OPERATIONS", "SCHEMA", "admits", "forget", "sweep"]

OPERATIONS: Mapping[str, Handler] = {
    **_BUCKETS,
    **_COPIES,
    **_DELETES,
    **_FACTS,
    **_LISTS,
    **_MULTIPART,
    **_OBJECTS,
    **_POLICIES,
    **_SETTINGS,
    **_UPLOADS,
}
