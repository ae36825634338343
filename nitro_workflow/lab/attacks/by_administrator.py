"""What the parent's administrator tries with credentials of their own; and the owner with theirs.

Nothing here is stopped by the lab: each is a signed request that the cloud refuses by its policies.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.lab.attacks.attack import Attack, Stopped, refused_by_cloud
from nitro_workflow.lab.attacks.by_role_thief import fresh_document
from nitro_workflow.lab.steps import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Callable

    from nitro_workflow.lab.workbench import Workbench

__all__ = ["ADMINISTRATOR"]

WHO: Final = "parent administrator"


def _kms(
    bench: Workbench, operation: str, party: str = "administrator", **parameters: Any
) -> Stopped:
    """Ask KMS for one operation on the data key, as the party."""
    client = bench.parties.session(party).client("kms")
    method = getattr(client, _snake(operation))
    key = {} if operation == "ReEncrypt" else {"KeyId": bench.produced("P1", "key_arn")}
    return refused_by_cloud(
        bench,
        lambda: method(**key, **parameters),
        by=f"KMS {operation}",
        operation=operation,
        party=party,
    )


def _snake(operation: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in operation).lstrip("_")


def put_key_policy(bench: Workbench) -> Stopped:
    """Give the administrator the key."""
    mine = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": bench.policies.role_arn("administrator")},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }
    return _kms(bench, "PutKeyPolicy", PolicyName="default", Policy=json.dumps(mine))


def encrypted_key(bench: Workbench) -> bytes:
    """Return the encrypted data key: the administrator's instance can get it, so they have it."""
    return (bench.path / "owner" / "data-key.encrypted").read_bytes()


def re_encrypt(bench: Workbench) -> Stopped:
    """Have KMS move the data key under a key that the administrator controls."""
    mine = _own_key(bench)
    return _kms(
        bench,
        "ReEncrypt",
        CiphertextBlob=encrypted_key(bench),
        SourceKeyId=bench.produced("P1", "key_arn"),
        SourceEncryptionContext=dict(CONTEXT),
        DestinationKeyId=mine,
    )


def _own_key(bench: Workbench) -> str:
    """Return a key in the compute account that its operator made for the administrator."""
    account = bench.cloud.accounts.compute
    kms = bench.parties.operator(account).client("kms")
    principals = [f"arn:aws:iam::{account}:root", bench.policies.role_arn("administrator")]
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": principals},
        "Action": "kms:*",
        "Resource": "*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    made = kms.create_key(Policy=policy, Description="the administrator's own")
    return str(made["KeyMetadata"]["Arn"])


def decrypt_with_document(bench: Workbench) -> Stopped:
    """Decrypt in the administrator's own name, with a genuine document of the right enclave."""
    recipient = {
        "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
        "AttestationDocument": fresh_document(bench),  # an old one is refused for its age
    }
    return _kms(
        bench,
        "Decrypt",
        CiphertextBlob=encrypted_key(bench),
        EncryptionContext=dict(CONTEXT),
        Recipient=recipient,
    )


def assume_owner(bench: Workbench) -> Stopped:
    """Become the data owner."""
    sts = bench.parties.session("administrator").client("sts")
    return refused_by_cloud(
        bench,
        lambda: sts.assume_role(RoleArn=bench.policies.role_arn("owner"), RoleSessionName="guess"),
        by="STS AssumeRole",
        operation="AssumeRole",
    )


def put_role_policy(bench: Workbench) -> Stopped:
    """Give the instance's role, or the administrator's own, all there is."""
    iam = bench.parties.session("administrator").client("iam")
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    return refused_by_cloud(
        bench,
        lambda: iam.put_role_policy(
            RoleName=bench.policies.role_name("administrator"),
            PolicyName="more",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
        ),
        by="IAM PutRolePolicy",
        operation="PutRolePolicy",
    )


