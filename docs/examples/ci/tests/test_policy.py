"""The committed key policy, asked about documents of every kind: no enclave needed."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def decrypt(nitro_cloud, attested_kms, role, secret):
    """Return what asks for the plaintext as the enclave's parent, with a document of some PCRs."""
    made = secret(nitro_cloud)
    parent = role(nitro_cloud, "enclave-parent")

    def ask(**document):
        kms = attested_kms(session=parent, **document)
        answer = kms.decrypt(CiphertextBlob=made.ciphertext, KeyId=made.key_arn)
        return answer["Plaintext"] == made.plaintext

    return ask


@pytest.fixture
def pcrs(measurements):
    """Return the committed PCRs by their index."""
    return {index: measurements[f"PCR{index}"] for index in (0, 1, 2)}


def test_the_image_decrypts(decrypt, pcrs):
    assert decrypt(pcrs=pcrs)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_another_image_does_not(decrypt, pcrs, index):
    with pytest.raises(ClientError, match="AccessDenied"):
        decrypt(pcrs={**pcrs, index: "ab" * 48})


def test_debug_mode_does_not(decrypt, pcrs):
    with pytest.raises(ClientError, match="AccessDenied"):
        decrypt(pcrs=pcrs, debug=True)


def test_nobody_does_without_a_document(nitro_cloud, role, secret):
    made = secret(nitro_cloud)
    kms = role(nitro_cloud, "enclave-parent").client("kms")
    with pytest.raises(ClientError, match="AccessDenied"):
        kms.decrypt(CiphertextBlob=made.ciphertext, KeyId=made.key_arn)
    kms.close()
