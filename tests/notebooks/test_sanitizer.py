"""The sanitizer hides what varies, wherever two random digests happen to part."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from nbval.plugin import get_sanitize_patterns

PATTERNS = get_sanitize_patterns((Path(__file__).parent / "sanitize.cfg").read_text())
PCR = "ab" * 48


def _sanitized(text):
    for pattern, replacement in PATTERNS:
        text = re.sub(pattern, replacement, text)
    return text


@pytest.mark.parametrize("at", [0, 1, 2, 40, 64, 95])
def test_digests_that_part_anywhere_look_alike(at):
    html = f"<code>{PCR[:at]}<mark><b>{PCR[at:]}</b></mark></code>"
    assert _sanitized(html) == "<code>MARKED</code>"
    text = f"image  {PCR}\n       {' ' * at}^ first difference"
    assert _sanitized(text) == _sanitized(f"image  {PCR}\n       ^ first difference")
    explained = f"found {PCR}\n{' ' * at}▲ character {at + 1} differs"
    assert _sanitized(explained) == "found PCRDIFFERS"


@pytest.mark.parametrize("number", ["972", "1,076", "1,<wbr>076", "91,<wbr>084,<wbr>345"])
@pytest.mark.parametrize("unit", ["ms", "bytes", "files"])
def test_numbers_look_alike_wherever_their_digits_may_part(number, unit):
    assert _sanitized(f"<code>{number} {unit}</code>") == f"<code>N {unit}</code>"


def test_a_lesson_opens_alike_whoever_ran_the_steps_before():
    found = _sanitized("Before this lesson: P1–P4 are done\nSteps here: P5 is still to do")
    ran = _sanitized(
        "Ran first, because this lesson needs it: P1–P4\nSteps here: P5 is still to do"
    )
    assert found == ran
    assert "P5" in found
