"""The course keeps its measure: short cells, plain words, links that lead somewhere.

Held for the notebooks of the course whose cells have names; the budgets are `BUDGETS`.
"""

from __future__ import annotations

import ast
import re
import statistics
from pathlib import Path

import nbformat
import pytest

from nitro_workflow.lessons import GLOSSARY, LESSONS

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / "notebooks"
SHORT = {"00", "01", "02", "03", "04", "07", "13"}
"""Lessons that may have fewer cells and words than the others."""

WORDY = {"10": 65}
"""Lessons whose median cell of prose may be longer: each case of the failure lab is told in one."""

LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
FOLD = re.compile(r"<details>.*?</details>", re.DOTALL)
FENCE = re.compile(r"```.*?```", re.DOTALL)
PAGES = set((HERE / "pages.txt").read_text().split())
WORDS = set((HERE / "words.txt").read_text().split())


def course():
    for number, plan in LESSONS.items():
        path = FOLDER / f"{plan.file}.ipynb"
        if path.exists():
            notebook = nbformat.read(path, as_version=4)
            if not notebook.cells[0].id.isdigit():  # cells with names: written for the course
                yield pytest.param((number, notebook), id=plan.file)


@pytest.fixture(params=course())
def lesson(request):
    return request.param


def prose(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def words_of(text):
    """Return what a reader reads: without fences, tags, addresses and marks."""
    text = FENCE.sub(" ", text)
    text = LINK.sub(r"\1", text)
    text = re.sub(r"<[^>]+>|https?://\S+", " ", text)
    return [word for word in text.split() if re.search(r"\w", word)]


def test_cells_are_as_many_as_one_works_through_at_a_sitting(lesson):
    number, notebook = lesson
    least = 20 if number in SHORT else 28
    assert least <= len(notebook.cells) <= 40
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z][a-z0-9-]*[a-z][a-z0-9-]*", name) for name in ids)
    random = [name for name in ids if re.fullmatch(r"[0-9a-f-]{8,}", name)]
    assert not random, "name these cells"


def test_prose_is_short(lesson):
    number, notebook = lesson
    assert max(len(words_of(text)) for text in prose(notebook)) <= 150
    # What is folded is read by whoever wants it.
    counts = [len(words_of(FOLD.sub("", text))) for text in prose(notebook)]
    assert 15 <= statistics.median(counts) <= WORDY.get(number, 50)
    assert 500 <= sum(counts) <= 1800


def test_code_is_short(lesson):
    lines = [
        len([line for line in cell.source.splitlines() if line.strip()])
        for cell in code(lesson[1])
    ]
    assert max(lines) <= 12
    assert statistics.median(lines) <= 7
    widest = max((len(line) for cell in code(lesson[1]) for line in cell.source.splitlines()))
    assert widest <= 100


def test_a_learner_acts_three_times_at_least(lesson):
    tags = [tag for cell in lesson[1].cells for tag in cell.metadata.get("tags", [])]
    assert tags.count("exercise") + tags.count("predict") >= 3
    assert set(tags) <= {"exercise", "check", "predict", "needs-aws"}
    assert tags.count("check") >= min(1, tags.count("exercise"))


def test_what_acts_is_tagged(lesson):
    for cell in code(lesson[1]):
        tags = cell.metadata.get("tags", [])
        assert ("lesson.predict(" in cell.source) == ("predict" in tags), cell.id
        if re.search(r"\bcheck\.\w+\(", cell.source):
            assert "check" in tags, cell.id
        if re.search(r"(?<![\w.\]\"'=])\.\.\.(?![\w.])", re.sub(r"#.*|\".*?\"", "", cell.source)):
            assert "exercise" in tags, cell.id


def test_one_title_then_headings_of_one_level(lesson):
    number, notebook = lesson
    heads = [line for text in prose(notebook) for line in FENCE.sub("", text).splitlines()
             if line.startswith("#")]  # fmt: skip
    assert heads[0] == f"# {number} {LESSONS[number].title}"
    assert all(line.startswith("## ") for line in heads[1:])
    assert len(set(heads)) == len(heads)


