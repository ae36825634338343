"""The whole pack: its documents, and the files in which it is given away. Writes nothing itself."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from nitro_workflow.attestation.pack.chain_rows import CHAIN_ROWS
from nitro_workflow.attestation.pack.document_forge import DocumentForge
from nitro_workflow.attestation.pack.encoding_rows import ENCODING_ROWS
from nitro_workflow.attestation.pack.expectation_rows import EXPECTATION_ROWS
from nitro_workflow.attestation.pack.field_rows import FIELD_ROWS
from nitro_workflow.attestation.pack.pack_readme import readme
from nitro_workflow.attestation.pack.pack_row import PackDocument
from nitro_workflow.attestation.pack.signature_rows import SIGNATURE_ROWS
from nitro_workflow.attestation.roots import aws_root, fingerprint
from nitro_workflow.errors import UsageError
from nitro_workflow.version import __version__

__all__ = ["PUBLISHED_AT", "ROWS", "build_pack", "pack_files"]

PUBLISHED_AT = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
"""The moment at which the published pack is checked."""

ROWS = (*FIELD_ROWS, *EXPECTATION_ROWS, *CHAIN_ROWS, *SIGNATURE_ROWS, *ENCODING_ROWS)
KEY_FILE = "roots/PUBLISHED-PRIVATE-KEY-never-trust-this-root.pem"
_WARNING = (
    "TEST ROOTS, but for 'aws'. The private key of 'published' is in this folder, on purpose: "
    "anyone can sign anything under it. Never add a test root to what a verifier of yours trusts."
)
_OWN_WARNING = "TEST ROOTS, but for 'aws'. Their private keys were kept nowhere."


def build_pack(at: datetime, *, own_root: bool = False) -> tuple[PackDocument, ...]:
    """Return all documents, to be checked at ``at``, an aware time.

    ``own_root`` makes keys that nobody else has, and keeps none of them, as a lab's hypervisor
    does; otherwise all keys are public, and the same time gives the same bytes. Raises `UsageError`
    for a time without zone.
    """
    if at.tzinfo is None:
        raise UsageError(f"the time {at!r}", expected="a datetime with a time zone", where="at")
    forge = DocumentForge(
        at.astimezone(UTC).replace(microsecond=0), secrets.token_hex(32) if own_root else ""
    )
    roots = _roots(forge)
    return tuple(
        PackDocument(row, row.make(forge), forge.at, roots[row.wanted.root]) for row in ROWS
    )


def _roots(forge: DocumentForge) -> dict[str, bytes]:
    expired = forge.chain_of(forge.plan(0, end=timedelta(minutes=-1)))
    return {"published": forge.chain.root, "expired": expired.root, "aws": aws_root()}


def pack_files(documents: Sequence[PackDocument], *, own_root: bool = False) -> dict[str, bytes]:
    """Return the pack's files by their names: documents, roots, manifest, README.

    ``own_root`` as it was for `build_pack`: the published root's private key goes with the pack,
    another's does not.
    """
    roots = {document.row.wanted.root: document.root for document in documents}
    files = {f"documents/{document.file}": document.data for document in documents}
    files |= {f"roots/{name}.pem": _pem(der) for name, der in roots.items()}
    if not own_root:
        files[KEY_FILE] = _published_key(documents[0].at)
    manifest = _manifest(documents, roots, own_root=own_root)
    files["manifest.json"] = (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()
    files["README.md"] = readme(documents, own_root=own_root).encode()
    return files


def _pem(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)


def _published_key(at: datetime) -> bytes:
    key: ec.EllipticCurvePrivateKey = DocumentForge(at).chain.keys[0]
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _manifest(
    documents: Sequence[PackDocument], roots: dict[str, bytes], *, own_root: bool
) -> dict[str, Any]:
    return {
        "format": 1,
        "made_by": f"nitro-workflow {__version__}",
        "warning": _OWN_WARNING if own_root else _WARNING,
        "count": dict(Counter(document.row.verdict for document in documents)),
        "roots": {
            name: {"file": f"roots/{name}.pem", "sha256_of_der": fingerprint(der)}
            for name, der in roots.items()
        },
        "documents": [_entry(document) for document in documents],
    }


def _entry(document: PackDocument) -> dict[str, Any]:
    row, wanted = document.row, document.row.wanted
    return {
        "file": f"documents/{document.file}",
        "name": row.name,
        "verdict": row.verdict,
        "check": row.check,
        "defect": row.defect,
        "clause": row.clause,
        "reason": row.reason,
        "at": document.at.isoformat().replace("+00:00", "Z"),
        "at_seconds": int(document.at.timestamp()),
        "root": wanted.root,
        "expected": {
            "pcrs": {str(index): value.hex() for index, value in wanted.pcrs.items()},
            "nonce": None if wanted.nonce is None else wanted.nonce.hex(),
            "max_age_seconds": wanted.max_age and int(wanted.max_age.total_seconds()),
            "debug": False,
        },
    }
