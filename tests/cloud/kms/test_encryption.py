from __future__ import annotations

import base64

import pytest

from nitro_workflow import cms
from nitro_workflow.cloud.local.kms import ciphertext
from tests.cloud.kms.conftest import COMPUTE, DATA, EVERYTHING, allow, document_policy, role_arn


def test_encrypt_and_decrypt(owner, key):
    sealed = owner.encrypt(KeyId=key, Plaintext=b"secret")
    opened = owner.decrypt(CiphertextBlob=sealed["CiphertextBlob"])
    assert opened["Plaintext"] == b"secret"
    assert opened["KeyId"] == key
    assert len(opened["KeyMaterialId"]) == 64
    assert opened["EncryptionAlgorithm"] == "SYMMETRIC_DEFAULT"


def test_the_encryption_context_must_be_the_same(owner, key, refused):
    blob = owner.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"a": "bc"})["CiphertextBlob"]
    for context in ({"ab": "c"}, {"a": "bc", "d": ""}, {"A": "bc"}, {}):
        refused(
            "InvalidCiphertextException",
            owner.decrypt,
            CiphertextBlob=blob,
            EncryptionContext=context,
        )
    assert owner.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "bc"})["Plaintext"] == b"x"


def test_the_canonical_encryption_context_has_no_two_meanings():
    contexts = [{}, {"": ""}, {"a": ""}, {"": "a"}, {"ab": "c"}, {"a": "bc"}, {"a": "b", "c": "d"}]
    assert len({ciphertext.canonical(context) for context in contexts}) == len(contexts)
    assert ciphertext.canonical({"a": "1", "b": "2"}) == ciphertext.canonical({"b": "2", "a": "1"})


def test_every_changed_bit_of_a_blob_is_refused(owner, key, refused):
    blob = owner.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    for place in range(len(blob)):
        changed = bytearray(blob)
        changed[place] ^= 1 << place % 8
        refused("InvalidCiphertextException", owner.decrypt, CiphertextBlob=bytes(changed))


def test_another_key_is_incorrect(owner, key, refused):
    other = owner.create_key()["KeyMetadata"]["Arn"]
    blob = owner.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    refused("IncorrectKeyException", owner.decrypt, CiphertextBlob=blob, KeyId=other)
    refused("InvalidCiphertextException", owner.decrypt, CiphertextBlob=b"what", KeyId=key)
    refused("InvalidCiphertextException", owner.decrypt, CiphertextBlob=b"what")


def test_re_encrypt_changes_key_and_context(owner, key, refused):
    other = owner.create_key()["KeyMetadata"]["Arn"]
    blob = owner.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"v": "1"})["CiphertextBlob"]
    answer = owner.re_encrypt(
        CiphertextBlob=blob,
        SourceEncryptionContext={"v": "1"},
        DestinationKeyId=other,
        DestinationEncryptionContext={"v": "2"},
    )
    assert (answer["SourceKeyId"], answer["KeyId"]) == (key, other)
    opened = owner.decrypt(CiphertextBlob=answer["CiphertextBlob"], EncryptionContext={"v": "2"})
    assert (opened["Plaintext"], opened["KeyId"]) == (b"x", other)
    refused(
        "InvalidCiphertextException", owner.re_encrypt, CiphertextBlob=blob, DestinationKeyId=other
    )


def test_re_encrypt_needs_leave_for_both_keys(world, owner, key, refused):
    someone = role_arn(DATA, "Mover")
    mover = world.role(DATA, "Mover")
    keep = allow(role_arn(DATA, "DataOwner"), "*")
    source = owner.create_key(Policy=document_policy(keep, allow(someone, "ReEncryptFrom")))
    source_arn = source["KeyMetadata"]["Arn"]
    same_only = allow(someone, "ReEncryptTo", Bool={"kms:ReEncryptOnSameKey": "true"})
    owner.put_key_policy(
        KeyId=source_arn,
        Policy=document_policy(keep, allow(someone, "ReEncryptFrom"), same_only),
    )
    blob = owner.encrypt(KeyId=source_arn, Plaintext=b"x")["CiphertextBlob"]
    denied = refused(
        "AccessDeniedException", mover.re_encrypt, CiphertextBlob=blob, DestinationKeyId=key
    )
    assert "kms:ReEncryptTo" in str(denied)
    assert mover.re_encrypt(CiphertextBlob=blob, DestinationKeyId=source_arn)["KeyId"] == source_arn


