"""The HTTP edge: Starlette's application in front of the dispatcher.

The event loop moves bytes and makes the answers that take no longer than handing them over; all
else runs in a small pool of threads: what writes, and so waits for the disk, and what computes for
long. A slow sender costs a coroutine, not a thread.
"""

from __future__ import annotations

import asyncio
import errno
import os
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from nitro_workflow.cloud.local.auth import UNSIGNED, SignatureFault, read_claim, signing_key
from nitro_workflow.cloud.local.call import ServiceFault
from nitro_workflow.cloud.local.catalogue import SERVICES, guess_service
from nitro_workflow.cloud.local.dispatch import Dispatcher, Opened
from nitro_workflow.cloud.local.http.chunks import ChunkDecoder, ChunkSigner
from nitro_workflow.cloud.local.http.incoming import Disconnected, Incoming
from nitro_workflow.cloud.local.http.intake import Intake
from nitro_workflow.cloud.local.http.intake_plan import (
    MAX_OBJECT_BYTES,
    MAX_PLAIN_BYTES,
    IntakePlan,
)
from nitro_workflow.cloud.local.protocol import (
    MAX_FIELDS,
    FileSlice,
    RawRequest,
    RawResponse,
    write_fault,
)

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["AccessLog", "make_app"]

HEALTH = "/_nitro/health"  # no bucket can have an underscore in its name
# Handing over costs a fifth of a millisecond, these calls themselves hardly more
# (benchmarks/kms.py); and cryptography's signatures hold the interpreter in whichever thread.
_QUICK = frozenset(
    f"TrentService.{name}"
    for name in (
        "Decrypt",
        "DescribeKey",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateRandom",
        "ReEncrypt",
    )
)
_QUICK_BYTES = 16 * 1024  # an attestation document is some 7 KB in base64
_THREADS = 8
_BLOCK = 256 * 1024  # bytes of an object read and sent at a time
P = ParamSpec("P")
T = TypeVar("T")
AccessLog = Callable[[Mapping[str, Any]], None]


@dataclass(slots=True)
class _Edge:
    dispatcher: Dispatcher
    pool: ThreadPoolExecutor
    log: AccessLog

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        request = _request(scope)
        body = Incoming(request, receive)
        try:
            response = await body.settle(await self._fault_or_answer(request, body))
        except Disconnected:
            return
        except ServiceFault as fault:  # a body that pauses while it is read away
            response = _early(request, fault)
        await _send(response, request.method, send)
        self._note(request, response, started)

    async def _fault_or_answer(self, request: RawRequest, body: Incoming) -> RawResponse:
        try:
            return await self._answer(request, body)
        except ServiceFault as fault:
            return _early(request, fault)

    async def _answer(self, request: RawRequest, body: Incoming) -> RawResponse:
        if request.query.count("&") >= MAX_FIELDS:
            # Before anybody is known: to decode them would keep all others waiting.
            raise ServiceFault("MalformedQueryString", "The query has too many fields.", 400)
        if _is_plain(request):
            full = replace(request, body=await body.whole())
            if _is_quick(full):
                return self.dispatcher.handle(full)
            return await self._run(self.dispatcher.handle, full)
        opened = await self._run(self.dispatcher.open, request)
        if isinstance(opened, RawResponse):
            return opened
        if opened.streams and not await self._run(self.dispatcher.admits, opened, request):
            # Who may not write sends into nothing: no byte of it reaches the disk.
            return await self._run(self.dispatcher.finish, opened, request)
        return await self._take_body(opened, request, body)

    async def _take_body(
        self, opened: Opened, request: RawRequest, incoming: Incoming
    ) -> RawResponse:
        plan = _plan(opened, request)
        settings = self.dispatcher.services.settings
        path = settings.folder / "incoming" / uuid.uuid4().hex if opened.streams else None
        with Intake(plan, path) as intake:
            try:
                async for piece in incoming.pieces():
                    intake.feed(piece)
                body = await self._run(intake.finish)
            except ServiceFault as fault:
                return write_fault(opened.service.protocol, fault, opened.request_id)
            except OSError as error:
                return write_fault("rest-xml", _disk_fault(error), opened.request_id)
            full = replace(request, body=bytes(intake.content))
            return await self._run(
                self.dispatcher.finish, opened, full, body if opened.streams else None
            )

    async def _run(self, function: Callable[P, T], *arguments: P.args, **_: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.pool, function, *arguments)

    def _note(self, request: RawRequest, response: RawResponse, started: float) -> None:
        # Never the query: a presigned URL is a credential. Never a header but these.
        self.log(
            {
                "method": request.method,
                "path": request.path,
                "target": request.headers.get("x-amz-target", ""),
                "status": response.status,
                "milliseconds": round((time.perf_counter() - started) * 1000, 2),
                "request_id": response.headers.get(
                    "x-amzn-requestid", response.headers.get("x-amz-request-id", "")
                ),
                "source_ip": request.source_ip,
            }
        )