def test_the_title_card_says_what_how_long_and_what_for(lesson):
    first = lesson[1].cells[0].source
    assert "**You will**" in first
    assert re.search(r"\*\*\d+ minutes\*\*", first)
    assert "glossary.md#" in first
    lines = first.splitlines()
    joined = [b for a, b in zip(lines, lines[1:], strict=False) if a.strip() and b.strip()]
    assert not joined, "without an empty line before it JupyterLab runs it into the line above"


def test_diagrams_and_pictures_have_words(lesson):
    for text in prose(lesson[1]):
        for fence in re.findall(r"```mermaid.*?```", text, re.DOTALL):
            assert "accTitle:" in fence
            assert "accDescr:" in fence
            assert "In words:" in text
        assert not re.search(r"!\[\s*\]|<img(?![^>]*\balt=\"[^\"]+\")", text), "a picture without alt"


def test_links_lead_somewhere(lesson):
    anchors = {f"glossary.md#{word.anchor}" for word in GLOSSARY} | {"glossary.md"}
    lessons = {f"{plan.file}.ipynb" for plan in LESSONS.values()} | {"inspector.ipynb"}
    for text in prose(lesson[1]):
        for label, target in LINK.findall(FENCE.sub("", text)):
            assert label.strip(), target
            if target.startswith("http"):
                assert target in PAGES, f"not in pages.txt: {target}"
            else:
                assert target in anchors | lessons or (FOLDER / target).exists(), target


def test_no_page_is_listed_twice_or_under_a_locale():
    listed = (HERE / "pages.txt").read_text().split()
    assert listed == sorted(set(listed))
    assert not [page for page in listed if re.search(r"amazon\.com/[a-z]{2}_[a-z]{2}/|#$", page)]
    assert all(page.startswith("https://") for page in listed)


def test_a_word_of_the_glossary_is_linked_before_it_is_used_twice(lesson):
    """Of the words that a notebook links at all, the link stands at the first use in prose."""
    read = "\n".join(prose(lesson[1]))
    for word in GLOSSARY:
        link = read.find(f"(glossary.md#{word.anchor})")
        if link < 0:
            continue
        first = re.search(rf"(?<![\w/-]){re.escape(word.term)}(?![\w-])", LINK.sub(_hide, read))
        assert first is None or link < first.start() + 400, word.term


def _hide(link):
    """Blank a link's text and address, in their length."""
    return " " * len(link[0])


def test_the_words_that_every_lesson_uses_are_linked(lesson):
    linked = set(re.findall(r"glossary\.md#([a-z0-9-]+)", "\n".join(prose(lesson[1]))))
    assert len(linked) >= 4


def test_words_are_spelt_as_the_list_has_them(lesson):
    text = " ".join(" ".join(words_of(re.sub(r"`[^`]*`|<code>.*?</code>", " ", one)))
                    for one in prose(lesson[1]))  # fmt: skip
    found = {word.lower() for word in re.findall(r"[A-Za-z][a-z]+", text)}
    assert sorted(found - WORDS) == [], "misspelt? else append to words.txt"


def test_the_list_of_words_is_sorted():
    listed = (HERE / "words.txt").read_text().split()
    assert listed == sorted(set(listed))


def test_plain_english(lesson):
    """They for a role; no word that a reader of another tongue looks up in vain."""
    text = "\n".join(prose(lesson[1]))
    banned = r"\b(he|she|his|her|him|simply|just|easy|easily|obviously|utilize|leverage)\b"
    assert not re.findall(banned, text, re.IGNORECASE)
    assert "envelope encryption" not in text.lower(), "an envelope is the CMS structure only"


def test_code_cells_parse_and_call_nothing_private(lesson):
    for cell in code(lesson[1]):
        names = [node.attr for node in ast.walk(ast.parse(cell.source))
                 if isinstance(node, ast.Attribute)]  # fmt: skip
        assert not [name for name in names if name.startswith("_")], cell.id
