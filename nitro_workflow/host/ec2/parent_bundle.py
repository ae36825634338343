"""The parent's program as one archive: our packages, and the pure-Python ones that they need there.

Files of what is installed here, in one order, with constant owners and times: the same files give
the same bytes. Compiled modules stay behind, since the instance has another Python.
"""

from __future__ import annotations

import gzip
import importlib.util
import io
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nitro_workflow.errors import HostError
from nitro_workflow.host.instance.instance_spec import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

__all__ = ["write_bundle"]

NEEDED: Final = (
    *("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3", "yaml"),
)
"""What the parent's program imports beside the standard library, all of it without C."""

SERVICES: Final = ("s3", "sts")
"""Of botocore's models, what the instance calls: the whole has 25 MiB."""

DATA: Final = (
    *("cacert.pem", "data/endpoints.json", "data/partitions.json", "data/_retry.json"),
    "data/sdk-default-configuration.json",
)


def write_bundle(sink: BinaryIO, folders: Sequence[Path]) -> None:
    """Write the archive: this package, the ``folders`` beside it, and what they need.

    Raises `HostError` where one of the packages is not installed.
    """
    found: dict[str, Path] = {}
    for folder in (PACKAGE, *folders):
        found |= _code(folder, folder.name)
    for name in NEEDED:
        found |= _installed(name)
    with (
        gzip.GzipFile(fileobj=sink, mode="wb", compresslevel=6, mtime=0, filename="") as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for name, path in sorted(found.items()):
            _add(tar, name, path.read_bytes())


def _installed(name: str) -> dict[str, Path]:
    spec = importlib.util.find_spec(name)
    origin = Path(spec.origin) if spec is not None and spec.origin else None
    if origin is None:
        raise HostError(
            f"{name} is not installed",
            expected=", ".join(NEEDED),
            where="host ec2, the parent's program",
            next="install the package with its dependencies again",
        )
    if origin.name != "__init__.py":
        return {origin.name: origin}
    more = dict(_botocore(origin.parent)) if name == "botocore" else {}
    return _code(origin.parent, name) | more


def _code(folder: Path, name: str) -> dict[str, Path]:
    return {
        f"{name}/{path.relative_to(folder).as_posix()}": path
        for path in folder.rglob("*.py")
        if "__pycache__" not in path.parts
    }


def _botocore(folder: Path) -> Iterator[tuple[str, Path]]:
    paths = [folder / name for name in DATA]
    for service in SERVICES:
        paths += [path for path in (folder / "data" / service).rglob("*") if path.is_file()]
    for path in paths:
        if path.exists():
            yield f"botocore/{path.relative_to(folder).as_posix()}", path


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o644
    tar.addfile(entry, io.BytesIO(data))
