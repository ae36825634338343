"""A public Go verifier, hf/nitrite, judges the same documents.

It knows enclave documents only, and is more lenient: where it accepts what we refuse, the table
`LENIENT` says so, and a test holds it. What it refuses, we must refuse, and the other way round for
every vector and every document that our hypervisor issues.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from nitro_workflow.attestation import HypervisorPki, Report, Verifier
from tests.attestation import forge
from tests.attestation.conftest import FOLDER, INSTANCE, MODULE, NOW, PCRS, ROWS
from tests.attestation.test_chain import ATTACKS
from tests.interop.peers import Unbuilt, go_program

pytestmark = pytest.mark.interop

SOURCE = Path(__file__).parent / "nitrite"
NO_PCRS = "One or more of mandatory fields missing"
# Attacks that nitrite lets pass: Go builds a path from any order of certificates, and asks neither
# for AWS's curve and hash, nor for keyUsage, nor for the leaf to be one.
LENIENT = {
    "intermediates swapped",
    "bundle reversed",
    "root last",
    "root missing",
    "root twice",
    "regional twice",
    "leaf in the bundle",
    "extra of another chain",
    "another root, same name",
    "same root key, new certificate",
    "leaf that is a CA",
    "leaf without digitalSignature",
    "leaf that may sign certificates",
    "leaf without keyUsage",
    "CA without keyUsage",
    "P-256 intermediate",
    "P-521 intermediate",
    "RSA intermediate",
    "certificate signed over SHA-256",
}
Judge = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="module")
def program() -> list[str] | str:
    """Build the Go program; return how it is run, or why there is none."""
    if shutil.which("go") is None:
        return "no go"
    try:
        return go_program(SOURCE)
    except Unbuilt as trouble:
        return str(trouble)


@pytest.fixture
def judge(
    program: list[str] | str, require: Callable[[str, bool, str], None], tmp_path: Path
) -> Judge:
    trouble = program if isinstance(program, str) else ""
    require("interop", not trouble, f"hf/nitrite needs Go and the Go module proxy: {trouble}")

    def run(
        documents: Iterable[tuple[bytes, datetime]], root: bytes | None = None
    ) -> list[dict[str, Any]]:
        lines = []
        for number, (data, at) in enumerate(documents):
            path = tmp_path / str(number)
            path.write_bytes(data)
            lines.append(f"{int(at.timestamp())} {path}")
        arguments = [*program, "judge"]
        if root is not None:
            pem = tmp_path / "root.pem"
            pem.write_bytes(x509.load_der_x509_certificate(root).public_bytes(Encoding.PEM))
            arguments.append(str(pem))
        done = subprocess.run(
            arguments, input="\n".join(lines), capture_output=True, text=True, check=True
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


def ours(data: bytes, at: datetime, root: bytes | None = None) -> Report:
    verifier = Verifier.aws() if root is None else Verifier.with_root(root)
    return verifier.explain_including_debug(data, at=at.replace(microsecond=0))


def test_agrees_on_every_vector(judge: Judge) -> None:
    raw = [(FOLDER / row["file"]).read_bytes() for row in ROWS]
    times = [datetime.fromtimestamp(row["timestamp_ms"] // 1000, NOW.tzinfo) for row in ROWS]
    for row, data, at, theirs in zip(
        ROWS, raw, times, judge(zip(raw, times, strict=True)), strict=True
    ):
        report = ours(data, at)
        if row["kind"] == "nitrotpm":
            # nitrite reads the field `pcrs` alone: it has no opinion on these.
            assert theirs["error"] == NO_PCRS
            assert report.verdict == "valid"
            continue
        assert theirs["accepted"] is (report.verdict == "valid"), (row["file"], theirs["error"])
        if theirs["accepted"]:
            assert theirs["module_id"] == report.reading.values["module_id"]
            assert theirs["pcr0"] == report.reading.pcrs[0].hex()


def test_agrees_that_vectors_do_not_hold_a_day_later(judge: Judge) -> None:
    raw = [(FOLDER / row["file"]).read_bytes() for row in ROWS if row["verdict"] == "valid"]
    pairs = [(data, NOW) for data in raw]
    for data, theirs in zip(raw, judge(pairs), strict=True):
        assert not theirs["accepted"]
        assert ours(data, NOW).failed == ("validity",)


def test_agrees_on_every_document_that_we_issue(judge: Judge) -> None:
    pki = HypervisorPki.create(NOW)
    issuer = pki.instance(INSTANCE, NOW)
    asked: list[dict[str, Any]] = [
        {},
        {"form": "definite"},
        {"pcrs": {index: bytes([1]) * 48 for index in range(32)}},
        {"pcrs": {0: bytes(48)}},
        {"public_key": bytes(1024), "user_data": bytes(1024), "nonce": bytes(1024)},
        {"public_key": b"", "user_data": b"", "nonce": b""},
    ]
    documents = [
        issuer.issue(**{"module_id": MODULE, "pcrs": PCRS, "now": NOW} | one) for one in asked
    ]
    documents += [b"\xd2" + documents[0]]
    at = NOW + timedelta(seconds=1)
    for moment, accepted in ((at, True), (at + timedelta(hours=4), False)):
        pairs = [(data, moment) for data in documents]
        for data, theirs in zip(documents, judge(pairs, pki.root_der), strict=True):
            assert theirs["accepted"] is accepted, theirs["error"]
            assert (ours(data, moment, pki.root_der).verdict == "valid") is accepted
    # Under AWS's root, which it has by itself, none of them holds.
    for theirs in judge([(data, at) for data in documents]):
        assert not theirs["accepted"]


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_it_refuses_we_refuse_and_where_it_is_lenient_is_known(
    judge: Judge, attack: str
) -> None:
    make, _ = ATTACKS[attack]
    data, root = make()
    (theirs,) = judge([(data, NOW)], root)
    assert ours(data, NOW, root).verdict == "refused"
    assert theirs["accepted"] is (attack in LENIENT), theirs["error"]


def test_damage_is_refused_by_both(judge: Judge) -> None:
    pki = HypervisorPki.create(NOW)
    data = pki.instance(INSTANCE, NOW).issue(module_id=MODULE, pcrs=PCRS, now=NOW)
    payload = cbor2.loads(data)[2]
    damaged = [
        data[:-1],
        data[:-1] + bytes([data[-1] ^ 1]),
        data.replace(b"SHA384", b"SHA256"),
        forge.resigned(data, payload=payload[:-1] + b"\x00"),
        forge.resigned(data, protected=bytes.fromhex("a10126")),
        forge.resigned(data, signature=bytes(96)),
    ]
    for one, theirs in zip(damaged, judge([(d, NOW) for d in damaged], pki.root_der), strict=True):
        assert not theirs["accepted"]
        assert ours(one, NOW, pki.root_der).verdict == "refused"
