"""The actions of KMS: a policy that names another one says nothing.

Source: service-authorization list_awskeymanagementservice. They are KMS's operations, with two
names for ReEncrypt and one more for what replicas do.
"""

from __future__ import annotations

from nitro_workflow.policy.language import ActionElement

__all__ = ["KMS_ACTIONS", "unknown_actions"]

KMS_ACTIONS = frozenset(
    f"kms:{name}"
    for name in (
        "CancelKeyDeletion", "ConnectCustomKeyStore", "CreateAlias", "CreateCustomKeyStore",
        "CreateGrant", "CreateKey", "Decapsulate", "Decrypt", "DeleteAlias",
        "DeleteCustomKeyStore", "DeleteImportedKeyMaterial", "DeriveSharedSecret",
        "DescribeCustomKeyStores", "DescribeKey", "DisableKey", "DisableKeyRotation",
        "DisconnectCustomKeyStore", "EnableKey", "EnableKeyRotation", "Encapsulate", "Encrypt",
        "GenerateDataKey", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext",
        "GenerateDataKeyWithoutPlaintext", "GenerateMac", "GenerateRandom", "GetKeyLastUsage",
        "GetKeyPolicy", "GetKeyRotationStatus", "GetParametersForImport", "GetPublicKey",
        "ImportKeyMaterial", "ListAliases", "ListGrants", "ListKeyPolicies", "ListKeyRotations",
        "ListKeys", "ListResourceTags", "ListRetirableGrants", "PutKeyPolicy", "ReEncryptFrom",
        "ReEncryptTo", "ReplicateKey", "RetireGrant", "RevokeGrant", "RotateKeyOnDemand",
        "ScheduleKeyDeletion", "Sign", "SynchronizeMultiRegionKey", "TagResource",
        "UntagResource", "UpdateAlias", "UpdateCustomKeyStore", "UpdateKeyDescription",
        "UpdatePrimaryRegion", "Verify", "VerifyMac",
    )
)  # fmt: skip
_FOLDED = frozenset(action.lower() for action in KMS_ACTIONS)


def unknown_actions(actions: ActionElement) -> tuple[str, ...]:
    """Return the entries of a list that begin with ``kms:`` and match no action of KMS.

    >>> unknown_actions(ActionElement(("kms:Decrypy", "kms:De*crypt", "s3:GetObject"), False))
    ('kms:Decrypy',)
    """
    entries = (text for text in actions.texts if text.lower().startswith("kms:"))
    return tuple(
        text for text in entries if not any(map(ActionElement((text,), False).lists, _FOLDED))
    )
