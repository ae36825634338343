"""Where a container image's blobs lie: a folder in OCI layout, or a tar file (OCI or docker save).

Only names that the image's own manifest gives are opened, each inside its folder or archive; every
blob with a digest is checked against it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final, Protocol

from nitro_workflow.errors import ImageError
from nitro_workflow.image.format import (
    MAX_ENTRIES,
    MAX_JSON,
    MAX_TAR_HEADER,
    MAX_UNPACKED,
    parse_json,
)
from nitro_workflow.image.ramdisk import safe_path

PIECE: Final = 1024 * 1024
_DIGEST: Final = re.compile(r"(sha256):([0-9a-f]{64})|(sha512):([0-9a-f]{128})")
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_GZIP: Final = b"\x1f\x8b"


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
    """Open a folder or a tar file, which may be gzip. Raises `ImageError`."""
    if path.is_dir():
        yield FolderStore(path)
        return
    with contextlib.ExitStack() as stack:
        try:
            file: IO[bytes] = stack.enter_context(path.open("rb"))
            if file.read(2) == _GZIP:
                file.seek(0)
                plain = stack.enter_context(tempfile.TemporaryFile())
                unpack_to(file, plain)
                file = plain
            file.seek(0)
            yield TarStore(stack.enter_context(open_tar(file)))
        except (OSError, tarfile.TarError) as error:
            raise ImageError(
                str(error),
                expected="an OCI layout (folder or tar) or a docker save archive",
                where=str(path),
                next="`docker save -o image.tar NAME` or `skopeo copy … oci:FOLDER` makes one.",
            ) from error


class _Guard(io.RawIOBase):
    """A file for `tarfile` that refuses records of more than `MAX_TAR_HEADER` bytes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_TAR_HEADER:
            raise ImageError(
                f"a tar record of {size} bytes",
                expected="at most MAX_TAR_HEADER",
                where=f"archive, byte {self._file.tell()}",
                next="No tool writes such a record: treat the archive as hostile.",
            )
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


def open_tar(file: IO[bytes]) -> tarfile.TarFile:
    """Open an uncompressed tar file whose headers are bounded. Raises `tarfile.TarError`."""
    return tarfile.TarFile(fileobj=_Guard(file), encoding="utf-8", errors="surrogateescape")


def tar_members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield the entries of a tar, each after the one before it, at most `MAX_ENTRIES`.

    Raises `ImageError`; also where a negative size would lead `tarfile` back, and round and round.
    """
    count, place = 0, -1
    while (member := archive.next()) is not None:
        count += 1
        if count > MAX_ENTRIES:
            raise _bad("archive", f"more than {MAX_ENTRIES} entries", "at most MAX_ENTRIES")
        if member.size < 0 or member.offset <= place:
            raise _bad(
                f"archive, byte {member.offset}", f"an entry of {member.size} bytes", "0 or more"
            )
        place = member.offset
        yield member


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


def blob_name(descriptor: Any) -> str:
    """Return a descriptor's blob as a file name. Raises `ImageError` for what is not a digest."""
    digest = descriptor.get("digest") if isinstance(descriptor, dict) else None
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise _bad("descriptor", f"digest {digest!r}", "sha256:… or sha512:…")
    return "blobs/" + digest.replace(":", "/")


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


def unpack_to(stream: IO[bytes], target: IO[bytes], packed: Any = None, plain: Any = None) -> None:
    """Copy a stream, gzip undone, hashing before and after. Raises `ImageError`."""
    written = 0
    for piece in _plain_pieces(stream, packed):
        written += len(piece)
        if written > MAX_UNPACKED:
            raise _bad("layer", f"more than {MAX_UNPACKED} bytes unpacked", "at most MAX_UNPACKED")
        if plain is not None:
            plain.update(piece)
        target.write(piece)
    target.flush()
    target.seek(0)


def _plain_pieces(stream: IO[bytes], packed: Any) -> Iterator[bytes]:
    inflate = None
    first = True
    while piece := stream.read(PIECE):
        if packed is not None:
            packed.update(piece)
        if first and piece.startswith(_ZSTD):
            raise _bad("layer", "a layer compressed with zstd", "tar, plain or gzip")
        if first and piece.startswith(_GZIP):
            inflate = _Inflate()
        first = False
        if inflate is None:
            yield piece
        else:
            yield from inflate.feed(piece)
    if inflate is not None:
        inflate.finish()


class _Inflate:
    """Gzip members one after the other, in pieces of at most 1 MiB."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)

    def feed(self, piece: bytes) -> Iterator[bytes]:
        while piece:
            if self._member.eof:
                piece = piece.lstrip(b"\0")
                if not piece:
                    return
                self._member = zlib.decompressobj(wbits=31)
            try:
                data = self._member.decompress(piece, PIECE)
            except zlib.error as error:
                raise _bad("layer", f"gzip that does not unpack: {error}", "gzip") from error
            yield data
            piece = self._member.unused_data if self._member.eof else self._member.unconsumed_tail

    def finish(self) -> None:
        if not self._member.eof:
            raise _bad("layer", "gzip that is cut", "a whole gzip stream")


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
