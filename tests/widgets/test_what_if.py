"""What if: the values of the form decide, and an empty field is a value that is not there."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from nitro_workflow.cloud import LocalCloud
from nitro_workflow.lab.party_policies import PartyPolicies
from nitro_workflow.lessons import lesson_views
from nitro_workflow.policy import author

POLICIES = PartyPolicies.of(LocalCloud(Path("lab")))
PCRS = {f"PCR{index}": f"{index + 1}" * 96 for index in range(4)}
KEY = "arn:aws:kms:us-east-1:111122223333:key/84a4b022-76c9-41f7-96f3-b7a9a8c3d07c"
PREFIX = "kms:RecipientAttestation:"


@pytest.fixture
def lab(monkeypatch):
    start = author.initial_key_policy(POLICIES.role_arn("owner"))
    written = author.attestation_policy(start, POLICIES.role_arn("instance"), [PCRS])
    known = {"P7": {"pcrs": PCRS}, "P3": {"encryption_context": {"dataset": "customers"}}}
    monkeypatch.setattr(lesson_views, "key_policy", lambda _: written)
    monkeypatch.setattr(lesson_views, "evidence", lambda _, step: known[step])
    return SimpleNamespace(
        policies=POLICIES,
        cloud=LocalCloud(Path("lab")),
        produced=lambda *_: KEY,
    )


@pytest.mark.parametrize(
    ("edits", "verdict"),
    [
        ({}, "Allowed"),
        ({f"{PREFIX}PCR0": f" {PCRS['PCR0'].upper()} "}, "Allowed"),
        ({f"{PREFIX}PCR0": "0" * 96}, "Denied: the enclave runs in debug mode"),
        ({f"{PREFIX}PCR0": ""}, "Denied: no attestation document"),
        ({f"{PREFIX}PCR0": "hello"}, "Not decided: PCR0 is not a PCR"),
    ],
)
def test_the_form_decides_as_the_cloud_would(lab, edits, verdict):
    model = lesson_views.what_if(lab).model(edits)
    assert model.head.verdict == verdict
    shown = {field.key: field.value for field in model.fields}
    assert all(shown[key] == value for key, value in edits.items())


def test_who_can_decrypt_needs_no_request(lab):
    model = lesson_views.who_can_decrypt(lab)
    assert model.head.verdict == "No way to the plaintext without attestation"
    assert [tile.verdict for tile in model.answers] == ["Denied", "Denied", "Denied"]
