"""Making a bucket that no policy and no list opens to the public, and that takes TLS only."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud.client_errors import error_code

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["make_bucket", "no_plain_http", "shut_bucket", "tls_only_policy"]

_EVERYTHING: Final = (
    *("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"),
)


def make_bucket(s3: Any, bucket: str, region: str) -> None:
    """Make the bucket where this account has none of that name; raises botocore's errors."""
    from botocore.exceptions import ClientError

    # us-east-1 alone takes no LocationConstraint (S3 API Reference, CreateBucket).
    place = {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        s3.create_bucket(Bucket=bucket, **({} if region == "us-east-1" else place))
    except ClientError as error:
        if error_code(error) != "BucketAlreadyOwnedByYou":
            raise


def shut_bucket(s3: Any, bucket: str, tags: Mapping[str, str]) -> None:
    """Let no policy and no ACL open the bucket to the public, ever; tag it as the lab's."""
    s3.put_public_access_block(
        Bucket=bucket, PublicAccessBlockConfiguration=dict.fromkeys(_EVERYTHING, True)
    )
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": listed})


def no_plain_http(bucket: str) -> dict[str, Any]:
    """Return the statement that denies whatever comes without TLS."""
    arn = f"arn:aws:s3:::{bucket}"
    return {
        "Sid": "NothingInTheClear",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def tls_only_policy(bucket: str) -> str:
    """Return the policy of a bucket whose users have their rights by their own, as JSON."""
    return json.dumps({"Version": "2012-10-17", "Statement": [no_plain_http(bucket)]})
