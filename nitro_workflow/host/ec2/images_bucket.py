"""The developer's bucket, through which image and program reach the instance: named by digest.

What lies there is believed by nobody: the instance checks the digest that came another way.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from nitro_workflow.cloud import (
    INPUTS,
    cloud_errors,
    error_code,
    make_bucket,
    shut_bucket,
    tls_only_policy,
)
from nitro_workflow.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nitro_workflow.cloud import AwsCloud

__all__ = ["ImagesBucket", "SentFile"]


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file in the bucket; ``size`` in bytes, ``sha256`` in hex."""

    bucket: str
    key: str
    size: int
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """Return the fields by name, as the instance is told them."""
        return asdict(self)


class ImagesBucket:
    """The bucket of one lab; ``s3`` gives the developer's client."""

    def __init__(self, cloud: AwsCloud, s3: Callable[[], Any]) -> None:
        self._cloud = cloud
        self._s3 = s3
        self._made = False

    @property
    def name(self) -> str:
        """Return the bucket's name."""
        return self._cloud.names.images_bucket

    def send(self, path: Path, name: str = "") -> SentFile:
        """Put the file, where the bucket does not have these bytes yet.

        Raises botocore's errors, `HostError` where the bucket's name is somebody else's.
        """
        s3 = self._s3()
        self._ensure(s3)
        with path.open("rb") as source:
            digest = hashlib.file_digest(source, "sha256").hexdigest()
            size = source.tell()
            sent = SentFile(self.name, f"{INPUTS}{digest}/{name or path.name}", size, digest)
            if not _there(s3, sent):
                source.seek(0)
                s3.put_object(Bucket=sent.bucket, Key=sent.key, Body=source)
        return sent

    def _ensure(self, s3: Any) -> None:
        from botocore.exceptions import ClientError

        if self._made:
            return
        try:
            make_bucket(s3, self.name, self._cloud.region)
        except ClientError as error:
            if error_code(error) != "BucketAlreadyExists":
                raise
            raise HostError(
                f"bucket {self.name} belongs to somebody else",
                expected="a name that nobody has",
                where="host ec2, images bucket",
                next="`nitro-workflow aws teardown`, then a new lab with --lab: it has another id",
            ) from error
        shut_bucket(s3, self.name, self._cloud.tags)
        s3.put_bucket_policy(Bucket=self.name, Policy=tls_only_policy(self.name))
        self._made = True


def _there(s3: Any, sent: SentFile) -> bool:
    from botocore.exceptions import ClientError

    with cloud_errors(f"S3, HeadObject of {sent.key} in {sent.bucket} by the developer"):
        try:
            found = s3.head_object(Bucket=sent.bucket, Key=sent.key)
        except ClientError as error:
            if error_code(error) in ("404", "NoSuchKey", "NotFound"):
                return False
            raise  # a refusal says 403 and no more: an answer to HEAD has no body
    return int(found["ContentLength"]) == sent.size
