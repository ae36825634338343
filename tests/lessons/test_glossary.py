"""The words of the course: one table, one page, every reference leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nitro_workflow.errors import UsageError
from nitro_workflow.lessons import GLOSSARY, find_word, glossary_page

PAGE = Path(__file__).parents[2] / "notebooks" / "glossary.md"


def test_the_page_is_made_from_the_table():
    assert PAGE.read_text() == glossary_page(), "run tools/notebooks.py --glossary"


def test_words_stand_in_alphabetical_order_and_once():
    terms = [word.term.lower() for word in GLOSSARY]
    assert terms == sorted(terms)
    names = [name.lower() for word in GLOSSARY for name in (word.term, *word.also)]
    assert len(names) == len(set(names))


def test_a_word_is_one_to_three_plain_sentences():
    for word in GLOSSARY:
        assert word.meaning[-1] == ".", word.term
        assert len(word.meaning.split()) <= 45, word.term


def test_every_word_that_is_referred_to_is_there():
    terms = {word.term for word in GLOSSARY}
    assert {other for word in GLOSSARY for other in word.see} <= terms
    anchors = set(re.findall(r"\]\(#([a-z0-9-]+)\)", glossary_page()))
    assert anchors <= {word.anchor for word in GLOSSARY}


def test_sources_are_the_publishers_own_pages():
    for word in GLOSSARY:
        assert re.match(
            r"https://(docs\.aws\.amazon\.com|www\.rfc-editor\.org|man7\.org|csrc\.nist\.gov)/|$",
            word.source,
        ), word.term


def test_a_word_is_found_in_any_spelling():
    assert find_word("pcr8").term == "PCR"
    assert find_word(" CiphertextForRecipient ").term == "Envelope"
    with pytest.raises(UsageError) as caught:
        find_word("attestaton")
    assert "attestation" in caught.value.expected
