"""Streams of the Encryption SDK that a refusal leaves open.

Their `close` raises where the message was not read to its end. From Python 3.13 on, that is told
once more when the stream is dropped: as a traceback on stderr, an enclave's console or whichever
cell of a notebook runs by then (docs/reference/formats.md, Libraries).
"""

from __future__ import annotations

import io
import sys
import traceback

__all__ = ["end_left_streams"]


def end_left_streams(error: BaseException) -> None:
    """End, in silence, the SDK's streams in the calls through which an error came.

    `unpack_refusals` does it; a program that catches the SDK's errors by itself calls it.
    """
    sdk = sys.modules.get("aws_encryption_sdk.streaming_client")
    if sdk is None:
        return
    for frame, _ in traceback.walk_tb(error.__traceback__):
        for value in frame.f_locals.values():
            if isinstance(value, sdk.StreamDecryptor):
                io.IOBase.close(value)
