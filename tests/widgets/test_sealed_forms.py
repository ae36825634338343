"""Messages, envelopes and blobs: every field with its bytes, for whole, cut and hostile ones."""

from __future__ import annotations

import os
import random
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro_workflow.cms import seal_envelope
from nitro_workflow.widgets import View, make_blob, make_envelope, make_message
from nitro_workflow.widgets.inspecting import inspect
from nitro_workflow.widgets.inspectors.message_model import merged
from nitro_workflow.widgets.inspectors.sdk_message import parse_header, read_frames
from tests.widgets.forms import HOSTILE, both_say, forms

CONTEXT = {"dataset": "customers", "version": "1"}


def encrypted(suite="AES_256_GCM_HKDF_SHA512_COMMIT_KEY", *, size=5000, frame=1024, context=None):
    """Return a message as the SDK itself writes it."""
    import aws_encryption_sdk
    from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
    from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
    from aws_cryptographic_material_providers.mpl.models import (
        AesWrappingAlg,
        CreateRawAesKeyringInput,
    )
    from aws_encryption_sdk import CommitmentPolicy
    from aws_encryption_sdk.identifiers import AlgorithmSuite

    keyring = AwsCryptographicMaterialProviders(MaterialProvidersConfig()).create_raw_aes_keyring(
        CreateRawAesKeyringInput(
            key_namespace="tests",
            key_name="one",
            wrapping_key=bytes(32),
            wrapping_alg=AesWrappingAlg.ALG_AES256_GCM_IV12_TAG16,
        )
    )
    old = "COMMIT" not in suite
    policy = (
        CommitmentPolicy.FORBID_ENCRYPT_ALLOW_DECRYPT
        if old
        else CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT
    )
    ciphertext, _ = aws_encryption_sdk.EncryptionSDKClient(commitment_policy=policy).encrypt(
        source=b"x" * size, keyring=keyring, encryption_context=context or CONTEXT,
        algorithm=getattr(AlgorithmSuite, suite), frame_length=frame,
    )  # fmt: skip
    return ciphertext


@pytest.fixture(scope="module")
def message():
    return encrypted()


def leaves(nodes):
    for node in nodes:
        yield from leaves(node.children) if node.children else [node]


# -- messages --------------------------------------------------------------------------------------


def test_every_field_is_found(message):
    header = {node.label: node for node in make_message(message).nodes[0].children}
    assert header["algorithm suite"].value == "0x0478 AES_256_GCM_HKDF_SHA512_COMMIT_KEY"
    assert {n.label: n.value for n in header["encryption context"].children} == CONTEXT
    assert [n.label for n in header["encrypted data keys"].children] == ["tests"]
    assert header["frame length"].value == "1,024 bytes"


def test_the_ranges_cover_the_message_without_a_gap(message):
    model = make_message(message)
    edges = [(node.start, node.end) for node in model.nodes]
    assert edges[0][0] == 0
    assert edges[-1][1] == len(message)
    assert all(one[1] == other[0] for one, other in pairwise(edges))
    header = model.nodes[0].children
    assert all(one.end == other.start for one, other in pairwise(header))
    assert sum(part.size for part in model.parts) == len(message)


@pytest.mark.parametrize(
    ("size", "count"), [(0, 1), (1, 1), (1023, 1), (1024, 2), (5000, 5), (20 * 1024, 21)]
)
def test_frames_are_counted_as_the_sdk_wrote_them(size, count):
    data = encrypted(size=size)
    parsed = parse_header(data)
    frames = read_frames(lambda at, length: data[at : at + length], parsed, len(data))
    assert (frames.count, frames.wrong, frames.missing) == (count, 0, 0)
    assert frames.end == len(data)


def test_a_message_that_signs_has_a_footer():
    data = encrypted("AES_256_GCM_HKDF_SHA512_COMMIT_KEY_ECDSA_P384")
    model = make_message(data, expected_context=CONTEXT)
    assert model.nodes[-1].label == "footer"
    said = {pair.name: pair.said for pair in model.context}
    assert said["aws-crypto-public-key"].startswith("the SDK's own")
    assert model.head.tone == "good"


def test_a_message_of_version_1_is_read_and_its_lack_named():
    model = make_message(encrypted("AES_256_GCM_IV12_TAG16_HKDF_SHA256"))
    assert model.nodes[0].children[0].value == "1"
    assert model.head.tone == "warning"
    both_say(model, "does not commit to its key", model.head.next)
    assert model.nodes[-1].end == model.total


def test_the_context_is_compared_with_the_policys(message):
    model = make_message(
        message, expected_context={"dataset": "customers", "version": "2", "tier": "gold"}
    )
    said = {pair.name: (pair.tone, pair.said) for pair in model.context}
    assert said == {
        "dataset": ("good", "equal"),
        "version": ("bad", "differs"),
        "tier": ("bad", "missing"),
    }
    both_say(model, "The encryption context is not the policy's: version, tier", model.head.next)
    assert (
        make_message(message, expected_context={"dataset": "customers"}).context[1].said
        == "not asked for by the policy"
    )


def test_every_form_says_what_opens_it(message):
    both_say(make_message(message, expected_context=CONTEXT), "whoever holds this key of tests", "5 frames",
             "commitment", "customers", "equal")  # fmt: skip


