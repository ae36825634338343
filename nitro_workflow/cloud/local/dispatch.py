"""One request's way through the cloud, whatever the service.

From the head alone (`arrive`), so that a stranger's body is not taken:

1. the service, from the signature's scope
2. whose key signed; S3's signature, which needs no body
3. the operation, where the head says it

With the body, which the edge takes within its limits (`finish`):

4. the signature, where it covers the body
5. the operation and its parameters, by the model
6. the handler (which asks the gate)
7. the decision record
8. the answer, in the service's protocol

Whatever is refused before the handler leaves its record too (`refuse`).
"""

from __future__ import annotations

import errno
import logging
import sqlite3
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from nitro_workflow.cloud.local import budgets
from nitro_workflow.cloud.local.auth import (
    Claim,
    Claimed,
    SignatureFault,
    fault_of,
    identify,
    prove,
    read_claim,
)
from nitro_workflow.cloud.local.call import (
    ANONYMOUS,
    BodyFile,
    Call,
    Caller,
    LongAnswer,
    ServiceFault,
)
from nitro_workflow.cloud.local.catalogue import SERVICES, Service, guess_service
from nitro_workflow.cloud.local.gate import make_event
from nitro_workflow.cloud.local.handler import Handler, Services
from nitro_workflow.cloud.local.protocol import (
    FileSlice,
    RawRequest,
    RawResponse,
    find_operation,
    load_model,
    read_request,
    write_fault,
    write_result,
)

__all__ = ["Arrival", "Dispatcher"]

_log = logging.getLogger("nitro_workflow.cloud")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request whose head has been read: whose key signed, what it is about.

    `operation` is "" where only the body says it (forms); `proven` says that the signature holds.
    """

    service: Service
    who: Claimed
    operation: str
    request_id: str
    proven: bool = False

    @property
    def streams(self) -> bool:
        """Whether the body is an object's content."""
        return self.service.name == "s3" and self.operation in ("PutObject", "UploadPart")

    @property
    def lane(self) -> str:
        """Whose share of the cloud the request uses; all sessions of a role have one."""
        caller = self.who.caller
        return caller.entity_arn or caller.arn


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """Serves requests on any thread. `clock` can be set by tests."""

    services: Services
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def arrive(self, request: RawRequest) -> Arrival | RawResponse:
        """Do steps 1 to 3, or answer the refusal. Never raises."""
        request_id, service = str(uuid.uuid4()), SERVICES[guess_service(request)]
        try:
            claim = read_claim(request)
            service = _service(request, claim)
            return self._arrive(request, claim, service, request_id)
        except SignatureFault as fault:
            refusal = fault_of(fault, service.protocol)
        except ServiceFault as fault:
            refusal = fault
        except Exception as error:  # noqa: BLE001 - whatever it was, others are served
            refusal = _internal(error, service.name)
        stranger = Arrival(service, Claimed(ANONYMOUS), "", request_id)
        return self.refuse(stranger, request, refusal)

    def _arrive(
        self, request: RawRequest, claim: Claim | None, service: Service, request_id: str
    ) -> Arrival | RawResponse:
        parts, now = self.services, self.clock()
        who = identify(parts.store, parts.vault, claim, service=service.name, now=now)
        proven = service.protocol == "rest-xml"
        if proven:
            prove(who, request, now)
        arrival = Arrival(service, who, "", request_id, proven)
        if service.protocol not in ("json", "rest-xml"):
            return arrival
        try:
            return replace(arrival, operation=find_operation(load_model(service.name), request))
        except ServiceFault as fault:
            return self.refuse(arrival, request, fault)

    def admits(self, arrival: Arrival, request: RawRequest) -> bool:
        """Whether a streamed body is worth taking; where not, `finish` without it says why."""
        from nitro_workflow.cloud.local.s3 import admits

        call = self._call(arrival, request)
        try:
            params = read_request(load_model(arrival.service.name), arrival.operation, request)
            return admits(self.services, replace(call, params=params))
        except ServiceFault:
            return False

    def finish(
        self,
        arrival: Arrival,
        request: RawRequest,
        body: BodyFile | None = None,
        *,
        on_loop: bool = False,
    ) -> RawResponse:
        """Do steps 4 to 8. What is not a fault is an InternalFailure.

        Raises `LongAnswer`: only `on_loop`, and nothing was done.
        """
        model = load_model(arrival.service.name)
        try:
            if not arrival.proven:
                prove(arrival.who, request, self.clock())
                arrival = replace(arrival, proven=True)
            operation = arrival.operation or find_operation(model, request)
            arrival = replace(arrival, operation=operation)
        except SignatureFault as fault:
            return self.refuse(arrival, request, fault_of(fault, arrival.service.protocol))
        except ServiceFault as fault:
            return self.refuse(arrival, request, fault)
        except Exception as error:  # noqa: BLE001 - whatever it was, others are served
            return self.refuse(arrival, request, _internal(error, arrival.service.name))
        return self._perform(arrival, request, self._call(arrival, request, body, on_loop), model)

    def _perform(
        self, arrival: Arrival, request: RawRequest, call: Call, model: Any
    ) -> RawResponse:
        fault: ServiceFault | None = None
        try:
            handler = _handler(arrival)
            call = replace(call, params=read_request(model, arrival.operation, request))
            result = handler(self.services, call)
            response = write_result(model, arrival.operation, result, arrival.request_id)
        except LongAnswer:
            raise
        except ServiceFault as refusal:
            fault = refusal.alone()
        except Exception as error:  # noqa: BLE001 - whatever it was, others are served
            fault = _internal(error, f"{arrival.service.name}:{arrival.operation}")
        if fault is not None and len(request.body) > budgets.REFUSED_BODY_BYTES:
            # Records wait for their turn, and their calls with them.
            call.trail.omitted = len(request.body)
            call = replace(call, params={})
        unrecorded = self._record(call, model, fault)
        if fault is None and unrecorded is not None and isinstance(response.body, FileSlice):
            response.body.file.close()
        fault = unrecorded or fault
        if fault is not None:
            return write_fault(arrival.service.protocol, fault, arrival.request_id)
        return response

    def refuse(self, arrival: Arrival, request: RawRequest, fault: ServiceFault) -> RawResponse:
        """Answer a fault that no handler has seen, and leave its record."""
        call = self._call(arrival, request)
        unrecorded = self._record(call, load_model(arrival.service.name), fault.alone())
        return write_fault(arrival.service.protocol, unrecorded or fault, arrival.request_id)

    def refuse_unread(self, request: RawRequest, fault: ServiceFault) -> RawResponse:
        """Answer a fault of a request of which not even the head was read."""
        service = SERVICES[guess_service(request)]
        return self.refuse(
            Arrival(service, Claimed(ANONYMOUS), "", str(uuid.uuid4())), request, fault
        )

    def handle(self, request: RawRequest) -> RawResponse:
        """Do all steps for a request whose body is at hand."""
        arrival = self.arrive(request)
        return arrival if isinstance(arrival, RawResponse) else self.finish(arrival, request)

    def _call(
        self,
        arrival: Arrival,
        request: RawRequest,
        body: BodyFile | None = None,
        on_loop: bool = False,
    ) -> Call:
        claim = arrival.who.claim
        return Call(
            service=arrival.service.name,
            operation=arrival.operation,
            params={},
            caller=arrival.who.caller if arrival.proven else _unproven(arrival.who),
            request_id=arrival.request_id,
            now=self.clock(),
            source_ip=request.source_ip,
            region=claim.region if claim else self.services.settings.region,
            body=body,
            secure=request.secure,
            user_agent=request.headers.get("user-agent", "")[:256],
            presigned=claim is not None and claim.presigned,
            if_range=request.headers.get("if-range", ""),
            on_loop=on_loop,
        )

    def _record(self, call: Call, model: Any, fault: ServiceFault | None) -> ServiceFault | None:
        """Leave the record; return what to answer instead where there is no room for it."""
        shape = model.operation_model(call.operation).input_shape if call.operation else None
        try:
            self.services.events.record(lambda brief: make_event(call, shape, fault, brief=brief))
        except sqlite3.OperationalError as error:
            name = call.operation or "Unread"
            _log.error("a decision record was lost: %s: %s", name, type(error).__name__)
            text = "The cloud's disk takes no further decision record; the answer is withheld."
            return ServiceFault("InternalFailure", text, 500)
        return None


