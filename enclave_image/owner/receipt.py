"""D9, the owner's side: believe the receipt first, then open the result.

The receipt is an attestation document over the encrypted result: its ``user_data`` is the digest of
result, input digest, encryption context, the owner's nonce and the exchange with KMS. What is
compared comes from the owner's own record, but for the exchange: of that the receipt says whether
it was told as it was. Nothing else is taken from the parent's word. So these are *detected*: a
swapped result, a swapped or replayed input, another enclave's receipt, an old receipt.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from enclave_image.job_protocol import (
    NONCE_BYTES,
    OWNER_KEY_NAME,
    OWNER_KEY_NAMESPACE,
    receipt_digest,
    receipt_statement,
)
from nitro_workflow.errors import DocumentError, EncodingError, ReceiptRefused, VerificationError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import rsa

    from nitro_workflow.attestation import VerifiedAttestation, Verifier

__all__ = [
    "MAX_AGE",
    "ExpectedReceipt",
    "OpenedAnswer",
    "OpenedResult",
    "new_nonce",
    "open_answer",
    "open_result",
    "verify_receipt",
]

MAX_AGE = timedelta(minutes=5)
"""A receipt is made at the end of the job that the owner waits for; KMS's own limit is the same."""

_REASONS = {
    "nonce": "a receipt for another nonce: replayed, or made for another job",
    "freshness": "a receipt that is too old: replayed",
    "pcrs": "a receipt of another enclave",
    "debug": "a receipt of an enclave in debug mode, whose memory is nobody's secret",
    "user_data": "a receipt for other bytes: result, input or what was told of KMS was swapped",
}


@dataclass(frozen=True, slots=True)
class ExpectedReceipt:
    """The owner's record of the job. ``pcrs``: what `Verifier.verify` takes as expectation.

    ``exchange`` is what was told of the exchange with KMS (`job_protocol.exchange_of`): the one
    thing here that is no record of the owner's. A receipt that holds makes it the enclave's word.
    """

    pcrs: Any
    nonce: bytes
    input_sha256: str
    encryption_context: Mapping[str, str]
    result_context: Mapping[str, str]
    exchange: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class OpenedResult:
    """The answer, after its receipt held. ``groups``: records of name, count, sums and means."""

    rows: int
    threshold: int
    groups: tuple[Mapping[str, Any], ...]
    suppressed: int
    query: Mapping[str, Any]
    attestation: VerifiedAttestation


@dataclass(frozen=True, slots=True)
class OpenedAnswer:
    """The answer of another application, after its receipt held."""

    answer: Mapping[str, Any]
    attestation: VerifiedAttestation


def new_nonce() -> bytes:
    """Return 32 random bytes for one job; the owner keeps them until the receipt has come."""
    import secrets

    return secrets.token_bytes(NONCE_BYTES)


def verify_receipt(
    result: bytes,
    receipt: bytes,
    expected: ExpectedReceipt,
    *,
    verifier: Verifier,
    at: datetime,
    max_age: timedelta = MAX_AGE,
) -> VerifiedAttestation:
    """Return the receipt as a verified document. Raises `ReceiptRefused` with the reason.

    ``result``: the encrypted one, as it came. ``verifier``: of the hypervisor's root that the owner
    trusts. A debug enclave's receipt is always refused.
    """
    from nitro_workflow.attestation import Expected

    statement = receipt_statement(
        result,
        expected.input_sha256,
        expected.encryption_context,
        expected.nonce,
        expected.exchange,
    )
    try:
        return verifier.verify(
            receipt,
            at=at,
            expected=Expected(
                max_age=max_age,
                nonce=expected.nonce,
                pcrs=expected.pcrs,
                user_data=receipt_digest(statement),
            ),
        )
    except VerificationError as error:
        raise _refuse(_REASONS.get(error.step, str(error)), f"receipt: {error.step}") from error
    except (DocumentError, EncodingError) as error:
        raise _refuse(f"no attestation document ({error.found})", "receipt: shape") from error


