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
        ({}, "allowed"),
        ({f"{PREFIX}PCR0": f" {PCRS['PCR0'].upper()} "}, "allowed"),
        ({f"{PREFIX}PCR0": "0" * 96}, "denied by an explicit Deny"),
        ({f"{PREFIX}PCR0": ""}, "denied by an explicit Deny"),
        ({f"{PREFIX}{name}": "" for name in ("ImageSha384", *PCRS)}, "denied by an explicit Deny"),
    ],
)
def test_the_form_decides(lab, edits, verdict):
    model, _ = lesson_views.what_if(lab, edits)
    assert model.verdict == verdict
    shown = dict(model.editable)
    assert len(shown) == 5
    assert all(shown[key] == value.strip() for key, value in edits.items())


def test_without_any_value_there_was_no_document(lab):
    nothing = {f"{PREFIX}{name}": "" for name in ("ImageSha384", *PCRS)}
    model, _ = lesson_views.what_if(lab, nothing)
    assert "carried no attestation document" in model.reason
    assert "without a document: ImageSha384, PCR0" in model.source


def test_one_empty_field_is_said(lab):
    model, _ = lesson_views.what_if(lab, {f"{PREFIX}PCR0": ""})
    assert model.source.endswith("Left empty, as of a request without a document: PCR0.")


@pytest.mark.parametrize("value", ["hello", "0" * 95, "0" * 97, "g" * 96, "²" * 96])
def test_what_no_document_holds_is_not_asked(lab, value):
    model, decide = lesson_views.what_if(lab, {f"{PREFIX}PCR0": value})
    assert (model.verdict, model.tone) == ("not decided: PCR0 is no PCR", "warning")
    assert dict(model.editable)[f"{PREFIX}PCR0"] == value
    assert decide({}).verdict == "allowed"
