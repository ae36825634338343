"""An answer on its way out: head and body, or a file in blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.cloud.local import budgets
from nitro_workflow.cloud.local.http.incoming import Disconnected
from nitro_workflow.cloud.local.protocol import FileSlice, RawResponse

if TYPE_CHECKING:
    from starlette.types import Message, Scope, Send

__all__ = ["IS_CLOSING", "send_answer", "to_somebody"]

IS_CLOSING = "nitro_workflow.is_closing"  # the extension of a scope that asks its connection


def to_somebody(scope: Scope, send: Send) -> Send:
    """Return a `send` that ends a file once nobody receives it any more.

    Uvicorn's own then does nothing, and waits for nothing: the rest of a file of 5 GB was read at
    once, and all others waited for it.

    The `send` raises `Disconnected`.
    """
    is_closing = scope["extensions"][IS_CLOSING]

    async def send_on(message: Message) -> None:
        if message.get("more_body") and is_closing():
            raise Disconnected
        await send(message)

    return send_on


async def send_answer(response: RawResponse, method: str, send: Send) -> None:
    """Send an answer; a file is closed by whoever opened it."""
    body = response.body
    length = body.length if isinstance(body, FileSlice) else len(body)
    headers = dict(response.headers)
    if response.status != 304 and (method != "HEAD" or "content-length" not in headers):
        headers["content-length"] = str(length)
    pairs = [(name.encode("latin-1"), text.encode("utf-8")) for name, text in headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": pairs})
    if isinstance(body, FileSlice):
        await _send_file(body, method, send)
    else:
        content = b"" if method == "HEAD" else body
        await send({"type": "http.response.body", "body": content})


async def _send_file(part: FileSlice, method: str, send: Send) -> None:
    left = 0 if method == "HEAD" else part.length
    part.file.seek(part.start)
    while left:
        block = part.file.read(min(budgets.BLOCK_BYTES, left))
        if not block:
            return  # the file is shorter than it was: the client sees a cut body
        left -= len(block)
        await send({"type": "http.response.body", "body": block, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
