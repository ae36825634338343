from __future__ import annotations

import base64
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError, ConnectionClosedError
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from nitro_workflow import cms
from nitro_workflow.enclave.attested_clients import (
    OPERATIONS,
    NsmAttester,
    attested,
    attested_session,
)
from nitro_workflow.errors import UntrustedAnswer

KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
SPKI = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
DATA_KEY = bytes(range(32))


class Nsm:
    """Gives documents that name the public key and their number, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.threads: set[int] = set()
        self.busy = threading.Lock()

    def attest(self, *, public_key=None, user_data=None, nonce=None) -> bytes:
        assert self.busy.acquire(blocking=False), "the NSM is one device: one request at a time"
        self.asked.append({"public_key": public_key, "user_data": user_data, "nonce": nonce})
        self.threads.add(threading.get_ident())
        document = json.dumps([len(self.asked), base64.b64encode(public_key).decode()]).encode()
        self.busy.release()
        return document


class _Raw:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, *_, **__):
        yield self._content


class Kms:
    """Answers as KMS would; `spoil` changes an answer before it is sent."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[Any] = []
        self.failures: list[Any] = []
        self.spoil = lambda operation, members: members
        self.plaintext = DATA_KEY

    def __call__(self, request: Any, **_: Any) -> AWSResponse:
        members = json.loads(request.body)
        operation = request.headers["X-Amz-Target"].decode().rpartition(".")[2]
        self.requests.append(members)
        self.headers.append(request.headers)
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, Exception):
                raise failure
            return self._respond(request, failure, {"__type": "ServiceUnavailable"})
        return self._respond(request, 200, self.spoil(operation, self.answer(operation, members)))

    def answer(self, operation: str, members: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = {"KeyId": KEY}
        plaintext = self.plaintext
        if operation == "GenerateDataKeyPair":
            pair = ec.generate_private_key(ec.SECP256R1())
            plaintext = pair.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
            answer["PublicKey"] = encode(pair.public_key().public_bytes(*SPKI))
        if "Recipient" not in members:
            return answer | {OPERATIONS.get(operation, "Other"): encode(plaintext)}
        document = base64.b64decode(members["Recipient"]["AttestationDocument"])
        spki = base64.b64decode(json.loads(document)[1])
        return answer | {"CiphertextForRecipient": encode(cms.seal_envelope(plaintext, spki))}

    @staticmethod
    def _respond(request: Any, status: int, members: dict[str, Any]) -> AWSResponse:
        headers = {"content-type": "application/x-amz-json-1.1"}
        return AWSResponse(request.url, status, headers, _Raw(json.dumps(members).encode()))


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


_LOADER = botocore.session.Session().get_component("data_loader")


def make_session(kms: Kms) -> botocore.session.Session:
    session = botocore.session.Session()
    session.register_component("data_loader", _LOADER)  # reads KMS's model once
    session.set_credentials("AKIAEXAMPLE", "secret", "token")
    session.register("before-send.kms", kms)
    return session


def make_client(session: botocore.session.Session) -> Any:
    return session.create_client(
        "kms", region_name="us-east-1", endpoint_url="https://kms.us-east-1.nitro-lab.internal"
    )


@pytest.fixture
def nsm() -> Nsm:
    return Nsm()


@pytest.fixture
def kms(monkeypatch) -> Kms:
    monkeypatch.setattr("time.sleep", lambda _: None)  # botocore's pauses between tries
    return Kms()


@pytest.fixture
def client(kms, nsm) -> Any:
    return attested(make_client(make_session(kms)), NsmAttester.one_key_pair_per_run(nsm))


ASKED: dict[str, dict[str, Any]] = {
    "Decrypt": {"CiphertextBlob": b"blob", "KeyId": KEY},
    "GenerateDataKey": {"KeyId": KEY, "KeySpec": "AES_256"},
    "GenerateDataKeyPair": {"KeyId": KEY, "KeyPairSpec": "ECC_NIST_P256"},
    "GenerateRandom": {"NumberOfBytes": 32},
    "DeriveSharedSecret": {"KeyId": KEY, "KeyAgreementAlgorithm": "ECDH", "PublicKey": b"peer"},
}


def ask(client: Any, operation: str, **changes: Any) -> dict[str, Any]:
    method = client.meta.method_to_api_mapping
    (name,) = [python for python, api in method.items() if api == operation]
    return getattr(client, name)(**{**ASKED[operation], **changes})


# --- the good way --------------------------------------------------------------------------------


def test_the_five_operations_are_the_models():
    model = botocore.session.Session().get_service_model("kms")
    takers = {
        name
        for name in model.operation_names
        if "Recipient" in model.operation_model(name).input_shape.members
    }
    assert takers == set(OPERATIONS) == set(ASKED)
    for name, member in OPERATIONS.items():
        assert member in model.operation_model(name).output_shape.members


@pytest.mark.parametrize("operation", sorted(ASKED))
def test_the_plaintext_stands_where_it_does_without_an_enclave(client, kms, operation):
    answer = ask(client, operation)
    assert answer[OPERATIONS[operation]]
    assert "CiphertextForRecipient" not in answer
    recipient = kms.requests[-1]["Recipient"]
    assert recipient["KeyEncryptionAlgorithm"] == "RSAES_OAEP_SHA_256"


def test_other_operations_are_left_alone(client, kms):
    kms.spoil = lambda operation, members: {"KeyId": KEY, "CiphertextBlob": encode(b"blob")}
    client.encrypt(KeyId=KEY, Plaintext=b"x")
    assert "Recipient" not in kms.requests[-1]


def test_a_request_that_carries_a_recipient_is_left_alone(client, kms, nsm):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    spki = key.public_key().public_bytes(*SPKI)
    own = json.dumps([0, encode(spki)]).encode()
    answer = ask(
        client,
        "Decrypt",
        Recipient={"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": own},
    )
    assert base64.b64decode(kms.requests[-1]["Recipient"]["AttestationDocument"]) == own
    assert cms.open_envelope(answer["CiphertextForRecipient"], key) == DATA_KEY
    assert "Plaintext" not in answer
    assert nsm.asked == []


def test_the_document_has_the_public_key_and_a_nonce(client, nsm):
    for _ in range(2):
        ask(client, "Decrypt")
    first, second = nsm.asked
    assert first["public_key"] == second["public_key"]
    assert first["nonce"] != second["nonce"]
    assert len(first["nonce"]) == 32


def test_a_new_key_pair_per_call_is_a_choice(kms, nsm):
    client = attested(make_client(make_session(kms)), NsmAttester.new_key_pair_per_call(nsm))
    assert ask(client, "Decrypt")["Plaintext"] == DATA_KEY
    assert ask(client, "Decrypt")["Plaintext"] == DATA_KEY
    assert nsm.asked[0]["public_key"] != nsm.asked[1]["public_key"]


@pytest.mark.parametrize("make", ["one_key_pair_per_run", "new_key_pair_per_call"])
def test_every_try_has_a_document_and_a_signature_of_its_own(kms, nsm, make):
    client = attested(make_client(make_session(kms)), getattr(NsmAttester, make)(nsm))
    kms.failures = [503, ConnectionClosedError(endpoint_url="https://kms")]
    assert ask(client, "Decrypt")["Plaintext"] == DATA_KEY
    documents = [request["Recipient"]["AttestationDocument"] for request in kms.requests]
    assert len(documents) == len(set(documents)) == len(nsm.asked) == 3
    signatures = [headers["Authorization"] for headers in kms.headers]
    assert len(set(signatures)) == 3


def test_an_error_of_kms_is_passed_on(client, kms):
    kms.failures = [400] * 10
    with pytest.raises(ClientError, match="ServiceUnavailable"):
        ask(client, "Decrypt")


def test_a_session_makes_its_later_clients_attested(kms, nsm):
    session = make_session(kms)
    before = make_client(session)
    assert attested_session(session, NsmAttester.one_key_pair_per_run(nsm)) is session
    assert "Plaintext" in ask(make_client(session), "Decrypt")
    assert "Recipient" in kms.requests[-1]
    ask(before, "Decrypt")
    assert "Recipient" not in kms.requests[-1]


def test_a_boto3_session_will_do(kms, nsm):
    import boto3

    session = boto3.Session(botocore_session=make_session(kms), region_name="us-east-1")
    attested_session(session, NsmAttester.one_key_pair_per_run(nsm))
    client = session.client("kms", endpoint_url="https://kms.us-east-1.nitro-lab.internal")
    assert ask(client, "Decrypt")["Plaintext"] == DATA_KEY
    assert len(nsm.asked) == 1


def test_the_last_attester_counts(client, kms):
    other = Nsm()
    attested(client, NsmAttester.one_key_pair_per_run(other))
    assert ask(client, "Decrypt")["Plaintext"] == DATA_KEY
    assert len(other.asked) == 1


@pytest.mark.parametrize("make", ["one_key_pair_per_run", "new_key_pair_per_call"])
def test_many_threads_share_a_client(kms, nsm, make):
    client = attested(make_client(make_session(kms)), getattr(NsmAttester, make)(nsm))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(client, "Decrypt")["Plaintext"], range(32)))
    assert answers == [DATA_KEY] * 32
    assert len({request["Recipient"]["AttestationDocument"] for request in kms.requests}) == 32


