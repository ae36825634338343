"""A view of anything shows what could be read and what could not: nothing raises, in no form."""

from __future__ import annotations

import json
import random
import sys
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro_workflow.attestation import Verifier
from nitro_workflow.widgets import (
    Fact,
    Head,
    PlainModel,
    Question,
    View,
    live_view,
    make_changes,
    make_policy,
)
from nitro_workflow.widgets.drawing import to_json, visible
from nitro_workflow.widgets.inspectors import draw_html, draw_text
from nitro_workflow.widgets.inspectors.chain_model import make_chain
from nitro_workflow.widgets.inspectors.document_model import make_document

SEED = 20261128
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


def drawn_inspector(model):
    """Draw a model of an inspector in every form; return it as it is shown."""
    shown = visible(model)
    assert draw_text(shown)
    assert draw_html(shown)
    assert json.dumps(to_json(shown))
    return shown


def mutations(seeds, count):
    """Yield seeds with one to three bytes changed, cut, or doubled; the same ones each time."""
    chance = random.Random(SEED)
    for _ in range(count):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.choice([1, 1, 1, 2, 3])):
            at = chance.randrange(len(data))
            data[at] = chance.choice([data[at] ^ (1 << chance.randrange(8)), 0, 255])
        if chance.random() < 0.1:
            del data[chance.randrange(len(data)) :]
        yield bytes(data)


def test_documents(vectors):
    seeds = [path.read_bytes() for path in sorted((vectors / "attestation").glob("*.bin"))]
    verifier, now = Verifier.aws(), datetime(2026, 1, 1, tzinfo=UTC)
    for data in mutations(seeds, 600):
        report = verifier.explain(data, at=now)
        model = drawn_inspector(make_document(report))
        assert model.head.tone == ("good" if report.accepted else "bad")
        values = report.reading.values
        ders = [*values.get("cabundle", ()), values.get("certificate", b"")]
        chain = drawn_inspector(make_chain(ders, at=now.timestamp()))
        assert len(chain.certificates) == len(ders)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=9), st.floats())
def test_chains(ders, at):
    chain = drawn_inspector(make_chain(ders, at=at))
    assert len(chain.certificates) == len(ders)
    assert all(one.wrong for one in chain.certificates)
    assert chain.head.tone == "bad"


def test_tables_that_do_not_fit():
    head = Head("t", "v", "neutral")
    drawn_inspector(PlainModel(head, columns=("one", "two"), rows=(("a",), ("b", "x", "y"))))
    drawn_inspector(PlainModel(head, rows=((),)))


@settings(deadline=None)
@given(st.text(max_size=20))
def test_any_text_is_shown(text):
    model = PlainModel(
        Head(text, text, "bad", text, text), (Fact(text, text, "bad"),), (text,), ((text,),), text
    )
    drawn_inspector(model)
    assert repr(View(model))
    bundle = Question(text, (text, "b"), answer=text, said=text)._repr_mimebundle_()
    assert "text/html" in bundle
    json.dumps(bundle)


@settings(deadline=None)
@given(
    st.lists(
        st.text(max_size=20) | st.sampled_from(["@@", "--- a", "+++ b", '+"Sid": "\\\\x"']),
        max_size=9,
    )
)
def test_any_difference_is_shown(lines):
    drawn_inspector(make_changes(lines, what="a policy"))


def test_what_cannot_be_live_is_still_shown(monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    live_view._inspector_class.cache_clear()
    try:
        bundle = Question("Which?", ("this", "that"))._repr_mimebundle_()
    finally:
        live_view._inspector_class.cache_clear()
    assert set(bundle) == {"text/plain", "text/html"}
    assert "data-nw-view" not in bundle["text/html"]


@pytest.mark.parametrize("depth", [50, 5_000])
def test_a_value_of_any_depth(depth):
    value: object = 1
    for _ in range(depth):
        value = [value]
    view = View(make_policy({"decision": "allowed", "action": value}))
    assert view.text
    assert view.html
