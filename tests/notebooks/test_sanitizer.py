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


def test_what_follows_from_the_images_size_looks_alike_and_what_a_lesson_asks_for_does_not():
    row = '<th scope="row">application ramdisk</th><td>1,745</td><td>{:,}</td>'
    assert _sanitized(row.format(91_085_652)) == _sanitized(row.format(66_241_140))
    table = '<table aria-label="Folders of the {}"><tr><td>{}</td></tr></table><details>{}</details>'
    ours, another = (("application ramdisk", *two) for two in (("lib", "a.so"), ("usr", "b.so")))
    assert _sanitized(table.format(*ours)) == _sanitized(table.format(*another))
    assert _sanitized(table.format("boot ramdisk", "init", "a")) != _sanitized(
        table.format("boot ramdisk", "evil", "a")
    )
    lines = "  Inside the {0}: 2 files\n    {1}   1 file\n    largest: {2}\n  PCR0 DIGEST\n"
    assert _sanitized(lines.format(*ours)) == _sanitized(lines.format(*another))
    for text in ("--memory {} --cpu-count 2", "memory: {} MiB", "minimum memory should be {} MB",
                 "Expected: ≥ {} MiB: 4 times the image", '"MemoryMiB": {}\n'):  # fmt: skip
        told = text.format
        assert _sanitized(told(348)) == _sanitized(told(256))
        assert len({_sanitized(told(number)) for number in (348, 64, 128, 512)}) == 4
    assert _sanitized("Expected: ≥ 4 CPUs") != _sanitized("Expected: ≥ 2 CPUs")