def test_every_cut_is_noticed(message):
    for length in range(0, len(message), 7):
        model = make_message(message[:length])
        assert model.head.tone == "bad", length
        both_say(model, model.head.verdict)


def test_a_frame_out_of_order_is_noticed(message):
    parsed = parse_header(message)
    step = 1024 + 32
    swapped = bytearray(message)
    first, second = (slice(parsed.end + n * step, parsed.end + (n + 1) * step) for n in (0, 1))
    swapped[first], swapped[second] = message[second], message[first]
    both_say(
        make_message(bytes(swapped)), "The message is not whole", "frame 1 does not bear its number"
    )


def test_what_follows_the_last_frame_is_named(message):
    model = make_message(message + b"more")
    assert model.nodes[-1].label == "left over"
    both_say(model, "nothing may follow")


def test_a_large_message_is_read_at_its_frames_only():
    data = encrypted(size=300_000, frame=4096)
    asked = []

    def read(at, length):
        asked.append(length)
        return data[at : at + length]

    model = make_message(data[:4096], total=len(data), read=read)
    assert model.frames.startswith("74 frames")
    assert sum(asked) < 1000


def test_parts_of_one_size_are_one_line(message):
    lines = dict(merged(make_message(encrypted(size=30 * 1024)).parts))
    assert lines["frame 1 to frame 12"] == "1,056 bytes each"


def test_hostile_texts_of_a_header_stay_text():
    data = encrypted(context={HOSTILE: HOSTILE})
    text, html = forms(make_message(data, name=HOSTILE))
    assert "<img src=x" in text
    assert "<img src=x" in html


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 2**70))
def test_any_bytes_are_shown(data, total):
    for header in (data, b"\x02\x04\x78" + data, b"\x01\x80\x00\x78" + data):
        forms(make_message(header, total=total))


def test_any_change_of_a_message_is_shown(message):
    chance = random.Random(20261128)
    for _ in range(200):
        data = bytearray(message)
        for _ in range(3):
            data[chance.randrange(330)] = chance.choice([0, 255, chance.randrange(256)])
        forms(make_message(bytes(data)))


# -- envelopes and blobs ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def spki():
    key = rsa.generate_private_key(65537, 2048).public_key()
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


@pytest.fixture(scope="module")
def envelope(spki):
    return seal_envelope(bytes(32), spki)


def test_which_key_opens_an_envelope(envelope, spki):
    model = make_envelope(envelope, public_keys={"the document of D3": spki})
    assert model.head.tone == "good"
    both_say(model, "Sealed to the key of the document of D3", "the private key of the document of D3",
             "RSAES-OAEP, SHA-256, RSA of 2048 bits", "CBC has no tag")  # fmt: skip
    other = make_envelope(envelope, public_keys={"another": spki[:-1] + b"\x00"})
    assert other.head.tone == "bad"
    both_say(other, "Sealed to a key other than those given", other.head.next)
    assert make_envelope(envelope).head.tone == "neutral"


def test_the_envelopes_fields_stand_where_they_are(envelope):
    model = make_envelope(envelope)
    found = {leaf.label: envelope[leaf.start : leaf.end] for leaf in leaves(model.nodes)}
    assert found["subjectKeyIdentifier"].hex() == model.key.hex
    assert len(found["encryptedKey"]) == 256
    assert len(found["IV"]) == 16
    ranges = [(leaf.start, leaf.end) for leaf in leaves(model.nodes)]
    assert all(one[1] <= other[0] for one, other in pairwise(ranges))


def test_every_cut_of_an_envelope_says_where(envelope):
    for length in range(0, len(envelope), 5):
        model = make_envelope(envelope[:length])
        assert model.head.tone == "bad"
        both_say(model, "Not the envelope that KMS writes", model.head.next)


def test_a_blob_of_this_kms_field_by_field():
    from nitro_workflow.cloud.local.kms.ciphertext import seal

    data = seal(bytes(32), bytes(32), "8b9b1f0c-6f43-4d44-9d80-8c3b5f6a1f11", "ab" * 32, CONTEXT)
    model = make_blob(data)
    assert [leaf.label for leaf in model.nodes] == [
        "magic",
        "key id",
        "key material id",
        "IV",
        "ciphertext",
        "tag",
    ]
    assert model.nodes[-1].end == len(data)
    both_say(model, "Sealed by the KMS key 8b9b1f0c-6f43-4d44-9d80-8c3b5f6a1f11", "not in the blob")


def test_a_blob_of_aws_is_not_guessed_at():
    both_say(
        make_blob(b"\x01\x02\x02\x00" + os.urandom(180)), "not published", "Ask KMS to Decrypt it"
    )


@given(st.binary(max_size=600))
def test_any_bytes_are_no_trouble_as_a_sealed_key(data):
    forms(make_envelope(data))
    forms(make_blob(b"NWK1" + data))


def test_one_way_in_finds_all_three(message, envelope, tmp_path):
    path = tmp_path / "data.esdk"
    path.write_bytes(message)
    assert inspect(path).model.kind == "message"
    assert inspect(message).model.kind == "message"
    assert inspect(envelope.hex()).model.kind == "envelope"
    assert inspect({"CiphertextForRecipient": envelope}).model.kind == "envelope"


def test_a_static_form_fits_a_notebook(message):
    assert len(View(make_message(message)).html) < 60_000
