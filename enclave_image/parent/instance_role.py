"""What the parent does with the instance role: get objects, and lend its credentials (IMDSv2)."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from enclave_image.job_protocol import Credentials
from nitro_workflow.atomic import atomic_file, write_all
from nitro_workflow.cloud import cloud_errors
from nitro_workflow.errors import CloudUnavailable, NitroWorkflowError

__all__ = ["Fetched", "InstanceRole"]

CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class Fetched:
    """An object version on this instance's disk: ``size`` in bytes, ``sha256`` in hex."""

    path: Path
    size: int
    sha256: str
    version_id: str


class InstanceRole:
    """The role's session (boto3), and the folder where what it gets is kept."""

    def __init__(self, session: Any, folder: Path) -> None:
        self._session = session
        self._folder = folder
        self._arn = ""
        folder.mkdir(parents=True, exist_ok=True)

    def fetch(self, bucket: str, key: str, version_id: str) -> Fetched:
        """Get one object version (D1).

        Raises `AccessRefused` or `Refused` with the cloud's words, `CloudUnavailable`.
        """
        name = hashlib.sha256("\0".join((bucket, key, version_id)).encode()).hexdigest()
        path = self._folder / name
        with cloud_errors("D1, GetObject"):
            s3 = self._session.client("s3")
            try:
                found = s3.get_object(Bucket=bucket, Key=key, VersionId=version_id)
                size, digest = _store(found["Body"], path)
            finally:
                s3.close()
        return Fetched(path, size, digest, version_id)

    def arn(self) -> str:
        """Return the role's ARN as STS sees it, once known; empty where STS does not say."""
        if not self._arn:
            with contextlib.suppress(NitroWorkflowError), cloud_errors("D1, GetCallerIdentity"):
                sts = self._session.client("sts")
                self._arn = str(sts.get_caller_identity()["Arn"])
                sts.close()
        return self._arn

    def credentials(self) -> Credentials:
        """Take the role's credentials from IMDSv2: they give nothing without a document."""
        with cloud_errors("D2, IMDSv2"):
            found = self._session.get_credentials()
            frozen = found.get_frozen_credentials() if found else None
        if frozen is None:
            raise CloudUnavailable(
                "no credentials",
                expected="the instance role's, from IMDSv2",
                where="D2",
                next="give the instance an instance profile",
            )
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token or "")


def _store(body: Any, path: Path) -> tuple[int, str]:
    """Write a stream to a file that appears whole; return its length and SHA-256."""
    digest, size = hashlib.sha256(), 0
    with atomic_file(path) as fd:
        for chunk in body.iter_chunks(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            write_all(fd, chunk)
    return size, digest.hexdigest()
