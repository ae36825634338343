"""The pieces: text stays text, hex keeps its groups, hostile characters are seen."""

from __future__ import annotations

import html
import re
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro_workflow import widgets
from nitro_workflow.widgets.drawing import (
    TEXT_LIMIT,
    code,
    digest_html,
    digest_lines,
    digest_of,
    first_difference,
    grouped,
    groups_of,
    picture_svg,
    table_lines,
    tag,
    visible,
)


@given(st.text())
def test_text_never_becomes_markup(text):
    drawn = tag("p", text, title=text)
    assert drawn.count("<") == 2
    assert re.sub(r"<[^>]*>", "", drawn) == html.escape(text)


@given(st.text(max_size=300))
def test_nothing_hidden_is_left(text):
    shown = visible(text)
    assert all(char == "\n" or char.isprintable() or char.isspace() for char in shown)
    assert visible(shown) == shown


@pytest.mark.parametrize(
    "char", ["\u202e", "\u200b", "\u2066", "\ufeff", "\x1b", "\u3164", "\u00ad", "\U000e0041"]
)
def test_what_reorders_or_hides_is_written_out(char):
    assert char not in visible(f"a{char}b")


def test_stacked_marks_do_not_cover_their_neighbours():
    assert visible("e\u0301") == "e\u0301"
    assert visible("e" + "\u0301" * 200).count("\u0301") == 4


def test_a_megabyte_is_cut_and_says_so():
    shown = visible("x" * 1_000_000)
    assert len(shown) < TEXT_LIMIT + 100
    assert shown.endswith("… and 934,464 more characters")


@given(st.binary(min_size=1, max_size=64).filter(any))
def test_a_digest_is_never_broken_inside_a_group(value):
    text = re.sub(r"<svg.*</svg>|<[^>]*>", "", digest_html(digest_of(value)))
    assert text.replace(" ", "") == value.hex()
    assert all(len(group) == 8 for group in text.split()[:-1])


def test_the_first_difference_is_one_character_and_in_sight():
    one, other = "ab" * 48, "ab" * 40 + "cd" * 8
    at = first_difference(one, other)
    assert at == 80
    assert "<mark><b>c</b></mark>" in digest_html(digest_of(other, at), groups=2)
    lines = list(digest_lines(digest_of(other, at)))
    assert lines[1][lines[2].index("^")] == "c"


@given(st.binary(min_size=48, max_size=48), st.integers(0, 47))
def test_another_digest_is_another_picture(value, at):
    changed = bytes(byte ^ (index == at) for index, byte in enumerate(value))
    assert digest_of(value).picture == digest_of(value.hex().upper()).picture
    assert digest_of(value).picture != digest_of(changed).picture


def test_all_zero_is_said_in_words():
    assert "all zero, 48 bytes" in digest_html(digest_of(bytes(48)))
    assert list(digest_lines(digest_of(bytes(48)))) == ["all zero, 48 bytes"]
    assert 'aria-label="all zero"' in picture_svg(None)


def test_an_account_number_is_not_broken():
    arn = "arn:aws:kms:us-east-1:111122223333:key/0a1b"
    parts = code(arn).removeprefix("<code>").removesuffix("</code>").split("<wbr>")
    assert "111122223333:" in parts
    assert "".join(parts) == arn


def test_columns_stand_below_each_other():
    lines = list(table_lines(("a", "b"), [("1", "2"), ("333", "4")]))
    assert lines == ["  a    b", "  1    2", "  333  4"]


def test_no_name_of_the_rooms_face_is_hidden_by_a_module_of_that_name():
    modules = [name for name in widgets.__all__ if isinstance(getattr(widgets, name), ModuleType)]
    assert modules == []


@pytest.mark.parametrize("digits", [64, 96])
def test_a_digest_in_a_line_is_read_in_groups(digits):
    value = ("0123456789abcdef" * 6)[:digits]
    assert grouped(f"PCR0: {value}.") == f"PCR0: {' '.join(groups_of(value))}."
    assert grouped("0" * digits) == f"all zero, {digits // 2} bytes"


@pytest.mark.parametrize("text", ["", "a" * 63, "a" * 65, "a" * 97, "a" * 1_000_000, "A" * 64])
def test_what_is_no_digest_stays_as_it_is(text):
    assert grouped(text) == text
