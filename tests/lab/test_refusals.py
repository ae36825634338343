"""Every attack of the list is tried; the outcome, and what stopped it, are the expected ones."""

from __future__ import annotations

import pytest

from nitro_workflow.errors import UntrustedAnswer, UsageError
from nitro_workflow.lab import Lab, StepResult
from nitro_workflow.lab.attacks import ATTACKS, AttackOutcome, try_attack
from nitro_workflow.lab.attacks.attack import Stopped

# name → outcome, what stopped it, code, a piece of the reason or of the cloud's explanation
EXPECTED = {
    "put-key-policy": ("refused", "KMS PutKeyPolicy", "AccessDeniedException", "nothing allows it"),
    "generate-data-key": ("refused", "KMS GenerateDataKey", "AccessDeniedException", "not to"),
    "encrypt": ("refused", "KMS Encrypt", "AccessDeniedException", "nothing allows it"),
    "schedule-key-deletion": (
        "refused",
        "KMS ScheduleKeyDeletion",
        "AccessDeniedException",
        "not to",
    ),
    "create-grant": ("refused", "KMS CreateGrant", "AccessDeniedException", "forbids it"),
    "re-encrypt": ("refused", "KMS ReEncrypt", "AccessDeniedException", "NoOtherWayToThePlaintext"),
    "tag-resource": ("refused", "KMS TagResource", "AccessDeniedException", "not to"),
    "administrator-decrypt": ("refused", "KMS Decrypt", "AccessDeniedException", "no attestation"),
    "administrator-decrypt-with-document": (
        "refused",
        "KMS Decrypt",
        "AccessDeniedException",
        "not to",
    ),
    "assume-owner": ("refused", "STS AssumeRole", "AccessDenied", "WhoMayBecomeThisRole"),
    "put-role-policy": ("refused", "IAM PutRolePolicy", "AccessDenied", "nothing allows it"),
    "put-bucket-policy": ("refused", "S3 PutBucketPolicy", "AccessDenied", "nothing allows it"),
    "owner-decrypt": ("refused", "KMS Decrypt", "AccessDeniedException", "no attestation document"),
    "decrypt-without-document": ("refused", "KMS, key", "AccessDeniedException", "no attestation"),
    "decrypt-changed-document": ("refused", "check signature", "ValidationException", "signature"),
    "decrypt-swapped-key": ("refused", "check signature", "ValidationException", "signature"),
    "decrypt-other-root": ("refused", "check root", "ValidationException", "check root"),
    "decrypt-old-document": ("refused", "check freshness", "ValidationException", "old"),
    "decrypt-wrong-context": ("refused", "KMS, key", "AccessDeniedException", "encryption context"),
    "replayed-request": ("useless", "the envelope", "EnvelopeError", "does not open"),
    "bad-signature": ("refused", "SigV4", "InvalidSignatureException", "signature"),
    "decrypt-other-image": ("refused", "KMS, key", "AccessDeniedException", "PCR0 differs"),
    "decrypt-debug-enclave": ("refused", "KMS, key", "AccessDeniedException", "debug mode"),
    "image-changed": ("refused", "KMS, key", "AccessDeniedException", "PCR0 differs"),
    "image-truncated": ("refused", "the hypervisor", "E35", "bytes left"),
    "too-little-memory": ("refused", "the hypervisor", "E26", "Insufficient memory"),
    "network-from-enclave": ("refused", "the sandbox", "", "AF_VSOCK to another enclave: "),
    "read-enclave-through-proc": ("refused", "the instance's own", "", "process_vm_readv: "),
    "reach-nsm": ("refused", "the hypervisor", "", "/dev/nsm: No such file"),
    "own-kms": ("refused", "TLS inside the enclave", "UntrustedAnswer", "self-signed certificate"),
    "tampered-ciphertext": ("refused", "the enclave, D8", "UntrustedAnswer", "does not verify"),
    "other-dataset": ("refused", "the enclave, D3", "ContextMismatch", "encryption context"),
    "old-version": ("detected", "the owner", "ReceiptRefused", "swapped"),
    "replayed-receipt": ("detected", "the owner", "ReceiptRefused", "nonce"),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_attack_fails_as_it_should(lab: Lab, walked: dict[str, StepResult], name: str) -> None:
    outcome = try_attack(lab, name)
    expected, by, code, reason = EXPECTED[name]
    assert (outcome.outcome, outcome.code) == (expected, code), outcome
    assert by in outcome.by
    assert reason in f"{outcome.reason} {outcome.explanation}"
    assert outcome.next, "every refusal names the next thing to do"
    assert str(lab.path) not in str(outcome.to_json())


def test_the_list_is_whole() -> None:
    assert set(EXPECTED) == set(ATTACKS)
    assert all(attack.title and attack.party and attack.what for attack in ATTACKS.values())


def test_the_lab_is_as_it_was(lab: Lab, walked: dict[str, StepResult]) -> None:
    """After all attacks one enclave runs, the key is enabled, and a job gives the same answer."""
    kms = lab.bench.parties.session("owner").client("kms")
    key = kms.describe_key(KeyId=lab.bench.produced("P1", "key_arn"))["KeyMetadata"]
    assert key["KeyState"] == "Enabled"
    assert [one["State"] for one in lab.bench.host.describe_enclaves()] == ["RUNNING"]
    lab.run("D2")
    assert lab.run("D9").evidence["groups"] == walked["D9"].evidence["groups"]


def test_an_attack_that_succeeds_is_an_error_of_the_lab(
    lab: Lab, walked: dict[str, StepResult]
) -> None:
    from nitro_workflow.lab.attacks.attack import refused_by_cloud

    with pytest.raises(UntrustedAnswer, match="let the attack through"):
        refused_by_cloud(lab.bench, lambda: None, by="nobody", operation="Decrypt")


def test_an_unknown_attack_lists_those_there_are(lab: Lab) -> None:
    with pytest.raises(UsageError) as caught:
        try_attack(lab, "guess-the-password")
    assert "put-key-policy" in caught.value.expected


def test_an_outcome_is_plain_text() -> None:
    stopped = Stopped("refused", "KMS", "no", "go home")
    outcome = AttackOutcome(
        "a", "b", "c", stopped.outcome, stopped.by, stopped.reason, stopped.next
    )
    assert outcome.to_json()["reason"] == "no"
