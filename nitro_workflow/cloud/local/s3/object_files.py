"""Contents as files: kept, joined in the kernel, dropped, swept up after a process was killed."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nitro_workflow.cloud.local.call import Settings
from nitro_workflow.cloud.local.handler import Services
from nitro_workflow.cloud.local.protocol import new_checksum

__all__ = [
    "Piece",
    "digests",
    "drop_files",
    "join",
    "keep_file",
    "kept",
    "object_file",
    "sweep",
]

_BLOCK = 1024**2  # bytes read at a time to compute a digest


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes `start` to `start + length` of a kept content."""

    file: str
    start: int
    length: int


def object_file(settings: Settings, name: str) -> Path:
    """Return where the content of that name is kept."""
    return settings.folder / "objects" / name[:2] / name


def keep_file(services: Services, path: Path) -> str:
    """Move a finished file (already on the disk) among the objects; return its name.

    The folder is synced: when the row that names the file is committed, the file is there.
    """
    name = uuid.uuid4().hex
    target = object_file(services.settings, name)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Before the move: without a descriptor left, a content would stay that no row names.
    descriptor = os.open(target.parent, os.O_RDONLY)
    try:
        with kept(services, name):
            path.replace(target)
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return name


@contextmanager
def kept(services: Services, name: str) -> Iterator[str]:
    """Drop the content again when the block that names it in a row does not end well."""
    try:
        yield name
    except BaseException:
        drop_files(services, [name])
        raise


def drop_files(services: Services, names: Iterable[str | None]) -> None:
    """Delete contents that no row names any more; an open reader keeps what it reads."""
    for name in names:
        if name:
            object_file(services.settings, name).unlink(missing_ok=True)


def sweep(services: Services) -> int:
    """Delete what a killed process left: unfinished bodies, and files that no row names."""
    folder = services.settings.folder
    (folder / "incoming").mkdir(parents=True, exist_ok=True)
    for path in (folder / "incoming").iterdir():
        path.unlink()
    db = services.store.read()
    query = "SELECT file FROM objects WHERE file IS NOT NULL UNION SELECT file FROM upload_parts"
    known = {row["file"] for row in db.execute(query)}
    lost = [path for path in (folder / "objects").glob("*/*") if path.name not in known]
    for path in lost:
        path.unlink()
    return len(lost)


def join(services: Services, pieces: Iterable[Piece]) -> str:
    """Write the pieces one behind the other into a new content; return its name.

    Raises `FileNotFoundError`: a piece's content was deleted meanwhile.
    """
    draft = services.settings.folder / "incoming" / uuid.uuid4().hex
    try:
        # 0600, as a body that comes in one piece: the folder may be one that others can read.
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as target:
            for piece in pieces:
                _append(object_file(services.settings, piece.file), piece, target.fileno())
            os.fsync(target.fileno())
        return keep_file(services, draft)
    finally:
        draft.unlink(missing_ok=True)


def _append(path: Path, piece: Piece, target: int) -> None:
    with path.open("rb") as source:
        offset, end = piece.start, piece.start + piece.length
        while offset < end:
            sent = os.sendfile(target, source.fileno(), offset, end - offset)
            if not sent:
                raise FileNotFoundError(path.name)  # shorter than its row says
            offset += sent


def digests(services: Services, name: str, algorithms: Iterable[str]) -> tuple[bytes, list[bytes]]:
    """Return a content's MD5 and its checksums by these of S3's algorithms, in one reading."""
    md5 = hashlib.md5(usedforsecurity=False)
    sums = [new_checksum(algorithm) for algorithm in algorithms]
    with object_file(services.settings, name).open("rb") as file:
        while block := file.read(_BLOCK):
            for digest in (md5, *sums):
                digest.update(block)
    return md5.digest(), [digest.digest() for digest in sums]
