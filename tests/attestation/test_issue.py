"""What the lab issues: AWS's shape, its own names, its own limits, renewed in time."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtensionOID, NameOID

from nitro_workflow.attestation import Verifier, parse_document
from nitro_workflow.attestation.issue import LAB_DOMAIN, HypervisorPki, InstanceIssuer
from nitro_workflow.errors import UsageError

from .conftest import INSTANCE, MODULE, NOW, PCRS, vector


def chain_of(document: bytes) -> list[x509.Certificate]:
    parsed = parse_document(document)
    ders = [*parsed.cabundle, parsed.certificate]
    return [x509.load_der_x509_certificate(der) for der in ders]


def test_the_shape_is_awss(document: bytes) -> None:
    """Field order, header, lengths and certificates as in a genuine document of 2025."""
    ours, theirs = chain_of(document), chain_of(vector("050f82ac1d033929"))
    assert document[:8] == vector("050f82ac1d033929")[:8]
    assert list(parse_document(document).spans) == list(
        parse_document(vector("050f82ac1d033929")).spans
    )
    for mine, real in zip(ours, theirs, strict=True):
        for oid in (ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE):
            a = mine.extensions.get_extension_for_oid(oid)
            b = real.extensions.get_extension_for_oid(oid)
            assert a.critical == b.critical
            if oid == ExtensionOID.BASIC_CONSTRAINTS:
                assert a.value == b.value
        assert mine.signature_algorithm_oid == real.signature_algorithm_oid
    lives = [c.not_valid_after_utc - c.not_valid_before_utc for c in ours]
    assert lives[1:] == [
        timedelta(days=20, hours=1),
        timedelta(days=5, hours=13),
        timedelta(hours=24),
        timedelta(hours=3, seconds=3),
    ]


def test_no_name_can_be_taken_for_awss(document: bytes) -> None:
    chain = chain_of(document)
    for certificate in chain:
        text = certificate.subject.rfc4514_string()
        assert "aws" not in text
        assert "not Amazon" in text
    names = [c.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value for c in chain]
    assert names[0] == f"local.{LAB_DOMAIN}"
    assert MODULE in str(names[4])
    assert Verifier.aws().explain(document, at=NOW).failed == ("root",)


@pytest.mark.parametrize("form", ["indefinite", "definite"])
@pytest.mark.parametrize("kind", ["enclave", "nitrotpm"])
def test_every_form_is_accepted(
    pki: HypervisorPki, issuer: InstanceIssuer, form: Any, kind: Any
) -> None:
    data = issuer.issue(
        module_id=MODULE,
        pcrs={index: bytes([1]) * 48 for index in range(24)},
        public_key=bytes(1024),
        user_data=b"",
        now=NOW,
        form=form,
        kind=kind,
    )
    verified = Verifier.local(pki.root_der).verify(data, at=NOW)
    assert verified.document.kind == kind
    assert (verified.document.sign1.payload[0] == 0xBF) is (form == "indefinite")
    assert (verified.document.user_data, verified.document.nonce) == (b"", None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"pcrs": {}},
        {"pcrs": {32: bytes(48)}},
        {"pcrs": {0: b"short"}},
        {"nonce": bytes(1025)},
        {"user_data": bytes(1025)},
        {"public_key": bytes(1025)},
        {"module_id": ""},
    ],
)
def test_what_would_be_refused_is_not_issued(issuer: InstanceIssuer, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        issuer.issue(**{"module_id": MODULE, "pcrs": PCRS, "now": NOW} | wrong)


def test_certificates_are_renewed_before_they_end() -> None:
    pki = HypervisorPki.create(NOW)
    issuer, verifier = pki.instance(INSTANCE, NOW), Verifier.local(pki.root_der)
    leaves, instances, zonals, regionals = set(), set(), set(), set()
    for hours in range(0, 24 * 60, 2):
        now = NOW + timedelta(hours=hours, minutes=7)
        data = issuer.issue(module_id=MODULE, pcrs=PCRS, now=now)
        report = verifier.explain(data, at=now)
        assert report.accepted, (hours, report.failed)
        # A verifier that looks at it a little later still finds all certificates valid.
        assert verifier.explain(data, at=now + timedelta(minutes=14)).accepted
        parsed = parse_document(data)
        leaves.add(parsed.certificate)
        instances.add(parsed.cabundle[3])
        zonals.add(parsed.cabundle[2])
        regionals.add(parsed.cabundle[1])
    assert len(leaves) > len(instances) > len(zonals) > len(regionals) > 1


def test_a_leaf_is_kept_for_each_enclave(issuer: InstanceIssuer) -> None:
    def leaf(module: str, minutes: int) -> bytes:
        now = NOW + timedelta(minutes=minutes)
        return parse_document(issuer.issue(module_id=module, pcrs=PCRS, now=now)).certificate

    assert leaf(MODULE, 0) == leaf(MODULE, 60)
    assert leaf(MODULE, 0) != leaf(f"{MODULE}f", 0)


def test_private_keys_are_not_shown(pki: HypervisorPki, issuer: InstanceIssuer) -> None:
    issuer.issue(module_id=MODULE, pcrs=PCRS, now=NOW)
    shown = f"{pki!r} {issuer!r} {issuer._chain!r} {issuer._leaves!r}"
    assert "private" not in shown.lower()
    assert "key=" not in shown


def test_issuing_is_fast_enough_for_every_retry(issuer: InstanceIssuer) -> None:
    def seconds() -> float:
        started = time.process_time()
        issuer.issue(module_id=MODULE, pcrs=PCRS, now=NOW)
        return time.process_time() - started

    # The least of many: what the collector or another thread did meanwhile is not the issuer's.
    assert min(seconds() for _ in range(20)) < 0.05
