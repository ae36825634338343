"""Data keys, asymmetric keys, rotation, grants, DryRun."""

from __future__ import annotations

from itertools import pairwise

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from nitro_workflow import cms
from tests.cloud.kms.conftest import COMPUTE, DATA, allow, document_policy, role_arn

SPKI = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def enclave(world):
    return world.attester()


# --- data keys -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "size"),
    [({"KeySpec": "AES_256"}, 32), ({"KeySpec": "AES_128"}, 16), ({"NumberOfBytes": 64}, 64)],
)
def test_data_keys(owner, key, enclave, asked, size):
    made = owner.generate_data_key(KeyId=key, EncryptionContext={"a": "b"}, **asked)
    opened = owner.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext={"a": "b"})
    assert made["Plaintext"] == opened["Plaintext"]
    assert len(made["Plaintext"]) == size
    sealed = owner.generate_data_key(KeyId=key, Recipient=enclave.recipient(), **asked)
    assert "Plaintext" not in sealed
    data_key = cms.open_envelope(sealed["CiphertextForRecipient"], enclave.key)
    assert data_key == owner.decrypt(CiphertextBlob=sealed["CiphertextBlob"])["Plaintext"]
    without = owner.generate_data_key_without_plaintext(KeyId=key, **asked)
    assert "Plaintext" not in without
    assert len(owner.decrypt(CiphertextBlob=without["CiphertextBlob"])["Plaintext"]) == size


def test_a_data_key_needs_exactly_one_size(owner, key, refused):
    refused("ValidationException", owner.generate_data_key, KeyId=key)
    refused(
        "ValidationException",
        owner.generate_data_key,
        KeyId=key,
        KeySpec="AES_256",
        NumberOfBytes=32,
    )
    refused("ValidationException", owner.generate_data_key, KeyId=key, NumberOfBytes=1025)


