"""P3: the data owner encrypts, in both forms of the workflow.

`encrypt_message` is the AWS Encryption SDK with the KMS keyring: it makes its own data key and
keeps the encrypted one in the message's header. `encrypt_envelope` is the same by hand with a data
key of GenerateDataKey: ``nonce(12) ‖ ciphertext ‖ tag(16)``; the encrypted key is stored beside.
Both stream: memory does not grow with the data.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from enclave_image.job_protocol import (
    ENVELOPE_MAX_BYTES,
    ENVELOPE_OVERHEAD,
    FRAME_LENGTH,
    canonical_json,
)
from nitro_workflow.errors import UsageError

__all__ = [
    "DATA_KEY_BYTES",
    "SUITE",
    "SealedData",
    "encrypt_envelope",
    "encrypt_message",
    "require_context",
]

SUITE = "AES_256_GCM_HKDF_SHA512_COMMIT_KEY"
DATA_KEY_BYTES = 32
NONCE_BYTES = 12

RESERVED_CONTEXT_PREFIX = "aws-crypto-"  # Encryption SDK: its own pairs


class _Source(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class _Sink(Protocol):
    def write(self, data: bytes, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class SealedData:
    """What was encrypted: lengths in bytes, ``sha256`` of the ciphertext in hex."""

    form: str
    plaintext_bytes: int
    ciphertext_bytes: int
    sha256: str
    encryption_context: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return the evidence of P3: nothing of the key, nothing of the content."""
        return {
            "form": self.form,
            "plaintext_bytes": self.plaintext_bytes,
            "ciphertext_bytes": self.ciphertext_bytes,
            "sha256": self.sha256,
            "encryption_context": dict(self.encryption_context),
        }


class _CountingSink:
    def __init__(self, sink: _Sink) -> None:
        self._sink = sink
        self.written = 0
        self._hash = hashlib.sha256()

    def write(self, data: bytes) -> None:
        self._sink.write(data)
        self._hash.update(data)
        self.written += len(data)

    def sealed(self, form: str, plaintext: int, context: Mapping[str, str]) -> SealedData:
        return SealedData(form, plaintext, self.written, self._hash.hexdigest(), dict(context))


class _CountingSource:
    """Counts what is read; `read` returns short only at the end, as the Encryption SDK expects."""

    def __init__(self, source: _Source) -> None:
        self._source = source
        self.count = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        parts, wanted = [], size
        while wanted and (part := self._source.read(wanted)):
            parts.append(part)
            self.count += len(part)
            if wanted > 0:
                wanted -= len(part)
        return b"".join(parts)


def encrypt_message(
    source: _Source, sink: _Sink, *, kms: Any, key_arn: str, encryption_context: Mapping[str, str]
) -> SealedData:
    """Encrypt a stream with the Encryption SDK: committing suite, frames of 64 KiB, no signature.

    ``kms``: a boto3 KMS client of the owner. The keyring calls GenerateDataKey once.
    Raises `UsageError` for an empty or reserved context; botocore's ClientError inside the SDK's
    error where KMS refuses.
    """
    import aws_encryption_sdk
    from aws_encryption_sdk.identifiers import AlgorithmSuite, CommitmentPolicy

    context = require_context(encryption_context)
    client = aws_encryption_sdk.EncryptionSDKClient(
        commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT
    )
    counted, out = _CountingSource(source), _CountingSink(sink)
    with client.stream(
        mode="encrypt",
        source=counted,
        keyring=_kms_keyring(kms, key_arn),
        encryption_context=context,
        algorithm=getattr(AlgorithmSuite, SUITE),
        frame_length=FRAME_LENGTH,
    ) as stream:
        while chunk := stream.read(FRAME_LENGTH):
            out.write(chunk)
    return out.sealed("encryption-sdk", counted.count, context)


def _kms_keyring(kms: Any, key_arn: str) -> Any:
    from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
    from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
    from aws_cryptographic_material_providers.mpl.models import CreateAwsKmsKeyringInput

    providers = AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())
    return providers.create_aws_kms_keyring(
        CreateAwsKmsKeyringInput(kms_key_id=key_arn, kms_client=kms)
    )


def encrypt_envelope(
    source: _Source, sink: _Sink, *, data_key: bytearray, encryption_context: Mapping[str, str]
) -> SealedData:
    """Encrypt a stream by hand with AES-256-GCM: ``nonce(12) ‖ ciphertext ‖ tag(16)``.

    ``data_key``: 32 bytes, from GenerateDataKey; cleared before this returns, since GCM must never
    see one nonce twice under one key and the walk needs the key for one object only. The canonical
    JSON of the context is the AAD. Raises `UsageError` beyond `ENVELOPE_MAX_BYTES`, for another key
    length, for an empty or reserved context.
    """
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    context = require_context(encryption_context)
    if len(data_key) != DATA_KEY_BYTES or not any(data_key):
        raise UsageError(
            f"a data key of {len(data_key)} bytes, or one that was used and cleared",
            expected=f"{DATA_KEY_BYTES} bytes from GenerateDataKey (KeySpec AES_256)",
            where="encrypt_envelope",
            next="make a new data key: step P2 can be run again",
        )
    nonce = os.urandom(NONCE_BYTES)
    try:
        encryptor = Cipher(algorithms.AES256(data_key), modes.GCM(nonce)).encryptor()
    finally:
        data_key[:] = bytes(len(data_key))
    encryptor.authenticate_additional_data(canonical_json(context))
    out, plaintext = _CountingSink(sink), 0
    out.write(nonce)
    while chunk := source.read(FRAME_LENGTH):
        plaintext += len(chunk)
        _require_size(plaintext + ENVELOPE_OVERHEAD)
        out.write(encryptor.update(chunk))
    encryptor.finalize()
    out.write(encryptor.tag)
    return out.sealed("envelope", plaintext, context)


def _require_size(ciphertext: int) -> None:
    if ciphertext > ENVELOPE_MAX_BYTES:
        raise UsageError(
            f"more than {ENVELOPE_MAX_BYTES} bytes",
            expected="data that one tag can stand for",
            where="encrypt_envelope",
            next="use the Encryption SDK's form: it authenticates every frame",
        )


def require_context(encryption_context: Mapping[str, str]) -> dict[str, str]:
    """Return the context as a dict of non-empty texts. Raises `UsageError`."""
    pairs: Mapping[Any, Any] = encryption_context  # a notebook may pass anything
    for name, value in pairs.items():
        if not (isinstance(name, str) and isinstance(value, str) and name and value):
            break
        if name.startswith(RESERVED_CONTEXT_PREFIX):
            break
    else:
        if encryption_context:
            return dict(encryption_context)
    raise UsageError(
        "an encryption context without pairs, with an empty text, or with a reserved name",
        expected='pairs such as {"dataset": "customers", "version": "1"}',
        where="encryption context",
        next=f"name the dataset and its version; {RESERVED_CONTEXT_PREFIX}… is the library's",
    )
