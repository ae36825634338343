"""The local KMS: what envelope encryption and enclaves need of AWS KMS, and no more.

One handler an operation; the whole engine in the order in which one reads it:

==================  =============================================================================
`key_records`       the tables, and a key as a frozen record
`specs`             what each key specification can do
`key_names`         key id, ARN, alias, alias ARN → the key
`access`            find → ask the gate → look at the state: the way of every operation
`recipient`         the attestation document of a request, and the envelope of its answer
`material`          key material, sealed at rest; rotation when it is due
`ciphertext`        the ciphertext blob, and the encryption context in it
`encryption`        Encrypt, Decrypt, ReEncrypt
`datakeys`          GenerateDataKey…, GenerateDataKeyPair…, GenerateRandom
`asymmetric`        Sign, Verify, GetPublicKey, DeriveSharedSecret
`keys`              CreateKey, DescribeKey, ListKeys, enable, disable, deletion
`key_policies`      key policies and the lockout safety check
`aliases` `key_tags`names and tags
`rotation`          EnableKeyRotation …, RotateKeyOnDemand
`grant_rules`       which grants count for a call
`grants`            CreateGrant, ListGrants, RetireGrant, RevokeGrant
`paging`            pages of lists
==================  =============================================================================

>>> "Decrypt" in OPERATIONS
True
"""

from __future__ import annotations

from collections.abc import Mapping

from nitro_workflow.cloud.local.handler import Handler
from nitro_workflow.cloud.local.kms import (
    aliases,
    asymmetric,
    datakeys,
    encryption,
    grants,
    key_policies,
    key_tags,
    keys,
    rotation,
)
from nitro_workflow.cloud.local.kms.key_policies import forget
from nitro_workflow.cloud.local.kms.key_records import SCHEMA

__all__ = ["OPERATIONS", "SCHEMA", "forget"]

OPERATIONS: Mapping[str, Handler] = {
    "CancelKeyDeletion": keys.cancel_key_deletion,
    "CreateAlias": aliases.create_alias,
    "CreateGrant": grants.create_grant,
    "CreateKey": keys.create_key,
    "Decrypt": encryption.decrypt,
    "DeleteAlias": aliases.delete_alias,
    "DeriveSharedSecret": asymmetric.derive_shared_secret,
    "DescribeKey": keys.describe_key,
    "DisableKey": keys.disable_key,
    "DisableKeyRotation": rotation.disable_key_rotation,
    "EnableKey": keys.enable_key,
    "EnableKeyRotation": rotation.enable_key_rotation,
    "Encrypt": encryption.encrypt,
    "GenerateDataKey": datakeys.generate_data_key,
    "GenerateDataKeyPair": datakeys.generate_data_key_pair,
    "GenerateDataKeyPairWithoutPlaintext": datakeys.generate_data_key_pair_without_plaintext,
    "GenerateDataKeyWithoutPlaintext": datakeys.generate_data_key_without_plaintext,
    "GenerateRandom": datakeys.generate_random,
    "GetKeyPolicy": key_policies.get_key_policy,
    "GetKeyRotationStatus": rotation.get_key_rotation_status,
    "GetPublicKey": asymmetric.get_public_key,
    "ListAliases": aliases.list_aliases,
    "ListGrants": grants.list_grants,
    "ListKeyPolicies": key_policies.list_key_policies,
    "ListKeyRotations": rotation.list_key_rotations,
    "ListKeys": keys.list_keys,
    "ListResourceTags": key_tags.list_resource_tags,
    "ListRetirableGrants": grants.list_retirable_grants,
    "PutKeyPolicy": key_policies.put_key_policy,
    "ReEncrypt": encryption.re_encrypt,
    "RetireGrant": grants.retire_grant,
    "RevokeGrant": grants.revoke_grant,
    "RotateKeyOnDemand": rotation.rotate_key_on_demand,
    "ScheduleKeyDeletion": keys.schedule_key_deletion,
    "Sign": asymmetric.sign,
    "TagResource": key_tags.tag_resource,
    "UntagResource": key_tags.untag_resource,
    "UpdateAlias": aliases.update_alias,
    "UpdateKeyDescription": keys.update_key_description,
    "Verify": asymmetric.verify,
}
