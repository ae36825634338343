"""The modules of the live forms are put together whole, each in a scope of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from nitro_workflow.widgets.es_modules import (
    STATIC,
    _closure,
    _tight,
    live_module,
    live_style,
    static_style,
)
from nitro_workflow.widgets.inspectors import KINDS

MODULES = sorted(STATIC.glob("*.js"))
EXTENSION = Path(__file__).parents[2] / "labextension" / "remoteEntry.js"  # sent as it is
LIMIT = 150_000  # bytes of all scripts and styles, as they are sent


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_nothing_is_left_to_import(kind):
    text = live_module(kind)
    assert not re.search(r"^(import|export (?!default))", text, re.MULTILINE)
    for name in re.findall(r"= _(\w+);", text):
        assert text.index(f"const _{name} = ") < text.index(f"= _{name};")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_no_line_of_code_is_lost(kind):
    text = live_module(kind)
    sent = _unspaced(text)
    for path in MODULES:
        if f"const _{path.stem} = (" not in text:
            continue
        for line in path.read_text().splitlines():
            # Types within a line and remarks at its end are left out.
            code = re.sub(r"/\*\*[^\n]*?\*/ ?|(?<=[;{,)}]) // .*$", "", line).strip()
            if code and not code.startswith(("//", "/**", "*", "import ")):
                assert _unspaced(code.removeprefix("export ")) in sent, (path.name, code)


def _unspaced(code):
    return re.sub(r"\s", "", code)


def test_spaces_are_left_out_where_they_say_nothing():
    assert _tight("if (a > b) return { a, b: [1, 2] };") == "if(a>b)return{a,b:[1,2]};"


@pytest.mark.parametrize(
    "line",
    [
        'say("a , b", \'c = "d , e"\');',
        "return a / b + c;",
        "return /[ ,]+ ( x )/.test(text);",
        "const name = `${a ? `x , y` : ''} z`;",
        "a(`a text that goes on , and",
        "don't , say",
    ],
)
def test_no_space_of_a_text_is_left_out(line):
    strings = r"""("[^"]*"|'[^']*'|`.*`)"""
    assert re.findall(strings, _tight(line)) == re.findall(strings, line)
    assert _tight(line) in (line, 'say("a , b",\'c = "d , e"\');')


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_no_template_goes_on_in_the_next_line(path):
    """Ends of lines are left out where no statement needs them: none may be a template's."""
    assert all(line.count("`") % 2 == 0 for line in path.read_text().splitlines())


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_node_reads_it(kind, require, tmp_path):
    require("node", shutil.which("node") is not None, "install Node.js 20")
    (tmp_path / "module.mjs").write_text(live_module(kind))
    subprocess.run(["node", "--check", "module.mjs"], cwd=tmp_path, check=True, timeout=60)


@pytest.mark.parametrize("path", [*MODULES, EXTENSION], ids=lambda path: path.name)
def test_markup_is_never_made_from_text(path):
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", path.read_text())  # fmt: skip


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_styles_are_whole(kind):
    for css in (live_style(kind), static_style(kind)):
        assert css.count("{") == css.count("}")
        assert "</" not in css
        assert "url(" not in css


def test_all_of_it_is_small():
    """Every module and style once, as a browser gets them: no comments, no needless spaces."""
    sent = _closure("live", "page", *sorted(KINDS)) + live_style(*sorted(KINDS))
    assert all(f"const _{path.stem} = (" in sent for path in MODULES)
    assert len(sent.encode() + EXTENSION.read_bytes()) <= LIMIT
