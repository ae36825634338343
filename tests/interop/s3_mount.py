"""s3fs-fuse: a bucket as a folder. Each step mounts it, does what a program does with files, unmounts.

A mount needs /dev/fuse and the right to mount (CAP_SYS_ADMIN), which not every machine gives.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["can_mount", "run_mounted"]

_DEADLINE_S = 30
_CAP_SYS_ADMIN = 21  # <linux/capability.h>


def can_mount() -> bool:
    """Whether this process may mount through FUSE."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"^CapEff:\s+([0-9a-f]+)", status, re.MULTILINE)
    able = found is not None and bool(int(found[1], 16) >> _CAP_SYS_ADMIN & 1)
    return able and os.access("/dev/fuse", os.R_OK | os.W_OK)


@contextmanager
def _mounted(
    words: list[str], bucket: str, environment: Mapping[str, str], folder: Path, *options: str
) -> Iterator[tuple[Path, Path]]:
    """Yield the mounted folder, and the file with what the program says."""
    at, log = folder / "mounted", folder / "s3fs.log"
    at.mkdir(exist_ok=True)
    url = f"url={environment['AWS_ENDPOINT_URL']}"
    chosen = [
        word for option in (url, "use_path_request_style", *options) for word in ("-o", option)
    ]
    with log.open("wb") as said:
        process = subprocess.Popen(
            [*words, bucket, str(at), "-f", "-o", "dbglevel=warn", *chosen],
            env=dict(environment), stdout=said, stderr=said,
        )  # fmt: skip
    try:
        until = time.monotonic() + _DEADLINE_S
        while not os.path.ismount(at):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        yield at, log
    finally:
        if process.poll() is None:
            subprocess.run(["umount", str(at)], check=False)
        process.wait(timeout=_DEADLINE_S)


def run_mounted(
    words: list[str], step: str, bucket: str, environment: Mapping[str, str], folder: Path,
    *, small: bytes, large: bytes, odd: str,
) -> str:  # fmt: skip
    """Do one step of the table; ``-`` where a folder has no such thing."""
    if step in ("tags", "conditional", "presigned"):
        return "-"
    options = ("default_acl=public-read",) if step == "public" else ()
    with _mounted(words, bucket, environment, folder, *options) as (at, log):
        match step:
            case "small" | "large":
                path, content = (at / odd, small) if step == "small" else (at / "large", large)
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(content)
            case "listing":
                assert _names(at) == sorted([odd, "large"])
                assert (at / odd).read_bytes() == small
                assert (at / "large").read_bytes() == large
            case "copy":
                (at / "large").rename(at / "moved")
                assert (at / "moved").read_bytes() == large
            case "public":
                with suppress(OSError):  # all that a program sees; the log has the cloud's word
                    (at / "open").write_bytes(small)
            case "delete":
                for name in _names(at):
                    (at / name).unlink()
                (at / odd).parent.rmdir()
                assert not any(at.iterdir())
    codes = re.findall(r"<Code>(\w+)</Code>", log.read_text())
    return f"refused: {codes[0]}" if codes else "works"


def _names(at: Path) -> list[str]:
    return sorted(str(path.relative_to(at)) for path in at.rglob("*") if path.is_file())