# --- it fails closed -----------------------------------------------------------------------------


def spoiled(**members: Any):
    def spoil(_operation: str, answer: dict[str, Any]) -> dict[str, Any]:
        changed = {**answer, **members}
        return {name: value for name, value in changed.items() if value is not None}

    return spoil


def other_envelope(plaintext: bytes = DATA_KEY) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return encode(cms.seal_envelope(plaintext, key.public_key().public_bytes(*SPKI)))


@pytest.mark.parametrize("operation", sorted(ASKED))
def test_an_answer_in_clear_is_refused(client, kms, operation):
    member = OPERATIONS[operation]
    for spoil in (
        spoiled(**{member: encode(DATA_KEY)}),
        spoiled(**{member: encode(DATA_KEY), "CiphertextForRecipient": None}),
        spoiled(CiphertextForRecipient=None),
        spoiled(CiphertextForRecipient=""),
        spoiled(CiphertextForRecipient=encode(b"no envelope")),
        spoiled(CiphertextForRecipient=other_envelope()),
    ):
        kms.spoil = spoil
        with pytest.raises(UntrustedAnswer) as caught:
            ask(client, operation)
        assert operation in caught.value.where


@pytest.mark.parametrize(
    ("operation", "length", "changes"),
    [
        ("GenerateDataKey", 31, {}),
        ("GenerateDataKey", 32, {"KeySpec": "AES_128"}),
        ("GenerateRandom", 33, {}),
        ("DeriveSharedSecret", 31, {}),
        ("Decrypt", 0, {}),
    ],
)
def test_a_plaintext_of_another_length_is_refused(client, kms, operation, length, changes):
    kms.plaintext = bytes(length)
    with pytest.raises(UntrustedAnswer, match=f"{length} bytes"):
        ask(client, operation, **changes)