def open_result(
    result: bytes,
    receipt: bytes,
    expected: ExpectedReceipt,
    *,
    verifier: Verifier,
    at: datetime,
    private_key: rsa.RSAPrivateKey,
    max_age: timedelta = MAX_AGE,
) -> OpenedResult:
    """Verify the receipt, then decrypt the result of the query with the owner's private key.

    Raises `ReceiptRefused`: the receipt does not hold, or what it covers is not a result for this
    owner, this input and this context.
    """
    verified = verify_receipt(result, receipt, expected, verifier=verifier, at=at, max_age=max_age)
    document = _open(result, expected, private_key, _FIELDS)
    return OpenedResult(
        rows=document["rows"],
        threshold=document["threshold"],
        groups=tuple(document["groups"]),
        suppressed=document["suppressed"],
        query=document["query"],
        attestation=verified,
    )


def open_answer(
    result: bytes,
    receipt: bytes,
    expected: ExpectedReceipt,
    *,
    verifier: Verifier,
    at: datetime,
    private_key: rsa.RSAPrivateKey,
    max_age: timedelta = MAX_AGE,
) -> OpenedAnswer:
    """Verify and open the result of another application; errors as `open_result`."""
    verified = verify_receipt(result, receipt, expected, verifier=verifier, at=at, max_age=max_age)
    document = _open(result, expected, private_key, {"answer": dict, **_COVERED})
    return OpenedAnswer(document["answer"], verified)


def _open(
    result: bytes,
    expected: ExpectedReceipt,
    private_key: rsa.RSAPrivateKey,
    fields: Mapping[str, type],
) -> dict[str, Any]:
    """Return the result's document, about this input and this context."""
    document = _parse(_decrypt(result, expected.result_context, private_key), fields)
    claimed = (document["input_sha256"], document["encryption_context"])
    if claimed != (expected.input_sha256, dict(expected.encryption_context)):
        raise _refuse("a result about another input or context", "result")
    return document


def _decrypt(result: bytes, context: Mapping[str, str], private_key: rsa.RSAPrivateKey) -> bytes:
    import aws_encryption_sdk
    from aws_encryption_sdk.identifiers import CommitmentPolicy

    client = aws_encryption_sdk.EncryptionSDKClient(
        commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT,
        max_encrypted_data_keys=1,
    )
    stream = client.stream(
        mode="decrypt",
        source=result,
        keyring=_owner_keyring(private_key),
        encryption_context=dict(context),
    )
    try:
        plaintext, header = stream.read(), stream.header
    except Exception as error:
        raise _refuse("a result that this owner's key does not open", "result") from error
    finally:
        # Not the SDK's `decrypt`, nor `close`, which complain beside the refusal
        # (docs/reference/formats.md, Libraries).
        io.IOBase.close(stream)
    if dict(header.encryption_context) != dict(context):
        raise _refuse("a result with another context", "result")
    return bytes(plaintext)


def _owner_keyring(private_key: rsa.RSAPrivateKey) -> Any:
    from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
    from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
    from aws_cryptographic_material_providers.mpl.models import (
        CreateRawRsaKeyringInput,
        PaddingScheme,
    )
    from cryptography.hazmat.primitives import serialization

    pem = private_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    providers = AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())
    return providers.create_raw_rsa_keyring(
        CreateRawRsaKeyringInput(
            key_namespace=OWNER_KEY_NAMESPACE,
            key_name=OWNER_KEY_NAME,
            padding_scheme=PaddingScheme.OAEP_SHA256_MGF1,
            private_key=pem,
        )
    )


_COVERED: Mapping[str, type] = {"input_sha256": str, "encryption_context": dict}

_FIELDS: Mapping[str, type] = {
    "rows": int,
    "threshold": int,
    "groups": list,
    "suppressed": int,
    "query": dict,
    **_COVERED,
}


def _parse(plaintext: bytes, fields: Mapping[str, type]) -> dict[str, Any]:
    try:
        document = json.loads(plaintext)
    except ValueError as error:
        raise _refuse("a result that is not JSON", "result") from error
    if not isinstance(document, dict) or any(
        not isinstance(document.get(name), kind) for name, kind in fields.items()
    ):
        raise _refuse("a result with other fields", "result")
    return document


def _refuse(found: str, where: str) -> ReceiptRefused:
    return ReceiptRefused(
        found,
        expected="a receipt of the measured enclave over this result, this input and this nonce",
        where=where,
        next="do not use the result; run D1 to D9 again with a new nonce",
    )
