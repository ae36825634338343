"""The document inspector: twelve checks with their bytes, every field, what breaks when one changes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro_workflow.attestation import STEPS, Verifier
from nitro_workflow.errors import CertificateError, UsageError
from nitro_workflow.widgets.drawing import to_json, visible
from nitro_workflow.widgets.inspecting import inspect
from nitro_workflow.widgets.inspectors import draw_html, draw_text
from nitro_workflow.widgets.inspectors.document_model import make_document
from nitro_workflow.widgets.inspectors.field_tree import flat
from tests.conftest import VECTORS

ATTESTATION = VECTORS / "attestation"
NAMES = sorted(path.name for path in ATTESTATION.glob("*.bin"))
REAL = (ATTESTATION / "8e5652f3b009e620.bin").read_bytes()
LIMIT = 200 * 1024  # bytes of static HTML


def _model(data, at="document"):
    return make_document(Verifier.aws().explain(data, at=at))


def _text_of(html):
    """What is left where a viewer strips style, class, SVG and script."""
    return re.sub(r"<(style|svg|script)\b.*?</\1>|<[^>]*>", " ", html, flags=re.DOTALL)


@pytest.mark.parametrize("name", NAMES)
def test_every_real_document_is_drawn_whole(name):
    view = inspect(ATTESTATION / name, at="document")
    model = view.model
    assert [check.id for check in model.checks] == [step.id for step in STEPS]
    for field in flat(model.fields).values():
        assert 0 <= field.start <= field.content <= field.end <= len(model.data)
        for kid in field.children:
            assert field.start <= kid.start <= kid.end <= field.end
    assert sum(part.end - part.start for part in model.map) <= len(model.data)
    html = view.html
    assert len(html.encode()) <= LIMIT
    assert json.loads(json.dumps(to_json(model)))["kind"] == "document"
    stripped = _text_of(html)
    for words in (model.head.verdict, model.head.next, model.root.name, model.summary):
        assert words.replace("'", "&#x27;").replace('"', "&quot;") in stripped
        assert words in view.text
    for check in model.checks:
        assert check.title.replace("'", "&#x27;") in stripped
        assert check.title in view.text


def test_what_the_fields_say_stands_in_their_bytes():
    model = _model(REAL)
    fields = flat(model.fields)
    pcr0 = fields["payload/pcrs/[0]"]
    assert (pcr0.start, pcr0.content, pcr0.end) == (101, 104, 152)
    assert REAL[pcr0.content : pcr0.end].hex().startswith(pcr0.value.removesuffix(" …"))
    assert (
        fields["payload/certificate/what is signed/validity/not after"].value
        == "2025-11-10 20:20:10Z"
    )
    assert fields["payload/cabundle/[0]/what is signed/extensions/basic constraints"].value == "CA"
    assert (
        fields["payload/certificate/what is signed/extensions/key usage"].value
        == "digital signature, non-repudiation"
    )
    assert "i-06fb0bf4e70d5129f" in fields["payload/module_id"].value


def test_the_head_says_verdict_why_and_next():
    head = _model(REAL).head
    assert (head.verdict, head.tone) == ("Valid at its own time", "good")
    assert "PCRs" in head.next  # nothing was expected of it: say so
    flipped = bytearray(REAL)
    flipped[120] ^= 1
    head = inspect(bytes(flipped)).model.head
    assert head.verdict == "The signature does not hold, and 1 more check fails"  # expired too
    assert head.next
    assert inspect(REAL).model.head.verdict == "The regional certificate has expired"


def test_a_check_points_at_the_bytes_it_failed_on():
    flipped = bytearray(REAL)
    flipped[1700] ^= 1  # in the root
    checks = {check.id: check for check in _model(bytes(flipped)).checks}
    assert checks["root"].spans[0] == (1635, 2171)
    assert checks["root"].tone == "bad"
    validity = next(check for check in inspect(REAL).model.checks if check.id == "validity")
    start, end = validity.spans[0]
    assert b"251125202554Z" in REAL[start:end]  # the regional one's


def test_changing_a_byte_says_what_breaks_and_why():
    change = inspect(REAL, at="document").answers["change"]
    answer = change({"at": 120, "value": REAL[120] ^ 1})
    broken = [check.id for check in answer["checks"] if check.tone == "bad"]
    assert broken == ["signature"]
    assert answer["said"] == "1 check breaks, 6 still pass. The document is refused."
    same = change({"at": 120, "value": REAL[120]})
    assert same["said"] == "No check breaks, 7 still pass. The document is accepted."


def test_no_byte_passes_unnoticed():
    coverage = inspect(REAL, at="document").answers["coverage"]
    for start in range(0, len(REAL), 400):
        rows = coverage({"start": start, "count": 4})
        assert all(failed for failed, _ in rows)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"at": -1, "value": 0},
        {"at": 1 << 40, "value": 0},
        {"at": 1, "value": 256},
        {"at": "1", "value": 1},
        {"at": True, "value": 1},
        {"at": 1.0, "value": 1},
    ],
)
def test_a_browser_cannot_ask_for_more(values):
    answers = inspect(REAL).answers
    with pytest.raises(UsageError):
        answers["change"](values)
    with pytest.raises(UsageError):
        answers["coverage"]({"start": 0, "count": 100_000})


def test_the_checks_can_be_done_again_with_openssl_and_cbor2(require, tmp_path):
    require("openssl", shutil.which("openssl") is not None, "apt-get install openssl")
    (tmp_path / "document.bin").write_bytes(REAL)
    model = inspect(REAL, at="document").model
    for recipe in model.recipes:
        commands = recipe.commands.replace("python3 -", f"{sys.executable} -")
        done = subprocess.run(
            ["sh", "-ec", commands], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        assert recipe.prints in done.stdout, recipe.title


def test_recipes_find_a_change_too(require, tmp_path):
    require("openssl", shutil.which("openssl") is not None, "apt-get install openssl")
    flipped = bytearray(REAL)
    flipped[120] ^= 1
    (tmp_path / "document.bin").write_bytes(flipped)
    apart, signature, *_ = inspect(bytes(flipped), at="document").model.recipes
    both = f"{apart.commands}\n{signature.commands}".replace("python3 -", f"{sys.executable} -")
    done = subprocess.run(
        ["sh", "-ec", both], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    assert "Verified OK" not in done.stdout


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(REAL) - 1), st.binary(max_size=6))
def test_damage_is_drawn_in_every_form(at, patch):
    model = visible(_model(REAL[:at] + patch + REAL[at + len(patch) :]))
    assert draw_html(model)
    assert draw_text(model)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=80))
def test_no_bytes_raise(data):
    model = visible(_model(b"\x84\x44\xa1\x01\x38\x22" + data))
    assert model.head.tone == "bad"
    assert draw_html(model)
    assert draw_text(model)


def test_a_root_that_is_none_is_said():
    with pytest.raises(CertificateError):
        inspect(REAL, root=b"nothing")
