"""The unmodified AWS Encryption SDK inside an enclave: every way in which it asks KMS."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import aws_encryption_sdk
    from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
    from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
    from aws_cryptographic_material_providers.mpl.models import (
        CreateAwsKmsDiscoveryKeyringInput,
        CreateAwsKmsKeyringInput,
        CreateMultiKeyringInput,
        DiscoveryFilter,
    )

from aws_encryption_sdk import CommitmentPolicy, EncryptionSDKClient
from aws_encryption_sdk.exceptions import AWSEncryptionSDKClientError
from cryptography.exceptions import InvalidSignature

from nitro_workflow.enclave.attested_clients import attested, attested_session
from nitro_workflow.enclave.kms_refusals import note_refusals, unpack_refusals
from nitro_workflow.enclave.left_streams import end_left_streams
from nitro_workflow.errors import AccessRefused, UntrustedAnswer
from tests.cloud.kms.conftest import DATA, allow, document_policy, role_arn

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

CONTEXT = {"dataset": "customers", "version": "1"}
RECORDS = b"id,name\n1,CANARY-RECORD\n" * 100


@pytest.fixture(autouse=True)
def quiet() -> None:
    logging.getLogger("aws_encryption_sdk").setLevel(logging.CRITICAL)


@pytest.fixture(scope="module")
def mpl() -> Any:
    return AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())


@pytest.fixture(scope="module")
def sdk() -> EncryptionSDKClient:
    return EncryptionSDKClient(commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)


@pytest.fixture(scope="module")
def enclave(world):
    return world.attester()


@pytest.fixture(scope="module")
def key(world, owner, enclave) -> str:
    """A key that the role Inside may only use with the enclave's document."""
    condition = {"kms:RecipientAttestation:ImageSha384": enclave.pcr0.hex()}
    world.role(DATA, "Inside")
    policy = document_policy(
        allow(role_arn(DATA, "DataOwner"), "*"),
        allow(
            role_arn(DATA, "Inside"),
            "Decrypt",
            "GenerateDataKey",
            StringEqualsIgnoreCase=condition,
        ),
    )
    return owner.create_key(Policy=policy)["KeyMetadata"]["Arn"]


@pytest.fixture
def bare(world) -> Any:
    """The instance role's client without attestation."""
    return world.role(DATA, "Inside")


@pytest.fixture
def inside(bare, enclave) -> Any:
    return attested(bare, enclave)


@pytest.fixture(scope="module")
def message(mpl, sdk, owner, key) -> bytes:
    """What the data owner encrypted, outside."""
    keyring = mpl.create_aws_kms_keyring(CreateAwsKmsKeyringInput(kms_key_id=key, kms_client=owner))
    return sdk.encrypt(source=RECORDS, keyring=keyring, encryption_context=CONTEXT)[0]


def kms_keyring(mpl, key, client):
    return mpl.create_aws_kms_keyring(CreateAwsKmsKeyringInput(kms_key_id=key, kms_client=client))


def discovery_keyring(mpl, client):
    only = DiscoveryFilter(account_ids=[DATA], partition="aws")
    return mpl.create_aws_kms_discovery_keyring(
        CreateAwsKmsDiscoveryKeyringInput(kms_client=client, discovery_filter=only)
    )


# --- what works ----------------------------------------------------------------------------------


def test_the_kms_keyring(mpl, sdk, key, inside, message, enclave):
    before = len(enclave.documents)
    plaintext, _ = sdk.decrypt(source=message, keyring=kms_keyring(mpl, key, inside))
    assert plaintext == RECORDS
    assert len(enclave.documents) == before + 1


def test_the_discovery_keyring(mpl, sdk, inside, message):
    plaintext, _ = sdk.decrypt(source=message, keyring=discovery_keyring(mpl, inside))
    assert plaintext == RECORDS


