"""What the parent carried of a job's TLS, record by record, and what it can tell of each."""

from __future__ import annotations

from collections.abc import Iterator

from nitro_workflow.lab import Workbench, wire_of
from nitro_workflow.vsock import TlsRecord, records_in, server_name
from nitro_workflow.widgets import Head, PlainModel, size

__all__ = ["asked_name", "wire_table"]

HEADER = 5  # bytes: type, version, length (RFC 8446 §5.1)
_ENDS = {"to_kms": "enclave → KMS", "from_kms": "KMS → enclave"}


def wire_table(bench: Workbench) -> PlainModel:
    """Return the records of both directions, as the parent's proxy kept them."""
    wires = {way: wire_of(bench, way) for way in _ENDS}
    rows = tuple(row for way, data in wires.items() for row in _rows(way, data))
    head = Head(
        f"What the parent carried for the job · {len(rows)} records",
        "TLS records: a name and a cipher in clear, the rest encrypted",
        "good",
        why="TLS ends inside the enclave. The parent sees lengths and times.",
        next='lesson.bytes("to_kms") are the bytes; on a real parent, tcpdump has them.',
    )
    columns = ("record", "type", "size", "what the parent can tell")
    return PlainModel(head, columns=columns, rows=rows)


def asked_name(to_kms: bytes) -> str:
    """Return the host name that the enclave asked for, as it stands in its ClientHello; "" else."""
    first = next(iter(records_in(to_kms)), None)
    return (server_name(to_kms[first.start + HEADER : first.end]) or "") if first else ""


def _rows(way: str, data: bytes) -> Iterator[tuple[str, ...]]:
    for number, record in enumerate(records_in(data), 1):
        kind = record.kind.replace("_", " ") or "no TLS record"
        length = size(record.end - record.start)
        yield f"{_ENDS[way]} {number}", kind, length, _told(way, record, data)


def _told(way: str, record: TlsRecord, data: bytes) -> str:
    if record.kind == "handshake" and way == "to_kms":
        return f"the ClientHello, in clear: it asks for {asked_name(data)}"
    if record.kind == "handshake":
        return "the ServerHello, in clear: which cipher was chosen"
    if record.kind == "change_cipher_spec":
        return "nothing: one byte that TLS 1.3 keeps from TLS 1.2"
    return "its length and when it passed; the rest is encrypted"