@pytest.mark.parametrize(
    "spec",
    ["RSA_2048", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1"],
)
def test_data_key_pairs(owner, key, enclave, spec):
    made = owner.generate_data_key_pair(KeyId=key, KeyPairSpec=spec)
    private = load_der_private_key(made["PrivateKeyPlaintext"], None)
    assert private.public_key().public_bytes(*SPKI) == made["PublicKey"]
    opened = owner.decrypt(CiphertextBlob=made["PrivateKeyCiphertextBlob"])
    assert opened["Plaintext"] == made["PrivateKeyPlaintext"]
    sealed = owner.generate_data_key_pair(
        KeyId=key, KeyPairSpec=spec, Recipient=enclave.recipient()
    )
    assert "PrivateKeyPlaintext" not in sealed
    inside = load_der_private_key(
        cms.open_envelope(sealed["CiphertextForRecipient"], enclave.key), None
    )
    assert inside.public_key().public_bytes(*SPKI) == sealed["PublicKey"]
    without = owner.generate_data_key_pair_without_plaintext(KeyId=key, KeyPairSpec=spec)
    assert "PrivateKeyPlaintext" not in without


def test_the_largest_pair_fits_the_envelope(owner, key, enclave):
    sealed = owner.generate_data_key_pair(
        KeyId=key, KeyPairSpec="RSA_4096", Recipient=enclave.recipient()
    )
    assert cms.open_envelope(sealed["CiphertextForRecipient"], enclave.key)


def test_pairs_that_are_not_done_say_so(owner, key, refused):
    for spec in ("SM2", "ML_KEM_768"):
        error = refused(
            "UnsupportedOperationException",
            owner.generate_data_key_pair,
            KeyId=key,
            KeyPairSpec=spec,
        )
        assert spec in str(error)


def test_random_bytes(world, owner, enclave, refused):
    assert len(owner.generate_random(NumberOfBytes=1024)["Plaintext"]) == 1024
    sealed = owner.generate_random(NumberOfBytes=16, Recipient=enclave.recipient())
    assert len(cms.open_envelope(sealed["CiphertextForRecipient"], enclave.key)) == 16
    refused("ValidationException", owner.generate_random)
    refused("AccessDeniedException", world.role(DATA, "Unlucky").generate_random, NumberOfBytes=1)


def test_the_five_operations_attested_are_as_without(world, owner, key, enclave):
    from nitro_workflow.enclave import attested

    client = attested(world.role(DATA, "DataOwner"), enclave)
    made = client.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert client.decrypt(CiphertextBlob=made["CiphertextBlob"])["Plaintext"] == made["Plaintext"]
    assert len(client.generate_random(NumberOfBytes=77)["Plaintext"]) == 77
    pair = client.generate_data_key_pair(KeyId=key, KeyPairSpec="RSA_2048")
    opened = owner.decrypt(CiphertextBlob=pair["PrivateKeyCiphertextBlob"])
    assert opened["Plaintext"] == pair["PrivateKeyPlaintext"]
    arn = new_key(owner, "ECC_NIST_P384", "KEY_AGREEMENT")
    peer = ec.generate_private_key(ec.SECP384R1()).public_key().public_bytes(*SPKI)
    asked = {"KeyId": arn, "KeyAgreementAlgorithm": "ECDH", "PublicKey": peer}
    assert (
        client.derive_shared_secret(**asked)["SharedSecret"]
        == owner.derive_shared_secret(**asked)["SharedSecret"]
    )


# --- elliptic curves -----------------------------------------------------------------------------

CURVES = {
    "ECC_NIST_P256": ("ECDSA_SHA_256", hashes.SHA256(), ec.SECP256R1()),
    "ECC_NIST_P384": ("ECDSA_SHA_384", hashes.SHA384(), ec.SECP384R1()),
    "ECC_NIST_P521": ("ECDSA_SHA_512", hashes.SHA512(), ec.SECP521R1()),
    "ECC_SECG_P256K1": ("ECDSA_SHA_256", hashes.SHA256(), ec.SECP256K1()),
}


def new_key(owner, spec, usage):
    return owner.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["Arn"]


@pytest.mark.parametrize("spec", sorted(CURVES))
def test_sign_and_verify(owner, refused, spec):
    algorithm, digest, _ = CURVES[spec]
    arn = new_key(owner, spec, "SIGN_VERIFY")
    asked = {"KeyId": arn, "Message": b"an image", "SigningAlgorithm": algorithm}
    signature = owner.sign(**asked)["Signature"]
    answer = owner.get_public_key(KeyId=arn)
    assert answer["SigningAlgorithms"] == [algorithm]
    load_der_public_key(answer["PublicKey"]).verify(signature, b"an image", ec.ECDSA(digest))
    assert owner.verify(**asked, Signature=signature)["SignatureValid"] is True
    refused(
        "KMSInvalidSignatureException",
        owner.verify,
        **{**asked, "Message": b"another"},
        Signature=signature,
    )
    hashed = hashes.Hash(digest)
    hashed.update(b"an image")
    by_digest = {**asked, "Message": hashed.finalize(), "MessageType": "DIGEST"}
    assert owner.verify(**by_digest, Signature=signature)["SignatureValid"] is True
    assert owner.verify(**asked, Signature=owner.sign(**by_digest)["Signature"])
    refused("ValidationException", owner.sign, **{**by_digest, "Message": b"short"})
    wrong = "ECDSA_SHA_384" if algorithm != "ECDSA_SHA_384" else "ECDSA_SHA_512"
    refused("InvalidKeyUsageException", owner.sign, **{**asked, "SigningAlgorithm": wrong})


@pytest.mark.parametrize("spec", ["ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521"])
def test_derive_a_shared_secret(owner, refused, enclave, spec):
    curve = CURVES[spec][2]
    arn = new_key(owner, spec, "KEY_AGREEMENT")
    peer = ec.generate_private_key(curve)
    asked = {
        "KeyId": arn,
        "KeyAgreementAlgorithm": "ECDH",
        "PublicKey": peer.public_key().public_bytes(*SPKI),
    }
    answer = owner.derive_shared_secret(**asked)
    public = load_der_public_key(owner.get_public_key(KeyId=arn)["PublicKey"])
    assert answer["SharedSecret"] == peer.exchange(ec.ECDH(), public)
    sealed = owner.derive_shared_secret(**asked, Recipient=enclave.recipient())
    assert "SharedSecret" not in sealed
    opened = cms.open_envelope(sealed["CiphertextForRecipient"], enclave.key)
    assert opened == answer["SharedSecret"]
    other = ec.generate_private_key(ec.SECP256K1()).public_key().public_bytes(*SPKI)
    for wrong in (b"no key", other):
        refused("ValidationException", owner.derive_shared_secret, **{**asked, "PublicKey": wrong})


def test_keys_do_what_they_are_for(owner, key, refused):
    signer = new_key(owner, "ECC_NIST_P256", "SIGN_VERIFY")
    refused("InvalidKeyUsageException", owner.encrypt, KeyId=signer, Plaintext=b"x")
    refused("InvalidKeyUsageException", owner.generate_data_key, KeyId=signer, KeySpec="AES_256")
    refused(
        "InvalidKeyUsageException",
        owner.sign,
        KeyId=key,
        Message=b"x",
        SigningAlgorithm="ECDSA_SHA_256",
    )
    refused("UnsupportedOperationException", owner.get_public_key, KeyId=key)
    for method in (owner.enable_key_rotation, owner.rotate_key_on_demand):
        refused("UnsupportedOperationException", method, KeyId=signer)


# --- rotation ------------------------------------------------------------------------------------


def test_rotation_on_demand_keeps_old_ciphertexts(owner, key, refused):
    materials, blobs = [], []
    for _ in range(3):
        made = owner.generate_data_key(KeyId=key, KeySpec="AES_256")
        materials.append(made["KeyMaterialId"])
        blobs.append((made["CiphertextBlob"], made["Plaintext"]))
        owner.rotate_key_on_demand(KeyId=key)
    assert len(set(materials)) == 3
    for (blob, plaintext), material in zip(blobs, materials, strict=True):
        opened = owner.decrypt(CiphertextBlob=blob)
        assert (opened["Plaintext"], opened["KeyMaterialId"]) == (plaintext, material)
    rotations = owner.list_key_rotations(KeyId=key)["Rotations"]
    assert [entry["RotationType"] for entry in rotations] == ["ON_DEMAND"] * 3
    every = owner.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    assert [entry["KeyMaterialState"] for entry in every] == ["NON_CURRENT"] * 3 + ["CURRENT"]
    for _ in range(22):
        owner.rotate_key_on_demand(KeyId=key)
    refused("LimitExceededException", owner.rotate_key_on_demand, KeyId=key)


def test_automatic_rotation_comes_with_its_date(owner, key, clock):
    assert owner.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is False
    owner.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    status = owner.get_key_rotation_status(KeyId=key)
    assert status["RotationPeriodInDays"] == 90
    old = owner.generate_data_key(KeyId=key, KeySpec="AES_256")
    clock(days=89)
    same = owner.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert same["KeyMaterialId"] == old["KeyMaterialId"]
    clock(days=2)
    new = owner.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert new["KeyMaterialId"] != old["KeyMaterialId"]
    assert owner.decrypt(CiphertextBlob=old["CiphertextBlob"])["Plaintext"] == old["Plaintext"]
    (rotation,) = owner.list_key_rotations(KeyId=key)["Rotations"]
    assert rotation["RotationType"] == "AUTOMATIC"
    assert abs((rotation["RotationDate"] - status["NextRotationDate"]).total_seconds()) < 1
    clock(days=400)
    after = owner.get_key_rotation_status(KeyId=key)["NextRotationDate"]
    assert 0 < (after - status["NextRotationDate"]).days <= 500
    owner.disable_key_rotation(KeyId=key)
    assert owner.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is False


def test_the_same_period_again_does_not_move_the_date(owner, key, clock):
    owner.enable_key_rotation(KeyId=key)
    first = owner.get_key_rotation_status(KeyId=key)["NextRotationDate"]
    clock(days=10)
    owner.enable_key_rotation(KeyId=key)
    assert owner.get_key_rotation_status(KeyId=key)["NextRotationDate"] == first


def test_a_disabled_key_rotates_when_it_is_enabled_again(owner, key, clock):
    owner.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    owner.disable_key(KeyId=key)
    clock(days=91)
    before = owner.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]
    assert owner.list_key_rotations(KeyId=key)["Rotations"] == []
    owner.enable_key(KeyId=key)
    made = owner.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert made["KeyMaterialId"] != before
    assert len(owner.list_key_rotations(KeyId=key)["Rotations"]) == 1


