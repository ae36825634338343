"""Every single-bit flip, every truncation, and the one change that ECDSA cannot see."""

from __future__ import annotations

import multiprocessing
import os
import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

import pytest

from nitro_workflow.attestation import Verifier, parse_document
from nitro_workflow.attestation.issue import HypervisorPki
from nitro_workflow.attestation.roots import aws_root
from nitro_workflow.errors import DocumentError

from .conftest import GENUINE, INSTANCE, MODULE, NOW, PCRS, vector
from .tamper import believed_flips

# Order of the P-384 group (FIPS 186-4, D.1.2.4).
N384 = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffff"
    "c7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    16,
)
KINDS = {
    "production, definite map": "19b71700ef369a55",
    "debug, indefinite map": "050f82ac1d033929",
    "PCR16 locked, empty user data": "8e5652f3b009e620",
    "NitroTPM": "8df530572d54b373",
}


SAMPLE = 3_000  # bits of a document; CI tries each of its forty thousand


def flips(data: bytes, root: bytes, bits: Sequence[int]) -> list[int]:
    """Try these flips, a share for each processor; return those that are believed."""
    workers = os.cpu_count() or 1
    shares = [bits[at :: workers * 4] for at in range(workers * 4)]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        tasks = [pool.submit(believed_flips, data, root, share) for share in shares]
        return [bit for task in tasks for bit in task.result()]


def chosen(data: bytes, thorough: bool) -> Sequence[int]:
    every = range(len(data) * 8)
    return every if thorough else sorted(random.Random(1).sample(every, SAMPLE))


def test_every_single_bit_flip_of_a_genuine_document_is_refused() -> None:
    data = vector(KINDS["production, definite map"])
    assert Verifier.aws().explain(data, at="document").accepted
    assert flips(data, aws_root(), range(len(data) * 8)) == []


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("production")])
def test_bit_flips_of_other_genuine_documents_are_refused(kind: str, thorough: bool) -> None:
    data = vector(KINDS[kind])
    assert Verifier.aws().explain_including_debug(data, at="document").accepted
    assert flips(data, aws_root(), chosen(data, thorough)) == []


def test_bit_flips_of_a_tagged_lab_document_are_refused(thorough: bool) -> None:
    pki = HypervisorPki.create(NOW)
    issuer = pki.instance(INSTANCE, NOW)
    data = b"\xd2" + issuer.issue(module_id=MODULE, pcrs=PCRS, nonce=b"n", now=NOW)
    assert Verifier.local(pki.root_der).explain(data, at="document").accepted
    assert flips(data, pki.root_der, chosen(data, thorough)) == []


@pytest.mark.parametrize("name", KINDS.values())
def test_truncation_at_every_length_is_refused(name: str) -> None:
    data, verifier = vector(name), Verifier.aws()
    for length in range(len(data)):
        assert verifier.explain(data[:length], at="document").failed[0] == "shape"
        with pytest.raises(DocumentError):
            parse_document(data[:length])


@pytest.mark.parametrize("row", GENUINE, ids=lambda row: row["file"])
def test_bytes_before_or_after_are_refused(row: dict[str, str]) -> None:
    data = vector(row["file"][:16])
    for changed in (data + b"\x00", data + data, b"\x00" + data, data[:-1] + b"\n" + data[-1:]):
        assert "shape" in Verifier.aws().explain(changed, at="document").failed


def test_the_twin_of_a_signature_is_the_one_change_that_is_believed() -> None:
    """(r, n - s) is as good as (r, s): so a document's bytes are no unique name for it.

    Whoever keeps a list of documents that were used must key it by nonce, or by the payload.
    """
    data = vector("19b71700ef369a55")
    s = int.from_bytes(data[-48:], "big")
    twin = data[:-48] + (N384 - s).to_bytes(48, "big")
    assert twin != data
    verified = Verifier.aws().verify(twin, at="document")
    assert verified.document.sign1.payload == parse_document(data).sign1.payload


def test_the_tag_is_not_signed() -> None:
    data = vector("19b71700ef369a55")
    assert Verifier.aws().verify(b"\xd2" + data, at="document").document.sign1.tagged
