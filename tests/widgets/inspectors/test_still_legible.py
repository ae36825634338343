"""The static forms where style, class, SVG and script are taken away, as GitHub does; and as they were.

`snapshots/` holds the text form of each case; set WRITE_SNAPSHOTS=1 to write them anew, and read
what changed.
"""

from __future__ import annotations

import os
import re
from html import unescape
from pathlib import Path

import pytest

from nitro_workflow.widgets import View, make_pcrs, make_policy, make_reach
from nitro_workflow.widgets.inspectors.image_answers import make_comparison
from nitro_workflow.widgets.inspectors.image_model import make_image
from nitro_workflow.widgets.inspectors.log_model import make_log
from tests.widgets.inspectors.image_cases import write_eif
from tests.widgets.inspectors.log_cases import record
from tests.widgets.inspectors.policy_cases import (
    GOOD,
    HOSTILE,
    OTHER,
    ZERO,
    inquiry,
    key_policy,
    policies,
)

SNAPSHOTS = Path(__file__).parent / "snapshots"


def cases(folder):
    """Name → view: real, bad and hostile ones of each kind."""
    one = write_eif(folder / "a.eif")
    other = write_eif(folder / "b.eif", settings=b"threshold = 1\nname = 'a'\n")
    cut = folder / "cut.eif"
    cut.write_bytes(one.read_bytes()[:-1])
    debug = {**GOOD, "PCR0": ZERO, "PCR1": ZERO, "PCR2": ZERO}
    columns = {"document": OTHER, "image": GOOD, "key policy": GOOD}
    pcr0 = "kms:RecipientAttestation:PCR0"
    resource = policies().resource
    return {
        "pcrs_differ": View(make_pcrs(columns)),
        "pcrs_agree": View(make_pcrs({"document": GOOD, "image": one, "key policy": key_policy()})),
        "pcrs_debug": View(make_pcrs({"document": debug, "key policy": key_policy()})),
        "pcrs_hostile": View(make_pcrs({HOSTILE: {0: HOSTILE}, "image": GOOD})),
        "policy_denied": View(inquiry().model({})),
        "policy_allowed": View(inquiry(GOOD).model({})),
        "policy_flipped": View(inquiry().model({pcr0: GOOD["PCR0"]}, {})),
        "policy_undecided": View(inquiry().model({pcr0: HOSTILE})),
        "policy_reach": View(make_reach(resource)),
        "policy_untold": View(make_policy({"decision": HOSTILE})),
        "image_whole": View(make_image(one)),
        "image_cut": View(make_image(cut)),
        "images_differ": View(make_comparison(one, other, names=("a.eif", "b.eif"))),
        "log": View(make_log([record(1), record(2, refused=False, pcrs=GOOD), record(3, eventName=HOSTILE)])),
    }  # fmt: skip


NAMES = ("image_cut", "image_whole", "images_differ", "log", "pcrs_agree", "pcrs_debug", "pcrs_differ",
         "pcrs_hostile", "policy_allowed", "policy_denied", "policy_flipped", "policy_reach",
         "policy_undecided", "policy_untold")  # fmt: skip


@pytest.fixture(scope="module")
def views(tmp_path_factory):
    return cases(tmp_path_factory.mktemp("cases"))


def words(html):
    """Return what is left of HTML where only its text counts."""
    html = re.sub(r"<(style|svg|script)\b.*?</\1>", "", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def test_every_case_has_a_name(views):
    assert sorted(views) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_text_is_as_it_was(views, name):
    path = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("WRITE_SNAPSHOTS"):
        path.write_text(views[name].text + "\n")
    assert views[name].text + "\n" == path.read_text()


@pytest.mark.parametrize("name", NAMES)
def test_verdict_reason_and_next_step_are_in_every_form(views, name):
    view = views[name]
    head, plain = view.model.head, words(view.html)
    for said in filter(None, (head.what, head.verdict, head.why, head.next)):
        assert " ".join(said.split()) in plain
        assert said in view.text
    assert "<script" not in view.html


def test_what_differs_is_told_in_words(views):
    plain = words(views["pcrs_differ"].html)
    for said in ("✗ PCR0 differs", "✓ PCR1 agrees", "identical ×3", "identical ×2"):
        assert said in plain
    assert "Debug twin: A debug enclave of this image would not pass for it" in plain
    assert "application ramdisk not known here in the image PCR0, PCR2" in plain


def test_each_condition_has_its_words(views):
    plain = words(views["policy_denied"].html)
    assert "Deny NoDecryptOutside key policy, statement 5 Decides" in plain
    assert "StringNotEqualsIgnoreCase · stands in the way all but" in plain
    assert "Without a document ✗ Denied" in plain
    assert OTHER["PCR0"] in plain.replace(" ", "")
    assert "flipped" in words(views["policy_flipped"].html)


def test_sections_and_changed_lines_have_theirs(views):
    plain = words(views["image_whole"].html)
    assert "command line 620 5 PCR0 PCR1 read by the kernel quiet" in plain
    plain = words(views["images_differ"].html)
    assert "-threshold = 5 +threshold = 1" in plain
    assert "made for A refuses B until it is changed" in plain


@pytest.mark.parametrize("name", ["image_whole", "images_differ"])
def test_names_and_texts_of_pictures_stand_apart_where_svg_is_stripped(views, name):
    stripped = re.sub(r"<[^>]*>", "", views[name].html)
    assert "PCR0PCR1" not in stripped
    assert re.search(r"application ramdisk; .*boot", stripped)
    assert not re.search(r"</text>(?!; )", views[name].html)


def test_no_static_form_is_large(views):
    assert max(len(view.html.encode()) for view in views.values()) < 100_000
