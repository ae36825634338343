"""The modules of the live forms are put together whole, each in a scope of its own."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from nitro_workflow.widgets.es_modules import (
    STATIC,
    drop_module,
    live_module,
    live_style,
    static_style,
)
from nitro_workflow.widgets.inspectors import KINDS

MODULES = sorted(path for path in STATIC.glob("*.js") if path.stem != "inspector")
LIMIT = 150 * 1024  # bytes of all scripts and styles, as they are sent


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_nothing_is_left_to_import(kind):
    text = live_module(kind)
    assert not re.search(r"^(import|export (?!default))", text, re.MULTILINE)
    for name in re.findall(r"= _(\w+);", text):
        assert text.index(f"const _{name} = ") < text.index(f"= _{name};")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_no_line_of_code_is_lost(kind):
    text = live_module(kind)
    for path in MODULES:
        if f"const _{path.stem} = (" not in text:
            continue
        for line in path.read_text().splitlines():
            code = re.sub(
                r"/\*\*[^\n]*?\*/ ?", "", line
            ).strip()  # types within a line are left out
            if code and not code.startswith(("//", "/**", "*", "import ")):
                assert code.removeprefix("export ") in text, (path.name, code)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_node_reads_it(kind, require, tmp_path):
    require("node", shutil.which("node") is not None, "install Node.js 20")
    (tmp_path / "module.mjs").write_text(live_module(kind))
    subprocess.run(["node", "--check", "module.mjs"], cwd=tmp_path, check=True, timeout=60)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_markup_is_never_made_from_text(path):
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", path.read_text())  # fmt: skip


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_styles_are_whole(kind):
    for css in (live_style(kind), static_style(kind)):
        assert css.count("{") == css.count("}")
        assert "</" not in css
        assert "url(" not in css


def test_all_of_it_is_small():
    """What a browser gets, when every inspector is in it: without comments and indentation."""
    assert len((drop_module(KINDS) + live_style(*sorted(KINDS))).encode()) <= LIMIT