def test_a_multi_keyring(mpl, sdk, owner, key, inside):
    other = owner.create_key()["KeyMetadata"]["Arn"]
    both = mpl.create_multi_keyring(
        CreateMultiKeyringInput(
            generator=kms_keyring(mpl, other, owner), child_keyrings=[kms_keyring(mpl, key, owner)]
        )
    )
    message, _ = sdk.encrypt(source=RECORDS, keyring=both, encryption_context=CONTEXT)
    # Inside, the first key is refused, and the second one opens the message.
    within = mpl.create_multi_keyring(
        CreateMultiKeyringInput(
            generator=kms_keyring(mpl, other, inside),
            child_keyrings=[kms_keyring(mpl, key, inside)],
        )
    )
    assert sdk.decrypt(source=message, keyring=within)[0] == RECORDS


def test_encryption_inside_makes_its_data_key_attested(mpl, sdk, owner, key, inside):
    message, _ = sdk.encrypt(
        source=RECORDS, keyring=kms_keyring(mpl, key, inside), encryption_context=CONTEXT
    )
    assert sdk.decrypt(source=message, keyring=kms_keyring(mpl, key, owner))[0] == RECORDS


def legacy_provider(world, key, enclave):
    """The legacy provider makes its clients itself: the session carries the handlers."""
    session = world.role_session(DATA, "Inside")
    attested_session(session, enclave)
    return aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(key_ids=[key], botocore_session=session)


def test_the_legacy_provider(world, sdk, key, enclave, message):
    provider = legacy_provider(world, key, enclave)
    assert sdk.decrypt(source=message, key_provider=provider)[0] == RECORDS


def test_the_legacy_discovery_provider(world, sdk, enclave, message):
    session = world.role_session(DATA, "Inside")
    attested_session(session, enclave)
    provider = aws_encryption_sdk.DiscoveryAwsKmsMasterKeyProvider(botocore_session=session)
    assert sdk.decrypt(source=message, key_provider=provider)[0] == RECORDS


def test_the_caching_materials_manager_asks_kms_once(world, sdk, key, enclave, message):
    manager = aws_encryption_sdk.CachingCryptoMaterialsManager(
        master_key_provider=legacy_provider(world, key, enclave),
        cache=aws_encryption_sdk.LocalCryptoMaterialsCache(10),
        max_age=60.0,
        max_messages_encrypted=10,
    )
    before = len(enclave.documents)
    for _ in range(3):
        assert sdk.decrypt(source=message, materials_manager=manager)[0] == RECORDS
    assert len(enclave.documents) == before + 1


def test_the_caching_materials_manager_encrypts_attested(world, sdk, owner, mpl, key, enclave):
    manager = aws_encryption_sdk.CachingCryptoMaterialsManager(
        master_key_provider=legacy_provider(world, key, enclave),
        cache=aws_encryption_sdk.LocalCryptoMaterialsCache(10),
        max_age=60.0,
        max_messages_encrypted=10,
    )
    for _ in range(2):
        message, _ = sdk.encrypt(
            source=RECORDS, materials_manager=manager, encryption_context=CONTEXT
        )
        assert sdk.decrypt(source=message, keyring=kms_keyring(mpl, key, owner))[0] == RECORDS


# --- what is refused, and whether an operator sees why -------------------------------------------


def fails(sdk: EncryptionSDKClient, **parameters: Any) -> AccessRefused:
    with pytest.raises(AccessRefused) as caught, unpack_refusals():
        sdk.decrypt(**parameters)
    assert isinstance(caught.value.__cause__, AWSEncryptionSDKClientError)
    return caught.value


def test_without_attestation_kms_reason_is_seen(mpl, sdk, key, bare, message):
    refusal = fails(sdk, source=message, keyring=kms_keyring(mpl, key, bare))
    assert refusal.code == "AccessDeniedException"
    assert "is not authorized to perform: kms:Decrypt" in refusal.found
    assert refusal.next


def test_the_legacy_providers_reason_is_seen(world, sdk, key, message):
    session = world.role_session(DATA, "Inside")
    note_refusals(session)
    provider = aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(
        key_ids=[key], botocore_session=session
    )
    refusal = fails(sdk, source=message, key_provider=provider)
    assert "is not authorized to perform: kms:Decrypt" in refusal.found


def test_another_image_is_refused_and_its_reason_is_seen(world, mpl, sdk, key, bare, message):
    other = attested(bare, world.attester(pcr0=b"\7" * 48))
    refusal = fails(sdk, source=message, keyring=kms_keyring(mpl, key, other))
    assert refusal.code == "AccessDeniedException"


