"""What a record of a call holds of its values: secrets as lengths, other bytes with their digest.

Which values are secret is AWS's own word (``sensitive`` in the service's model), and a few names
more for what its models leave out. What is cut can be told from what is not: it is a mapping.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

__all__ = ["SECRETS", "cut_headers", "cut_value"]

SECRETS: Final = frozenset(
    {
        "Plaintext",
        "PrivateKeyPlaintext",
        "SecretAccessKey",
        "SessionToken",
        "SharedSecret",
        "SSECustomerKey",
        "CopySourceSSECustomerKey",
        "Token",
    }
)
"""Names of members that are secret, whatever a model says of them."""

HEADERS: Final = (
    "Host",
    "X-Amz-Target",
    "Content-Type",
    "Authorization",
    "X-Amz-Security-Token",
    "x-amzn-RequestId",
    "x-amz-request-id",
    "x-amz-version-id",
)
"""What is kept of a request's and an answer's headers, in this order."""

TEXT: Final = 32 * 1024
"""Characters of a text that are kept: KMS takes key policies of as many bytes."""
DEPTH: Final = 16  # levels of a request: those of EC2, the deepest that is met, have six


def cut_value(value: Any, shape: Any = None, name: str = "", depth: int = DEPTH) -> Any:
    """Return JSON values; ``shape`` is botocore's, None where nothing is known of the value.

    Bytes become ``{"bytes", "sha256"}``, a secret ``{"bytes", "secret": true}``, an open file
    ``{"bytes", "file"}``.
    """
    metadata = getattr(shape, "metadata", {})
    if name in SECRETS or metadata.get("sensitive"):
        return _secret(value)
    if depth == 0:
        return "…"
    if isinstance(value, Mapping):
        return {
            str(key): cut_value(one, _member(shape, str(key)), str(key), depth - 1)
            for key, one in _pairs(value, shape)
        }
    if isinstance(value, list | tuple):
        inner = getattr(shape, "member", None)
        return [cut_value(one, inner, name, depth - 1) for one in value]
    return _scalar(value)


def _pairs(value: Mapping[Any, Any], shape: Any) -> Any:
    """Return the pairs; those of a map, whose order says nothing, sorted by name."""
    is_map = getattr(shape, "type_name", "") == "map"
    return sorted(value.items(), key=lambda pair: str(pair[0])) if is_map else value.items()


def _member(shape: Any, name: str) -> Any:
    """Return the shape of one member of a structure, or of a map's values."""
    members = getattr(shape, "members", None)
    return members.get(name) if members else getattr(shape, "value", None)


def _secret(value: Any) -> dict[str, Any]:
    size = len(value) if isinstance(value, str | bytes | bytearray) else 0
    return {"bytes": size, "secret": True}


def _scalar(value: Any) -> Any:
    if isinstance(value, bytes | bytearray):
        return {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value if len(value) <= TEXT else {"bytes": len(value.encode("utf-8", "replace"))}
    if isinstance(value, datetime):
        return value.isoformat()
    return _file(value) if hasattr(value, "read") else type(value).__name__


def _file(value: Any) -> dict[str, Any]:
    """Return what is known of a body that is read from somewhere, without reading it."""
    name = getattr(value, "name", "")
    label = Path(name).name if isinstance(name, str) else ""
    try:
        size = os.fstat(value.fileno()).st_size
    except (AttributeError, OSError, ValueError):
        return {"file": label}
    return {"bytes": size, "file": label}


def cut_headers(headers: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers that say something, without the credentials and the signature."""
    found = {str(name).lower(): _text(value) for name, value in headers.items()}
    kept = {name: found[name.lower()] for name in HEADERS if name.lower() in found}
    if "Authorization" in kept:
        kept["Authorization"] = _cut_authorization(kept["Authorization"])
    if token := kept.get("X-Amz-Security-Token"):
        kept["X-Amz-Security-Token"] = f"<secret cut: {len(token)} bytes>"
    return kept


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _cut_authorization(text: str) -> str:
    """Return SigV4's header with its scheme and signed headers only; anything else is cut whole."""
    signed = re.search(r"SignedHeaders=([a-z0-9;-]+)", text)
    if not text.startswith("AWS4-HMAC-SHA256 ") or signed is None:
        return "<cut>"
    return (
        f"AWS4-HMAC-SHA256 Credential=<cut>, SignedHeaders={signed[1]}, Signature=<signature cut>"
    )
