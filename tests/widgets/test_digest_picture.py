"""Pictures of digests: the same for the same bytes, another for every changed bit."""

from __future__ import annotations

import hashlib
import re

from hypothesis import given
from hypothesis import strategies as st

from nitro_workflow.widgets.digest_picture import DigestPicture, digest_picture, picture_svg

DIGEST = hashlib.sha384(b"image").hexdigest()


def test_case_and_space_do_not_count():
    assert digest_picture(f" {DIGEST.upper()} ") == digest_picture(DIGEST)


def test_every_bit_counts():
    whole = int(DIGEST, 16)
    pictures = {digest_picture(f"{whole ^ 1 << bit:096x}").paths for bit in range(384)}
    assert len(pictures | {digest_picture(DIGEST).paths}) == 385


def test_all_zero_is_empty_and_drawn_as_a_dashed_square():
    assert digest_picture("0" * 96) == DigestPicture()
    assert "stroke-dasharray" in picture_svg(DigestPicture(), 28)


def test_it_is_mirrored():
    for _, path in digest_picture(DIGEST).paths[1:]:
        strokes = [tuple(map(int, s)) for s in re.findall(r"M(\d) (\d)h(\d)", path)]
        cells = {(x + n, y) for x, y, width in strokes for n in range(width)}
        assert cells == {(7 - x, y) for x, y in cells}


def test_two_hues_and_three_tones_on_a_ground():
    colours = [colour for colour, _ in digest_picture(DIGEST).paths]
    assert len(colours) == 4
    assert len({re.findall(r"\d+", colour)[0] for colour in colours}) == 2


@given(st.text(max_size=200))
def test_any_text_has_a_picture_and_none_gets_into_the_markup(text):
    svg = picture_svg(digest_picture(text), 28, label=text)
    assert svg.count("<") == len(re.findall(r"<(?:/?svg|path|rect)\b", svg))
