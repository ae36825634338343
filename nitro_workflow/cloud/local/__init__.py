"""The local cloud: one HTTPS endpoint that answers KMS, S3, IAM, STS, EC2 and CloudTrail.

Every request goes the same way: the socket (`http`), its signature and caller (`auth`), the
operation and its parameters by botocore's model (`protocol`), the decision of `policy` (`gate`),
one small handler an operation (`kms`, `s3`, `iam`, `sts`, `ec2`, `cloudtrail`), one decision
record. `dispatch` is that way from one end to the other. `nitro-workflow cloud serve` starts it.

>>> from nitro_workflow.cloud.local import draw_keys
>>> sorted(draw_keys())
['111122223333', '444455556666', 'ec2.amazonaws.com']

Names are imported when they are used: the server's libraries take 0.3 s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from nitro_workflow.cloud.local.call import Settings
    from nitro_workflow.cloud.local.seed import draw_keys, write_private
    from nitro_workflow.cloud.local.serve import ServeOptions, tls_files

# `serve` is a module here, which `python -m` starts; the function stands in `nitro_workflow.cloud`.
__all__ = ["ServeOptions", "Settings", "draw_keys", "tls_files", "write_private"]

_HOMES = {
    "ServeOptions": "serve",
    "Settings": "call",
    "draw_keys": "seed",
    "tls_files": "serve",
    "write_private": "seed",
}

__getattr__ = lazy_names(__name__, _HOMES)
