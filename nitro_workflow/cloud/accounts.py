"""Constants of the local cloud that more than one room needs, each once."""

from __future__ import annotations

from typing import Final

__all__ = ["COMPUTE_ACCOUNT", "DATA_ACCOUNT", "REGION"]

REGION: Final = "us-east-1"

DATA_ACCOUNT: Final = "111122223333"
"""The data owner's: the key and the bucket. An account id of AWS's documentation."""
COMPUTE_ACCOUNT: Final = "444455556666"
"""The developer's, the administrator's and the instance's."""
