"""A secret that is looked for everywhere the cloud writes: it must be nowhere in clear."""

from __future__ import annotations

import base64
import logging
import os
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from nitro_workflow import cms
from nitro_workflow.cloud.local.call import Call, Caller
from nitro_workflow.cloud.local.kms import key_names, material
from tests.cloud.kms.conftest import DATA


def forms(secret: bytes) -> Iterator[bytes]:
    """The ways in which a secret would be written by accident."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    yield repr(secret)[2:-1].encode()
    for shift in range(3):
        # Base64 of a secret in the middle of something: without the ends that its surroundings change.
        yield base64.b64encode(b"\0" * shift + secret)[4:-4]
        yield base64.urlsafe_b64encode(b"\0" * shift + secret)[4:-4]


def found_in(content: bytes, secrets: dict[str, bytes]) -> list[str]:
    return [name for name, secret in secrets.items() if any(f in content for f in forms(secret))]


def stored_material(world: Any, key: str) -> bytes:
    """The key's material in clear, as only the vault gives it."""
    caller = Caller(DATA, "arn", "role", "id")
    call = Call("kms", "Decrypt", {}, caller, "id", world.now(), "127.0.0.1", "us-east-1")
    found = key_names.find_by_id(world.services, call, key.rpartition("/")[2])
    return material.current(world.services, call, found).secret


@pytest.fixture
def secrets() -> dict[str, bytes]:
    return {"plaintext": b"CANARY-" + os.urandom(24).hex().encode()}


def test_no_secret_is_in_files_events_logs_or_exceptions(world, owner, key, secrets, caplog):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("botocore").setLevel(logging.WARNING)  # the client's own, not the cloud's
    enclave = world.attester()
    curve = owner.create_key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")["KeyMetadata"]
    secrets["key material"] = stored_material(world, key)
    secrets["private key"] = stored_material(world, curve["Arn"])
    blob = owner.encrypt(KeyId=key, Plaintext=secrets["plaintext"])["CiphertextBlob"]
    opened = owner.decrypt(CiphertextBlob=blob, Recipient=enclave.recipient())
    assert cms.open_envelope(opened["CiphertextForRecipient"], enclave.key) == secrets["plaintext"]
    assert owner.decrypt(CiphertextBlob=blob)["Plaintext"] == secrets["plaintext"]
    secrets["data key"] = owner.generate_data_key(KeyId=key, KeySpec="AES_256")["Plaintext"]
    pair = owner.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P256")
    secrets["data key pair"] = pair["PrivateKeyPlaintext"]
    secrets["random"] = owner.generate_random(NumberOfBytes=32)["Plaintext"]
    texts = [refusal(owner.decrypt, CiphertextBlob=blob, EncryptionContext={"a": "b"})]
    texts.append(refusal(owner.encrypt, KeyId="alias/none", Plaintext=secrets["plaintext"]))
    texts.append(refusal(owner.encrypt, KeyId=key, Plaintext=secrets["plaintext"] * 100))
    world.services.events.flush()
    files = [path for path in Path(world.folder).rglob("*") if path.is_file()]
    assert {path.suffix for path in files} >= {".sqlite3", ".sqlite3-wal", ".key"}
    for path in files:
        assert found_in(path.read_bytes(), secrets) == [], path.name
    assert found_in("".join(map(str, world.events())).encode(), secrets) == []
    assert found_in("\n".join(texts).encode(), secrets) == []
    assert found_in(caplog.text.encode(), secrets) == []


def refusal(method: Any, **parameters: Any) -> str:
    """The error with its whole traceback and what the cloud put on the wire."""
    with pytest.raises(ClientError) as caught:
        method(**parameters)
    chain = traceback.format_exception(caught.value)
    return "".join(chain) + str(caught.value.response)


def test_the_search_finds_what_it_looks_for():
    secret = os.urandom(32)
    for content in (secret, secret.hex().encode(), base64.b64encode(b"ab" + secret + b"c")):
        assert found_in(b"before " + content + b" after", {"it": secret}) == ["it"]
