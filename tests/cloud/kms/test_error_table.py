"""One table: what AWS documents for each wrong call, what moto answers, and that ours is AWS's.

The middle column is why moto's KMS is not used: where it differs, a lesson or a test against it
teaches something that AWS does not do. ``None`` is an answer without an error.
"""

from __future__ import annotations

import warnings
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

from tests.cloud.kms.conftest import DATA, allow, document_policy

MISSING = "00000000-0000-0000-0000-000000000000"
LOCKED = document_policy(allow(f"arn:aws:iam::{DATA}:root", "DescribeKey"))
DENYING = document_policy(
    allow(f"arn:aws:iam::{DATA}:root", "*"),
    {"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"},
)


class Case:
    """A key, a ciphertext under it, and a client; each row of the table spoils them in one way."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.key = client.create_key()["KeyMetadata"]["KeyId"]
        self.blob = client.encrypt(KeyId=self.key, Plaintext=b"x", EncryptionContext={"a": "bc"})[
            "CiphertextBlob"
        ]

    def decrypt(self, **changes: Any) -> Any:
        asked = {"CiphertextBlob": self.blob, "EncryptionContext": {"a": "bc"}}
        return self.client.decrypt(**{**asked, **changes})

    def after(self, method: str, **parameters: Any) -> Case:
        getattr(self.client, method)(KeyId=self.key, **parameters)
        return self

    def named(self) -> Case:
        self.client.create_alias(AliasName="alias/table", TargetKeyId=self.key)
        return self

    def other(self) -> str:
        return self.client.create_key()["KeyMetadata"]["KeyId"]

    def curve(self) -> str:
        made = self.client.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
        return made["KeyMetadata"]["KeyId"]


NOT_FOUND, VALIDATION = "NotFoundException", "ValidationException"
INVALID, USAGE = "InvalidCiphertextException", "InvalidKeyUsageException"
STATE, DISABLED = "KMSInvalidStateException", "DisabledException"
DENIED, MALFORMED = "AccessDeniedException", "MalformedPolicyDocumentException"
EXISTS = "AlreadyExistsException"
UNSUPPORTED = "UnsupportedOperationException"

# what is wrong -> (the call, AWS's documented error, moto's)
TABLE: dict[str, tuple[Any, str, str | None]] = {
    "no such key": (lambda c: c.client.describe_key(KeyId=MISSING), NOT_FOUND, NOT_FOUND),
    "no such alias": (lambda c: c.client.describe_key(KeyId="alias/no"), NOT_FOUND, NOT_FOUND),
    "bytes that are no ciphertext": (lambda c: c.decrypt(CiphertextBlob=b"no"), INVALID, INVALID),
    "another encryption context": (
        lambda c: c.decrypt(EncryptionContext={"x": "y"}),
        INVALID,
        INVALID,
    ),
    "an encryption context cut elsewhere": (
        lambda c: c.decrypt(EncryptionContext={"ab": "c"}),
        INVALID,
        None,
    ),
    "another key than the ciphertext's": (
        lambda c: c.decrypt(KeyId=c.other()),
        "IncorrectKeyException",
        DENIED,
    ),
    "a disabled key": (lambda c: c.after("disable_key").decrypt(), DISABLED, None),
    "a key that waits for deletion": (
        lambda c: c.after("schedule_key_deletion").decrypt(),
        STATE,
        None,
    ),
    "deletion cancelled that was not scheduled": (
        lambda c: c.after("cancel_key_deletion"),
        STATE,
        None,
    ),
    "deletion scheduled twice": (
        lambda c: c.after("schedule_key_deletion").after("schedule_key_deletion"),
        STATE,
        None,
    ),
    "an explicit Deny": (
        lambda c: c.after("put_key_policy", PolicyName="default", Policy=DENYING).decrypt(),
        DENIED,
        None,
    ),
    "a policy that locks everyone out": (
        lambda c: c.after("put_key_policy", PolicyName="default", Policy=LOCKED),
        MALFORMED,
        None,
    ),
    "an alias that exists": (lambda c: c.named().named(), EXISTS, EXISTS),
    "a data key of two sizes": (
        lambda c: c.client.generate_data_key(KeyId=c.key, KeySpec="AES_256", NumberOfBytes=16),
        VALIDATION,
        VALIDATION,
    ),
    "a data key of no size": (
        lambda c: c.client.generate_data_key(KeyId=c.key),
        VALIDATION,
        VALIDATION,
    ),
    "encryption with a signing key": (
        lambda c: c.client.encrypt(KeyId=c.curve(), Plaintext=b"x"),
        USAGE,
        None,
    ),
    "a signature that is none": (
        lambda c: c.client.verify(
            KeyId=c.curve(), Message=b"x", Signature=b"no", SigningAlgorithm="ECDSA_SHA_256"
        ),
        "KMSInvalidSignatureException",
        None,
    ),
    "rotation of an asymmetric key": (
        lambda c: c.client.rotate_key_on_demand(KeyId=c.curve()),
        UNSUPPORTED,
        None,
    ),
    "a grant that is not there": (
        lambda c: c.after("revoke_grant", GrantId="0" * 64),
        NOT_FOUND,
        NOT_FOUND,
    ),
    "a document that is none": (
        lambda c: c.decrypt(
            Recipient={
                "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
                "AttestationDocument": b"no document",
            }
        ),
        VALIDATION,
        None,
    ),
    "DryRun": (lambda c: c.decrypt(DryRun=True), "DryRunOperationException", None),
}


def code_of(call: Any, case: Case) -> str | None:
    try:
        call(case)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


@pytest.mark.parametrize("wrong", sorted(TABLE))
def test_ours_is_aws(world, owner, wrong):
    call, documented, _ = TABLE[wrong]
    if "alias that exists" in wrong:
        owner = world.role(
            "444455556666", "Alias", {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
        )
    assert code_of(call, Case(owner)) == documented


@pytest.fixture(scope="module")
def moto_kms(owner):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from moto import mock_aws
    with mock_aws():
        session = botocore.session.Session()
        session.set_credentials("AKIAEXAMPLE", "secret")
        yield session.create_client("kms", region_name="us-east-1")


@pytest.mark.filterwarnings("ignore")
def test_motos_column_is_what_moto_answers(moto_kms):
    found = {wrong: code_of(call, Case(moto_kms)) for wrong, (call, _, _) in TABLE.items()}
    assert found == {wrong: moto for wrong, (_, _, moto) in TABLE.items()}
