"""PCRs side by side: folding, first differences, silence, the debug twin, and PCR0 by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro_workflow.attestation import parse_document
from nitro_workflow.errors import UsageError
from nitro_workflow.image import SectionKind, measure_file
from nitro_workflow.image.build.image_writer import bytes_part, write_image
from nitro_workflow.widgets import View
from nitro_workflow.widgets.drawing import to_json
from nitro_workflow.widgets.inspectors.pcr_sources import pcr_source
from nitro_workflow.widgets.inspectors.pcrs_model import make_pcrs, pcr_answers
from tests.widgets.inspectors.policy_cases import GOOD, HOSTILE, OTHER, ZERO, digest, key_policy


@pytest.fixture
def eif(tmp_path):
    path = tmp_path / "it's an image.eif"
    kinds = (SectionKind.KERNEL, SectionKind.CMDLINE, SectionKind.METADATA, SectionKind.RAMDISK,
             SectionKind.RAMDISK)  # fmt: skip
    parts = [bytes_part(kind, f"part {at}".encode() * 9) for at, kind in enumerate(kinds)]
    write_image(parts, output=path, architecture="x86_64")
    return path


def _rows(columns, case=0):
    return {row.name: row for row in make_pcrs(columns).cases[case].rows}


def test_what_agrees_is_one_cell_over_its_columns():
    row = _rows({"document": GOOD, "image": GOOD, "policy": GOOD})["PCR0"]
    assert (row.state, row.tone) == ("agrees", "good")
    assert [(cell.span, cell.same) for cell in row.cells] == [(3, 3)]


def test_the_odd_one_out_is_marked_at_its_first_different_digit():
    other = GOOD["PCR0"][:40] + ("0" if GOOD["PCR0"][40] != "0" else "1") + GOOD["PCR0"][41:]
    row = _rows({"document": {0: other}, "image": GOOD, "policy": GOOD})["PCR0"]
    first, rest = row.cells
    assert (first.odd, first.digest.difference) == (True, 40)
    assert (rest.odd, rest.digest.difference, rest.span) == (False, 40, 2)
    assert "PCR0 differs" in make_pcrs({"document": {0: other}, "image": GOOD}).head.verdict


def test_columns_that_agree_across_a_silent_one_say_so():
    cells = _rows({"document": {3: "ab" * 48}, "image": {}, "policy": {3: "ab" * 48}})["PCR3"].cells
    assert [cell.said for cell in cells] == ["", "not in the image", ""]
    assert (cells[2].apart, cells[2].same) == ("document", 2)


def test_one_word_for_what_changed_and_what_to_do():
    head = make_pcrs({"document": OTHER, "image": GOOD, "policy": GOOD}).head
    assert head.verdict == "PCR0 and PCR2 differ"
    assert head.why.startswith("Kernel and boot ramdisk are the same")
    assert head.next.startswith("Run the image the policy names")
    assert make_pcrs({"document": GOOD, "image": GOOD}).head.tone == "good"
    assert make_pcrs({"document": GOOD}).head.verdict == "Nothing to compare"


def test_a_debug_enclave_is_called_one():
    zeros = {**GOOD, "PCR0": ZERO, "PCR1": ZERO, "PCR2": ZERO}
    assert make_pcrs({"document": zeros, "policy": GOOD}).head.verdict == (
        "The document is of a debug enclave"
    )


def test_the_debug_twin_would_not_pass_for_the_image():
    model = make_pcrs({"document": GOOD, "policy": GOOD})
    twin = model.cases[1]
    assert (twin.label, twin.head.tone) == ("Debug twin", "warning")
    assert [row.name for row in twin.rows if row.state == "differs"] == ["PCR0", "PCR1", "PCR2"]
    assert _rows({"document": GOOD, "policy": GOOD}, 1)["PCR3"].state == "agrees"


def test_a_register_that_nothing_feeds_is_left_out_unless_something_is_in_it():
    assert list(_rows({"document": {0: "ab" * 48, 5: ZERO, 16: "cd" * 48}})) == ["PCR0", "PCR16"]


def test_what_is_no_pcr_is_said_to_be_none():
    cell = _rows({"document": {0: "hello"}, "image": GOOD})["PCR0"].cells[0]
    assert cell.said.startswith("no PCR: “hello”")
    assert cell.digest is None


def test_a_policy_of_two_images_is_compared_by_the_nearer_one():
    policy = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*",
        "Condition": {"StringEqualsIgnoreCase": {
            "kms:RecipientAttestation:PCR0": [OTHER["PCR0"], GOOD["PCR0"].upper()]}}}]}  # fmt: skip
    row = _rows({"document": GOOD, "policy": policy})["PCR0"]
    assert (row.state, row.cells[0].span, row.cells[0].said) == ("agrees", 2, "or 1 other")


def test_each_source_says_whose_word_it_is(eif, vectors):
    document = next(iter(sorted((vectors / "attestation").glob("*.bin")))).read_bytes()
    told = [
        pcr_source("a", document), pcr_source("b", parse_document(document)), pcr_source("c", eif),
        pcr_source("d", key_policy()), pcr_source("e", {"Policy": json.dumps(key_policy())}),
        pcr_source("f", {"Measurements": {"HashAlgorithm": "Sha384 { ... }", **GOOD}}),
    ]  # fmt: skip
    assert [source.how for source in told] == [
        "signed", "signed", "measured here", "asked for", "asked for", "nitro-cli's word",
    ]  # fmt: skip
    assert told[0].registers == told[1].registers
    assert told[3].registers == told[4].registers == told[5].registers


def test_the_parts_of_an_image_are_told_with_their_sizes(eif):
    model = make_pcrs({"image": eif, "document": GOOD})
    parts = {part.name: (part.size, part.pcrs) for part in model.parts}
    assert parts["kernel"] == (54, ("PCR0", "PCR1"))
    assert parts["application ramdisk"] == (54, ("PCR0", "PCR2"))
    assert "metadata" not in parts
    assert parts["the parent's instance id"] == (-1, ("PCR4",))
    assert "PCR2: application ramdisk" in model.chart.label


def test_the_three_lines_compute_pcr0(eif):
    model = make_pcrs({"image": eif})
    assert len(model.recipe) == 3
    code = "\n".join(model.recipe)
    done = subprocess.run(
        [sys.executable, "-I", "-c", code],
        cwd=eif.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == measure_file(eif).pcr0.hex()


def test_an_image_is_measured_on_demand(eif):
    answers = pcr_answers({"document": GOOD})
    model = answers["measure"]({"path": f" {eif} "})
    assert [name for name, _ in model.columns] == ["document", eif.name]
    assert model.head.verdict == "PCR0, PCR1 and PCR2 differ"
    for path in ("", None, 7):
        with pytest.raises(UsageError):
            answers["measure"]({"path": path})


def test_every_form_has_every_value_whole():
    columns = {"document": OTHER, "image": GOOD, "policy": {**GOOD, "PCR4": digest("i")}}
    view = View(make_pcrs(columns))
    plain = view.text.replace(" ", "").replace("\n", "")
    for value in {*OTHER.values(), *GOOD.values(), digest("i")}:
        assert value[:48] in plain
        assert value[48:] in plain
        assert value in view.html.replace(" ", "").replace("<mark><b>", "").replace(
            "</b></mark>", ""
        )
    assert view.model.head.next in view.html
    assert view.model.head.next in view.text


@pytest.mark.parametrize("text", [HOSTILE, "a" * 1_000_000, "\u202e" * 50, "\0"])
def test_hostile_values_and_names_stay_text(text):
    view = View(make_pcrs({text[:200]: {0: text}, "image": GOOD}, title=text[:200]))
    assert "<img" not in view.html
    assert "\u202e" not in view.html + view.text
    assert len(view.html) < 120_000


@settings(deadline=None)
@given(st.dictionaries(
    st.text(max_size=9),
    st.dictionaries(st.integers(-2, 40) | st.text(max_size=5),
                    st.text(max_size=9) | st.binary(max_size=4) | st.none() | st.just(ZERO)),
    max_size=4,
))  # fmt: skip
def test_anything_is_drawn(columns):
    view = View(make_pcrs(columns))
    assert view.text
    assert view.html
    assert json.dumps(to_json(view.model))


def test_what_tells_nothing_is_an_empty_column():
    assert pcr_source("x", SimpleNamespace()).registers == {}
