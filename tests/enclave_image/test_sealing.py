"""The owner's encryption, held against the Encryption SDK and AESGCM themselves."""

from __future__ import annotations

import io
import json

import aws_encryption_sdk
import pytest
from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
from aws_cryptographic_material_providers.mpl.models import CreateAwsKmsKeyringInput
from aws_encryption_sdk.identifiers import CommitmentPolicy
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from enclave_image import job_protocol
from enclave_image.owner import data_encryption
from enclave_image.owner.data_encryption import encrypt_envelope, encrypt_message
from enclave_image.packing.rehearsal import KEY_ARN, PracticeKms
from nitro_workflow.errors import UsageError

CONTEXT = {"version": "1", "dataset": "customers"}


@pytest.fixture(scope="module")
def kms():
    return PracticeKms("kms.us-east-1.nitro-lab.internal", lambda document: document)


@pytest.fixture
def client(kms):
    client = kms.owner_client()
    yield client
    client.close()


class Plain:
    """A client that opens what `PracticeKms` made, without a document: only this test may."""

    def __init__(self, kms, client):
        self._kms, self.meta = kms, client.meta

    def decrypt(self, **params):
        keys = {job_protocol.unb64(blob, ""): key for blob, (key, _) in self._kms._keys.items()}
        return {"Plaintext": keys[params["CiphertextBlob"]], "KeyId": params["KeyId"]}


@pytest.mark.parametrize("size", [0, 1, 65_536, 200_001])
def test_the_message_is_what_was_promised(kms, client, size):
    data, out = bytes(range(256)) * (size // 256 + 1), io.BytesIO()
    data = data[:size]
    report = encrypt_message(
        io.BytesIO(data), out, kms=client, key_arn=KEY_ARN, encryption_context=CONTEXT
    )
    keyring = AwsCryptographicMaterialProviders(
        config=MaterialProvidersConfig()
    ).create_aws_kms_keyring(
        CreateAwsKmsKeyringInput(kms_key_id=KEY_ARN, kms_client=Plain(kms, client))
    )
    sdk = aws_encryption_sdk.EncryptionSDKClient(
        commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT
    )
    plaintext, header = sdk.decrypt(source=out.getvalue(), keyring=keyring)
    assert plaintext == data
    assert header.encryption_context == CONTEXT
    assert header.algorithm.name == data_encryption.SUITE
    assert header.frame_length == 64 * 1024
    assert len(header.encrypted_data_keys) == 1
    assert report.plaintext_bytes == size
    assert report.ciphertext_bytes == len(out.getvalue())


def test_the_envelope_is_nonce_ciphertext_tag_with_the_context_as_aad():
    key, out = bytes(range(32)), io.BytesIO()
    used = bytearray(key)
    report = encrypt_envelope(
        io.BytesIO(b"data" * 50_000), out, data_key=used, encryption_context=CONTEXT
    )
    sealed = out.getvalue()
    aad = json.dumps(CONTEXT, sort_keys=True, separators=(",", ":")).encode()
    assert AESGCM(key).decrypt(sealed[:12], sealed[12:], aad) == b"data" * 50_000
    assert len(sealed) == 200_000 + job_protocol.ENVELOPE_OVERHEAD == report.ciphertext_bytes
    assert used == bytes(32)
    with pytest.raises(InvalidTag):
        AESGCM(key).decrypt(sealed[:12], sealed[12:], aad.replace(b'"1"', b'"2"'))


def test_a_data_key_serves_once():
    key = bytearray(b"k" * 32)
    encrypt_envelope(io.BytesIO(b"x"), io.BytesIO(), data_key=key, encryption_context=CONTEXT)
    with pytest.raises(UsageError):
        encrypt_envelope(io.BytesIO(b"x"), io.BytesIO(), data_key=key, encryption_context=CONTEXT)


def test_the_envelope_has_a_largest_size(monkeypatch):
    monkeypatch.setattr(data_encryption, "ENVELOPE_MAX_BYTES", 100)
    with pytest.raises(UsageError):
        encrypt_envelope(
            io.BytesIO(bytes(73)),
            io.BytesIO(),
            data_key=bytearray(b"k" * 32),
            encryption_context=CONTEXT,
        )


@pytest.mark.parametrize("context", [{}, {"a": ""}, {"": "a"}, {"a": 1}, {"aws-crypto-x": "1"}])
def test_a_context_that_says_nothing_is_refused(context):
    with pytest.raises(UsageError):
        data_encryption.require_context(context)


def test_a_report_holds_digests_and_lengths_only():
    out = io.BytesIO()
    report = encrypt_envelope(
        io.BytesIO(b"canary"), out, data_key=bytearray(b"k" * 32), encryption_context=CONTEXT
    )
    assert "canary" not in json.dumps(report.to_json())