def test_a_number_of_bytes_may_be_asked_for(client, kms):
    kms.plaintext = bytes(64)
    asked = {"KeyId": KEY, "NumberOfBytes": 64}
    assert client.generate_data_key(**asked)["Plaintext"] == bytes(64)


def test_another_keys_answer_is_refused(client, kms):
    kms.spoil = spoiled(KeyId=KEY.replace("1234abcd", "ffffffff"))
    with pytest.raises(UntrustedAnswer, match="answer for the key"):
        ask(client, "Decrypt")
    assert ask(client, "Decrypt", KeyId="alias/name")["Plaintext"] == DATA_KEY


def test_another_pairs_private_key_is_refused(client, kms):
    other = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(*SPKI)
    kms.spoil = spoiled(PublicKey=encode(other))
    with pytest.raises(UntrustedAnswer, match="another pair"):
        ask(client, "GenerateDataKeyPair")


def test_nothing_of_a_refused_answer_is_left_to_go_on_with(kms, nsm):
    session = make_session(kms)
    client = attested(make_client(session), NsmAttester.one_key_pair_per_run(nsm))
    kept: list[dict[str, Any]] = []
    client.meta.events.register_first(
        "after-call.kms.Decrypt", lambda parsed, **_: kept.append(parsed)
    )
    kms.spoil = spoiled(Plaintext=encode(DATA_KEY))
    with pytest.raises(UntrustedAnswer):
        ask(client, "Decrypt")
    assert kept == [{}]


def test_a_handler_that_takes_our_event_away_is_noticed_before_anything_is_sent(client, kms):
    client.meta.events.register_first(
        "provide-client-params.kms.Decrypt", lambda params, **_: dict(params)
    )
    with pytest.raises(UntrustedAnswer, match="with a Recipient"):
        ask(client, "Decrypt")
    assert kms.requests == []


def test_an_nsm_that_fails_sends_nothing(kms):
    class Broken(Nsm):
        def attest(self, **_):
            raise UntrustedAnswer("the NSM is gone")

    client = attested(make_client(make_session(kms)), NsmAttester.one_key_pair_per_run(Broken()))
    with pytest.raises(UntrustedAnswer, match="the NSM is gone"):
        ask(client, "Decrypt")
    assert kms.requests == []


def test_no_error_shows_the_plaintext(client, kms):
    canary = b"CANARY-" + os.urandom(8).hex().encode()
    kms.plaintext = canary
    with pytest.raises(UntrustedAnswer) as caught:
        ask(client, "GenerateDataKey")
    chain, texts = caught.value, []
    while chain is not None:
        texts.append(repr(chain) + str(chain))
        chain = chain.__cause__ or chain.__context__
    assert canary.decode() not in "".join(texts)
    assert encode(canary) not in "".join(texts)


# --- what it costs to import ---------------------------------------------------------------------


def test_importing_it_imports_no_library():
    import subprocess
    import sys

    code = (
        "import sys, nitro_workflow.enclave.attested_clients, nitro_workflow.enclave.kms_over_vsock,"
        " nitro_workflow.enclave.kms_refusals;"
        "print([m for m in ('boto3', 'botocore', 'cryptography', 'cbor2', 'aws_encryption_sdk')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
