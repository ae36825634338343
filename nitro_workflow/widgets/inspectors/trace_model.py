"""Who sent what to whom, through whom, and who could read it.

What a party saw of a message is told for each of them: its ends read it, who carried it saw TLS
records and their lengths, and all others saw nothing of it. The trace holds digests, lengths and
times; bytes are shown only where the caller has them, and then only under their digest.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from nitro_workflow.lab import TraceEvent
from nitro_workflow.widgets.drawing import Digest, Head, digest_of
from nitro_workflow.widgets.formats import size as bytes_of

__all__ = ["Lane", "Seen", "TraceMessage", "TraceModel", "count_of", "make_trace"]

MESSAGES: Final = 200
"""Messages that are drawn; of more, the view says how many are left out."""
SHOWN_BYTES: Final = 64
"""Of a message's beginning, for those who could read it."""
RECORDS: Final = 64
LABEL: Final = 32
"""Characters that fit on an arrow between two lanes."""

_LANES: Final = {
    "enclave": ("Enclave", "no network, no disk"),
    "parent": ("Parent instance", "carries every byte"),
    "aws": ("AWS", "KMS, S3, EC2"),
    "owner": ("Data owner", "wrote the key policy"),
}
"""The order of the lanes: the parent lies on the line between the enclave and AWS."""

_NAMES: Final = {
    "kms": "aws",
    "s3": "aws",
    "cloud": "aws",
    "data owner": "owner",
    "proxy": "parent",
    "parent instance": "parent",
}
_SERVICES: Final = {"kms": "KMS", "s3": "S3"}
_TLS: Final = " over TLS"


