"""The way every operation on a key goes: find it, ask the gate, look at its state.

Authorization comes before state and before any ciphertext: who may not use a key learns nothing
more about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nitro_workflow.cloud.local import budgets
from nitro_workflow.cloud.local.call import Call, LongAnswer, ServiceFault
from nitro_workflow.cloud.local.handler import Services
from nitro_workflow.cloud.local.kms import grant_rules, key_names
from nitro_workflow.cloud.local.kms.key_records import Key, key_conditions

if TYPE_CHECKING:
    from nitro_workflow.attestation import VerifiedAttestation
    from nitro_workflow.policy import Grant

__all__ = [
    "CROSS_ACCOUNT",
    "MAX_CONTEXT_CHARACTERS",
    "authorize",
    "authorize_account",
    "encryption_conditions",
    "manage",
    "require_not_pending",
    "require_usable",
    "stop_if_dry_run",
    "use",
]

# KMS developer guide, "Encryption context": names and values together.
MAX_CONTEXT_CHARACTERS = 8192
# KMS developer guide, each operation's "Cross-account use": management is the owner's account's.
CROSS_ACCOUNT = frozenset(
    {
        *("CreateGrant", "Decrypt", "DeriveSharedSecret", "DescribeKey", "Encrypt"),
        *("GenerateDataKey", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"),
        *("GenerateDataKeyWithoutPlaintext", "GetKeyRotationStatus", "GetPublicKey", "ListGrants"),
        *("ReEncrypt", "RetireGrant", "RevokeGrant", "Sign", "Verify"),
    }
)


def authorize(
    services: Services,
    call: Call,
    key: Key,
    *,
    action: str = "",
    alias: str = "",
    conditions: Mapping[str, Any] | None = None,
    attestation: VerifiedAttestation | None = None,
    more_grants: Sequence[Grant] = (),
) -> None:
    """Ask the gate whether the caller may do `action` (default: the operation) with this key."""
    grant_rules.check_tokens(services, call)
    context = {
        "kms:CallerAccount": call.caller.account,
        **key_conditions(key),
        **({"kms:RequestAlias": alias} if alias else {}),
        **(conditions or {}),
    }
    if call.on_loop:
        _require_short(services, call, key, context)
    services.gate.authorize(
        call,
        f"kms:{action or call.operation}",
        key.arn,
        resource_account=key.account,
        resource_policy=services.gate.parse(key.policy, "resource"),
        grants=[*grant_rules.load(services, call, key, action or call.operation), *more_grants],
        context=context,
        attestation=attestation,
    )
    if key.account != call.caller.account and call.operation not in CROSS_ACCOUNT:
        raise ServiceFault(
            "AccessDeniedException",
            f"{call.operation} cannot be used on a key of another account: {key.arn}",
        )


def _require_short(services: Services, call: Call, key: Key, context: Mapping[str, Any]) -> None:
    """Require that the policies are soon compared with what the caller sends.

    A pattern is compared letter by letter: a key policy of 21 KB and an encryption context of 8 KB
    kept all others waiting for a second.

    Raises `LongAnswer`.
    """
    characters = services.gate.weight(call.caller) + len(key.policy)
    caller = call.caller
    sent = (*context.values(), *caller.tags.values(), call.user_agent, caller.arn)
    # (kms:EncryptionContextKeys is a list, whose values are compared one after another.)
    longest = max(len("".join(value)) for value in sent)
    if characters * longest > budgets.LOOP_COMPARISONS:
        raise LongAnswer


def authorize_account(
    services: Services,
    call: Call,
    resource: str = "*",
    *,
    action: str = "",
    conditions: Mapping[str, Any] | None = None,
    attestation: VerifiedAttestation | None = None,
) -> None:
    """Ask the gate for what no key policy decides: lists, new keys, aliases, random bytes."""
    services.gate.authorize(
        call,
        f"kms:{action or call.operation}",
        resource,
        resource_account=call.caller.account,
        resource_policy=None,
        context={"kms:CallerAccount": call.caller.account, **(conditions or {})},
        attestation=attestation,
    )


def manage(
    services: Services,
    call: Call,
    *,
    conditions: Mapping[str, Any] | None = None,
    while_pending: bool = False,
) -> Key:
    """Find and authorize the key of a management operation; `while_pending` deletion or not."""
    key = key_names.find_key(services, call, call.params["KeyId"])
    authorize(services, call, key, conditions=conditions)
    if not while_pending:
        require_not_pending(key)
    return key


def use(
    services: Services,
    call: Call,
    usage: str,
    *,
    conditions: Mapping[str, Any] | None = None,
    attestation: VerifiedAttestation | None = None,
) -> Key:
    """Find and authorize the key of a cryptographic operation, and require that it can do it."""
    named = key_names.find(services, call, call.params["KeyId"])
    authorize(
        services,
        call,
        named.key,
        alias=named.alias,
        conditions=conditions,
        attestation=attestation,
    )
    require_usable(named.key, call, usage)
    return named.key


def require_usable(key: Key, call: Call, usage: str = "") -> None:
    """Require an enabled key of this usage (KMS developer guide, "Key states")."""
    require_not_pending(key)
    if not key.enabled:
        raise ServiceFault("DisabledException", f"{key.arn} is disabled.")
    if usage and key.usage != usage:
        raise ServiceFault(
            "InvalidKeyUsageException",
            f"{key.arn} key usage is {key.usage} which is not valid for {call.operation}.",
        )


def require_not_pending(key: Key) -> None:
    """Refuse a key that waits for its deletion."""
    if key.deletion is not None:
        raise ServiceFault("KMSInvalidStateException", f"{key.arn} is pending deletion.")


def stop_if_dry_run(call: Call) -> None:
    """Answer DryRun: everything was allowed, and nothing is done."""
    if call.params.get("DryRun"):
        raise ServiceFault(
            "DryRunOperationException",
            "The request would have succeeded, but the DryRun option is set.",
            412,
        )


def encryption_conditions(call: Call, member: str = "EncryptionContext") -> dict[str, Any]:
    """Return the condition keys of a symmetric operation: its encryption context, its algorithm."""
    context: Mapping[str, str] = call.params.get(member) or {}
    _check_context(context)
    conditions: dict[str, Any] = {
        f"kms:EncryptionContext:{name}": value for name, value in context.items()
    }
    if context:
        conditions["kms:EncryptionContextKeys"] = list(context)
    return conditions | {"kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}


def _check_context(context: Mapping[str, str]) -> None:
    """Refuse what no policy could speak of: condition keys ignore case, encryption contexts do not.

    (What AWS answers to names that differ in case alone is not documented; here it is a refusal,
    since a Deny that names one of them must not be walked around with the other.)
    """
    size = sum(len(name) + len(value) for name, value in context.items())
    if size > MAX_CONTEXT_CHARACTERS:
        raise ServiceFault(
            "ValidationException",
            f"The encryption context is longer than {MAX_CONTEXT_CHARACTERS} characters.",
        )
    if len({name.lower() for name in context}) != len(context):
        raise ServiceFault(
            "ValidationException", "The encryption context has names that differ in case alone."
        )