def _request(scope: Scope) -> RawRequest:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    client = scope.get("client") or ("", 0)
    return RawRequest(
        method=scope["method"],
        path=scope.get("raw_path", scope["path"].encode()).decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        secure=scope["scheme"] == "https",
        source_ip=client[0],
    )


def _is_plain(request: RawRequest) -> bool:
    """Whether the body is small and must be at hand to know the operation: all but S3.

    The claim that is verified decides, and nothing beside it: were a second, unsigned credential
    believed here, the body would go a way on which the signed digest is not compared with it.
    """
    try:
        claim = read_claim(request)
    except SignatureFault:
        return False  # refused before any body is taken
    return (claim.service if claim else guess_service(request)) != "s3"


def _early(request: RawRequest, fault: ServiceFault) -> RawResponse:
    """Return the answer to a request of which nothing but its head has been looked at."""
    protocol = SERVICES[guess_service(request)].protocol
    return write_fault(protocol, fault, str(uuid.uuid4()))


def _disk_fault(error: OSError) -> ServiceFault:
    what = "is full" if error.errno == errno.ENOSPC else "failed"
    return ServiceFault("InternalError", f"The cloud's disk {what}; nothing was kept.", 500)


def _is_quick(request: RawRequest) -> bool:
    """Whether the answer takes less time than handing the request to a thread and back.

    Such a call writes nothing and waits for nothing. The limit lets a request with an attestation
    document pass as an NSM makes it, and no much longer one.
    """
    target = request.headers.get("x-amz-target", "")
    return target in _QUICK and len(request.body) <= _QUICK_BYTES


def _plan(opened: Opened, request: RawRequest) -> IntakePlan:
    headers, claim = request.headers, opened.who.claim
    payload = claim.payload if claim else ""
    # What was signed says how the body comes; Content-Encoding need not be signed.
    chunked = payload.startswith("STREAMING") or (
        payload in ("", UNSIGNED) and "aws-chunked" in headers.get("content-encoding", "")
    )
    signer = None
    if claim is not None and payload.startswith("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"):
        key = signing_key(claim, opened.who.secret)
        trailer = payload.endswith("-TRAILER")
        signer = ChunkSigner(key, claim.timestamp, claim.scope, claim.signature, trailer)
    return IntakePlan.of(
        headers,
        payload=payload,
        decoder=ChunkDecoder(signer) if chunked else None,
        limit=MAX_OBJECT_BYTES if opened.streams else MAX_PLAIN_BYTES,
        checksummed=opened.operation != "CompleteMultipartUpload",
    )


async def _send(response: RawResponse, method: str, send: Send) -> None:
    body = response.body
    length = body.length if isinstance(body, FileSlice) else len(body)
    headers = dict(response.headers)
    if method != "HEAD" or "content-length" not in headers:
        headers["content-length"] = str(length)
    pairs = [(name.encode("latin-1"), text.encode("utf-8")) for name, text in headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": pairs})
    if isinstance(body, FileSlice):
        await _send_file(body, method, send)
    else:
        content = b"" if method == "HEAD" else body
        await send({"type": "http.response.body", "body": content})


async def _send_file(part: FileSlice, method: str, send: Send) -> None:
    with part.file as file:
        left = 0 if method == "HEAD" else part.length
        file.seek(part.start)
        while left:
            block = file.read(min(_BLOCK, left))
            if not block:
                return  # the file is shorter than it was: the client sees a cut body
            left -= len(block)
            await send({"type": "http.response.body", "body": block, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def make_app(
    dispatcher: Dispatcher, *, log: AccessLog, on_start: Callable[[], Awaitable[None]] | None = None
) -> ASGIApp:
    """Return the ASGI application: `HEALTH`, and everything else to the dispatcher."""
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="cloud")

    async def health(_request: Any) -> JSONResponse:
        rows = dispatcher.services.store.read().execute("SELECT count(*) FROM accounts").fetchone()
        facts = {"accounts": rows[0], "pid": os.getpid(), "descriptors": _descriptors()}
        return JSONResponse({"status": "ok", **facts})

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        if on_start is not None:
            await on_start()
        yield
        pool.shutdown(wait=True)

    inner = Starlette(routes=[Route(HEALTH, health)], lifespan=lifespan)
    edge = _Edge(dispatcher, pool, log)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        # The services' paths are raw bytes that no router must touch (keys like "//" and "%2F").
        plain = scope["type"] != "http" or scope["path"] == HEALTH
        await (inner if plain else edge)(scope, receive, send)

    return application
