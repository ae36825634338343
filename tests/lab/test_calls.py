"""The calls of a step: real ones, whole, and without a secret in any place."""

from __future__ import annotations

import base64
import io
import json
import os
from types import SimpleNamespace
from typing import Any

import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from hypothesis import given
from hypothesis import strategies as st

from nitro_workflow.lab.call_record import BODY, CALLS, CallRecord, CallRecorder
from nitro_workflow.lab.cut_values import SECRETS, cut_headers, cut_value
from nitro_workflow.lab.evidence.recorded_call import recorded_call
from nitro_workflow.lab.step_result import StepResult

SECRET = "hunter2-" + "s" * 40
PLAINTEXT = os.urandom(32)


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Any:
        yield self.read()


@pytest.fixture
def client():
    """Return (recorder, make): ``make(service, answer, status)`` is a client that sends nothing."""
    recorder = CallRecorder()

    def make(service: str, body: bytes, status: int = 200) -> Any:
        session = botocore.session.Session()
        session.set_credentials("AKIAEXAMPLE", SECRET, f"token-{SECRET}")
        recorder.watch("data owner", session.get_component("event_emitter"))
        made = session.create_client(service, region_name="us-east-1")

        def answer(request: Any, **_: Any) -> AWSResponse:
            headers = {"x-amzn-RequestId": "r-1", "Content-Type": "application/x-amz-json-1.1"}
            return AWSResponse(request.url, status, headers, _Raw(body))

        made.meta.events.register("before-send.*.*", answer)
        return made

    return recorder, make


def _data_key(client: Any) -> dict[str, Any]:
    recorder, make = client
    plain = base64.b64encode(PLAINTEXT).decode()
    answer = {
        "KeyId": "k",
        "Plaintext": plain,
        "CiphertextBlob": base64.b64encode(b"x" * 9).decode(),
    }
    kms = make("kms", json.dumps(answer).encode())
    recorder.begin()
    kms.generate_data_key(KeyId="k", KeySpec="AES_256", EncryptionContext={"a": "b"})
    (call,) = recorder.taken()
    return call


def test_a_call_is_noted_as_it_was_made(client):
    call = _data_key(client)
    assert (call["service"], call["operation"], call["party"]) == (
        "kms",
        "GenerateDataKey",
        "data owner",
    )
    assert call["parameters"] == {
        "KeyId": "k",
        "KeySpec": "AES_256",
        "EncryptionContext": {"a": "b"},
    }
    assert call["request"]["headers"]["X-Amz-Target"] == "TrentService.GenerateDataKey"
    assert call["request"]["body"] == call["parameters"]
    assert call["answer"]["status"] == 200
    assert call["answer"]["body"]["CiphertextBlob"]["bytes"] == 9
    assert len(call["answer"]["body"]["CiphertextBlob"]["sha256"]) == 64


def test_no_secret_is_in_a_record(client):
    call = _data_key(client)
    text = json.dumps(call)
    for canary in (SECRET, PLAINTEXT.hex(), base64.b64encode(PLAINTEXT).decode()):
        assert canary not in text
    assert call["answer"]["body"]["Plaintext"] == {"bytes": 32, "secret": True}
    assert call["request"]["headers"]["Authorization"].endswith("Signature=<signature cut>")
    assert "AKIAEXAMPLE" not in text


def test_a_secret_in_a_form_encoded_request_is_not_kept(client):
    recorder, make = client
    answer = b"<RunInstancesResponse><instancesSet/></RunInstancesResponse>"
    ec2 = make("ec2", answer)
    recorder.begin()
    ec2.run_instances(MinCount=1, MaxCount=1, UserData=SECRET)
    ec2.run_instances(MinCount=1, MaxCount=1)
    secret, plain = recorder.taken()
    assert SECRET not in json.dumps([secret, plain])
    assert secret["parameters"]["UserData"] == {"bytes": len(SECRET), "secret": True}
    assert "Action=RunInstances" in plain["request"]["body"]


def test_a_refusal_is_noted_with_its_code(client):
    recorder, make = client
    body = json.dumps({"__type": "AccessDeniedException", "message": "not allowed"}).encode()
    kms = make("kms", body, 400)
    recorder.begin()
    with pytest.raises(kms.exceptions.ClientError):
        kms.decrypt(CiphertextBlob=b"x" * 20)
    (call,) = recorder.taken()
    assert call["error"] == "AccessDeniedException"
    assert call["request"]["body"]["CiphertextBlob"]["bytes"] == 20


def test_a_streamed_body_is_told_by_its_length(client, tmp_path):
    recorder, make = client
    path = tmp_path / "customers.csv.esdk"
    path.write_bytes(b"y" * 1234)
    s3 = make("s3", b"")
    recorder.begin()
    with path.open("rb") as body:
        s3.put_object(Bucket="b", Key="k", Body=body)
    (call,) = recorder.taken()
    assert call["parameters"]["Body"] == {"bytes": 1234, "file": "customers.csv.esdk"}
    assert call["request"]["bytes"] == 1234
    assert str(tmp_path) not in json.dumps(call)


def test_looking_up_evidence_is_no_call_of_a_step(client):
    recorder, make = client
    recorder.begin()
    make("cloudtrail", b'{"Events": []}').lookup_events()
    assert recorder.taken() == ()


