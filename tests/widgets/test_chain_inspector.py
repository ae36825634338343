"""The chain inspector: who signed whom, which link fails when, how two chains differ."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro_workflow.attestation import HypervisorPki, Verifier, parse_document
from nitro_workflow.errors import InputError
from nitro_workflow.widgets.drawing import to_json, visible
from nitro_workflow.widgets.es_modules import STATIC
from nitro_workflow.widgets.inspecting import inspect
from nitro_workflow.widgets.inspectors import draw_html, draw_text
from nitro_workflow.widgets.inspectors.chain_html import pem_of
from nitro_workflow.widgets.inspectors.chain_model import make_chain, place_of, verdict_at
from tests.conftest import VECTORS

REAL = (VECTORS / "attestation" / "8e5652f3b009e620.bin").read_bytes()
OTHER = (VECTORS / "attestation" / "a71ebbd2380c1457.bin").read_bytes()
DOCUMENT = parse_document(REAL)
DERS = (*DOCUMENT.cabundle, DOCUMENT.certificate)
AT = DOCUMENT.timestamp.timestamp()


def test_a_real_chain_link_by_link():
    model = inspect(REAL, at="document").chain.model
    assert [one.role for one in model.certificates] == [
        "root",
        "regional",
        "zonal",
        "instance",
        "leaf",
    ]
    links = [one.link for one in model.certificates]
    assert links == ["signs itself; it is the root in force", "signed by root", "signed by regional", "signed by zonal", "signed by instance"]  # fmt: skip
    assert model.certificates[-1].lasts == "3 hours 3 s"
    assert model.head.verdict == "Every link holds at this time"


@pytest.mark.parametrize(
    ("after", "verdict", "why"),
    [
        (-20 * 365 * 86400, "The leaf is not valid at this time", "Leaf begins 19 years later. 4 more are not valid either."),
        (-60, "The leaf is not valid at this time", "Leaf begins 56 seconds later."),
        (0, "Every link holds at this time", ""),
        (4 * 3600, "The leaf is not valid at this time", "Leaf expired 1 hour before."),
        (26 * 3600, "The leaf is not valid at this time", "Leaf expired 23 hours before. 1 more are not valid either."),
    ],
)  # fmt: skip
def test_which_link_fails_when(after, verdict, why):
    certificates = make_chain(DERS, at=AT).certificates
    assert verdict_at(certificates, AT + after) == (verdict, why)


def test_the_browser_says_the_same_as_python(require, tmp_path):
    require("node", shutil.which("node") is not None, "install Node.js 20")
    model = make_chain(DERS, at=AT, document_at=AT)
    before, after = -model.ticks[0][0], model.ticks[-1][0]
    moments = [AT + s for s in (-9e8, -1e7, -1e5, -61, -1, 0, 59, 3600, 10803, 1e5, 5e6, 8e8)]
    (tmp_path / "package.json").write_text('{"type": "module"}')
    shutil.copytree(STATIC, tmp_path / "static")
    (tmp_path / "ask.js").write_text(
        'import { placeOf, timeAt, verdictAt } from "./static/chain.js";\n'
        f"const m = {json.dumps(to_json(model))}, times = {json.dumps(moments)};\n"
        f"const [before, after] = [{before}, {after}];\n"
        "console.log(JSON.stringify(times.map((at) => [verdictAt(m.certificates, at), placeOf(at - m.middle, before, after), timeAt(placeOf(at - m.middle, before, after), before, after)])));\n"
    )
    said = subprocess.run(
        ["node", "ask.js"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    for at, (verdict, place, back) in zip(moments, json.loads(said.stdout), strict=True):
        assert tuple(verdict) == verdict_at(model.certificates, at)
        assert place == pytest.approx(place_of(at - model.middle, before, after))
        if -before < at - model.middle < after:
            assert back == pytest.approx(at - model.middle, rel=1e-6, abs=1e-3)


def test_a_chain_that_is_broken_says_where():
    swapped = (DERS[0], DERS[2], DERS[1], *DERS[3:])
    head = make_chain(swapped, at=AT).head
    assert (head.verdict, head.tone) == ("The chain does not hold", "bad")
    flipped = bytearray(DERS[2])
    flipped[300] ^= 1
    model = make_chain((*DERS[:2], bytes(flipped), *DERS[3:]), at=AT)
    bad = [one for one in model.certificates if one.link_tone == "bad" or one.wrong]
    assert bad[0].role == "zonal"
    local = HypervisorPki.create(datetime.now(UTC))
    assert (
        "not the root in force"
        in make_chain([local.root_der], at=AT, root=DERS[0]).certificates[0].link
    )


def test_two_chains_are_compared_by_their_bytes():
    compare = inspect(REAL, at="document").chain.answers["compare"]
    assert {row.said for row in compare({"text": REAL.hex()})} == {"identical ×2"}
    rows = compare({"text": OTHER.hex()})
    assert rows[0].said == "identical ×2"  # AWS's root
    assert rows[-1].tone == "bad"
    assert "serial" in rows[-1].said
    with pytest.raises(InputError):
        compare({"text": "hello"})
    other = parse_document(OTHER)
    model = make_chain(DERS, at=AT, other=(*other.cabundle, other.certificate))
    assert "1 of 5 certificates are identical" in model.head.why or "2 of 5" in model.head.why
    assert "differs" in draw_html(visible(model))
    assert "differs" in draw_text(visible(model))


def test_pem_goes_out_and_comes_back():
    pem = "".join(map(pem_of, reversed(DERS)))
    model = inspect(pem).model  # leaf first, as servers send them
    assert [one.der for one in model.certificates] == [*DERS]


def test_a_labs_own_chain():
    now = datetime.now(UTC)
    pki = HypervisorPki.create(now - timedelta(hours=1))
    document = pki.instance("i-0123456789abcdef0", now).issue(module_id="i-0123456789abcdef0-enc0123456789abcdef", pcrs={0: bytes([1]) * 48}, now=now)  # fmt: skip
    assert Verifier.local(pki.root_der).explain(document, at=now).accepted
    view = inspect(document, root=pki.root_der)
    assert view.model.head.tone == "good"
    assert view.chain.model.head.tone == "good"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 4), st.integers(0, 400), st.binary(max_size=4))
def test_damage_is_drawn(which, at, patch):
    ders = list(DERS)
    ders[which] = ders[which][:at] + patch + ders[which][at + len(patch) :]
    model = visible(make_chain(ders, at=AT, root=DERS[0]))
    assert draw_html(model)
    assert draw_text(model)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=4), st.floats(-1e9, 1e11))
def test_no_bytes_raise(ders, at):
    model = visible(make_chain(ders, at=at))
    assert draw_html(model)
    assert draw_text(model)
