"""Who sent what to whom, and who could have read it: gathered from the processes that did it.

Sources, each with its own view: the parties' requests as they left (this module), the parent and
the vsock proxy (through the host), the enclave (in its job's evidence), the cloud
(its events). An event holds digests, lengths and times, never content.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import NitroWorkflowError
from nitro_workflow.vsock import read_trace

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nitro_workflow.lab.workbench import Workbench

__all__ = ["TraceEvent", "collect", "note_event", "note_request"]

TITLES: Final = {
    "owner": "data owner",
    "developer": "developer",
    "administrator": "administrator",
}


@dataclass(frozen=True, slots=True)
class TraceEvent:
    """One message. ``visible_to`` names who could read its content, not who carried it.

    ``size`` in bytes and ``sha256`` in hex are of what was sent; "" where only a stream of TLS
    records was seen. ``at`` is ISO 8601 in UTC. ``told_by`` is whose word it is: a party tells of
    its own requests, all else is the parent's testimony, which no step rests on alone.
    ``carried_by`` names who passed it on without being able to read it; ``records`` are the TLS
    records that they saw: (type, length in bytes).
    """

    seq: int
    job: str
    step: str
    source: str
    target: str
    what: str
    size: int
    sha256: str
    visible_to: tuple[str, ...]
    at: str
    told_by: str = ""
    carried_by: tuple[str, ...] = ()
    records: tuple[tuple[str, int], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the event as `nitro-workflow trace --json` prints it."""
        return {**asdict(self), "visible_to": list(self.visible_to)}


def note_event(path: Path, event: TraceEvent) -> None:
    """Append one line; a line is below PIPE_BUF, so that several processes may append."""
    line = json.dumps(event.to_json(), ensure_ascii=False).encode() + b"\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)


def note_request(path: Path, step: str, party: str, event_name: str, request: Any) -> None:
    """Note a party's HTTPS request to the cloud, as botocore is about to send it."""
    _, service, operation = event_name.split(".", 2)
    body = request.body if isinstance(request.body, bytes) else b""
    length = _header(request, "X-Amz-Decoded-Content-Length") or _header(request, "Content-Length")
    title = TITLES.get(party, party)
    note_event(
        path,
        TraceEvent(
            seq=0,
            job="",
            step=step,
            source=title,
            target="cloud",
            what=f"{service}:{operation} over TLS",
            size=int(length) if length else len(body),
            sha256=hashlib.sha256(body).hexdigest() if body else "",
            visible_to=(title, "cloud"),
            at=now(),
            told_by=title,
        ),
    )


def _header(request: Any, name: str) -> str:
    value = request.headers.get(name, "")
    return value.decode() if isinstance(value, bytes) else str(value)


def now() -> str:
    """Return the time as ISO 8601 in UTC, to the microsecond."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def collect(bench: Workbench, *, job: str = "") -> tuple[TraceEvent, ...]:
    """Return the events of the steps that are done, in order of time.

    ``job`` keeps that job's events and those of no job. What happened before the earliest of the
    lab's present records (an earlier walk) is left out, and so is a line that is half-written (a
    process was killed over it): the rest stands.
    """
    lines: list[Mapping[str, Any]] = [*read_trace(bench.path / "logs" / "trace.jsonl")]
    # Whatever such a line says of itself: it is the parent's word.
    lines += [{**line, "told_by": "parent"} for line in bench.host.trace()]
    events = [event for event in map(_event, lines) if event is not None]
    begin = _begin(bench)
    kept = [event for event in events if event.at >= begin and (not job or event.job in ("", job))]
    ordered = sorted(dict.fromkeys(kept), key=lambda event: (event.at, event.seq))
    return tuple(replace(event, seq=number) for number, event in enumerate(ordered, 1))


def _begin(bench: Workbench) -> str:
    """Return when the earliest step of the lab's present records began."""
    results = [bench.result(number) for number in bench.folder.recorded()]
    return min((result.at for result in results if result), default="")


def _event(line: Mapping[str, Any]) -> TraceEvent | None:
    try:
        return TraceEvent(
            seq=int(line.get("seq") or 0),
            job=_text(line.get("job") or ""),
            step=_text(line.get("step") or ""),
            source=_text(line["source"]),
            target=_text(line["target"]),
            what=_text(line["what"]),
            size=int(line.get("size") or 0),
            sha256=_text(line.get("sha256") or ""),
            visible_to=tuple(_text(name) for name in line.get("visible_to") or ()),
            at=_text(_iso(line["at"])),
            told_by=_text(line.get("told_by") or ""),
            carried_by=tuple(_text(name) for name in line.get("carried_by") or ()),
            records=tuple((_text(kind), int(size)) for kind, size in line.get("lengths") or ()),
        )
    except (KeyError, TypeError, ValueError, OverflowError, OSError, NitroWorkflowError):
        return None


def _text(value: Any) -> str:
    """Return one line without control characters: a terminal must not obey what a parent wrote."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in str(value))


def _iso(at: Any) -> str:
    """Return ISO 8601 for ISO 8601, seconds or milliseconds since 1970."""
    if isinstance(at, str):
        return at
    seconds = float(at) / 1000 if float(at) > 1e11 else float(at)
    return (
        datetime.fromtimestamp(seconds, UTC)
        .isoformat(timespec="microseconds")
        .replace("+00:00", "Z")
    )


def proxy_lines(bench: Workbench, instance: str) -> list[Mapping[str, Any]]:
    """Return the lines that the instance's vsock proxy wrote: all that it could see of KMS."""
    return [line for line in bench.host.trace(instance) if "records" in line]
