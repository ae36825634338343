"""P1 and P2: the data owner makes the key, and a data key of it, after a refusal and an edit."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud import DENIED, error_code, refusal
from nitro_workflow.errors import AccessRefused
from nitro_workflow.lab.lab_folder import save
from nitro_workflow.lab.settling import POLICY_NAMES_NOBODY, settled
from nitro_workflow.lab.step_result import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nitro_workflow.lab.workbench import Workbench

__all__ = [
    "CONTEXT",
    "RESULT_CONTEXT",
    "change_policy",
    "create_key",
    "key_holds",
    "make_data_key",
    "policy_of",
]

CONTEXT: Final[Mapping[str, str]] = {"dataset": "customers", "version": "1"}
"""The data's encryption context: bound to the ciphertext, in the key policy, measured."""

RESULT_CONTEXT: Final[Mapping[str, str]] = {"for": "data-owner", "of": "customers", "version": "1"}
"""The encryption context of results, and of the private key that opens them."""


# -- P1 --------------------------------------------------------------------------------------------


def create_key(bench: Workbench) -> Outcome:
    """Make the key with policy and alias, and the owner's key for results; keep what is there.

    A key that is given is used as it is. IAM: kms:CreateKey, kms:CreateAlias, kms:UpdateAlias,
    kms:ListAliases.
    """
    from nitro_workflow.policy import author

    kms = bench.parties.session("owner").client("kms")
    names, policies = bench.cloud.names, bench.policies
    first = author.initial_key_policy(policies.role_arn("owner"))
    given = names.given.get("key", "")
    key, made = (
        (given, False)
        if given
        else _ensure_key(bench, kms, names.data_alias, first, "customer records")
    )
    results, _ = _ensure_key(
        bench, kms, names.results_alias, policies.results_key_policy(), "opens results"
    )
    policy = policy_of(kms, key)
    public = _results_public_key(bench, kms, results)
    notes = () if made else ("the key was there: kept, with the policy that it has now",)
    evidence = {
        "basis": "observed by the data owner",
        "key_arn": key,
        "alias": names.data_alias,
        "made": made,
        "policy": policy,
        "statements": [str(one.get("Sid", "")) for one in policy["Statement"]],
        "results_key_arn": results,
        "results_public_key_sha256": hashlib.sha256(public).hexdigest(),
    }
    produces = {
        "key_arn": key,
        "results_key_arn": results,
        "results_public_key_sha256": evidence["results_public_key_sha256"],
    }
    return Outcome(evidence, produces, notes)


def key_holds(bench: Workbench, produced: Mapping[str, Any]) -> bool:
    """Tell whether the key still exists and can be used."""
    from botocore.exceptions import ClientError

    kms = bench.parties.session("owner").client("kms")
    try:
        state = kms.describe_key(KeyId=produced["key_arn"])["KeyMetadata"]["KeyState"]
    except ClientError:
        return False
    return state == "Enabled" and (bench.path / "owner" / "results-public-key.der").exists()


def _ensure_key(
    bench: Workbench, kms: Any, alias: str, policy: Mapping[str, Any], what: str
) -> tuple[str, bool]:
    """Return the ARN of the alias's key, and whether it had to be made."""
    found = _key_of(bench, kms, alias)
    if found and (found["KeyState"] in ("Enabled", "Disabled") or _in_use(bench, found)):
        _revive(kms, str(found["Arn"]), str(found["KeyState"]))
        return str(found["Arn"]), False
    made = settled(
        bench,
        "A new role",
        lambda: kms.create_key(Policy=json.dumps(policy), Description=f"nitro-workflow: {what}"),
        POLICY_NAMES_NOBODY,
    )
    arn = str(made["KeyMetadata"]["Arn"])
    if found:
        kms.update_alias(AliasName=alias, TargetKeyId=arn)
    else:
        kms.create_alias(AliasName=alias, TargetKeyId=arn)
    return arn, True


def _key_of(bench: Workbench, kms: Any, alias: str) -> dict[str, Any] | None:
    """Return what the alias's key is; None where there is no such alias."""
    from botocore.exceptions import ClientError

    try:
        return dict(kms.describe_key(KeyId=alias)["KeyMetadata"])
    except ClientError as error:
        code = error_code(error)
        # Who may not describe all keys is refused an unknown name, too: the list tells which it is.
        known = code in DENIED and alias in _aliases(bench, kms)
        if known or code not in ("NotFoundException", *DENIED):
            raise
    return None


def _aliases(bench: Workbench, kms: Any) -> list[str]:
    pages = kms.get_paginator("list_aliases")

    def names() -> list[str]:
        return [one["AliasName"] for page in pages.paginate() for one in page["Aliases"]]

    return settled(bench, "A new role's policy", names)