def _unproven(who: Claimed) -> Caller:
    """Return the caller of a request that only says whose it is; the key's account sees it."""
    if who.claim is None:
        return who.caller
    key, account = who.claim.access_key_id, who.caller.account
    return Caller(account=account, arn="", kind="unproven", principal_id="", access_key_id=key)


def _service(request: RawRequest, claim: Claim | None) -> Service:
    name = claim.service if claim else guess_service(request)
    if name not in SERVICES:
        raise _unsupported(f"the service {name!r}")
    return SERVICES[name]


def _handler(arrival: Arrival) -> Handler:
    handler = arrival.service.operations.get(arrival.operation)
    if handler is None:
        raise _unsupported(f"{arrival.service.name}:{arrival.operation}")
    return handler


def _unsupported(what: str) -> ServiceFault:
    done = ", ".join(sorted(SERVICES))
    return ServiceFault(
        "UnsupportedOperationException",
        f"This local cloud does not do {what}. It serves what the Nitro Enclaves workflow needs of "
        f"{done}.",
        501,
    )


def _internal(error: Exception, what: str) -> ServiceFault:
    # The text of an exception may quote data: the log has its type and place only.
    place = _place(error)
    _log.error("%s failed: %s at %s", what, type(error).__name__, place)
    if isinstance(error, sqlite3.OperationalError | OSError) and _disk_is_full(error):
        return ServiceFault("InternalFailure", "The cloud's disk is full; nothing was kept.", 500)
    return ServiceFault(
        "InternalFailure", f"The cloud failed ({type(error).__name__} at {place}).", 500
    )


def _disk_is_full(error: Exception) -> bool:
    return "full" in str(error) or getattr(error, "errno", None) == errno.ENOSPC


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "?"
    name = trace.tb_frame.f_code.co_filename.rpartition("/")[2]
    return f"{name}:{trace.tb_lineno}"
