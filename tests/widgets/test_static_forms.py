"""Text and HTML forms: complete, escaped, without script."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest

from nitro_workflow.widgets import View
from nitro_workflow.widgets.drawing import to_json, visible
from tests.widgets.models import ALL, HOSTILE, INSPECTION, TABLE


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def _read(model):
    reader = _Reader()
    reader.feed(View(model)._repr_mimebundle_()[0]["text/html"])
    assert reader.open == []
    return reader


@pytest.mark.parametrize("model", ALL, ids=lambda model: model.kind)
def test_html_is_well_formed_and_holds_no_script(model):
    tags = set(_read(model).tags)
    assert tags <= {
        "section", "p", "b", "i", "span", "table", "thead", "tbody", "tr", "th", "td",
        "ul", "li", "details", "summary", "code", "mark", "pre", "br",
    }  # fmt: skip


@pytest.mark.parametrize("model", ALL, ids=lambda model: model.kind)
def test_both_forms_say_the_title_and_the_verdict(model):
    text, html = repr(View(model)), "".join(_read(model).text)
    for words in (model.title, getattr(model, "verdict", "")):
        assert words in text
        assert words in html


def test_an_attackers_text_stays_text():
    reader = _read(INSPECTION)
    assert "img" not in reader.tags
    assert visible(HOSTILE) in "".join(reader.text)


def test_characters_that_reorder_text_are_written_as_escapes():
    assert visible("a\u202eb\x00c\U000e0001") == r"a\u202eb\u0000c\U000e0001"
    assert "\u202e" not in repr(View(INSPECTION))


def test_a_failed_check_shows_found_beside_expected():
    text = repr(View(INSPECTION))
    assert "found  ES384 over 4,300 bytes" in text
    assert "expected  valid" in text


def test_the_first_difference_is_pointed_at():
    lines = repr(View(TABLE)).splitlines()
    line = next(i for i, text in enumerate(lines) if text.endswith("cd" * 28))
    assert lines[line + 1].index("^") == lines[line].index("ab") + 40


@pytest.mark.parametrize("model", ALL, ids=lambda model: model.kind)
def test_models_travel_as_json(model):
    assert json.loads(json.dumps(to_json(model)))["kind"] == model.kind
