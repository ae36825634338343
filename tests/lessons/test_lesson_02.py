"""Lesson 02's engine: a message taken apart, and what refuses a changed one."""

from __future__ import annotations

import gc
import logging

import aws_encryption_sdk
import pytest
from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
from aws_cryptographic_material_providers.mpl.models import (
    AesWrappingAlg,
    CreateRawAesKeyringInput,
)
from aws_encryption_sdk.streaming_client import StreamDecryptor
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from nitro_workflow.errors import UsageError
from nitro_workflow.lessons.checks.lesson_02 import Checks
from nitro_workflow.lessons.checks.message_fields import MessageFields, who_notices
from nitro_workflow.lessons.refusals import refusal_shown

CONTEXT = {"dataset": "customers", "version": "1"}
SDK = aws_encryption_sdk.EncryptionSDKClient()


@pytest.fixture(scope="module")
def keyring():
    materials = AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())
    return materials.create_raw_aes_keyring(
        CreateRawAesKeyringInput(
            key_namespace="practice",
            key_name="a key of ours",
            wrapping_key=bytes(range(32)),
            wrapping_alg=AesWrappingAlg.ALG_AES256_GCM_IV12_TAG16,
        )
    )


@pytest.fixture(scope="module")
def message(keyring):
    return SDK.encrypt(
        source=b"a row\n" * 50,
        keyring=keyring,
        encryption_context=CONTEXT,
        algorithm=aws_encryption_sdk.Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY,
        frame_length=128,
    )[0]


def test_the_fields_are_those_that_the_sdk_wrote(message):
    found = MessageFields.of(message)
    assert (found.suite, found.content_type, found.frame_length) == (0x0478, 2, 128)
    assert found.provider == "practice"
    assert found.information.startswith("a key of ours")
    # 2 for the count, and for each text its length in 2 bytes before it
    assert found.context_bytes == 2 + sum(4 + len(k) + len(v) for k, v in CONTEXT.items())
    assert message[found.spans["commitment"][0] - 4 :][:4] == (128).to_bytes(4, "big")


def test_a_place_is_named_by_its_smallest_part(message):
    found = MessageFields.of(message)
    size = len(message)
    assert found.part_of(size - 1) == "last frame's tag"
    assert found.part_of(size - 17) == "last frame's ciphertext"
    assert found.part_of(found.spans["body"][0]) == "body"
    assert found.part_of(40) == "encryption context"
    assert found.part_of(size) == ""


@pytest.mark.parametrize("made", [b"", b"\x02\x04\x78", b"no message at all"])
def test_what_is_no_message_is_refused(made):
    with pytest.raises(UsageError, match="no whole message"):
        MessageFields.of(made)


def test_each_changed_byte_is_really_stopped(message, keyring):
    def opened(source):
        return SDK.decrypt(source=source, keyring=keyring)

    assert opened(message)[0] == b"a row\n" * 50
    found = who_notices(message, opened)
    assert found["the frame length"] == "header tag"
    assert found["the message id"] == "commitment"
    assert found["a frame's ciphertext"] == "frame tag"


def test_a_refusal_leaves_no_stream_that_complains_when_it_is_dropped(
    message, keyring, monkeypatch
):
    """Python 3.13 tells of it on stderr; what it would tell of is seen under any Python."""
    ended = []
    gc.collect()  # what earlier tests left is theirs
    # Else pytest keeps the streams with the log's tracebacks, until the test is over.
    monkeypatch.setattr(logging.getLogger("aws_encryption_sdk.streaming_client"), "disabled", True)
    monkeypatch.setattr(
        StreamDecryptor, "__del__", lambda it: ended.append(it.closed), raising=False
    )
    with refusal_shown():
        SDK.decrypt(source=message[:-1], keyring=keyring)
    who_notices(message, lambda source: SDK.decrypt(source=source, keyring=keyring))
    gc.collect()
    assert len(ended) == 5
    assert all(ended)


def test_an_opener_that_stops_nothing_is_told_so(message):
    assert set(who_notices(message, lambda source: source).values()) == {""}


def test_a_tag_that_does_not_fit_is_a_refusal(capsys):
    with refusal_shown():
        AESGCM(bytes(32)).decrypt(bytes(12), bytes(16), None)
    assert "InvalidTag" in capsys.readouterr().out


def test_stand_ins_take_what_the_cells_below_can_use():
    usable = Checks.stand_ins["place"].usable
    assert usable(None, -17)
    assert not usable(None, "end")
    assert not usable(None, 5000)
    assert not Checks.stand_ins["context"].usable(None, {"dataset": "other"})
    assert not Checks.stand_ins["answer"].usable(None, {"Plaintext": 5})
