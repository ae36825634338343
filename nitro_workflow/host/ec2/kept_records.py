"""What host `ec2` keeps in files, here and on the instance: one JSON object each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nitro_workflow.atomic import write_atomic
from nitro_workflow.errors import HostError
from nitro_workflow.regular_file import read_regular

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["keep_record", "read_record"]


def read_record(path: Path, limit: int) -> dict[str, Any]:
    """Return a record of at most ``limit`` bytes; {} where there is none, or half of one."""
    try:
        value = json.loads(read_regular(path, limit))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def keep_record(path: Path, values: Mapping[str, Any]) -> None:
    """Keep a record, private, whole, there after a power cut; raises `HostError`."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = json.dumps(values).encode()
    write_atomic(path, text, mode=0o600, durable=True, failure=HostError)