def test_conditions_on_the_encryption_context_are_evaluated(world, owner, refused):
    someone = role_arn(DATA, "Reader")
    reader = world.role(DATA, "Reader")
    statement = allow(
        someone,
        "Decrypt",
        StringEquals={"kms:EncryptionContext:dataset": "customers"},
        **{"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["dataset"]}},
    )
    policy = document_policy(allow(role_arn(DATA, "DataOwner"), "*"), statement)
    key = owner.create_key(Policy=policy)["KeyMetadata"]["Arn"]

    def seal(context):
        answer = owner.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=context)
        return {"CiphertextBlob": answer["CiphertextBlob"], "EncryptionContext": context}

    assert reader.decrypt(**seal({"dataset": "customers"}))["Plaintext"] == b"x"
    for context in ({"dataset": "others"}, {}, {"dataset": "customers", "extra": "1"}):
        refused("AccessDeniedException", reader.decrypt, **seal(context))


def test_a_key_is_used_across_accounts_with_leave_on_both_sides(world, owner, refused):
    instance = world.role(COMPUTE, "Parent", EVERYTHING)
    bare = world.role(COMPUTE, "Bare")
    policy = document_policy(
        allow(role_arn(DATA, "DataOwner"), "*"),
        allow(role_arn(COMPUTE, "Parent"), "Decrypt", "DescribeKey", "PutKeyPolicy"),
        allow(role_arn(COMPUTE, "Bare"), "Decrypt"),
    )
    key = owner.create_key(Policy=policy)["KeyMetadata"]["Arn"]
    blob = owner.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert instance.decrypt(CiphertextBlob=blob, KeyId=key)["Plaintext"] == b"x"
    assert instance.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    refused("AccessDeniedException", bare.decrypt, CiphertextBlob=blob)
    refused("AccessDeniedException", instance.encrypt, KeyId=key, Plaintext=b"x")
    assert instance.describe_key(KeyId=key)["KeyMetadata"]["AWSAccountId"] == DATA
    # Management is the owner's account's, whatever the key policy says.
    refused("AccessDeniedException", instance.put_key_policy, KeyId=key, Policy=policy)
    # A bare id means a key of one's own account.
    refused("NotFoundException", instance.describe_key, KeyId=key.rpartition("/")[2])


def test_encryption_contexts_that_no_policy_could_speak_of_are_refused(owner, key, refused):
    for context in ({"a": "1", "A": "2"}, {"a": "x" * 8192}):
        refused(
            "ValidationException",
            owner.encrypt,
            KeyId=key,
            Plaintext=b"x",
            EncryptionContext=context,
        )


# --- Recipient -----------------------------------------------------------------------------------


@pytest.fixture
def enclave(world):
    return world.attester()


def test_decrypt_for_an_enclave(owner, key, enclave):
    blob = owner.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    answer = owner.decrypt(CiphertextBlob=blob, Recipient=enclave.recipient())
    assert "Plaintext" not in answer
    assert cms.open_envelope(answer["CiphertextForRecipient"], enclave.key) == b"secret"


def pcr_policy(pcr0: bytes) -> str:
    condition = {"kms:RecipientAttestation:PCR0": pcr0.hex()}
    return document_policy(
        allow(role_arn(DATA, "DataOwner"), "*"),
        allow(role_arn(DATA, "Enclave"), "Decrypt", StringEqualsIgnoreCase=condition),
    )


def test_the_key_policy_decides_by_the_documents_pcrs(world, owner, refused, enclave):
    parent = world.role(DATA, "Enclave")
    key = owner.create_key(Policy=pcr_policy(enclave.pcr0))["KeyMetadata"]["Arn"]
    blob = owner.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    answer = parent.decrypt(CiphertextBlob=blob, Recipient=enclave.recipient())
    assert cms.open_envelope(answer["CiphertextForRecipient"], enclave.key) == b"secret"
    refused("AccessDeniedException", parent.decrypt, CiphertextBlob=blob)
    for other in (world.attester(pcr0=b"\1" * 48), world.attester(pcr0=bytes(48))):
        refused(
            "AccessDeniedException",
            parent.decrypt,
            CiphertextBlob=blob,
            Recipient=other.recipient(),
        )
    event = world.events()[-1]
    assert event["errorCode"] == "AccessDeniedException"
    recipient = event["additionalEventData"]["recipient"]
    assert (
        recipient["attestationDocumentEnclaveImageDigest"] == base64.b64encode(bytes(48)).decode()
    )