@dataclass(frozen=True, slots=True)
class Lane:
    """One party: ``id`` in messages, ``title`` and ``note`` for people."""

    id: str
    title: str
    note: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What one party had of a message. ``how``: ``reads``, ``relays`` or ``nothing``."""

    lane: str
    how: Literal["reads", "relays", "nothing"]
    text: str


@dataclass(frozen=True, slots=True)
class TraceMessage:
    """One message: lanes by id, ``size`` in bytes, ``after_ms`` since the first message.

    ``via`` are the lanes that carried it without being able to open it; ``records`` the TLS records
    that they saw. ``label`` is the end of ``what``, short enough to stand on an arrow. Its
    ``beginning`` is its first bytes where they are known, for those who read it.
    """

    step: str
    source: str
    target: str
    what: str
    label: str
    size: int
    after_ms: int
    via: tuple[str, ...] = ()
    tls: bool = False
    readable: tuple[str, ...] = ()
    seen: tuple[Seen, ...] = ()
    path: str = ""
    digest: Digest | None = None
    records: tuple[tuple[str, int], ...] = ()
    beginning: bytes = b""
    told_by: str = ""
    job: str = ""


@dataclass(frozen=True, slots=True)
class TraceModel:
    """All messages in order; ``left_out`` more are not drawn. ``jobs``: (id, name)."""

    head: Head
    lanes: tuple[Lane, ...]
    messages: tuple[TraceMessage, ...]
    jobs: tuple[tuple[str, str], ...] = ()
    left_out: int = 0
    kind: Literal["trace"] = "trace"


def make_trace(
    events: Sequence[TraceEvent],
    *,
    contents: Mapping[str, str] | None = None,
    known: Iterable[bytes | Path] = (),
    jobs: Mapping[str, str] | None = None,
) -> TraceModel:
    """Return the diagram of a trace, whatever a parent wrote.

    ``contents`` names by step what the ends of a TLS connection know of it; ``known`` are bytes,
    or files, that may have been sent: what they begin with is shown where a message has their
    digest. ``jobs``: id → name. Raises OSError for a file that cannot be read, else nothing.

    What went the same way for the same step is one message, its sizes added: how many pieces a
    stream was cut into says nothing, so what was carried through has no digest. Reading CloudTrail
    is left out: that is how evidence is looked up afterwards, no message of the workflow.
    """
    kept = [event for event in events if not event.what.startswith("cloudtrail:")]
    first = min((_at(event) for event in kept), default=0.0)
    bodies = dict(map(_beginning, known))
    grouped = _groups(_with_jobs(kept))
    messages = [_message(group, first, contents or {}, bodies) for group in grouped]
    lanes = _lanes(messages)
    told = tuple(replace(m, seen=tuple(_seen(m, lane) for lane in lanes)) for m in messages)
    named = {m.job: (jobs or {}).get(m.job, m.job) for m in told if m.job}
    return TraceModel(
        head=_head(told),
        lanes=lanes,
        messages=told[:MESSAGES],
        jobs=tuple(named.items()),
        left_out=max(len(told) - MESSAGES, 0),
    )


def count_of(model: TraceModel, lane: str) -> int:
    """Return how many messages a party could read."""
    return sum(lane in message.readable for message in model.messages)


# -- messages --------------------------------------------------------------------------------------


def _with_jobs(events: Sequence[TraceEvent]) -> list[TraceEvent]:
    """Give what the proxy carried to the job whose data were handed over last.

    The proxy knows of no job; an enclave does one at a time.
    """
    given, job = [], ""
    for event in events:
        job = event.job if event.step == "D2" and event.job else job
        given.append(replace(event, job=job) if event.carried_by and not event.job else event)
    return given


def _groups(events: Sequence[TraceEvent]) -> list[list[TraceEvent]]:
    together: dict[tuple[str, ...], list[TraceEvent]] = {}
    for event in events:
        way = (event.step, event.source, event.target, event.what, event.told_by, event.job)
        together.setdefault(way, []).append(event)
    return list(together.values())


def _lane(name: str) -> str:
    return _NAMES.get(name, name)


def _message(
    group: Sequence[TraceEvent],
    first: float,
    contents: Mapping[str, str],
    known: Mapping[str, bytes],
) -> TraceMessage:
    event = group[0]
    via = tuple(dict.fromkeys(_lane(name) for one in group for name in one.carried_by))
    records = tuple(record for one in group for record in one.records)[:RECORDS]
    tls = bool(via or records) or event.what.endswith(_TLS)
    what = (contents.get(event.step, "") if via else "") or event.what.removesuffix(_TLS)
    # A stream's pieces end where it rested: their digests are another's on a slower machine.
    digest = event.sha256 if len(group) == 1 and not via else ""
    return TraceMessage(
        step=event.step,
        source=_lane(event.source),
        target=_lane(event.target),
        what=what,
        label=_label(what),
        size=sum(one.size for one in group),
        after_ms=max(round((_at(event) - first) * 1000), 0),
        via=via,
        tls=tls,
        readable=tuple(dict.fromkeys(_lane(name) for name in event.visible_to)),
        path=_path(event, via, tls=tls),
        digest=digest_of(digest) if len(digest) == 64 and _is_hex(digest) else None,
        records=records,
        beginning=known.get(digest, b""),
        told_by=event.told_by,
        job=event.job,
    )


def _beginning(body: bytes | Path) -> tuple[str, bytes]:
    """Return what was sent as its digest and first bytes; a file is never in memory whole."""
    with io.BytesIO(body) if isinstance(body, bytes) else body.open("rb") as file:
        first = file.read(SHOWN_BYTES)
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest(), first


def _label(text: str) -> str:
    short = text.rpartition("/")[2] or text
    return short if len(short) <= LABEL else f"{short[: LABEL - 1]}…"


def _is_hex(text: str) -> bool:
    return not text.strip("0123456789abcdef")


def _at(event: TraceEvent) -> float:
    try:
        return datetime.fromisoformat(event.at).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0


def _path(event: TraceEvent, via: Sequence[str], *, tls: bool) -> str:
    """Return the way in words: the ends as they were named, and what lies between."""
    ends = [_end(event.source), _end(event.target)]
    if via:
        inner = ["vsock", "the parent's vsock proxy", "TCP"]
        return " → ".join(
            [ends[0], *(inner if event.source == "enclave" else inner[::-1]), ends[1]]
        )
    between = "TLS" if tls or "s3" in (event.source, event.target) else "vsock"
    inside = {"enclave", "parent"} >= {event.source, event.target}
    return " → ".join([ends[0], *([between] if inside or between == "TLS" else []), ends[1]])


def _end(name: str) -> str:
    return _SERVICES.get(name, "AWS" if name == "cloud" else name)


def _lanes(messages: Sequence[TraceMessage]) -> tuple[Lane, ...]:
    """Return the four lanes that are always there, then those that only a message names."""
    named = (name for m in messages for name in (m.source, *m.via, m.target))
    others = sorted(set(named) - _LANES.keys())
    known = [Lane(lane, title, note) for lane, (title, note) in _LANES.items()]
    return (*known, *(Lane(name, name or "nobody", "") for name in others))


def _seen(message: TraceMessage, lane: Lane) -> Seen:
    if lane.id in message.readable:
        return Seen(lane.id, "reads", f"{message.what}, {bytes_of(message.size)}")
    if lane.id in message.via:
        return Seen(lane.id, "relays", f"TLS records, {_records(message)}")
    return Seen(lane.id, "nothing", "nothing of it")


def _records(message: TraceMessage) -> str:
    lengths = ", ".join(f"{kind} of {bytes_of(length)}" for kind, length in message.records)
    return lengths or bytes_of(message.size)


# -- the head --------------------------------------------------------------------------------------


def _head(messages: Sequence[TraceMessage]) -> Head:
    steps = list(dict.fromkeys(m.step for m in messages if m.step))
    span = f" · {steps[0]} to {steps[-1]}" if steps else ""
    what = f"Who sent what to whom{span} · {len(messages)} messages"
    relayed = [m for m in messages if m.via]
    opened = [m for m in relayed if set(m.via) & set(m.readable)]
    if opened:
        names = ", ".join(m.step for m in opened)
        return Head(
            what,
            f"Who relayed {names} could read it",
            "bad",
            why="A relay is named among those who could read what it carried.",
            next="See where TLS ends: it has to be inside the enclave.",
        )
    if not relayed:
        return Head(
            what,
            "No message was relayed",
            "neutral",
            why="The enclave has asked nobody outside yet."
            if messages
            else "Nothing has been sent yet.",
            next="Run the steps from D1 on.",
        )
    read = sum("parent" in m.readable for m in messages)
    return Head(
        what,
        f"The parent carried {len(relayed)} messages that it could not open",
        "good",
        why=f"TLS begins and ends inside the enclave: the parent saw records and their lengths. "
        f"It could read {read} of {len(messages)}: ciphertext, and what is for the owner only.",
    )
