"""AWS's boot parts for images: a folder that the user names, else what the parent's package has.

Kernel, init and NSM driver are measured, and they see everything. Those from the instance came
through the administrator's hands, so their digests are shown, and whoever builds compares them with
AWS's own (github.com/aws/aws-nitro-enclaves-cli, folder blobs).
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
from nitro_workflow.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nitro_workflow.image import BootParts

__all__ = ["SETTING", "boot_parts_of", "keep_blobs"]

SETTING: Final = "NITRO_CLI_BLOBS"
"""nitro-cli's own name for the folder."""

NAMES: Final = frozenset(
    {"bzImage", "bzImage.config", "Image", "Image.config", "cmdline", "init", "nsm.ko"}
)
LARGEST: Final = 64 << 20  # bytes of one part
"""AWS's kernel has 10 MiB."""


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
            next="clone github.com/aws/aws-nitro-enclaves-cli at its release and set "
            f"{SETTING} to its folder blobs; or `nitro-workflow aws blobs` gets the parent's",
        )
    return BootParts.from_blobs(folder)


def keep_blobs(text: str, folder: Path) -> Mapping[str, str]:
    """Write the parts of the instance's archive (base64 of a tar); return name → SHA-256.

    Raises `HostError` for an archive with anything else in it.
    """
    parts = _parts(text)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, data in parts.items():
        write_atomic(folder / name, data, mode=0o600, failure=HostError)
    return {name: hashlib.sha256(data).hexdigest() for name, data in sorted(parts.items())}


def _parts(text: str) -> dict[str, bytes]:
    try:
        with tarfile.open(fileobj=io.BytesIO(base64.b64decode(text, validate=True))) as tar:
            return {one.name: _data(tar, one) for one in tar if one.name in NAMES}
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
