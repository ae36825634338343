"""What the operations of KMS mean for a plaintext.

Source: KMS API reference and docs/reference/formats.md, Recipient.
"""

from __future__ import annotations

from nitro_workflow.policy.language import parse_key

__all__ = [
    "CHANGERS",
    "DATA_KEYS",
    "PAIR",
    "PLAINTEXT",
    "RECIPIENT",
    "WITHOUT_RECIPIENT",
    "carries_document",
    "is_kms_key",
]

# Operations that give somebody the plaintext of a ciphertext that exists, or a shared secret.
PLAINTEXT = ("kms:Decrypt", "kms:ReEncryptFrom", "kms:DeriveSharedSecret")
# Operations that give their caller a new key in clear: what will be encrypted under it.
PAIR = "kms:GenerateDataKeyPair"  # the private key in clear, beside the encrypted one
DATA_KEYS = ("kms:GenerateDataKey", PAIR)
# Operations whose request can carry a document; everywhere else attestation keys are absent.
RECIPIENT = frozenset(
    f"kms:{name}".lower()
    for name in ("Decrypt", "DeriveSharedSecret", "GenerateDataKey", "GenerateDataKeyPair",
                 "GenerateRandom")
)  # fmt: skip
# Operations that can change who may: what each lets its caller do.
CHANGERS = {
    "kms:PutKeyPolicy": "can replace this policy by any other",
    "kms:CreateGrant": "can give anybody Decrypt by a grant, which knows no attestation",
    "kms:ReplicateKey": "can make a replica in another region with a policy of its own",
}
# Operations of the service without Recipient that policies often put beside Decrypt.
WITHOUT_RECIPIENT = ("kms:Encrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:Sign",
                     "kms:GenerateMac", "kms:GenerateDataKeyWithoutPlaintext")  # fmt: skip
_CONDITION_KEYS = frozenset(
    f"kms:{name}".lower()
    for name in (
        "BypassPolicyLockoutSafetyCheck", "CallerAccount", "CustomerMasterKeySpec",
        "CustomerMasterKeyUsage", "DataKeyPairSpec", "EncryptionAlgorithm", "EncryptionContextKeys",
        "ExpirationModel", "GrantConstraintSourceArn", "GrantConstraintType", "GranteePrincipal",
        "GranteeServicePrincipal", "GrantIsForAWSResource", "GrantOperations",
        "KeyAgreementAlgorithm",
        "KeyOrigin", "KeySpec", "KeyUsage", "MacAlgorithm", "MessageType", "MultiRegion",
        "MultiRegionKeyType", "PrimaryRegion", "ReEncryptOnSameKey", "ReplicaRegion",
        "RequestAlias",
        "ResourceAliases", "RetiringPrincipal", "RetiringServicePrincipal", "RotationPeriodInDays",
        "ScheduleKeyDeletionPendingWindowInDays", "SigningAlgorithm", "ValidTo", "ViaService",
        "WrappingAlgorithm", "WrappingKeySpec",
    )
)  # fmt: skip


def carries_document(action: str) -> bool:
    """Say whether a request for an action can carry a document."""
    return action.lower() in RECIPIENT


def is_kms_key(folded: str) -> bool:
    """Say whether KMS has a condition key, given in lower case."""
    if folded.startswith("kms:encryptioncontext:"):
        return True
    key = parse_key(folded)
    return key.in_range if key else folded in _CONDITION_KEYS
