"""Documents, CloudTrail records and files of questions."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from policy_help import ACCOUNT, KEY, OTHER, ROLE, SESSION

from nitro_workflow.attestation import parse_document
from nitro_workflow.errors import DocumentError, PolicyError
from nitro_workflow.policy import RequestContext, pcr_values
from nitro_workflow.policy.decide.recorded_requests import requests_from_cloudtrail
from nitro_workflow.policy.decide.request_files import (
    parse_grants,
    parse_measurements,
    parse_requests,
)

PCR0 = bytes(range(48))
RECORD = {
    "eventSource": "kms.amazonaws.com", "eventName": "Decrypt", "awsRegion": "us-east-1",
    "eventTime": "2026-11-25T00:00:00Z", "sourceIPAddress": "203.0.113.7",
    "userIdentity": {
        "type": "AssumedRole", "arn": SESSION, "accountId": ACCOUNT,
        "sessionContext": {"sessionIssuer": {
            "type": "Role", "arn": f"arn:aws:iam::{ACCOUNT}:role/path/Worker"}},
    },
    "requestParameters": {"encryptionContext": {"dataset": "a"},
                          "encryptionAlgorithm": "SYMMETRIC_DEFAULT"},
    "resources": [{"ARN": KEY, "type": "AWS::KMS::Key"}],
    "additionalEventData": {"recipient": {
        "attestationDocumentModuleId": "i-1-enc1",
        "attestationDocumentEnclaveImageDigest": base64.b64encode(PCR0).decode(),
        "attestationDocumentEnclavePCR3": base64.b64encode(b"\3" * 48).decode(),
    }},
}  # fmt: skip


@pytest.mark.parametrize(
    "wrap",
    [
        lambda record: record,
        lambda record: {"Records": [record]},
        lambda record: {"Events": [{"CloudTrailEvent": json.dumps(record)}]},
        lambda record: {"CloudTrailEvent": json.dumps(record)},
    ],
)
def test_cloudtrail(wrap):
    (request,) = requests_from_cloudtrail(wrap(RECORD))
    assert (request.principal.arn, request.action, request.resource) == (
        SESSION,
        "kms:Decrypt",
        KEY,
    )
    assert request.principal.role_arn == f"arn:aws:iam::{ACCOUNT}:role/path/Worker"
    values = request.context.values
    assert values["kms:recipientattestation:pcr0"] == (PCR0.hex(),)
    assert values["kms:recipientattestation:imagesha384"] == (PCR0.hex(),)
    assert values["kms:recipientattestation:pcr3"] == ("03" * 48,)
    assert values["kms:encryptioncontext:dataset"] == ("a",)
    assert values["kms:encryptioncontextkeys"] == ("dataset",)
    assert values["aws:sourceip"] == ("203.0.113.7",)
    assert values["aws:currenttime"] == ("2026-11-25T00:00:00Z",)


def test_cloudtrail_through_a_service_and_reencrypt():
    record = {**RECORD, "sourceIPAddress": "s3.amazonaws.com", "eventName": "ReEncrypt"}
    first, second = requests_from_cloudtrail(record)
    assert (first.action, second.action) == ("kms:ReEncryptFrom", "kms:ReEncryptTo")
    assert first.context.values["kms:viaservice"] == ("s3.us-east-1.amazonaws.com",)


def test_cloudtrail_of_a_denial_names_the_key_in_its_message():
    record = {name: value for name, value in RECORD.items() if name != "resources"}
    record |= {"requestParameters": None, "errorCode": "AccessDenied", "errorMessage":
               f"User: {SESSION} is not authorized to perform: kms:Decrypt on resource: {KEY}"
               " because no resource-based policy allows the kms:Decrypt action"}  # fmt: skip
    (request,) = requests_from_cloudtrail(record)
    assert request.resource == KEY
    del record["userIdentity"]
    (request,) = requests_from_cloudtrail(record)
    assert request.principal.arn == SESSION


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ([], "CloudTrail"),
        ({"Records": []}, "CloudTrail"),
        ({}, "CloudTrail"),
        ({"CloudTrailEvent": "{"}, "CloudTrailEvent"),
        ({**RECORD, "userIdentity": {}}, "CloudTrail"),
        ({**RECORD, "resources": []}, "CloudTrail"),
        ({**RECORD, "additionalEventData": {"recipient": {
            "attestationDocumentEnclavePCR3": "no base64"}}},
         "CloudTrail, recipient.attestationDocumentEnclavePCR3"),
    ],
)  # fmt: skip
def test_what_is_no_cloudtrail_record(value, where):
    with pytest.raises(PolicyError) as caught:
        requests_from_cloudtrail(value)
    assert caught.value.where == where


def test_requests_one_or_many():
    one = {"principal": ROLE, "action": "kms:Decrypt", "resource": KEY}
    assert len(parse_requests(json.dumps(one, indent=1).encode())) == 1
    assert len(parse_requests(json.dumps([one, one]).encode())) == 2
    lines = b"\n".join(json.dumps(one).encode() for _ in range(3)) + b"\n\n"
    assert len(parse_requests(lines)) == 3
    with pytest.raises(PolicyError) as caught:
        parse_requests(json.dumps(one).encode() + b"\n{broken\n", where="r.jsonl")
    assert caught.value.where.startswith("r.jsonl, line 2, line 1, column 2")


def test_grants_and_measurements():
    grant = {"GranteePrincipal": ROLE, "Operations": ["Decrypt"]}
    for value in ({"Grants": [grant]}, [grant], grant):
        assert parse_grants(json.dumps(value).encode())[0].grantee == ROLE
    for wrong in ("5", '"x"', "[5]", '{"Grants": 5}'):
        with pytest.raises(PolicyError):
            parse_grants(wrong.encode())
    bare = b'{"PCR0": "aa", "HashAlgorithm": "Sha384"}'
    assert parse_measurements(bare) == {"PCR0": "aa"}
    assert parse_measurements(b'{"Measurements": {"PCR0": "aa"}}') == {"PCR0": "aa"}
    for wrong in (b"{}", b"[]", b'{"PCR0": 5}'):
        with pytest.raises(PolicyError):
            parse_measurements(wrong)


def test_keys_of_a_genuine_document(vectors: Path):
    seen = set()
    for path in sorted((vectors / "attestation").glob("*.bin")):
        try:
            document = parse_document(path.read_bytes())
        except DocumentError:  # the folder holds broken ones too
            continue
        values = pcr_values(document)
        seen.add(document.kind)
        prefix = "NitroTPMPCR" if document.kind == "nitrotpm" else "PCR"
        key = f"kms:RecipientAttestation:{prefix}4"
        assert values[key] == document.pcrs[4].hex()
        assert ("kms:RecipientAttestation:ImageSha384" in values) == (document.kind == "enclave")
        assert RequestContext.what_if({}, document=document).attested
    assert seen == {"enclave", "nitrotpm"}


def test_from_verified_takes_a_verified_document_only():
    from nitro_workflow.attestation import HypervisorPki, Verifier

    now = datetime(2026, 11, 25, tzinfo=UTC)
    pki = HypervisorPki.create(now)
    issuer = pki.instance("i-0123456789abcdef0", now)
    pcrs = {0: PCR0, **{i: bytes([i]) * 48 for i in (1, 2, 3, 4)}}
    data = issuer.issue(module_id="i-0123456789abcdef0-enc0", pcrs=pcrs, now=now)
    verified = Verifier.local(pki.root_der).verify(data, at=now)
    context = RequestContext.from_verified({"aws:SourceIp": "203.0.113.7"}, verified)
    assert (context.basis, context.attested) == ("verified", True)
    assert context.values["kms:recipientattestation:pcr0"] == (PCR0.hex(),)
    with pytest.raises(PolicyError, match="AttestationDocument"):
        RequestContext.from_verified({}, parse_document(data))
    assert OTHER != ACCOUNT


def test_services_never_take_anybodys_word_for_a_measurement():
    """Only `from_verified` is used where requests are really decided."""
    import nitro_workflow

    package = Path(nitro_workflow.__file__).parent
    for room in ("cloud", "enclave", "host", "nsm", "vsock"):
        for path in (package / room).rglob("*.py"):
            text = path.read_text("utf-8")
            assert "what_if" not in text, path
            assert "RequestContext(" not in text, path


@pytest.mark.parametrize("resources", [1, "x", {}, [1], [{}], None])
def test_a_record_whose_resources_are_none_is_refused_by_name(resources):
    record = {
        "eventSource": "kms.amazonaws.com", "eventName": "Decrypt", "resources": resources,
        "userIdentity": {"arn": "arn:aws:iam::111122223333:role/Parent"},
    }  # fmt: skip
    with pytest.raises(PolicyError, match="no resource"):
        requests_from_cloudtrail(record)
