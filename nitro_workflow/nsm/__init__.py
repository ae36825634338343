"""The Nitro Security Module: its messages, byte for byte, and the module itself as a state machine.

>>> import os
>>> from datetime import UTC, datetime
>>> module = NsmModule("i-0-enc1", {0: bytes(48)}, lambda **fields: b"document", os.urandom)
>>> answer = module.handle(messages.encode_request(messages.DescribePcr(0)), datetime.now(UTC))
>>> messages.decode_pcr(answer).locked
True
"""

from __future__ import annotations

from nitro_workflow.nsm import messages
from nitro_workflow.nsm.module import FIELD_LIMIT, MAX_PCRS, NsmModule

__all__ = ["FIELD_LIMIT", "MAX_PCRS", "NsmModule", "messages"]
