"""The attestation views over real documents: every field has its bytes, every check its line."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from nitro_workflow.attestation import STEPS, Verifier, parse_document
from nitro_workflow.widgets import View
from nitro_workflow.widgets.document_view import chain_table, document_inspection

EXAMPLES = ("8e5652f3b009e620", "8df530572d54b373", "5f42eb915e451a2f", "e388022c9162cf21")


def _inspection(vectors, name):
    data = (vectors / "attestation" / f"{name}.bin").read_bytes()
    return document_inspection(Verifier.aws().explain(data, at="document"), trust="AWS")


def _leaves(nodes):
    for node in nodes:
        yield node
        yield from _leaves(node.children)


def test_every_vector_is_drawn(vectors):
    manifest = json.loads((vectors / "attestation" / "manifest.json").read_text())
    for row in manifest:
        model = _inspection(vectors, row["file"].removesuffix(".bin"))
        assert [check.id for check in model.checks] == [step.id for step in STEPS]
        assert "text/html" in View(model)._repr_mimebundle_()[0]


def test_the_verdict_is_the_verifiers(vectors):
    assert _inspection(vectors, "8e5652f3b009e620").tone == "good"
    assert "signature" in _inspection(vectors, "5f42eb915e451a2f").verdict


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_fields_bytes_lie_within_the_documents_and_its_parents(vectors, name):
    model = _inspection(vectors, name)

    def inside(nodes, start, end):
        for node in nodes:
            assert start <= node.start <= node.end <= end, node.label
            inside(node.children, node.start, node.end)

    inside(model.nodes, 0, len(model.data))


def test_a_fields_bytes_hold_its_value(vectors):
    model = _inspection(vectors, "8e5652f3b009e620")
    node = next(node for node in _leaves(model.nodes) if node.label == "module_id")
    assert model.data[node.start : node.end].endswith(node.value.encode())


def test_garbage_is_drawn_as_refused():
    model = document_inspection(
        Verifier.aws().explain(b"\x00garbage", at=datetime(2026, 1, 1, tzinfo=UTC)), trust="AWS"
    )
    assert (model.tone, model.nodes) == ("bad", ())
    assert model.checks[0].tone == "bad"


def test_the_chain_says_which_link_is_out_of_its_time(vectors):
    document = parse_document((vectors / "attestation" / "8e5652f3b009e620.bin").read_bytes())
    ders = (*document.cabundle, document.certificate)
    now = document.timestamp
    assert {row.tone for row in chain_table(ders, at=now.timestamp()).rows} == {"good"}
    later = chain_table(ders, at=(now + timedelta(hours=4)).timestamp())
    assert [row.cells[2].text for row in later.rows] == ["valid"] * 4 + ["expired"]
