"""One request's way through the cloud, whatever the service.

1. the service, from the signature's scope
2. the signature, and by it the caller
3. the operation and its parameters, by the model
4. the handler (which asks the gate)
5. the decision record
6. the answer, in the service's protocol
"""

from __future__ import annotations

import logging
import sqlite3
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from nitro_workflow.cloud.local.auth import (
    Authenticated,
    Claim,
    SignatureFault,
    authenticate,
    fault_of,
    read_claim,
)
from nitro_workflow.cloud.local.call import BodyFile, Call, ServiceFault
from nitro_workflow.cloud.local.catalogue import SERVICES, Service, guess_service
from nitro_workflow.cloud.local.gate import make_event
from nitro_workflow.cloud.local.handler import Handler, Services
from nitro_workflow.cloud.local.protocol import (
    RawRequest,
    RawResponse,
    find_operation,
    load_model,
    read_request,
    write_fault,
    write_result,
)

__all__ = ["Dispatcher", "Opened"]

_log = logging.getLogger("nitro_workflow.cloud")


@dataclass(frozen=True, slots=True)
class Opened:
    """A request after steps 1 to 3 (without its body's parameters): who wants what."""

    service: Service
    who: Authenticated
    operation: str
    request_id: str

    @property
    def streams(self) -> bool:
        """Whether the body is an object's content."""
        return self.service.name == "s3" and self.operation in ("PutObject", "UploadPart")


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """Serves requests on any thread. `clock` can be set by tests."""

    services: Services
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def open(self, request: RawRequest) -> Opened | RawResponse:
        """Do steps 1 to 3, or answer the refusal."""
        request_id = str(uuid.uuid4())
        protocol = SERVICES[guess_service(request)].protocol
        try:
            claim = read_claim(request)
            service = _service(request, claim)
            protocol = service.protocol
            who = self._authenticate(request, claim, service)
            operation = find_operation(load_model(service.name), request)
        except SignatureFault as fault:
            return write_fault(protocol, fault_of(fault, protocol), request_id)
        except ServiceFault as fault:
            return write_fault(protocol, fault, request_id)
        return Opened(service, who, operation, request_id)

    def admits(self, opened: Opened, request: RawRequest) -> bool:
        """Whether a streamed body is worth taking; where not, `finish` without it says why."""
        from nitro_workflow.cloud.local.s3 import admits

        call = self._call(opened, request, None)
        try:
            params = read_request(load_model(opened.service.name), opened.operation, request)
            return admits(self.services, replace(call, params=params))
        except ServiceFault:
            return False

    def finish(
        self, opened: Opened, request: RawRequest, body: BodyFile | None = None
    ) -> RawResponse:
        """Do steps 3 to 6. Never raises: what is not a fault is an InternalFailure."""
        call = self._call(opened, request, body)
        model = load_model(opened.service.name)
        fault: ServiceFault | None = None
        try:
            handler = _handler(opened)
            call = replace(call, params=read_request(model, opened.operation, request))
            result = handler(self.services, call)
            return write_result(model, opened.operation, result, opened.request_id)
        except ServiceFault as refusal:
            fault = refusal
        except Exception as error:  # noqa: BLE001 - whatever it was, others are served
            fault = _internal(error, opened)
        finally:
            self._record(call, model, fault)
        return write_fault(opened.service.protocol, fault, opened.request_id)

    def handle(self, request: RawRequest) -> RawResponse:
        """Do all steps for a request whose body is at hand."""
        opened = self.open(request)
        return opened if isinstance(opened, RawResponse) else self.finish(opened, request)

    def _authenticate(
        self, request: RawRequest, claim: Claim | None, service: Service
    ) -> Authenticated:
        parts, now = self.services, self.clock()
        return authenticate(parts.store, parts.vault, request, claim, service=service.name, now=now)

    def _call(self, opened: Opened, request: RawRequest, body: BodyFile | None) -> Call:
        return Call(
            service=opened.service.name,
            operation=opened.operation,
            params={},
            caller=opened.who.caller,
            request_id=opened.request_id,
            now=self.clock(),
            source_ip=request.source_ip,
            region=claim.region if (claim := opened.who.claim) else self.services.settings.region,
            body=body,
            secure=request.secure,
            user_agent=request.headers.get("user-agent", "")[:256],
        )

    def _record(self, call: Call, model: Any, fault: ServiceFault | None) -> None:
        shape = model.operation_model(call.operation).input_shape
        self.services.events.record(lambda: make_event(call, shape, fault))


def _service(request: RawRequest, claim: Claim | None) -> Service:
    name = claim.service if claim else guess_service(request)
    if name not in SERVICES:
        raise _unsupported(f"the service {name!r}")
    return SERVICES[name]


def _handler(opened: Opened) -> Handler:
    handler = opened.service.operations.get(opened.operation)
    if handler is None:
        raise _unsupported(f"{opened.service.name}:{opened.operation}")
    return handler


def _unsupported(what: str) -> ServiceFault:
    done = ", ".join(sorted(SERVICES))
    return ServiceFault(
        "UnsupportedOperationException",
        f"This local cloud does not do {what}. It serves what the Nitro Enclaves workflow needs of "
        f"{done}.",
        501,
    )


def _internal(error: Exception, opened: Opened) -> ServiceFault:
    # The text of an exception may quote data: the log has its type and place only.
    place = _place(error)
    _log.error("%s:%s failed: %s at %s", opened.service.name, opened.operation,
               type(error).__name__, place)  # fmt: skip
    if isinstance(error, sqlite3.OperationalError | OSError) and _disk_is_full(error):
        return ServiceFault("InternalFailure", "The cloud's disk is full; nothing was kept.", 500)
    return ServiceFault(
        "InternalFailure", f"The cloud failed ({type(error).__name__} at {place}).", 500
    )


def _disk_is_full(error: Exception) -> bool:
    return "full" in str(error) or getattr(error, "errno", None) == 28


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "?"
    name = trace.tb_frame.f_code.co_filename.rpartition("/")[2]
    return f"{name}:{trace.tb_lineno}"