def test_a_document_that_is_not_to_be_believed_is_a_validation_error(
    world, owner, key, refused, enclave, monkeypatch
):
    from datetime import UTC, datetime, timedelta

    from nitro_workflow.attestation import HypervisorPki

    stranger = HypervisorPki.create(datetime.now(UTC) - timedelta(hours=1))
    blob = owner.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    flipped = bytearray(enclave.document()[0])
    flipped[-1] ^= 1
    cases = {
        "freshness": world.attester(age=301).document()[0],
        "root": world.attester(pki=stranger).document()[0],
        "signature": bytes(flipped),
        "shape": b"no document",
    }
    for step, document in cases.items():
        recipient = enclave.recipient() | {"AttestationDocument": document}
        error = refused(
            "ValidationException", owner.decrypt, CiphertextBlob=blob, Recipient=recipient
        )
        assert step not in str(error)
        record = world.events()[-1]["additionalEventData"]["attestation"]
        assert record["verified"] is False
        assert record["failed"] == step
    now = world.now().replace(microsecond=0)  # a document has milliseconds
    monkeypatch.setattr(world, "now", lambda: now)  # the one does not get older on its way
    fresh = world.attester(age=300).recipient()
    assert owner.decrypt(CiphertextBlob=blob, Recipient=fresh)["CiphertextForRecipient"]


def test_the_document_is_looked_at_before_the_key_and_the_key_before_the_ciphertext(
    world, owner, refused, enclave
):
    nobody = world.role(DATA, "Nobody")
    broken = enclave.recipient() | {"AttestationDocument": b"no document"}
    missing = "00000000-0000-0000-0000-000000000000"
    refused(
        "ValidationException", nobody.decrypt, CiphertextBlob=b"?", KeyId=missing, Recipient=broken
    )
    refused(
        "NotFoundException",
        nobody.decrypt,
        CiphertextBlob=b"?",
        KeyId=missing,
        Recipient=enclave.recipient(),
    )
    policy = document_policy(allow(role_arn(DATA, "DataOwner"), "*"))
    key = owner.create_key(Policy=policy)["KeyMetadata"]["Arn"]
    # Not "invalid ciphertext": whoever may not use the key learns nothing about the blob.
    refused(
        "AccessDeniedException",
        nobody.decrypt,
        CiphertextBlob=b"?",
        KeyId=key,
        Recipient=enclave.recipient(),
    )


def test_a_document_without_a_usable_public_key_is_refused(world, owner, key, refused, enclave):
    from nitro_workflow.cloud.local.call import Settings

    assert Settings(world.folder).attestation_max_age_s == 300
    blob = owner.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    issuer = world.pki.instance("i-0123456789abcdef0", world.now())
    for public_key in (None, b"no key"):
        document = issuer.issue(
            module_id="i-0123456789abcdef0-enc0123456789abcdef",
            pcrs={0: bytes(48)},
            public_key=public_key,
            now=world.now(),
        )
        recipient = enclave.recipient() | {"AttestationDocument": document}
        refused("ValidationException", owner.decrypt, CiphertextBlob=blob, Recipient=recipient)
        record = world.events()[-1]["additionalEventData"]["attestation"]
        assert record["failed"] == "public_key"


def test_the_decision_record_names_document_and_envelope_by_digest(world, owner, key, enclave):
    from hashlib import sha256

    blob = owner.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    envelope = owner.decrypt(CiphertextBlob=blob, Recipient=enclave.recipient())
    data = world.events()[-1]["additionalEventData"]
    assert data["attestation"]["verified"] is True
    assert data["attestation"]["document_sha256"] == sha256(enclave.documents[-1]).hexdigest()
    assert data["attestation"]["pcrs"]["0"] == enclave.pcr0.hex()
    digest = sha256(envelope["CiphertextForRecipient"]).hexdigest()
    assert data["envelope"]["sha256"] == digest


def test_without_a_hypervisor_documents_are_refused_and_the_record_says_so(
    world, owner, key, refused, enclave
):
    root = world.services.settings.nitro_root
    blob = owner.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    aside = root.rename(root.with_suffix(".aside"))
    try:
        refused(
            "ValidationException",
            owner.decrypt,
            CiphertextBlob=blob,
            Recipient=enclave.recipient(),
        )
        record = world.events()[-1]["additionalEventData"]["attestation"]
        assert record["found"] == "no attestation root"
    finally:
        aside.rename(root)
    assert owner.decrypt(CiphertextBlob=blob, Recipient=enclave.recipient())["KeyId"] == key
