"""Where a container image's blobs lie: a folder in OCI layout, or a tar file (OCI or docker save).

Only names that the image's own manifest gives are opened, each inside its folder or archive; every
blob with a digest is checked against it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import re
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final, Protocol

from nitro_workflow.errors import ImageError
from nitro_workflow.image.container.layer_compression import is_compressed, unpack_to
from nitro_workflow.image.container.tar_archive import open_tar, tar_members
from nitro_workflow.image.format import MAX_JSON, parse_json
from nitro_workflow.image.ramdisk import safe_path

_DIGEST: Final = re.compile(r"(sha256):([0-9a-f]{64})|(sha512):([0-9a-f]{128})")


class BlobStore(Protocol):
    """Files by their names inside the image."""

    def has(self, name: str) -> bool:
        """Tell whether there is such a file."""

    def open(self, name: str) -> IO[bytes]:
        """Open a file for reading. Raises `ImageError`."""


class FolderStore:
    """A folder; links are followed only while they stay inside it."""

    def __init__(self, folder: Path) -> None:
        self._root = folder.resolve()

    def has(self, name: str) -> bool:
        """See `BlobStore`."""
        return (self._root / name).is_file()

    def open(self, name: str) -> IO[bytes]:
        """See `BlobStore`."""
        path = (self._root / safe_path(name.encode())).resolve()
        if not path.is_relative_to(self._root) or not path.is_file():
            raise _missing(name)
        return path.open("rb")


class TarStore:
    """A tar file; links in it are followed inside it, as older docker save makes them."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self._members: dict[str, tarfile.TarInfo] = {}
        for member in tar_members(archive):
            name = safe_path(member.name.encode("utf-8", "surrogateescape"))
            self._members[name] = member

    def has(self, name: str) -> bool:
        """See `BlobStore`."""
        return name in self._members

    def open(self, name: str) -> IO[bytes]:
        """See `BlobStore`."""
        current = safe_path(name.encode())
        for _ in range(8):
            member = self._members.get(current)
            if member is None:
                break
            if member.isreg():
                stream = self._archive.extractfile(member)
                if stream is not None:
                    return stream
                break
            if not (member.issym() or member.islnk()):
                break
            current = _inside(current if member.issym() else "", member.linkname)
        raise _missing(name)


def _inside(start: str, link: str) -> str:
    """Return where a link in an archive leads, as a path inside it. Raises `ImageError`."""
    parts = start.split("/")[:-1]
    for part in link.split("/"):
        if part == "..":
            if not parts:
                raise _missing(link)
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


@contextlib.contextmanager
def open_store(path: Path) -> Iterator[BlobStore]:
    """Open a folder or a tar file, which may be compressed. Raises `ImageError`."""
    if path.is_dir():
        yield FolderStore(path)
        return
    with contextlib.ExitStack() as stack:
        try:
            if path.exists() and not path.is_file():  # a pipe without a writer would wait for ever
                raise OSError(errno.EINVAL, "neither a file nor a folder")  # noqa: TRY301
            file: IO[bytes] = stack.enter_context(path.open("rb"))
            if is_compressed(file.read(4)):
                file.seek(0)
                plain = stack.enter_context(tempfile.TemporaryFile())
                unpack_to(file, plain)
                file = plain
            file.seek(0)
            yield TarStore(stack.enter_context(open_tar(file)))
        except (OSError, tarfile.TarError) as error:
            raise ImageError(
                getattr(error, "strerror", None) or str(error),
                expected="an OCI layout (folder or tar) or a docker save archive",
                where=str(path),
                next="`docker save -o image.tar NAME` or `skopeo copy … oci:FOLDER` makes one.",
            ) from error


def read_json(store: BlobStore, name: str, descriptor: dict[str, Any] | None = None) -> Any:
    """Return a JSON file of at most `MAX_JSON` bytes, checked against its descriptor if given."""
    with store.open(name) as stream:
        data = stream.read(MAX_JSON + 1)
    if len(data) > MAX_JSON:
        raise _bad(name, f"more than {MAX_JSON} bytes", "at most MAX_JSON")
    if descriptor is not None:
        _check_digest(descriptor["digest"], hashlib.new(_algorithm(descriptor), data), name)
    try:
        value, _, _ = parse_json(data)
    except ValueError as error:
        raise _bad(name, f"not JSON: {error}", "JSON") from error
    return value


def digest_of(descriptor: Any) -> str:
    """Return a descriptor's digest. Raises `ImageError` for what is not one."""
    digest = descriptor.get("digest") if isinstance(descriptor, dict) else None
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise _bad("descriptor", f"digest {digest!r}", "sha256:… or sha512:…")
    return digest


def _algorithm(descriptor: dict[str, Any]) -> str:
    return str(descriptor["digest"]).partition(":")[0]


def copy_layer(
    store: BlobStore, name: str, digest: str | None, diff_id: Any, target: IO[bytes]
) -> None:
    """Write a layer, unpacked, to ``target``; check the blob's digest and the tar's (diff id).

    Raises `ImageError` for another digest, another compression, or more than `MAX_UNPACKED` bytes.
    """
    if not isinstance(diff_id, str) or not _DIGEST.fullmatch(diff_id):
        raise _bad(name, f"diff id {diff_id!r}", "sha256:…")
    packed = hashlib.new((digest or "sha256:").partition(":")[0])
    plain = hashlib.new(diff_id.partition(":")[0])
    with store.open(name) as stream:
        unpack_to(stream, target, packed, plain)
    if digest is not None:
        _check_digest(digest, packed, name)
    _check_digest(diff_id, plain, name)


def _check_digest(expected: str, digest: Any, where: str) -> None:
    found = f"{digest.name}:{digest.hexdigest()}"
    if found != expected:
        raise ImageError(
            found,
            expected=expected,
            where=where,
            next="The image is damaged or was changed: fetch or save it again.",
        )


def _bad(where: str, found: str, expected: str) -> ImageError:
    return ImageError(
        found, expected=expected, where=where, next="Save the image again with its own tool."
    )


def _missing(name: str) -> ImageError:
    return _bad(name, "no such file in the image", "every blob the manifest names")
