"""The calls that a step made, as they were made: noted by botocore's own events, secrets cut.

A record is for showing what a person would type and what went over the wire. It never holds a
secret: see `cut_values`.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from nitro_workflow.lab.cut_values import SECRETS, cut_headers, cut_value

__all__ = ["CallRecord", "CallRecorder"]

CALLS: Final = 64
"""Calls that are kept of one step: the most that a step of the workflow makes is ten."""
TRAIL: Final = "cloudtrail"
"""Reading it is how a step's evidence is looked up, no call of the workflow."""
BODY: Final = 32 * 1024
"""Bytes of a body that are kept: as many as KMS takes of a key policy (Developer Guide, quotas)."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call. ``kind``: ``aws``, ``nitro-cli``, ``parent`` (its control socket), ``function``.

    ``parameters`` are as the caller gave them, ``request`` and ``answer`` as they went over the
    wire, all cut. ``error`` is the code of a refusal. ``source`` says whose word it is.
    ``seconds`` is from request to answer, ``at`` ISO 8601 in UTC.
    """

    kind: str
    party: str
    service: str
    operation: str
    parameters: Mapping[str, Any]
    request: Mapping[str, Any] = field(default_factory=dict)
    answer: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    source: str = ""
    at: str = ""
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the fields by name, as they stand in a step's record."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> CallRecord:
        """Return the call of `to_json`; raises KeyError, TypeError or ValueError for another."""
        return cls(
            kind=str(record["kind"]),
            party=str(record["party"]),
            service=str(record["service"]),
            operation=str(record["operation"]),
            parameters=dict(record["parameters"]),
            request=dict(record.get("request") or {}),
            answer=dict(record.get("answer") or {}),
            error=str(record.get("error") or ""),
            source=str(record.get("source") or ""),
            at=str(record.get("at") or ""),
            seconds=float(record.get("seconds") or 0.0),
        )


@dataclass(slots=True)
class _Open:
    """A call between its parameters and its answer: one a thread."""

    parameters: Mapping[str, Any]
    begun: float
    at: str
    request: dict[str, Any] = field(default_factory=dict)


class CallRecorder:
    """Takes the calls of one step at a time: `begin`, then what happens, then `taken`."""

    def __init__(self) -> None:
        self._calls: list[CallRecord] = []
        self._here = threading.local()

    def begin(self) -> None:
        """Forget the calls of the step before."""
        self._calls = []

    def taken(self) -> tuple[dict[str, Any], ...]:
        """Return the calls since `begin`, in order, as JSON values."""
        return tuple(call.to_json() for call in self._calls)

    def note(
        self, kind: str, party: str, operation: str, parameters: Mapping[str, Any], **more: Any
    ) -> None:
        """Take a call that is not AWS's: `more` are further fields of `CallRecord`."""
        more.setdefault("service", "")
        answer = cut_value(more.pop("answer", {}))
        self.add(
            CallRecord(kind, party, operation=operation, at=_now(), answer=answer,
                       parameters=cut_value(parameters), **more)
        )  # fmt: skip

    def add(self, call: CallRecord) -> None:
        """Take a call as it is: its values must have been cut."""
        if len(self._calls) < CALLS:
            self._calls.append(call)

    def watch(self, party: str, events: Any) -> None:
        """Have botocore tell of every call of a party's clients that are made from now on."""

        def asked(params: Mapping[str, Any], model: Any, **_: Any) -> None:
            if model.service_model.service_name == TRAIL:
                self._here.call = None
                return
            cut = cut_value(params, model.input_shape)
            self._here.call = _Open(cut, time.monotonic(), _now())

        def sent(request: Any, **_: Any) -> None:
            call = getattr(self._here, "call", None)
            if call is not None:
                call.request = _request(request)

        def answered(http_response: Any, parsed: Mapping[str, Any], model: Any, **_: Any) -> None:
            call = getattr(self._here, "call", None)
            self._here.call = None
            if call is not None:
                self.add(_record(call, party, model, http_response, parsed))

        events.register("provide-client-params.*.*", asked)
        events.register("before-send.*.*", sent)
        events.register("after-call.*.*", answered)


def _record(
    call: _Open, party: str, model: Any, http_response: Any, parsed: Mapping[str, Any]
) -> CallRecord:
    failed = parsed.get("Error") if http_response.status_code >= 300 else None
    shape = None if failed else model.output_shape
    body = {name: value for name, value in parsed.items() if name != "ResponseMetadata"}
    return CallRecord(
        kind="aws",
        party=party,
        service=str(model.service_model.service_name),
        operation=str(model.name),
        parameters=call.parameters,
        request={**call.request, "body": _body(call.request.get("body"), model, call.parameters)},
        answer={
            "status": int(http_response.status_code),
            "headers": cut_headers(http_response.headers),
            "body": cut_value(body, shape),
        },
        error=str((failed or {}).get("Code", "")),
        source="the client that made it",
        at=call.at,
        seconds=round(time.monotonic() - call.begun, 6),
    )


def _request(request: Any) -> dict[str, Any]:
    """Return what is about to be sent; the body is cut later, when its model is known."""
    url = urlsplit(str(request.url))
    headers = {"Host": url.netloc, **dict(request.headers.items())}
    body = request.body.encode() if isinstance(request.body, str) else request.body
    known = isinstance(body, bytes | bytearray)
    streamed = headers.get("X-Amz-Decoded-Content-Length") or headers.get("Content-Length", b"")
    return {
        "method": str(request.method),
        "path": url.path + (f"?{url.query}" if url.query else ""),
        "headers": cut_headers(headers),
        "bytes": len(body) if known else _number(streamed),
        "body": bytes(body[: BODY + 1]) if known else None,
    }


def _number(text: Any) -> int:
    digits = text.decode("latin-1") if isinstance(text, bytes) else str(text)
    return int(digits) if digits.isdecimal() else 0


def _body(body: bytes | None, model: Any, parameters: Mapping[str, Any]) -> Any:
    """Return a request's body: JSON cut by its model, small other text, else nothing."""
    if not body or len(body) > BODY:
        return None
    payload = model.input_shape.serialization.get("payload") if model.input_shape else None
    if model.service_model.metadata.get("protocol") == "json":
        return _json_body(body, model.input_shape)
    shape = model.input_shape.members.get(payload) if payload else None
    if getattr(shape, "type_name", "") == "blob" or _any_secret(parameters, model.input_shape):
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def _any_secret(parameters: Mapping[str, Any], shape: Any) -> bool:
    """Tell whether a call names a secret on its first level: then its text is not kept."""
    members = shape.members if shape is not None else {}
    return any(
        name in SECRETS or (name in members and members[name].metadata.get("sensitive"))
        for name in parameters
    )


def _json_body(body: bytes, shape: Any) -> Any:
    """Return the JSON that was sent, with base64 of blobs as length and digest."""
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return cut_value(_unwrapped(value, shape), shape)


def _unwrapped(value: Any, shape: Any) -> Any:
    """Return JSON with the base64 of each blob decoded, so that its true length is told."""
    from base64 import b64decode

    members = getattr(shape, "members", None)
    if isinstance(value, dict) and members:
        return {name: _unwrapped(one, members.get(name)) for name, one in value.items()}
    if isinstance(value, str) and getattr(shape, "type_name", "") == "blob":
        return b64decode(value)
    return value


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
