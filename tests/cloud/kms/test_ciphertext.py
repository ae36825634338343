from __future__ import annotations

import os
import uuid

from hypothesis import given
from hypothesis import strategies as st

from nitro_workflow.cloud.local.kms import ciphertext

KEY_ID, MATERIAL_ID, SECRET = str(uuid.uuid4()), os.urandom(32).hex(), os.urandom(32)
contexts = st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4)


@given(contexts, contexts)
def test_two_contexts_never_share_an_encoding(one, two):
    assert (ciphertext.canonical(one) == ciphertext.canonical(two)) == (one == two)


@given(st.binary(min_size=1, max_size=200), contexts, contexts)
def test_a_blob_opens_with_its_context_alone(plaintext, context, other):
    sealed = ciphertext.seal(plaintext, SECRET, KEY_ID, MATERIAL_ID, context)
    blob = ciphertext.parse_blob(sealed)
    assert (blob.key_id, blob.material_id) == (KEY_ID, MATERIAL_ID)
    assert ciphertext.open_blob(blob, SECRET, context) == plaintext
    if other != context:
        assert ciphertext.open_blob(blob, SECRET, other) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_a_blob_or_none(data):
    blob = ciphertext.parse_blob(ciphertext.MAGIC + data)
    assert blob is None or ciphertext.open_blob(blob, SECRET, {}) is None
    assert ciphertext.parse_blob(data) is None or data.startswith(ciphertext.MAGIC)


def test_the_largest_plaintext_fits_kms_limit():
    blob = ciphertext.seal(bytes(4096), SECRET, KEY_ID, MATERIAL_ID, {"a": "b" * 8000})
    assert len(blob) <= 6144


def test_the_same_plaintext_is_never_sealed_alike():
    sealed = {ciphertext.seal(b"x", SECRET, KEY_ID, MATERIAL_ID, {}) for _ in range(100)}
    assert len(sealed) == 100
