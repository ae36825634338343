"""Where a local cloud answers: the one record of it, and the one reader of ``endpoint.json``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from nitro_workflow.errors import CloudUnavailable

__all__ = ["Endpoint", "read_cloud_file", "serving_pid"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the local cloud answers: ``url``, and the path ``ca`` of the CA file it chains to."""

    url: str
    ca: str

    @classmethod
    def of(cls, lab: Path) -> Endpoint:
        """Read the lab folder's ``cloud/endpoint.json``; raises `CloudUnavailable`."""
        path = _place(lab)
        record = read_cloud_file(path, ("endpoint", "ca"))
        if record.get("inode") not in (None, path.parent.stat().st_ino):
            raise _unavailable(f"{path.name} of another lab, which this is a copy of", path)
        return cls(str(record["endpoint"]), str(record["ca"]))

    @property
    def host(self) -> str:
        """Return the host of the URL; "" for a damaged one."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """Return the port of the URL; raises `ValueError` for a damaged one."""
        return urlsplit(self.url).port or 443


def read_cloud_file(path: Path, needed: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the JSON object that a cloud wrote; raises `CloudUnavailable` for half of one."""
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        found = f"no {path.name}"
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None)
        found = f"{path.name}: {reason}" if reason else f"{path.name} that is not JSON"
    else:
        if isinstance(document, dict) and set(needed) <= document.keys():
            return document
        found = f"{path.name} without {' and '.join(needed)}"
    raise _unavailable(found, path)


def serving_pid(lab: Path) -> int:
    """Return which process has said that it answers for a lab; 0 for none.

    Of a cloud that was killed the file names that one, and goes at any moment.
    """
    try:
        return int(read_cloud_file(_place(lab), ("pid",))["pid"])
    except (CloudUnavailable, TypeError, ValueError):
        return 0


def _place(lab: Path) -> Path:
    return lab / "cloud" / "endpoint.json"


def _unavailable(found: str, path: Path) -> CloudUnavailable:
    return CloudUnavailable(
        found,
        expected="the file that a running cloud writes",
        where=str(path.parent.name),
        next="start the cloud: `nitro-workflow cloud serve`, or run any step of the workflow",
    )
