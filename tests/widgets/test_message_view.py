"""The header of an Encryption SDK message, as the SDK itself writes it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from nitro_workflow.widgets.message_view import message_inspection

CONTEXT = {"dataset": "customers", "version": "1"}


@pytest.fixture(scope="module")
def message():
    import aws_encryption_sdk
    from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
    from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
    from aws_cryptographic_material_providers.mpl.models import (
        AesWrappingAlg,
        CreateRawAesKeyringInput,
    )
    from aws_encryption_sdk.identifiers import AlgorithmSuite

    keyring = AwsCryptographicMaterialProviders(MaterialProvidersConfig()).create_raw_aes_keyring(
        CreateRawAesKeyringInput(
            key_namespace="tests",
            key_name="one",
            wrapping_key=bytes(32),
            wrapping_alg=AesWrappingAlg.ALG_AES256_GCM_IV12_TAG16,
        )
    )
    ciphertext, _ = aws_encryption_sdk.EncryptionSDKClient().encrypt(
        source=b"x" * 5000,
        keyring=keyring,
        encryption_context=CONTEXT,
        algorithm=AlgorithmSuite.AES_256_GCM_HKDF_SHA512_COMMIT_KEY,
        frame_length=1024,
    )
    return ciphertext


def test_every_field_is_found(message):
    model = message_inspection(message, total=len(message))
    fields = {node.label: node for node in model.nodes}
    assert fields["algorithm suite"].value == "0x0478 AES_256_GCM_HKDF_SHA512_COMMIT_KEY"
    assert {n.label: n.value for n in fields["encryption context"].children} == CONTEXT
    assert [n.label for n in fields["encrypted data keys"].children] == ["tests"]
    assert fields["content type"].value == "framed"
    assert fields["frame length"].value == "1,024 bytes"


def test_the_fields_cover_the_header_without_a_gap(message):
    model = message_inspection(message, total=len(message))
    edges = [(node.start, node.end) for node in model.nodes]
    assert edges[0][0] == 0
    assert all(one[1] == other[0] for one, other in pairwise(edges))
    assert edges[-1][1] == len(model.data)


def test_every_truncation_of_the_header_shows_what_is_left(message):
    whole = message_inspection(message, total=len(message))
    for length in range(len(whole.data)):
        model = message_inspection(whole.data[:length], total=length)
        assert model.tone == "bad"
        assert model.nodes == whole.nodes[: len(model.nodes)]
        assert whole.nodes[len(model.nodes)].end > length  # the first that is not all there
        assert "byte " in model.verdict


def test_another_version_is_said():
    model = message_inspection(b"\x01" + bytes(100), total=101)
    assert (model.checks[0].found, model.nodes) == ("version 1", ())
