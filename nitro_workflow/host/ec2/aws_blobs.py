"""AWS's boot parts for images: a folder that the user names, else what the parent's package has.

Kernel, init and NSM driver see everything in an enclave. Those from the instance came through the
administrator's hands: they are taken only where they are the ones that AWS publishes, by the ids
that git gives to files. Others are kept aside, for the owner to look at.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nitro_workflow.atomic import write_atomic
from nitro_workflow.errors import HostError, ImageRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nitro_workflow.image import BootParts

__all__ = ["NO_BOOT_PARTS", "PUBLISHED", "SETTING", "boot_parts_of", "keep_blobs"]

SETTING: Final = "NITRO_CLI_BLOBS"
"""nitro-cli's own name for the folder."""

NO_BOOT_PARTS: Final = "NoBootParts"
"""Code of the error where there are none yet."""

PUBLISHED: Final[Mapping[str, Mapping[str, str]]] = {
    "x86_64": {
        "bzImage": "1b7b48cfb6eab842005d3f80a46d0225a27f9fc2",
        "bzImage.config": "c8cfce416c1c54271049cb294ff37075bedcb568",
        "cmdline": "b3b51ddf3555e116d0bb2b5d9354c93036868ab1",
        "init": "122b5d1514316b1b553fb486445fe1482a48b8c8",
        "nsm.ko": "24cbfe5dd041b75d731bd3feda9748b75883be7f",
    },
    "aarch64": {
        "Image": "5503018854dbc9ff4e3356d0912eb8d3256c6af6",
        "Image.config": "864df6a87e07746cb2d04dfe5ff8534cd87d2d7e",
        "cmdline": "347d16b9720a63744e2018431250fbac2658721d",
        "init": "4825177283ee249df32fc07e129805380fe62a64",
        "nsm.ko": "1f3fd871816513430a5a5911ca729dded5bb5409",
    },
}
"""Architecture → name → git's id of the file. [src: aws-nitro-enclaves-cli v1.5.0, blobs/]"""

LARGEST: Final = 64 << 20  # bytes of one part; the kernel has 10 MiB


def boot_parts_of(kept: Path) -> BootParts:
    """Return the parts of the named folder, else of ``kept``; raises `HostError`, `ImageError`."""
    from nitro_workflow.image import BootParts

    named = os.environ.get(SETTING)
    folder = Path(named) if named else kept
    if not folder.is_dir():
        raise HostError(
            f"no boot parts of AWS's: no folder {folder.name}",
            expected="bzImage, bzImage.config, cmdline, init and nsm.ko, as AWS publishes them",
            where=SETTING if named else "host ec2",
            next="clone github.com/aws/aws-nitro-enclaves-cli at its release, and set "
            f"{SETTING} to its folder blobs",
            code=NO_BOOT_PARTS if not named else "",
        )
    return BootParts.from_blobs(folder)


def keep_blobs(
    text: str, folder: Path, published: Mapping[str, Mapping[str, str]] = PUBLISHED
) -> Mapping[str, str]:
    """Keep the parts of the instance's archive (base64 of a tar); return name → SHA-256.

    Raises `HostError` for an archive that is none, `ImageRefused` for parts that nobody has
    published: those lie beside ``folder`` then, under another name.
    """
    parts = _parts(text, {name for names in published.values() for name in names})
    ids = {name: _git_id(data) for name, data in parts.items()}
    known = any(ids == dict(names) for names in published.values())
    place = folder if known else folder.with_name(f"{folder.name}-not-published")
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, data in parts.items():
        write_atomic(place / name, data, mode=0o600, failure=HostError)
    if not known:
        raise _unknown(ids, place, published)
    return {name: hashlib.sha256(data).hexdigest() for name, data in sorted(parts.items())}


def _git_id(data: bytes) -> str:
    """Return the id under which git stores a file."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _unknown(
    ids: Mapping[str, str], place: Path, published: Mapping[str, Mapping[str, str]]
) -> ImageRefused:
    known = {id_ for names in published.values() for id_ in names.values()}
    strange = sorted(name for name, id_ in ids.items() if id_ not in known) or ["a part is missing"]
    return ImageRefused(
        f"boot parts of the instance that AWS has not published: {', '.join(strange)}",
        expected="those of aws-nitro-enclaves-cli v1.5.0, folder blobs",
        where="P6, the parent's package",
        next=f"they lie in {place}: compare them with a later release's, and where they are those, "
        f"set {SETTING} to that folder",
    )


def _parts(text: str, names: set[str]) -> dict[str, bytes]:
    try:
        with tarfile.open(fileobj=io.BytesIO(base64.b64decode(text, validate=True))) as tar:
            return {one.name: _data(tar, one) for one in tar if one.name in names}
    except (ValueError, tarfile.TarError, TypeError) as error:
        raise _no_parts(f"an archive that cannot be read ({type(error).__name__})") from error


def _data(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    source = tar.extractfile(entry) if entry.isreg() and entry.size <= LARGEST else None
    if source is None:
        raise _no_parts(f"{entry.name}: no plain file of at most {LARGEST} bytes")
    return source.read()


def _no_parts(found: str) -> HostError:
    return HostError(
        found,
        expected="AWS's boot parts, as plain files",
        where="parent instance, /usr/share/nitro_enclaves/blobs",
        next="look at the package aws-nitro-enclaves-cli-devel on the instance",
    )