def _in_use(bench: Workbench, found: Mapping[str, Any]) -> bool:
    """Tell whether the lab's data hang on a key that is to be deleted; a teardown forgets P1."""
    last = bench.result("P1")
    known = last.produced.values() if last else ()
    return found["KeyState"] == "PendingDeletion" and found["Arn"] in known


def _revive(kms: Any, key: str, state: str) -> None:
    """Bring back a key that its owner disabled or meant to delete: the data hang on it."""
    if state == "PendingDeletion":
        kms.cancel_key_deletion(KeyId=key)
    if state != "Enabled":
        kms.enable_key(KeyId=key)


def _results_public_key(bench: Workbench, kms: Any, results: str) -> bytes:
    """Return the DER of the public key for results; its private half is stored wrapped only."""
    folder = bench.path / "owner"
    public, wrapped = folder / "results-public-key.der", folder / "results-private-key.encrypted"
    known = folder / "results-key.arn"
    if public.exists() and wrapped.exists() and known.exists() and known.read_text() == results:
        return public.read_bytes()
    pair = kms.generate_data_key_pair_without_plaintext(
        KeyId=results, KeyPairSpec="RSA_3072", EncryptionContext=dict(RESULT_CONTEXT)
    )
    save(wrapped, pair["PrivateKeyCiphertextBlob"])
    save(public, pair["PublicKey"])
    save(known, results.encode())
    return bytes(pair["PublicKey"])


def policy_of(kms: Any, key: str) -> dict[str, Any]:
    """Return the key's policy as the cloud has it."""
    return dict(json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]))


def change_policy(
    bench: Workbench, kms: Any, key: str, new: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Put the policy where it differs; returns the old one and the lines of the difference."""
    from nitro_workflow.policy import author

    old = policy_of(kms, key)
    change = author.diff(old, new)
    if not (change.added or change.removed or change.changed):  # the order of statements is nothing
        return old, []
    settled(
        bench,
        "A new role",
        lambda: kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(new)),
        POLICY_NAMES_NOBODY,
    )
    return old, change.unified.splitlines()


# -- P2 --------------------------------------------------------------------------------------------


def make_data_key(bench: Workbench) -> Outcome:
    """Ask for a data key and be refused; edit the policy; ask again. The key stays in memory.

    IAM: kms:GenerateDataKey, kms:PutKeyPolicy (by the key policy alone).
    """
    from nitro_workflow.policy import author

    kms = bench.parties.session("owner").client("kms")
    key = bench.produced("P1", "key_arn")
    refused, notes = _first_refusal(bench, kms, key)
    wider = author.allow_data_keys(
        policy_of(kms, key), bench.policies.role_arn("owner"), encryption_context=CONTEXT
    )
    _, difference = change_policy(bench, kms, key, wider)
    answer = settled(bench, "The new key policy", lambda: _generate(kms, key))
    bench.memory["data_key"] = bytearray(answer["Plaintext"])
    encrypted = bytes(answer["CiphertextBlob"])
    save(bench.path / "owner" / "data-key.encrypted", encrypted)
    digest = hashlib.sha256(encrypted).hexdigest()
    evidence = {
        "basis": "observed by the data owner",
        "refused_first": refused,
        "difference": difference or _earlier(bench, "difference"),
        "plaintext_bytes": len(answer["Plaintext"]),
        "plaintext_sha256": hashlib.sha256(answer["Plaintext"]).hexdigest(),
        "encrypted_bytes": len(encrypted),
        "encrypted_sha256": digest,
        "encryption_context": dict(CONTEXT),
        "kept": "the plaintext key in this process's memory only",
    }
    return Outcome(evidence, {"encrypted_key_sha256": digest}, notes)


def _generate(kms: Any, key: str) -> Any:
    return kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext=dict(CONTEXT))


def _first_refusal(bench: Workbench, kms: Any, key: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the refusal that the policy of P1 gives; on a later run, the one recorded then."""
    from botocore.exceptions import ClientError

    try:
        _generate(kms, key)
    except ClientError as error:
        why = refusal(error, "P2")
        if not isinstance(why, AccessRefused):
            raise
        return why.to_json(), ()
    earlier = _earlier(bench, "refused_first")
    if not earlier:
        note = "the policy allowed it already: nothing was refused"
        return {}, (note,)
    note = "the policy allows it since an earlier run, whose refusal is shown; the data key is new"
    return earlier, (note,)


def _earlier(bench: Workbench, name: str) -> Any:
    result = bench.result("P2")
    return result.evidence.get(name) if result else None