# --- grants --------------------------------------------------------------------------------------


@pytest.fixture
def closed(world, owner):
    """A key whose policy lets only its owner in."""
    policy = document_policy(allow(role_arn(DATA, "DataOwner"), "*"))
    return owner.create_key(Policy=policy)["KeyMetadata"]["Arn"]


@pytest.fixture
def grantee(world):
    return world.role(DATA, "Grantee")


GRANTEE = role_arn(DATA, "Grantee")


def test_a_grant_allows_and_its_end_does_not(owner, closed, grantee, refused):
    blob = owner.encrypt(KeyId=closed, Plaintext=b"x")["CiphertextBlob"]
    refused("AccessDeniedException", grantee.decrypt, CiphertextBlob=blob)
    made = owner.create_grant(KeyId=closed, GranteePrincipal=GRANTEE, Operations=["Decrypt"])
    token = made["GrantToken"]
    assert grantee.decrypt(CiphertextBlob=blob, GrantTokens=[token])["Plaintext"] == b"x"
    refused("AccessDeniedException", grantee.encrypt, KeyId=closed, Plaintext=b"x")
    refused("InvalidGrantTokenException", grantee.decrypt, CiphertextBlob=blob, GrantTokens=["no"])
    (entry,) = owner.list_grants(KeyId=closed)["Grants"]
    assert entry["GranteePrincipal"] == GRANTEE
    owner.revoke_grant(KeyId=closed, GrantId=made["GrantId"])
    refused("AccessDeniedException", grantee.decrypt, CiphertextBlob=blob)
    refused("NotFoundException", owner.revoke_grant, KeyId=closed, GrantId=made["GrantId"])


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("EncryptionContextEquals", [{"a": "1"}], [{"a": "1", "b": "2"}, {"A": "1"}, {}]),
        ("EncryptionContextSubset", [{"a": "1"}, {"a": "1", "b": "2"}], [{"a": "2"}, {"A": "1"}]),
    ],
)
def test_constraints_bind_the_encryption_context(owner, closed, grantee, refused, kind, good, bad):
    owner.create_grant(
        KeyId=closed,
        GranteePrincipal=GRANTEE,
        Operations=["GenerateDataKey", "DescribeKey"],
        Constraints={kind: {"a": "1"}},
    )
    for context in good:
        asked = {"KeyId": closed, "KeySpec": "AES_256", "EncryptionContext": context}
        assert grantee.generate_data_key(**asked)["KeyId"] == closed
    for context in bad:
        asked = {"KeyId": closed, "KeySpec": "AES_256", "EncryptionContext": context}
        refused("AccessDeniedException", grantee.generate_data_key, **asked)
    assert grantee.describe_key(KeyId=closed)["KeyMetadata"]["Arn"] == closed


