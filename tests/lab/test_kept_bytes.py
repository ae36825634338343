"""The bytes of D3 to D7 as they were kept: each fits what another party recorded of it."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, b64encode

import pytest

from nitro_workflow.cms import key_identifier, parse_envelope
from nitro_workflow.errors import LabError, UntrustedAnswer
from nitro_workflow.lab import (
    WIRES,
    Job,
    Lab,
    StepResult,
    document_of,
    envelope_of,
    instance_session,
    jobs_of,
    request_of,
    wire_of,
)
from nitro_workflow.lab.steps import FORMS
from nitro_workflow.lab.steps.d3_d7_bytes import event_of
from nitro_workflow.vsock import records_in, server_name

Walked = dict[str, StepResult]
SENT_AGAIN = ("D2", "D3", "D4", "D5", "D6", "D7", "D8", "D9")


@pytest.mark.parametrize("form", FORMS)
def test_the_request_carries_the_document_and_the_key_of_the_policy(
    lab: Lab, walked: Walked, form: str
) -> None:
    head, _, body = request_of(lab.bench, form).partition(b"\r\n\r\n")
    asked = json.loads(body)
    assert b"X-Amz-Target: TrentService.Decrypt" in head
    assert b64decode(asked["Recipient"]["AttestationDocument"]) == document_of(lab.bench, form)
    assert asked["Recipient"]["KeyEncryptionAlgorithm"] == "RSAES_OAEP_SHA_256"
    assert asked["KeyId"] == walked["P1"].produced["key_arn"]
    recorded = walked["D4"].evidence[form]["request"]
    assert asked["EncryptionContext"] == recorded["encryptionContext"]


@pytest.mark.parametrize("form", FORMS)
def test_the_envelope_is_sealed_to_the_key_in_the_document(
    lab: Lab, walked: Walked, form: str
) -> None:
    from nitro_workflow.attestation import parse_document

    envelope = envelope_of(lab.bench, form)
    assert hashlib.sha256(envelope).hexdigest() == walked["D5"].evidence[form]["envelope_sha256"]
    public_key = parse_document(document_of(lab.bench, form)).public_key
    assert parse_envelope(envelope).key_identifier == key_identifier(public_key or b"")


@pytest.mark.parametrize("form", FORMS)
def test_the_parent_carried_tls_records_of_which_it_can_read_the_name(
    lab: Lab, walked: Walked, form: str
) -> None:
    sent, got = (wire_of(lab.bench, direction, form) for direction in WIRES)
    for stream in (sent, got):
        kinds = [record.kind for record in records_in(stream)]
        assert kinds[:2] == ["handshake", "change_cipher_spec"]
        assert set(kinds[2:]) == {"application_data"}
    hello = records_in(sent)[0]
    assert server_name(sent[hello.start + 5 : hello.end]) == walked["D6"].evidence[form]["kms_host"]


@pytest.mark.parametrize("form", FORMS)
def test_nothing_of_request_and_answer_is_in_the_records(
    lab: Lab, walked: Walked, form: str
) -> None:
    carried = b"".join(wire_of(lab.bench, direction, form) for direction in WIRES)
    document, envelope = document_of(lab.bench, form), envelope_of(lab.bench, form)
    body = request_of(lab.bench, form).partition(b"\r\n\r\n")[2]
    for secret in (document[:64], envelope[:64], body[:64], b"TrentService", b"customers"):
        assert secret not in carried
        assert b64encode(secret)[:-4] not in carried


def test_a_document_that_is_sent_again_does_not_hide_the_enclaves_request(
    lab: Lab, walked: Walked
) -> None:
    """KMS answers whoever sends the document again; what is shown stays the enclave's."""
    # KMS takes a document for five minutes: the walk's may be older. Every step, because the tests
    # that come later look at steps of the same jobs.
    done = {number: lab.run(number) for number in SENT_AGAIN}
    decided, opened = done["D4"], done["D7"]
    job = jobs_of(lab.bench)["encryption-sdk"]
    asked = json.loads(request_of(lab.bench).partition(b"\r\n\r\n")[2])
    again = (
        instance_session(lab.bench)
        .client("kms")
        .decrypt(
            KeyId=asked["KeyId"],
            CiphertextBlob=b64decode(asked["CiphertextBlob"]),
            EncryptionContext=asked["EncryptionContext"],
            Recipient={**asked["Recipient"], "AttestationDocument": document_of(lab.bench)},
        )
    )
    assert again["CiphertextForRecipient"] != envelope_of(lab.bench)
    assert lab.run("D7").evidence["encryption-sdk"] == opened.evidence["encryption-sdk"]
    assert event_of(lab.bench, job)["requestID"] == decided.evidence[job.form]["request_id"]


def test_steps_keep_digests_and_no_bytes(walked: Walked) -> None:
    for step, name in (("D3", "document"), ("D6", "request"), ("D7", "envelope")):
        for form in FORMS:
            assert name not in walked[step].evidence[form], "kept with the job, not in the record"


@pytest.mark.parametrize(
    ("step", "name", "show"),
    [
        ("D3", "document", document_of),
        ("D6", "request", request_of),
        ("D7", "envelope", envelope_of),
    ],
)
def test_what_the_parent_changed_is_not_shown(
    lab: Lab, walked: Walked, monkeypatch: pytest.MonkeyPatch, step: str, name: str, show
) -> None:
    genuine = Job.state

    def changed(job: Job):
        state = json.loads(json.dumps(genuine(job)))
        data = bytearray(b64decode(state["evidence"][step][name]))
        data[data.rindex(b"A") if name == "request" else 40] ^= 1
        state["evidence"][step][name] = b64encode(data).decode()
        return state

    monkeypatch.setattr(Job, "state", changed)
    with pytest.raises(UntrustedAnswer):
        show(lab.bench)


def test_a_request_that_is_none_is_refused(
    lab: Lab, walked: Walked, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = Job.evidence

    def other(job: Job, step: str):
        found = genuine(job, step)
        return found | {"request": b64encode(b"GET /").decode()} if step == "D6" else found

    monkeypatch.setattr(Job, "evidence", other)
    with pytest.raises(UntrustedAnswer, match="not a Decrypt"):
        request_of(lab.bench)


def test_what_was_not_kept_is_said(
    lab: Lab, walked: Walked, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = Job.state
    monkeypatch.setattr(Job, "state", lambda job: {**genuine(job), "wire": {}})
    with pytest.raises(LabError, match="kept nothing"):
        wire_of(lab.bench, "to_kms")
    with pytest.raises(LabError, match="no job"):
        document_of(lab.bench, "another")
    assert set(jobs_of(lab.bench)) == set(FORMS)