def test_a_step_keeps_so_many_calls_and_no_more():
    recorder = CallRecorder()
    recorder.begin()
    for _ in range(CALLS + 9):
        recorder.note("function", "p", "f", {})
    assert len(recorder.taken()) == CALLS
    recorder.begin()
    assert recorder.taken() == ()


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_a_secret_is_known_by_its_name_at_any_depth(name):
    cut = cut_value({"a": [{"b": {name: SECRET}}]})
    assert cut == {"a": [{"b": {name: {"bytes": len(SECRET), "secret": True}}}]}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_whatever_is_cut_is_json(value):
    json.dumps(cut_value(value))


def test_a_value_that_contains_itself_has_an_end():
    value: dict[str, Any] = {}
    value["again"] = value
    json.dumps(cut_value(value))


@pytest.mark.parametrize(
    "header", ["Bearer abc", "AWS4-HMAC-SHA256 Credential=AKIA/x, Signature=00", "", "AWS4"]
)
def test_an_authorization_of_another_form_is_cut_whole(header):
    kept = cut_headers({"Authorization": header, "X-Amz-Security-Token": "t" * 9, "Cookie": "c"})
    assert kept == {"Authorization": "<cut>", "X-Amz-Security-Token": "<secret cut: 9 bytes>"}


def test_headers_say_nothing_of_the_machine():
    assert cut_headers({"User-Agent": "linux", "x-amz-request-id": b"r"}) == {
        "x-amz-request-id": "r"
    }


def test_a_long_body_is_not_kept(client):
    recorder, make = client
    kms = make("kms", b"{}")
    recorder.begin()
    kms.put_key_policy(KeyId="k", PolicyName="default", Policy="p" * BODY)
    (call,) = recorder.taken()
    assert call["request"]["body"] is None
    assert call["request"]["bytes"] > BODY


def test_a_call_of_the_clouds_record_has_the_names_of_the_api():
    model = botocore.session.Session().get_service_model("kms").operation_model("Decrypt")
    event = {
        "requestParameters": {
            "keyId": "k",
            "grantTokens": [],
            "ciphertextBlob": {"bytes": 112, "sha256": "ab"},
            "recipient": {"attestationDocument": {"bytes": 4331, "sha256": "cd"}},
            "unknown": 1,
        },
        "additionalEventData": {"envelope": {"bytes": 493, "sha256": "ef", "key": "x"}},
        "requestID": "r",
    }
    call = recorded_call(event, model, party="enclave")
    assert call.parameters == {
        "KeyId": "k",
        "CiphertextBlob": {"bytes": 112, "sha256": "ab"},
        "Recipient": {"AttestationDocument": {"bytes": 4331, "sha256": "cd"}},
    }
    assert call.answer["body"] == {"CiphertextForRecipient": {"bytes": 493, "sha256": "ef"}}
    assert call.source == "the cloud's record of it"


def test_calls_travel_with_the_steps_record():
    call = CallRecord("aws", "data owner", "kms", "Decrypt", {"KeyId": "k"})
    assert CallRecord.from_json(json.loads(json.dumps(call.to_json()))) == call
    result = StepResult("P1", "o", "t", "done", 1.0, {}, calls=(call.to_json(),))
    assert StepResult.from_record(json.loads(json.dumps(result.to_record()))).calls == result.calls
    assert "calls" not in result.to_json()


# -- a real walk -----------------------------------------------------------------------------------

MADE = {
    "P1": "CreateKey", "P2": "GenerateDataKey", "P3": "GenerateDataKey", "P4": "PutObject",
    "P5": "build_rootfs", "P6": "build_image", "P7": "PutKeyPolicy", "P8": "run-enclave",
    "D1": "GetObject", "D2": "send", "D4": "Decrypt", "D5": "Decrypt", "D9": "Decrypt",
}  # fmt: skip


@pytest.mark.sandbox
def test_each_step_of_a_walk_keeps_its_calls(lab, walked):
    for step, operation in MADE.items():
        result = walked[step]
        assert operation in {call["operation"] for call in result.calls}, step
        assert all(CallRecord.from_json(call) for call in result.calls)


@pytest.mark.sandbox
def test_a_walks_calls_hold_no_secret_and_no_path(lab, walked):
    text = json.dumps([walked[step].calls for step in MADE])
    assert str(lab.path) not in text
    for session in lab.bench.parties._sessions.values():
        keys = session.get_credentials().get_frozen_credentials()
        assert keys.secret_key not in text
        assert keys.token not in text
    plain = [
        c for step in MADE for c in walked[step].calls if "Plaintext" in c["answer"].get("body", {})
    ]
    assert plain
    assert all(set(call["answer"]["body"]["Plaintext"]) == {"bytes", "secret"} for call in plain)


@pytest.mark.sandbox
def test_progress_is_heard_of_each_step(lab, walked):
    heard: list[tuple[str, str]] = []
    lab.progress = lambda told: heard.append((told.step, told.state))
    try:
        lab.run("P7")
    finally:
        lab.progress = None
    assert heard == [("P7", "running"), ("P7", "done")]


def test_a_step_without_an_answer_leaves_nothing_behind():
    recorder = CallRecorder()
    events: dict[str, Any] = {}
    recorder.watch("p", SimpleNamespace(register=events.__setitem__))
    recorder.begin()
    events["after-call.*.*"](http_response=None, parsed={}, model=None)
    events["before-send.*.*"](request=None)
    assert recorder.taken() == ()