def put_bucket_policy(bench: Workbench) -> Stopped:
    """Open the owner's bucket to everybody."""
    s3 = bench.parties.session("administrator").client("s3")
    bucket = bench.cloud.names.data_bucket
    everybody = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    return refused_by_cloud(
        bench,
        lambda: s3.put_bucket_policy(
            Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [everybody]})
        ),
        by="S3 PutBucketPolicy",
        operation="PutBucketPolicy",
    )


def create_grant(bench: Workbench) -> Stopped:
    """Grant the administrator Decrypt."""
    grantee = bench.policies.role_arn("administrator")
    return _kms(bench, "CreateGrant", GranteePrincipal=grantee, Operations=["Decrypt"])


def owner_decrypt(bench: Workbench) -> Stopped:
    """Have the owner decrypt their own data key, outside any enclave."""
    return _kms(
        bench,
        "Decrypt",
        "owner",
        CiphertextBlob=encrypted_key(bench),
        EncryptionContext=dict(CONTEXT),
    )


def _kms_attack(operation: str, **parameters: Any) -> Callable[[Workbench], Stopped]:
    return lambda bench: _kms(bench, operation, **parameters)


def administrator_decrypt(bench: Workbench) -> Stopped:
    """Decrypt in the administrator's own name, without a document."""
    blob = encrypted_key(bench)
    return _kms(bench, "Decrypt", CiphertextBlob=blob, EncryptionContext=dict(CONTEXT))


_row: Final = partial(Attack, needs="P1", party=WHO)

ADMINISTRATOR: Final = (
    _row("put-key-policy", "Change the key's policy", "kms:PutKeyPolicy", put_key_policy),
    _row(
        "generate-data-key",
        "Make a data key of the owner's key",
        "kms:GenerateDataKey",
        _kms_attack("GenerateDataKey", KeySpec="AES_256", EncryptionContext=dict(CONTEXT)),
    ),
    _row(
        "encrypt",
        "Encrypt under the owner's key",
        "kms:Encrypt",
        _kms_attack("Encrypt", Plaintext=b"forged", EncryptionContext=dict(CONTEXT)),
    ),
    _row(
        "schedule-key-deletion",
        "Have the key deleted",
        "kms:ScheduleKeyDeletion",
        _kms_attack("ScheduleKeyDeletion", PendingWindowInDays=7),
    ),
    _row(
        "create-grant",
        "Grant themselves Decrypt",
        "kms:CreateGrant",
        create_grant,
    ),
    _row(
        "re-encrypt",
        "Move the data key under a key of their own",
        "kms:ReEncrypt to their own key",
        re_encrypt,
        needs="P2",
    ),
    _row(
        "tag-resource",
        "Tag the key",
        "kms:TagResource",
        _kms_attack("TagResource", Tags=[{"TagKey": "mine", "TagValue": "yes"}]),
    ),
    _row(
        "administrator-decrypt",
        "Decrypt without a document",
        "kms:Decrypt, no Recipient",
        administrator_decrypt,
        needs="P2",
    ),
    _row(
        "administrator-decrypt-with-document",
        "Decrypt with a genuine document of the right enclave",
        "kms:Decrypt with the enclave's own document",
        decrypt_with_document,
        needs="P8",
    ),
    _row(
        "assume-owner",
        "Become the data owner",
        "sts:AssumeRole of DataOwner",
        assume_owner,
        needs="",
    ),
    _row(
        "put-role-policy",
        "Give their own role everything",
        "iam:PutRolePolicy",
        put_role_policy,
        needs="",
    ),
    _row(
        "put-bucket-policy",
        "Open the owner's bucket",
        "s3:PutBucketPolicy",
        put_bucket_policy,
        needs="P4",
    ),
    _row(
        "owner-decrypt",
        "The owner decrypts outside the enclave",
        "kms:Decrypt, no Recipient",
        owner_decrypt,
        needs="P2",
        party="data owner",
    ),
)