def test_a_grantee_passes_on_no_more_than_he_has(world, owner, closed, grantee, refused):
    world.role(DATA, "Third")
    owner.create_grant(
        KeyId=closed,
        GranteePrincipal=GRANTEE,
        Operations=["Decrypt", "CreateGrant"],
        Constraints={"EncryptionContextSubset": {"a": "1"}},
    )
    asked = {"KeyId": closed, "GranteePrincipal": role_arn(DATA, "Third")}
    strict = {"EncryptionContextSubset": {"a": "1", "b": "2"}}
    assert grantee.create_grant(**asked, Operations=["Decrypt"], Constraints=strict)["GrantId"]
    for wider in (
        {"Operations": ["Encrypt"], "Constraints": strict},
        {"Operations": ["Decrypt"]},
        {"Operations": ["Decrypt"], "Constraints": {"EncryptionContextSubset": {"b": "2"}}},
    ):
        refused("AccessDeniedException", grantee.create_grant, **asked, **wider)


def test_the_same_named_grant_is_made_once(owner, closed, grantee):
    asked = {"KeyId": closed, "GranteePrincipal": GRANTEE, "Operations": ["Decrypt"], "Name": "n"}
    assert owner.create_grant(**asked)["GrantId"] == owner.create_grant(**asked)["GrantId"]
    unnamed = {**asked}
    del unnamed["Name"]
    assert owner.create_grant(**unnamed)["GrantId"] != owner.create_grant(**unnamed)["GrantId"]


def test_who_retires_a_grant(world, owner, closed, grantee, refused):
    retirer = world.role(DATA, "Retirer")
    asked = {"KeyId": closed, "GranteePrincipal": GRANTEE}
    plain = owner.create_grant(
        **asked, Operations=["Decrypt"], RetiringPrincipal=role_arn(DATA, "Retirer")
    )
    refused("AccessDeniedException", grantee.retire_grant, GrantToken=plain["GrantToken"])
    listed = owner.list_retirable_grants(RetiringPrincipal=role_arn(DATA, "Retirer"))["Grants"]
    assert [entry["GrantId"] for entry in listed] == [plain["GrantId"]]
    # Another account's principal is nobody whose grants one may list.
    lists = {"Effect": "Allow", "Action": "kms:ListRetirableGrants", "Resource": "*"}
    stranger = world.role(COMPUTE, "Curious", lists)
    refused(
        "InvalidArnException", stranger.list_retirable_grants,
        RetiringPrincipal=role_arn(DATA, "Retirer"),
    )  # fmt: skip
    retirer.retire_grant(KeyId=closed, GrantId=plain["GrantId"])
    own = owner.create_grant(**asked, Operations=["Decrypt", "RetireGrant"])
    other = owner.create_grant(**asked, Operations=["Encrypt"])
    refused("AccessDeniedException", grantee.retire_grant, GrantToken=other["GrantToken"])
    grantee.retire_grant(GrantToken=own["GrantToken"])
    refused("InvalidGrantTokenException", grantee.retire_grant, GrantToken=own["GrantToken"])
    refused("ValidationException", grantee.retire_grant, KeyId=closed)


