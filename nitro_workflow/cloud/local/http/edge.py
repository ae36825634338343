"""The HTTP edge: Starlette's application in front of the dispatcher.

The event loop moves bytes and makes the answers that take no longer than handing them over; all
else runs in a small pool of threads: what writes, and so waits for the disk, and what computes for
long. A slow sender costs a coroutine, not a thread.

The order is one for all: limits that the head breaks, whose key signed, then the body, within its
limit and while there is room for it; then the dispatcher proves the signature, reads, asks the gate
and acts. Callers share what there is of each (`shares`).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from nitro_workflow.cloud.local import budgets
from nitro_workflow.cloud.local.call import BodyFile, LongAnswer, ServiceFault
from nitro_workflow.cloud.local.dispatch import Arrival, Dispatcher
from nitro_workflow.cloud.local.http.answering import send_answer, to_somebody
from nitro_workflow.cloud.local.http.incoming import Disconnected, Incoming
from nitro_workflow.cloud.local.http.intake import Intake
from nitro_workflow.cloud.local.http.intake_plan import IntakePlan
from nitro_workflow.cloud.local.http.request_head import body_plan, check_head, raw_request
from nitro_workflow.cloud.local.http.shares import Room, Turns
from nitro_workflow.cloud.local.http.tidying import keep_tidy
from nitro_workflow.cloud.local.process_memory import keep_for_good
from nitro_workflow.cloud.local.protocol import FileSlice, RawRequest, RawResponse
from nitro_workflow.started_threads import start_threads

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["AccessLog", "make_app"]

HEALTH = "/_nitro/health"  # no bucket can have an underscore in its name
# Handing over costs a fifth of a millisecond, these calls themselves hardly more
# (benchmarks/kms.py); and cryptography's signatures hold the interpreter in whichever thread.
_QUICK = frozenset(
    {
        "Decrypt",
        "DescribeKey",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateRandom",
        "ReEncrypt",
    }
)
P = ParamSpec("P")
T = TypeVar("T")
AccessLog = Callable[[Mapping[str, Any]], None]


def _bodies() -> Room:
    most = budgets.BODIES_BYTES, budgets.CALLER_BODIES_BYTES
    return Room(*most, budgets.ROOM_SECONDS, budgets.CALLER_BODIES_WAITING)


def _objects(total: int, for_one: int) -> Callable[[], Room]:
    return lambda: Room(total, for_one, budgets.ROOM_SECONDS, budgets.CALLER_OBJECTS_WAITING)


@dataclass(slots=True)
class _Edge:
    dispatcher: Dispatcher
    pool: ThreadPoolExecutor
    digesting: ThreadPoolExecutor
    beside: ThreadPoolExecutor
    log: AccessLog
    bodies: Room = field(default_factory=_bodies)
    uploads: Room = field(default_factory=_objects(budgets.UPLOADS, budgets.CALLER_UPLOADS))
    downloads: Room = field(default_factory=_objects(budgets.DOWNLOADS, budgets.CALLER_DOWNLOADS))
    threads: Turns = field(default_factory=lambda: Turns(budgets.THREADS, budgets.CALLER_THREADS))
    discarding: int = 0
    rounds: Turns = field(default_factory=lambda: Turns(1, 1, by_round=True))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        body = Incoming(raw_request(scope), receive)
        try:
            response = await self._answer(scope, body, send)
        except Disconnected:
            return
        self._note(body.request, response, started)

    async def _answer(self, scope: Scope, body: Incoming, send: Send) -> RawResponse:
        """Answer a request; return what was sent."""
        request = body.request
        arrival: Arrival | None = None
        try:
            check_head(request, body)
            found = self.dispatcher.arrive(request)
            if isinstance(found, RawResponse):
                return await self._send(None, found, request, body, send)
            arrival = found
            take = self._take_object if arrival.streams else self._take_call
            response = await take(arrival, request, body)
            if not isinstance(response.body, FileSlice):
                return await self._send(arrival, response, request, body, send)
            with response.body.file:
                async with self.downloads.hold(arrival.lane, 1):
                    to_them = to_somebody(scope, send)
                    return await self._send(arrival, response, request, body, to_them)
        except ServiceFault as fault:
            return await self._refuse(arrival, request, fault, body, send)

    async def _refuse(
        self,
        arrival: Arrival | None,
        request: RawRequest,
        fault: ServiceFault,
        body: Incoming,
        send: Send,
    ) -> RawResponse:
        if arrival is None:
            response = self.dispatcher.refuse_unread(request, fault)
        else:
            response = self.dispatcher.refuse(arrival, request, fault)
        return await self._send(arrival, response, request, body, send)

    async def _send(
        self,
        arrival: Arrival | None,
        response: RawResponse,
        request: RawRequest,
        body: Incoming,
        send: Send,
    ) -> RawResponse:
        known = arrival is not None and arrival.who.claim is not None
        most = budgets.DISCARDED_BYTES if known else budgets.STRANGER_DISCARDED_BYTES
        self.discarding += 1
        try:
            some = self.discarding <= budgets.DISCARDED_AT_ONCE
            settled = await body.settle(response, most if some else 0)
        finally:
            self.discarding -= 1
        await send_answer(settled, request.method, send)
        return settled

    async def _take_call(
        self, arrival: Arrival, request: RawRequest, incoming: Incoming
    ) -> RawResponse:
        """Take a body into memory, then finish."""
        is_s3 = arrival.service.name == "s3"
        limit = budgets.XML_BYTES if is_s3 else budgets.CALL_BYTES
        plan = body_plan(arrival, request, limit) if is_s3 else None
        size = incoming.size(limit)
        if size <= budgets.SMALL_BYTES:
            return await self._finish(arrival, request, await incoming.whole(limit), plan)
        async with self.bodies.hold(arrival.lane, size):
            return await self._finish(arrival, request, await incoming.whole(limit), plan)

    async def _finish(
        self, arrival: Arrival, request: RawRequest, content: bytes, plan: IntakePlan | None
    ) -> RawResponse:
        if plan is not None:
            with Intake(plan, None) as intake:
                intake.feed(content)
                intake.finish()
            content = bytes(intake.content)
        full = replace(request, body=content) if content else request
        if self._is_quick(arrival, full):
            with contextlib.suppress(LongAnswer):
                async with self.rounds.turn(arrival.lane):
                    return self.dispatcher.finish(arrival, full, on_loop=True)
        return await self._run(arrival, self.dispatcher.finish, arrival, full)

    def _is_quick(self, arrival: Arrival, request: RawRequest) -> bool:
        """Whether the answer takes less time than handing the request to a thread and back.

        Such a call writes nothing and waits for nothing. The limit lets a request with an
        attestation document pass as an NSM makes it, and no much longer one.
        """
        return (
            arrival.service.name == "kms"
            and arrival.operation in _QUICK
            and len(request.body) <= budgets.SMALL_BYTES
            and self.dispatcher.services.gate.weight(arrival.who.caller)
            <= budgets.LOOP_POLICY_CHARACTERS
        )

    async def _take_object(
        self, arrival: Arrival, request: RawRequest, incoming: Incoming
    ) -> RawResponse:
        """Take a body into a file, then finish; of who may not write, no byte reaches the disk."""
        plan = body_plan(arrival, request, budgets.OBJECT_BYTES)
        if not await self._run(arrival, self.dispatcher.admits, arrival, request):
            return await self._run(arrival, self.dispatcher.finish, arrival, request)
        path = self.dispatcher.services.settings.folder / "incoming" / uuid.uuid4().hex
        async with self.uploads.hold(arrival.lane, 1):
            try:
                with Intake(plan, path, self.beside) as intake:
                    last = await self._digest(intake, incoming)
                    body: BodyFile = await self._run(arrival, intake.finish, last)
                    return await self._run(arrival, self.dispatcher.finish, arrival, request, body)
            except OSError as error:
                raise _disk_fault(error) from None

    async def _digest(self, intake: Intake, incoming: Incoming) -> list[bytes]:
        """Let a thread digest and write what has come while more comes; return the last of it."""
        loop, batch, size = asyncio.get_running_loop(), list[bytes](), 0
        under_way: asyncio.Future[None] | None = None
        try:
            async for piece in incoming.pieces():
                batch.append(piece)
                size += len(piece)
                if size >= budgets.BATCH_BYTES and not incoming.complete:
                    if under_way is not None:
                        await under_way
                    under_way = loop.run_in_executor(self.digesting, intake.take, batch)
                    batch, size = [], 0
        finally:
            if under_way is not None:
                await under_way
        return batch

    async def _run(
        self, arrival: Arrival, function: Callable[P, T], *arguments: P.args, **_: P.kwargs
    ) -> T:
        async with self.threads.turn(arrival.lane):
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


def _disk_fault(error: OSError) -> ServiceFault:
    what = "is full" if error.errno == errno.ENOSPC else "failed"
    return ServiceFault("InternalError", f"The cloud's disk {what}; nothing was kept.", 500)


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def make_app(
    dispatcher: Dispatcher, *, log: AccessLog, on_start: Callable[[], Awaitable[None]] | None = None
) -> ASGIApp:
    """Return the ASGI application: `HEALTH`, and everything else to the dispatcher."""
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    pool = ThreadPoolExecutor(budgets.THREADS, thread_name_prefix="cloud")
    digesting = ThreadPoolExecutor(budgets.DIGEST_THREADS, thread_name_prefix="digest")
    beside = ThreadPoolExecutor(budgets.DIGEST_THREADS, thread_name_prefix="md5")

    async def health(_request: Any) -> JSONResponse:
        rows = dispatcher.services.store.read().execute("SELECT count(*) FROM accounts").fetchone()
        facts = {"accounts": rows[0], "pid": os.getpid(), "descriptors": _descriptors()}
        return JSONResponse({"status": "ok", **facts})

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        trimming = asyncio.create_task(keep_tidy(beside, dispatcher.services.store))
        # Each with its connection to the database: what the process holds is then the same from its
        # first request to its last.
        start_threads(pool, budgets.THREADS, dispatcher.services.store.read)
        for few in (digesting, beside):
            start_threads(few, budgets.DIGEST_THREADS)
        keep_for_good()
        if on_start is not None:
            await on_start()
        yield
        trimming.cancel()
        digesting.shutdown(wait=True)
        beside.shutdown(wait=True)
        pool.shutdown(wait=True)

    inner = Starlette(routes=[Route(HEALTH, health)], lifespan=lifespan)
    edge = _Edge(dispatcher, pool, digesting, beside, log)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        # The services' paths are raw bytes that no router must touch (keys like "//" and "%2F").
        plain = scope["type"] != "http" or scope["path"] == HEALTH
        await (inner if plain else edge)(scope, receive, send)

    return application
