"""The live forms' ES modules, put together into one text for each inspector.

anywidget and a saved page take one module each, and nobody who installs this package has a
bundler. So the modules of ``static/`` keep to a few forms that these lines understand: one-line
``import { a, b as c } from "./other.js";`` and ``export`` before a function, class or const.
`tsc` and node's test runner read the same files as they are.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

__all__ = ["STATIC", "live_module", "live_style", "page_module", "static_style"]

STATIC = Path(__file__).parent / "static"

_IMPORT = re.compile(r'^import \{ ([^}]*) \} from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|class) (\w+))", re.MULTILINE)
_COMMENT = re.compile(r"^ *(?://[^\n]*|/\*\*(?:(?!\*/).)*\*/)\n", re.MULTILINE | re.DOTALL)
_TYPE = re.compile(r"/\*\*[^\n]*?\*/ ?")  # a type within a line; no text of ours holds one
_INDENT = re.compile(r"^\s+", re.MULTILINE)
_CSS_COMMENT = re.compile(r"/\*.*?\*/\s*", re.DOTALL)
_CSS_SPACE = re.compile(r"\s*([{};,])\s*")


@functools.cache
def live_module(kind: str) -> str:
    """Return the module that anywidget runs: the inspector of one kind, and what it imports."""
    return f"{_closure('live', kind)}export default _live.widget(_{kind}.draw);\n"


@functools.cache
def page_module(kinds: frozenset[str]) -> str:
    """Return the script of a page that shows models of these kinds, to run as a module."""
    draws = ", ".join(f"{kind}: _{kind}.draw" for kind in sorted(kinds))
    return f"{_closure('page', *sorted(kinds))}_page.start({{ {draws} }});\n"


def _closure(*names: str) -> str:
    """Return modules with all they import, each after its imports, each in a scope of its own."""
    return "".join(_scope(name, _source(name)) for name in _order(*names))


def _order(*names: str) -> list[str]:
    """Return modules with all they import, each after its imports."""
    found: dict[str, None] = {}
    for name in names:
        others = [other for _, other in _IMPORT.findall(_source(name))]
        found |= dict.fromkeys(_order(*others))
        found[name] = None
    return [*found]


def _source(name: str) -> str:
    return (STATIC / f"{name}.js").read_text()


def _scope(name: str, text: str) -> str:
    exported = ", ".join(_EXPORT.findall(text))
    body = _EXPORT.sub("", _IMPORT.sub(_as_constants, text))
    body = _INDENT.sub("", _TYPE.sub("", _COMMENT.sub("", body)))
    return f"const _{name} = (() => {{\n{body}return {{ {exported} }};\n}})();\n"


def _as_constants(found: re.Match[str]) -> str:
    return f"const {{ {found[1].replace(' as ', ': ')} }} = _{found[2]};"


@functools.cache
def static_style(kind: str) -> str:
    """Return the style that a static form carries: tokens, common pieces, the inspector's own."""
    return _nested("pieces", kind)


@functools.cache
def live_style(*kinds: str) -> str:
    """Return the style of these inspectors' live forms, with that of every module they use."""
    return _nested("pieces", *_order(*kinds))


def _nested(*names: str) -> str:
    """Nest rules below the root: thrice its class, so that they hold against a notebook's."""
    sheets = [STATIC / f"{name}.css" for name in names]
    rules = "".join(sheet.read_text() for sheet in sheets if sheet.exists())
    tokens = (STATIC / "tokens.css").read_text()
    css = _CSS_COMMENT.sub("", f"{tokens}.nw.nw.nw{{{rules}}}")
    return _CSS_SPACE.sub(r"\1", css).strip()
