"""What programs do with S3 through other people's Python libraries: one step of one library.

Usage: main.py LIBRARY STEP BUCKET. Endpoint, CA and credentials come from the environment, as
``nitro-workflow cloud env`` prints them. Prints ``works``, or ``-`` for a step that the library has
not; a refusal is the library's own exception.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from pathlib import Path
from ssl import create_default_context
from typing import Any
from urllib.parse import urlsplit

SMALL, LARGE = b"small \xff", bytes(range(256)) * (12 * 4096)
ODD = "dir/a b+ü.bin"
CA, ENDPOINT = os.environ.get("SSL_CERT_FILE", ""), os.environ["AWS_ENDPOINT_URL"]


def same(found: bytes, wanted: bytes) -> None:
    if hashlib.sha256(found).digest() != hashlib.sha256(wanted).digest():
        raise ValueError(f"{len(found)} bytes that are not the {len(wanted)} that were written")


class S3fs:
    def __init__(self, bucket: str) -> None:
        import s3fs

        self.fs, self.at = s3fs.S3FileSystem(), bucket

    def small(self) -> None:
        self.fs.pipe(f"{self.at}/{ODD}", SMALL)
        same(self.fs.cat(f"{self.at}/{ODD}"), SMALL)

    def large(self) -> None:
        with self.fs.open(f"{self.at}/large", "wb", block_size=5 * 2**20) as file:
            file.write(LARGE)
        with self.fs.open(f"{self.at}/large", "rb", block_size=2**20) as file:
            same(file.read(), LARGE)

    def listing(self) -> None:
        assert self.fs.ls(f"{self.at}/dir") == [f"{self.at}/{ODD}"]
        assert self.fs.find(self.at) == sorted([f"{self.at}/{ODD}", f"{self.at}/large"])

    def copy(self) -> None:
        self.fs.copy(f"{self.at}/large", f"{self.at}/copied")
        self.fs.mv(f"{self.at}/copied", f"{self.at}/moved")
        same(self.fs.cat(f"{self.at}/moved"), LARGE)
        assert not self.fs.exists(f"{self.at}/copied")

    def tags(self) -> None:
        self.fs.put_tags(f"{self.at}/large", {"k": "v"})
        assert self.fs.get_tags(f"{self.at}/large") == {"k": "v"}

    def conditional(self) -> None:
        self.fs.pipe(f"{self.at}/once", SMALL, mode="create")
        try:
            self.fs.pipe(f"{self.at}/once", LARGE, mode="create")
        except FileExistsError:
            return
        raise ValueError("written twice")

    def presigned(self) -> None:
        same(fetch(self.fs.url(f"{self.at}/large")), LARGE)

    def public(self) -> None:
        self.fs.chmod(f"{self.at}/large", acl="public-read")

    def delete(self) -> None:
        self.fs.rm(f"{self.at}/dir", recursive=True)
        self.fs.rm([f"{self.at}/large"])
        assert not self.fs.exists(f"{self.at}/{ODD}")


class SmartOpen:
    def __init__(self, bucket: str) -> None:
        self.at = f"s3://{bucket}"

    def write(self, name: str, data: bytes) -> None:
        from smart_open import open as smart

        with smart(f"{self.at}/{name}", "wb") as file:
            file.write(data)
        with smart(f"{self.at}/{name}", "rb") as file:
            same(file.read(), data)

    def small(self) -> None:
        self.write(ODD, SMALL)

    def large(self) -> None:
        self.write("large", LARGE)

    def listing(self) -> None:
        from smart_open.s3 import iter_bucket

        found = dict(iter_bucket(self.at.removeprefix("s3://"), workers=1))
        assert sorted(found) == sorted([ODD, "large"])


class Pyarrow:
    def __init__(self, bucket: str) -> None:
        from pyarrow.fs import S3FileSystem

        where = urlsplit(ENDPOINT)
        given = {"endpoint_override": where.netloc, "scheme": where.scheme}
        self.fs, self.at = S3FileSystem(**given, tls_ca_file_path=CA), bucket

    def write(self, name: str, data: bytes) -> None:
        with self.fs.open_output_stream(f"{self.at}/{name}") as file:
            file.write(data)
        with self.fs.open_input_stream(f"{self.at}/{name}") as file:
            same(file.read(), data)

    def small(self) -> None:
        self.write(ODD, SMALL)

    def large(self) -> None:
        self.write("large", LARGE)

    def listing(self) -> None:
        from pyarrow.fs import FileSelector

        found = self.fs.get_file_info(FileSelector(self.at, recursive=True))
        files = sorted(one.path for one in found if one.is_file)
        assert files == sorted([f"{self.at}/{ODD}", f"{self.at}/large"])

    def copy(self) -> None:
        self.fs.copy_file(f"{self.at}/large", f"{self.at}/copied")
        self.fs.move(f"{self.at}/copied", f"{self.at}/moved")
        with self.fs.open_input_stream(f"{self.at}/moved") as file:
            same(file.read(), LARGE)

    def delete(self) -> None:
        self.fs.delete_file(f"{self.at}/large")
        self.fs.delete_dir(f"{self.at}/dir")


class Minio:
    def __init__(self, bucket: str) -> None:
        from minio import Minio as Client
        from minio.credentials import EnvAWSProvider

        region = os.environ["AWS_REGION"]
        given = {"credentials": EnvAWSProvider(), "region": region}
        self.at, self.client = bucket, Client(urlsplit(ENDPOINT).netloc, **given)

    def read(self, name: str) -> bytes:
        answer = self.client.get_object(self.at, name)
        try:
            return answer.read()
        finally:
            answer.close()
            answer.release_conn()

    def write(self, name: str, data: bytes) -> None:
        from io import BytesIO

        self.client.put_object(self.at, name, BytesIO(data), len(data), part_size=5 * 2**20)
        same(self.read(name), data)

    def small(self) -> None:
        self.write(ODD, SMALL)

    def large(self) -> None:
        self.write("large", LARGE)

    def listing(self) -> None:
        found = [one.object_name for one in self.client.list_objects(self.at, recursive=True)]
        assert found == sorted([ODD, "large"])

    def copy(self) -> None:
        from minio.commonconfig import ComposeSource, CopySource

        self.client.copy_object(self.at, "copied", CopySource(self.at, "large"))
        same(self.read("copied"), LARGE)
        parts = [ComposeSource(self.at, "large"), ComposeSource(self.at, ODD)]
        self.client.compose_object(self.at, "composed", parts)
        same(self.read("composed"), LARGE + SMALL)

    def tags(self) -> None:
        from minio.commonconfig import Tags

        tags = Tags.new_object_tags()
        tags["k"] = "v"
        self.client.set_object_tags(self.at, "large", tags)
        assert dict(self.client.get_object_tags(self.at, "large") or {}) == {"k": "v"}

    def presigned(self) -> None:
        same(fetch(self.client.presigned_get_object(self.at, "large")), LARGE)

    def delete(self) -> None:
        from minio.deleteobjects import DeleteObject

        errors = list(
            self.client.remove_objects(self.at, [DeleteObject(ODD), DeleteObject("large")])
        )
        assert errors == []


class Cloudpathlib:
    def __init__(self, bucket: str) -> None:
        from cloudpathlib import S3Client

        self.folder = tempfile.mkdtemp()
        client = S3Client(endpoint_url=ENDPOINT, local_cache_dir=self.folder)
        self.root = client.CloudPath(f"s3://{bucket}")

    def write(self, name: str, data: bytes) -> None:
        (self.root / name).write_bytes(data)
        (self.root / name).clear_cache()
        same((self.root / name).read_bytes(), data)

    def small(self) -> None:
        self.write(ODD, SMALL)

    def large(self) -> None:
        self.write("large", LARGE)

    def listing(self) -> None:
        found = sorted(path.key for path in self.root.rglob("*") if path.is_file())
        assert found == sorted([ODD, "large"])

    def copy(self) -> None:
        moved = (self.root / "large").copy(self.root / "copied").rename(self.root / "moved")
        same(moved.read_bytes(), LARGE)

    def presigned(self) -> None:
        same(fetch((self.root / "large").as_url(presign=True, expire_seconds=60)), LARGE)

    def delete(self) -> None:
        (self.root / "dir").rmtree()
        (self.root / "large").unlink()
        assert not (self.root / "large").exists()


LIBRARIES: dict[str, Callable[[str], Any]] = {
    "cloudpathlib": Cloudpathlib, "minio": Minio, "pyarrow": Pyarrow, "s3fs": S3fs,
    "smart_open": SmartOpen,
}  # fmt: skip


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, context=create_default_context(cafile=CA)) as answer:
        return answer.read()


def main(library: str, step: str, bucket: str) -> None:
    run = getattr(LIBRARIES[library](bucket), step, None)
    if run is not None:
        run()
    print("works" if run is not None else "-")


if __name__ == "__main__":
    if not Path(CA).is_file():
        sys.exit("SSL_CERT_FILE names no file")
    main(*sys.argv[1:])
