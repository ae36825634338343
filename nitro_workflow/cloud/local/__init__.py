"""The local cloud: one HTTPS endpoint that answers KMS, S3, IAM, STS, EC2 and CloudTrail.

Every request goes the same way: SigV4 (`sigv4`), the protocol of the service's botocore model
(`protocol`), the caller, the decision of `policy` (`gate`), one small handler an operation, one
decision record (`events`). `nitro-workflow cloud serve` starts it.
"""

from __future__ import annotations
