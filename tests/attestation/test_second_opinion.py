"""Other implementations judge every vector: pycose on python-ecdsa, OpenSSL's command, asn1crypto."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import cbor2
import pytest
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from nitro_workflow.attestation import Verifier
from nitro_workflow.attestation.roots import aws_root
from tests.encoding.test_cose import pycose_accepts

from .conftest import FOLDER, GENUINE, ROWS

AWS = Verifier.aws()


def ids(row: dict[str, Any]) -> str:
    return str(row["file"])


def payload_of(row: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
    raw = (FOLDER / row["file"]).read_bytes()
    return raw, cbor2.loads(cbor2.loads(raw)[2])


@pytest.mark.parametrize("row", ROWS, ids=ids)
def test_pycose_agrees_on_the_signature(row: dict[str, Any]) -> None:
    raw, payload = payload_of(row)
    key: Any = x509.load_der_x509_certificate(payload["certificate"]).public_key()
    ours = AWS.explain(raw, at="document").step("signature").status == "passed"
    assert pycose_accepts(raw, key) is ours


@pytest.mark.parametrize("row", ROWS, ids=ids)
def test_openssl_agrees_on_the_chain(
    row: dict[str, Any], tmp_path: Path, require: Callable[[str, bool, str], None]
) -> None:
    require("openssl", shutil.which("openssl") is not None, "apt-get install openssl")
    raw, payload = payload_of(row)
    report = AWS.explain(raw, at="document")
    ours = all(report.step(step).status == "passed" for step in ("chain", "validity", "root"))
    seconds = int(payload["timestamp"]) // 1000
    assert openssl_verifies(payload, seconds, tmp_path) is ours
    if row in GENUINE:
        year_later = seconds + 365 * 86_400
        assert not openssl_verifies(payload, year_later, tmp_path)


def openssl_verifies(payload: dict[str, Any], seconds: int, folder: Path) -> bool:
    """`openssl verify` with the pinned root alone as anchor, the bundle as untrusted."""

    def pem(name: str, ders: list[bytes]) -> str:
        certificates = [x509.load_der_x509_certificate(der) for der in ders]
        text = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)
        (folder / name).write_bytes(text)
        return str(folder / name)

    command = ["openssl", "verify", "-attime", str(seconds), "-no-CApath", "-no-CAstore"]
    command += ["-CAfile", pem("root.pem", [aws_root()])]
    command += ["-untrusted", pem("bundle.pem", payload["cabundle"] or [payload["certificate"]])]
    command += [pem("leaf.pem", [payload["certificate"]])]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("row", GENUINE, ids=ids)
def test_asn1crypto_reads_the_same_certificates(row: dict[str, Any]) -> None:
    raw, payload = payload_of(row)
    report = AWS.explain(raw, at="document")
    timestamp = report.reading.values["timestamp_ms"] / 1000
    chain = [*payload["cabundle"], payload["certificate"]]
    certificates = [asn1.Certificate.load(der, strict=True) for der in chain]
    for issuer, subject in pairwise(certificates):
        assert subject.issuer.dump() == issuer.subject.dump()
        assert issuer.ca
    for certificate in certificates:
        assert certificate.not_valid_before.timestamp() <= timestamp
        assert timestamp <= certificate.not_valid_after.timestamp()
    leaf = certificates[-1]
    assert not leaf.ca
    assert leaf.authority_key_identifier_value is None
