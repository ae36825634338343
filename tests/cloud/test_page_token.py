"""Page tokens: what a list gave comes back, everything else is refused in the service's words."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro_workflow.cloud.local.call import ServiceFault
from nitro_workflow.cloud.local.protocol.page_token import (
    MAX_POSITION,
    PageTokens,
    read_decimal,
)

TOKENS = PageTokens("ListThings", "InvalidMarkerException", "no such page")
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(NAMES)
def test_a_place_comes_back(place):
    assert TOKENS.read(TOKENS.write(place)) == place


@given(st.integers(0, MAX_POSITION))
def test_a_position_comes_back(position):
    assert TOKENS.read_position(TOKENS.write(position)) == position


def test_no_token_is_the_first_page():
    assert TOKENS.read(None) == ""
    assert TOKENS.read_position(None) == 0


def made_up() -> list[str]:
    good = TOKENS.write("a")
    other = PageTokens("ListOthers", "X", "x").write("a")
    odd = ["", "²", "٣", "0", "-1", "9" * 5000, "\ud800", "\x00", "a\r\nb", "=", "====", "é"]
    return [*odd, other, good[:-1], good + "=", good + "\n", " " + good, TOKENS.write("")]


@pytest.mark.parametrize("token", made_up())
def test_what_was_not_given_is_refused(token):
    for read in (TOKENS.read, TOKENS.read_position):
        with pytest.raises(ServiceFault) as refusal:
            read(token)
        assert (refusal.value.code, refusal.value.status) == ("InvalidMarkerException", 400)


def test_another_spelling_of_the_same_bytes_is_refused():
    plain = base64.urlsafe_b64encode(b"ListThings\nabc").decode()
    assert TOKENS.read(plain) == "abc"
    spelled = plain.rstrip("=")[:-1] + "z" + "=" * (len(plain) - len(plain.rstrip("=")))
    with pytest.raises(ServiceFault):
        TOKENS.read(spelled)


@given(st.text())
def test_any_text_is_a_place_or_a_refusal(token):
    try:
        place = TOKENS.read(token)
    except ServiceFault:
        return
    assert TOKENS.write(place) == token


@pytest.mark.parametrize("place", ["²", "-1", "+1", "1_0", " 1", "1.0", "", str(MAX_POSITION + 1)])
def test_a_position_is_ascii_digits_that_the_database_holds(place):
    with pytest.raises(ServiceFault):
        TOKENS.read_position(TOKENS.write(place))


@given(st.text())
def test_a_decimal_is_what_it_prints(text):
    number = read_decimal(text)
    assert number is None or (number >= 0 and str(number) == (text.lstrip("0") or "0"))


def test_a_decimal_has_a_most():
    assert read_decimal("10", most=10) == 10
    assert read_decimal("11", most=10) is None
