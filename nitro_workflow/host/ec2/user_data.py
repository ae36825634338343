"""User data: the start of a parent instance as one text, the same for the same values.

`parent_start.sh` is the text; its values come before it, quoted. EC2 takes 16 KiB.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nitro_workflow.cloud import Endpoint
from nitro_workflow.errors import HostError
from nitro_workflow.host.ec2.instance_places import FOLDER, PROGRAM
from nitro_workflow.host.instance.instance_spec import config

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from nitro_workflow.host.ec2.images_bucket import SentFile
    from nitro_workflow.host.instance.instance_spec import ParentPrograms

__all__ = ["ParentStart", "start_script"]

LIMIT: Final = 16 * 1024
"""Bytes, before base64. [src: EC2 user guide, instance user data]"""

RETRY_SECONDS: Final = 10
_STEP: Final = re.compile(r"^(?=begin (\w+)$)", re.MULTILINE)
"""Where a step of the script begins."""
PYTHON: Final = "python3.12"
"""AL2023's own is 3.9; it has 3.11 to 3.14 beside it. [src: AL2023 user guide, Python]"""


@dataclass(frozen=True, slots=True)
class ParentStart:
    """What an instance is to become. ``stop_minutes`` 0: it does not end itself."""

    region: str
    kms: str
    program: SentFile
    parent: ParentPrograms
    memory_mib: int
    cpus: int
    stop_minutes: int

    def text(self) -> str:
        """Return the script; raises `HostError` where it is longer than EC2 takes."""
        text = start_script(self._values())
        if len(text.encode()) > LIMIT:
            raise HostError(
                f"user data of {len(text.encode())} bytes",
                expected=f"at most {LIMIT}",
                where="host ec2",
                next="this is a fault of the package: report it",
            )
        return text

    def _values(self) -> dict[str, str]:
        at = Endpoint(self.kms, "")
        return {
            "REGION": self.region,
            "BUCKET": self.program.bucket,
            "KEY": self.program.key,
            "SHA256": self.program.sha256,
            "KMS_HOST": at.host,
            "KMS_PORT": str(at.port),
            "MEMORY_MIB": str(self.memory_mib),
            "CPUS": str(self.cpus),
            "STOP_MINUTES": str(self.stop_minutes),
            "PAUSE": str(RETRY_SECONDS),
            "PROGRAMS": config(FOLDER, at, self.parent, python=PYTHON, root=PROGRAM),
        }


def start_script(values: Mapping[str, str], steps: Collection[str] = ()) -> str:
    """Return the script with its values; ``steps``: these alone, such as ``pages``, else all.

    >>> "allocator.yaml" in start_script({"CPUS": "2", "MEMORY_MIB": "1024"}, ["allocator"])
    True
    """
    body = Path(__file__).with_name("parent_start.sh").read_text("utf-8")
    first, *others = _STEP.split(body)
    named = zip(others[::2], others[1::2], strict=True)
    chosen = [text for name, text in named if not steps or name in steps]
    lines = [f"readonly {name}={shlex.quote(value)}" for name, value in values.items()]
    return "\n".join(("#!/bin/bash", *lines, first + "".join(chosen)))