def test_grants_that_are_not_made(owner, closed, grantee, refused):
    signer = new_key(owner, "ECC_NIST_P256", "SIGN_VERIFY")
    asked = {"GranteePrincipal": GRANTEE}
    refused(
        "ValidationException", owner.create_grant, KeyId=signer, Operations=["Decrypt"], **asked
    )
    refused("ValidationException", owner.create_grant, KeyId=closed, Operations=["Sign"], **asked)
    refused(
        "ValidationException",
        owner.create_grant,
        KeyId=signer,
        Operations=["Sign"],
        Constraints={"EncryptionContextEquals": {"a": "b"}},
        **asked,
    )
    refused(
        "InvalidArnException",
        owner.create_grant,
        KeyId=closed,
        Operations=["Decrypt"],
        GranteePrincipal=role_arn(COMPUTE, "Ghost"),
    )
    owner.disable_key(KeyId=closed)
    refused("DisabledException", owner.create_grant, KeyId=closed, Operations=["Decrypt"], **asked)


# --- DryRun --------------------------------------------------------------------------------------


def test_dry_run_says_whether_it_would_have_been_done(world, owner, key, grantee, refused, enclave):
    blob = owner.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    grant = owner.create_grant(KeyId=key, GranteePrincipal=GRANTEE, Operations=["Decrypt"])
    dry = "DryRunOperationException"
    refused(dry, owner.encrypt, KeyId=key, Plaintext=b"x", DryRun=True)
    refused(dry, owner.decrypt, CiphertextBlob=blob, DryRun=True)
    refused(dry, owner.decrypt, CiphertextBlob=blob, DryRun=True, Recipient=enclave.recipient())
    refused(dry, owner.re_encrypt, CiphertextBlob=blob, DestinationKeyId=key, DryRun=True)
    for method in (owner.generate_data_key, owner.generate_data_key_without_plaintext):
        refused(dry, method, KeyId=key, KeySpec="AES_256", DryRun=True)
    for method in (owner.generate_data_key_pair, owner.generate_data_key_pair_without_plaintext):
        refused(dry, method, KeyId=key, KeyPairSpec="RSA_2048", DryRun=True)
    create = {"KeyId": key, "GranteePrincipal": GRANTEE, "Operations": ["Encrypt"]}
    refused(dry, owner.create_grant, **create, DryRun=True)
    refused(dry, owner.revoke_grant, KeyId=key, GrantId=grant["GrantId"], DryRun=True)
    refused("AccessDeniedException", grantee.encrypt, KeyId=key, Plaintext=b"x", DryRun=True)
    assert len(owner.list_grants(KeyId=key)["Grants"]) == 1
    first, second = (
        owner.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"] for _ in range(2)
    )
    assert first == second


# --- what is not done ----------------------------------------------------------------------------


def test_operations_that_are_not_done_name_themselves(owner, key, refused):
    error = refused(
        "UnsupportedOperationException",
        owner.generate_mac,
        KeyId=key,
        Message=b"x",
        MacAlgorithm="HMAC_SHA_256",
    )
    assert "GenerateMac" in str(error)


def test_many_threads_rotate_once(world, owner, key, clock):
    from concurrent.futures import ThreadPoolExecutor

    owner.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    clock(days=91)
    with ThreadPoolExecutor(8) as pool:
        made = list(
            pool.map(lambda _: owner.generate_data_key(KeyId=key, KeySpec="AES_256"), range(16))
        )
    assert len({answer["KeyMaterialId"] for answer in made}) == 1
    assert all(one["CiphertextBlob"] != two["CiphertextBlob"] for one, two in pairwise(made))
    assert len(owner.list_key_rotations(KeyId=key)["Rotations"]) == 1
