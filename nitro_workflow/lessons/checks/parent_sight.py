"""What the parent can read of a job: asked of the bytes and of the trace, not of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from nitro_workflow.attestation import parse_document
from nitro_workflow.lab import Lab, collect, instance_session, jobs_of
from nitro_workflow.lessons.lab_bytes import whole
from nitro_workflow.lessons.wire_view import asked_name

__all__ = ["SIGHTS", "Sight"]

Sight = tuple[bool, str]
"""Whether the parent can read it, and why."""


def _ciphertext(lab: Lab) -> Sight:
    job = jobs_of(lab.bench)["encryption-sdk"]
    handed = [one for one in collect(lab.bench, job=job.id) if one.step == "D2" and one.job]
    reads = any("parent" in one.visible_to for one in handed)
    return reads, "D1 and D2 pass through it: it has every byte of the ciphertext, and no key"


def _credentials(lab: Lab) -> Sight:
    found = instance_session(lab.bench).get_credentials()
    return (
        found is not None,
        "it reads them from the metadata service and lends them to the enclave",
    )


def _host(lab: Lab) -> Sight:
    name = asked_name(whole(lab.bench, "to_kms"))
    return bool(name), f"the ClientHello says {name or 'nothing'} in clear"


def _request(lab: Lab) -> Sight:
    body = whole(lab.bench, "request").partition(b"\r\n\r\n")[2]
    return _carried(lab, body), "of the request it carried encrypted records only"


def _data_key(lab: Lab) -> Sight:
    envelope = whole(lab.bench, "envelope")
    return (
        _carried(lab, envelope),
        "KMS sealed it to the enclave's key, and that inside TLS: two locks",
    )


def _result(lab: Lab) -> Sight:
    from nitro_workflow.widgets import recognise

    kind = recognise(whole(lab.bench, "result")).kind
    return kind != "sdk-message", "it has the bytes, encrypted to the data owner's public key"


def _receipt(lab: Lab) -> Sight:
    fields = parse_document(whole(lab.bench, "receipt"))
    return bool(fields.module_id), "a receipt is signed, not encrypted: who has it can read it"


SIGHTS: Final[Mapping[str, Callable[[Lab], Sight]]] = {
    "ciphertext": _ciphertext,
    "credentials": _credentials,
    "host name": _host,
    "request": _request,
    "data key": _data_key,
    "result": _result,
    "receipt": _receipt,
}


def _carried(lab: Lab, clear: bytes) -> bool:
    """Tell whether any part of some clear bytes is in what the proxy carried."""
    wire = whole(lab.bench, "to_kms") + whole(lab.bench, "from_kms")
    parts = (clear[at : at + 16] for at in range(0, max(len(clear) - 16, 1), 16))
    return any(part in wire for part in parts)
