"""Every form of an inspector at once: for tests of what they say, and of what they never do."""

from __future__ import annotations

import json
from html.parser import HTMLParser

from nitro_workflow.widgets import View
from nitro_workflow.widgets.drawing import to_json, visible

HOSTILE = "<img src=x onerror=alert(1)>\u202e\u200b\x1b[31m</script>"
"""Markup, a bidirectional override, a character of no width, a terminal's escape."""
LONG = "a" * 1_000_000

_VOID = {"br", "wbr", "img", "input"}
_FORBIDDEN = {"script", "img", "iframe", "object", "embed", "link", "form", "foreignobject", "a"}


class Reader(HTMLParser):
    """Holds the tags and the text of a static form; fails where it is not well formed."""

    def __init__(self):
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.attributes: list[tuple[str, str, str]] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        # What is left where a viewer drops every style and picture, as GitHub does.
        if not {"style", "svg"} & set(self.open):
            self.text += data


def forms(model):
    """Return (text, words of the HTML) of a model; each form is safe, and can travel as JSON."""
    view = View(model)
    reader = Reader()
    reader.feed(view.html)
    assert reader.open == []
    assert not set(reader.tags) & _FORBIDDEN
    for tag, name, value in reader.attributes:
        assert not name.startswith("on"), (tag, name)
        assert name not in {"href", "src", "xlink:href"}, (tag, name, value)
    for said in (view.text, reader.text):
        assert not set(said) & set("\u202e\u200b\x1b")
    json.dumps(to_json(visible(model)))
    return view.text, reader.text


def both_say(model, *words):
    """Hold that text and HTML carry the same facts."""
    text, html = forms(model)
    for word in words:
        assert word in text, word
        assert word in html, word