def test_each_key_that_was_tried_is_named(mpl, sdk, owner, key, bare, message):
    other = owner.create_key()["KeyMetadata"]["Arn"]
    both = mpl.create_multi_keyring(
        CreateMultiKeyringInput(
            generator=kms_keyring(mpl, key, owner), child_keyrings=[kms_keyring(mpl, other, owner)]
        )
    )
    twice, _ = sdk.encrypt(source=RECORDS, keyring=both, encryption_context=CONTEXT)
    refusal = fails(sdk, source=twice, keyring=discovery_keyring(mpl, bare))
    assert key in refusal.found
    assert other in refusal.found


def test_an_untrusted_answer_is_seen_as_one(world, mpl, sdk, key, bare, message):
    """A "KMS" in the parent that answers in clear, as a stand-in without attestation does."""
    bare.meta.events.register_first("before-send.kms.Decrypt", in_clear)
    keyring = kms_keyring(mpl, key, attested(bare, world.attester()))
    with pytest.raises(UntrustedAnswer, match="in clear"), unpack_refusals():
        sdk.decrypt(source=message, keyring=keyring)


def test_the_legacy_provider_inside_another_image_shows_kms_reason(world, sdk, key, message):
    provider = legacy_provider(world, key, world.attester(pcr0=b"\7" * 48))
    refusal = fails(sdk, source=message, key_provider=provider)
    assert "is not authorized to perform: kms:Decrypt" in refusal.found


def test_what_is_not_kms_fault_stays_the_sdks(mpl, sdk, key, inside, message):
    broken = bytearray(message)
    broken[-1] ^= 1
    with pytest.raises((InvalidSignature, AWSEncryptionSDKClientError)), unpack_refusals():
        sdk.decrypt(source=bytes(broken), keyring=kms_keyring(mpl, key, inside))


def in_clear(request: Any, **_: Any) -> Any:
    from botocore.awsrequest import AWSResponse

    from tests.cloud.kms.conftest import _Raw

    body = b'{"Plaintext": "%s", "KeyId": "k"}' % (b"AAAA" * 11)
    return AWSResponse(request.url, 200, {"content-type": "application/x-amz-json-1.1"}, _Raw(body))


# --- a flip that the envelope does not notice ----------------------------------------------------


def test_flips_of_iv_and_content_are_caught_by_key_commitment(mpl, sdk, key, bare, message, world):
    """The envelope has no MAC: another data key may come out, and the commitment says so."""
    from nitro_workflow import cms

    attacker = {"field": "iv", "bit": 0}

    def flip(parsed: dict[str, Any], **_: Any) -> None:
        blob = bytearray(parsed["CiphertextForRecipient"])
        start, _end = cms.parse_envelope(bytes(blob)).spans[attacker["field"]]
        # The content's own bytes begin behind a0 80 04 30.
        start += 4 if attacker["field"] == "encrypted_content" else 0
        blob[start + attacker["bit"] // 8] ^= 1 << attacker["bit"] % 8
        parsed["CiphertextForRecipient"] = bytes(blob)

    bare.meta.events.register_first("after-call.kms.Decrypt", flip)
    keyring = kms_keyring(mpl, key, attested(bare, world.attester()))
    outcomes = set()
    flips = [("iv", bit) for bit in range(0, 128, 9)]
    flips += [("encrypted_content", bit) for bit in range(0, 384, 13)]
    for field, bit in flips:
        attacker |= {"field": field, "bit": bit}
        with pytest.raises((AWSEncryptionSDKClientError, UntrustedAnswer)) as caught:
            sdk.decrypt(source=message, keyring=keyring)
        end_left_streams(caught.value)
        refused = isinstance(caught.value, UntrustedAnswer)
        said = repr(caught.value).lower()
        # A flip can make another padding that is valid: the key has another length then.
        assert refused or "commitment" in said or "invalid response from kms" in said
        outcomes.add("by the envelope" if refused else "by the commitment")
    assert outcomes == {"by the envelope", "by the commitment"}
