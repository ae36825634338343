"""The answer on its way out (D9): padded, encrypted for the owner, with an attested receipt."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from enclave_image.configuration import MeasuredConfig
from enclave_image.inside.run_key import RunKey
from enclave_image.job_protocol import (
    OWNER_KEY_NAME,
    OWNER_KEY_NAMESPACE,
    receipt_digest,
    receipt_statement,
)

__all__ = ["RESULT_BLOCK", "SealedResult", "seal_result"]

RESULT_BLOCK = 4096
"""Bytes; the JSON is padded to a multiple, so that its length says little about the groups."""


class Answer(Protocol):
    """What an application's work comes to: the query's `Summary`, or another's."""

    def to_json(self) -> dict[str, Any]:
        """Return the object that the owner will read."""
        ...


@dataclass(frozen=True, slots=True)
class SealedResult:
    """``result``: an Encryption SDK message. ``receipt``: an attestation document over it."""

    result: bytes
    receipt: bytes
    evidence: dict[str, Any]


def seal_result(
    summary: Answer,
    config: MeasuredConfig,
    key: RunKey,
    *,
    input_sha256: str,
    nonce: bytes,
    exchange: Mapping[str, str],
) -> SealedResult:
    """Encrypt the answer for the measured owner's key and have the NSM sign what it is.

    The evidence has digests and lengths of the *encrypted* result. How many rows and groups there
    were is content, and is in the result, for the owner.
    """
    result = _encrypt(_document(summary, config, input_sha256), config)
    statement = receipt_statement(result, input_sha256, config.encryption_context, nonce, exchange)
    receipt = key.receipt(user_data=receipt_digest(statement), nonce=nonce)
    evidence = {
        "result_sha256": statement["result_sha256"],
        "result_bytes": len(result),
        "receipt_sha256": hashlib.sha256(receipt).hexdigest(),
        "receipt_bytes": len(receipt),
        "threshold": config.threshold,
        "rows": "in the result, for the owner",
    }
    return SealedResult(result, receipt, evidence)


def _document(summary: Answer, config: MeasuredConfig, input_sha256: str) -> bytes:
    document = {
        **summary.to_json(),
        "query": config.query.to_json(),
        "encryption_context": dict(config.encryption_context),
        "input_sha256": input_sha256,
    }
    text = json.dumps(document, sort_keys=True).encode()
    return text + b" " * (-len(text) % RESULT_BLOCK)


def _encrypt(plaintext: bytes, config: MeasuredConfig) -> bytes:
    import aws_encryption_sdk
    from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
    from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
    from aws_cryptographic_material_providers.mpl.models import (
        CreateRawRsaKeyringInput,
        PaddingScheme,
    )
    from aws_encryption_sdk.identifiers import AlgorithmSuite, CommitmentPolicy

    keyring = AwsCryptographicMaterialProviders(
        config=MaterialProvidersConfig()
    ).create_raw_rsa_keyring(
        CreateRawRsaKeyringInput(
            key_namespace=OWNER_KEY_NAMESPACE,
            key_name=OWNER_KEY_NAME,
            padding_scheme=PaddingScheme.OAEP_SHA256_MGF1,
            public_key=config.owner_public_key_pem.encode(),
        )
    )
    client = aws_encryption_sdk.EncryptionSDKClient(
        commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT
    )
    message, _ = client.encrypt(
        source=plaintext,
        keyring=keyring,
        encryption_context=dict(config.owner_result_context),
        algorithm=AlgorithmSuite.AES_256_GCM_HKDF_SHA512_COMMIT_KEY,
    )
    return bytes(message)
