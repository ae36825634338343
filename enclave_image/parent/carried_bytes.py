"""What the proxy carried while a job ran: TLS records, which nobody on the instance can open."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from enclave_image.job_protocol import b64
from nitro_workflow.vsock import read_pieces

__all__ = ["carried_since"]

MOST: Final = 64 * 1024
"""Bytes of one direction that a job's record holds: a call to KMS has 8 KiB."""

DIRECTIONS: Final = {"to_kms": ("enclave", "kms"), "from_kms": ("kms", "enclave")}


def carried_since(pieces: Path, begun: float) -> dict[str, str]:
    """Return direction → base64 of what passed since ``begun``, seconds since 1970.

    Nothing where the proxy keeps nothing, as AWS's does.
    """
    found = read_pieces(pieces, begun, time.time())
    return {name: b64(found[way][:MOST]) for name, way in DIRECTIONS.items() if way in found}
