"""The practice key of lesson 11: two releases, a signed image, a new key each time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from nitro_workflow.lab import Lab, PracticeKey, StepResult, open_practice_key

OLD, NEW, SIGNED = "practice-before.eif", "practice.eif", "practice-signed.eif"


@pytest.fixture(scope="module")
def key(lab: Lab, walked: dict[str, StepResult]) -> Iterator[PracticeKey]:
    opened = open_practice_key(lab)
    yield opened
    opened.close()


def test_it_lets_in_the_images_that_its_policy_names(key):
    key.put(key.policy(NEW))
    assert key.ask().opened_bytes == 32
    assert key.ask(attested=False).code == "AccessDeniedException"
    assert key.ask(OLD).code == "AccessDeniedException"
    key.put(key.policy(OLD, NEW))
    assert key.ask().has_key
    assert key.ask(OLD).has_key
    key.put(key.policy(NEW))


def test_a_signature_changes_no_pcr_but_8_which_measures_its_certificate(key):
    plain, signed = key.images[NEW], key.images[SIGNED]
    assert {name: signed[name] for name in plain} == plain
    inner = hashlib.sha384(key.signing_certificate()).digest()
    assert signed["PCR8"] == hashlib.sha384(bytes(48) + inner).hexdigest()


def test_a_clock_that_is_off_is_seen_against_the_document(key):
    begun = datetime.now(UTC).replace(microsecond=0)  # they are told in whole seconds
    times = key.times(clock_minutes=-20)
    ended = datetime.now(UTC)
    clock, document = (datetime.fromisoformat(times[name]) for name in ("clock", "document"))
    assert begun <= document <= ended
    assert begun <= clock + timedelta(minutes=20) <= ended
    assert times["answer"] == "InvalidSignatureException"


def test_what_was_encrypted_before_a_rotation_still_opens(key, lab):
    kms = lab.bench.parties.session("owner").client("kms")
    before = key.data_key
    kms.rotate_key_on_demand(KeyId=key.arn)
    assert len(kms.list_key_rotations(KeyId=key.arn)["Rotations"]) == 1
    assert key.data_key == before
    assert key.ask().has_key


def test_each_opening_has_a_new_key_and_leaves_the_old_one_to_its_deletion(lab, walked, key):
    other = open_practice_key(lab)
    try:
        assert other.arn != key.arn
        kms = lab.bench.parties.session("owner").client("kms")
        assert kms.describe_key(KeyId=key.arn)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    finally:
        other.close()
