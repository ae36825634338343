"""The enclaves of a host: what runs with which PCRs, its jobs, its console, what was refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from nitro_workflow.widgets.drawing import Digest, Head, Tone, digest_of

__all__ = ["EnclaveModel", "EnclaveRow", "JobRow", "RefusedLaunch", "make_enclaves"]

ENCLAVES: Final = 64
CONSOLE: Final = 16 * 1024
"""Characters of a console's end that are shown."""
_HEX: Final = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class EnclaveRow:
    """One enclave as describe-enclaves tells it. ``pcrs``: (name, digest)."""

    id: str
    name: str
    image: str
    state: str
    tone: Tone
    debug: bool
    flags: str
    facts: tuple[tuple[str, str], ...]
    pcrs: tuple[tuple[str, Digest], ...]
    console: str = ""


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job that was handed to the enclave, and why it was refused, if it was."""

    id: str
    form: str
    state: str
    step: str
    tone: Tone
    error: str = ""


@dataclass(frozen=True, slots=True)
class RefusedLaunch:
    """What was asked of the host and refused."""

    asked: str
    code: str
    found: str
    next: str


@dataclass(frozen=True, slots=True)
class EnclaveModel:
    """All of a host's enclaves; ``asks`` is the enclave whose end awaits the reader's yes."""

    head: Head
    enclaves: tuple[EnclaveRow, ...]
    jobs: tuple[JobRow, ...] = ()
    refusals: tuple[RefusedLaunch, ...] = ()
    asks: str = ""
    left_out: int = 0
    kind: Literal["enclave"] = "enclave"


def make_enclaves(
    described: Sequence[Mapping[str, Any]],
    *,
    jobs: Mapping[str, Mapping[str, Any]] | None = None,
    refusals: Iterable[Mapping[str, str]] = (),
    consoles: Mapping[str, str] | None = None,
    expected: Mapping[str, str] | None = None,
    asks: str = "",
) -> EnclaveModel:
    """Return the view of nitro-cli's objects for the enclaves, with their metadata.

    ``jobs``: form → the parent's record of it; ``refusals``: errors as JSON, with ``asked``;
    ``consoles``: enclave → what a debug enclave printed; ``expected``: the PCRs of the key policy.
    Raises nothing, whatever a host says.
    """
    rows = tuple(_row(one, consoles or {}) for one in described)
    return EnclaveModel(
        head=_head(rows, expected or {}),
        enclaves=rows[:ENCLAVES],
        jobs=tuple(_job(form, record) for form, record in (jobs or {}).items()),
        refusals=tuple(
            RefusedLaunch(*(str(one.get(key, "")) for key in ("asked", "code", "found", "next")))
            for one in refusals
        ),
        asks=asks,
        left_out=max(len(rows) - ENCLAVES, 0),
    )


def _row(one: Mapping[str, Any], consoles: Mapping[str, str]) -> EnclaveRow:
    state, flags = str(one.get("State", "not told")), str(one.get("Flags", ""))
    identity = str(one.get("EnclaveID", ""))
    image = " ".join(str(one.get(key, "")) for key in ("ImageName", "ImageVersion")).strip()
    return EnclaveRow(
        id=identity,
        name=str(one.get("EnclaveName", "")),
        image=image,
        state=state,
        tone="good" if state == "RUNNING" else "warning",
        debug="DEBUG" in flags,
        flags=flags or "NONE",
        facts=tuple(_facts(one)),
        pcrs=tuple(_pcrs(one.get("Measurements"))),
        console=consoles.get(identity, "")[-CONSOLE:],
    )


def _facts(one: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    cpus = one.get("CPUIDs")
    numbers = f" ({', '.join(map(str, cpus))})" if isinstance(cpus, list) else ""
    yield "CID", str(one.get("EnclaveCID", "not told"))
    yield "CPUs", f"{one.get('NumberOfCPUs', 'not told')}{numbers}"
    yield "memory", f"{one.get('MemoryMiB', 'not told')} MiB"
    yield "process", str(one.get("ProcessID", "not told"))


def _pcrs(measured: Any) -> Iterator[tuple[str, Digest]]:
    if not isinstance(measured, Mapping):
        return
    for name, value in measured.items():
        text = str(value)
        if str(name).startswith("PCR") and len(text) == 96 and set(text) <= _HEX:
            yield str(name), digest_of(text)


def _job(form: str, record: Mapping[str, Any]) -> JobRow:
    state, error = str(record.get("status", "not told")), record.get("error")
    said = (
        f"{error.get('code', '')}: {error.get('found', '')}" if isinstance(error, Mapping) else ""
    )
    tone: Tone = (
        "bad" if state in ("refused", "failed") else "good" if state == "done" else "neutral"
    )
    return JobRow(str(record.get("job", "")), form, state, str(record.get("step", "")), tone, said)


def _head(rows: Sequence[EnclaveRow], expected: Mapping[str, str]) -> Head:
    what = f"Enclaves of this host · {len(rows)} known"
    running = [row for row in rows if row.state == "RUNNING"]
    if not running:
        return Head(what, "No enclave runs", "neutral", next='lesson.run("P8") launches one.')
    debug = [row.name for row in running if row.debug]
    if debug:
        return Head(
            what,
            f"{', '.join(debug)} runs in debug mode",
            "warning",
            why="Its console can be read, and its documents say that PCR0, 1 and 2 are zero, "
            "whatever is shown here.",
            next="End it, and launch the image without --debug-mode: KMS refuses all zero.",
        )
    others = [row.name for row in running if _differs(row, expected)]
    if others:
        return Head(
            what,
            f"{', '.join(others)} is not the image that the key policy names",
            "bad",
            why="KMS will refuse its documents.",
            next="Launch the image that P6 built.",
        )
    count = "One enclave runs" if len(running) == 1 else f"{len(running)} enclaves run"
    agree = ", as the key policy asks" if expected else ""
    return Head(
        what,
        f"{count}, none in debug mode{agree}",
        "good",
        why="No console, no network, no disk: only vsock leads in and out.",
    )


def _differs(row: EnclaveRow, expected: Mapping[str, str]) -> bool:
    return any(expected.get(name, digest.hex) != digest.hex for name, digest in row.pcrs)
