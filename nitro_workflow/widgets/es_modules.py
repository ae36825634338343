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

__all__ = ["STATIC", "drop_module", "live_module", "live_style", "page_module", "static_style"]

STATIC = Path(__file__).parent / "static"

_IMPORT = re.compile(r'^import \{ ([^}]*) \} from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|class) (\w+))", re.MULTILINE)
_COMMENT = re.compile(r"^ *(?://[^\n]*|/\*\*(?:(?!\*/).)*\*/)\n", re.MULTILINE | re.DOTALL)
_TYPE = re.compile(r"/\*\*[^\n]*?\*/ ?")  # a type within a line; no text of ours holds one
_REMARK = re.compile(
    r"(?<=[;{,)}]) // [^\n]*$", re.MULTILINE
)  # at the end of a line; no text either
_INDENT = re.compile(r"^\s+", re.MULTILINE)
_STRING = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`\\]*`)""")
_SPACED = re.compile(r" ?([=(){}\[\],;:?<>|&!]+) ?")
_CSS_COMMENT = re.compile(r"/\*.*?\*/\s*", re.DOTALL)
_CSS_SPACE = re.compile(r"\s*([{};,])\s*|(?<=:) +")


@functools.cache
def live_module(kind: str) -> str:
    """Return the module that anywidget runs: the inspector of one kind, and what it imports."""
    return f"{_closure('live', kind)}export default _live.widget(_{kind}.draw);\n"


@functools.cache
def drop_module(kinds: frozenset[str]) -> str:
    """Return the module of the drop zone, which draws any of these kinds."""
    drawn = _closure("live", "drop", *sorted(kinds))
    return f"{drawn}export default _live.widget(_drop.draw, {_draws(kinds)});\n"


@functools.cache
def page_module(kinds: frozenset[str]) -> str:
    """Return the script of a page that shows models of these kinds, to run as a module."""
    return f"{_closure('page', *sorted(kinds))}_page.start({_draws(kinds)});\n"


def _draws(kinds: frozenset[str]) -> str:
    return f"{{ {', '.join(f'{kind}: _{kind}.draw' for kind in sorted(kinds))} }}"


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
    body = _INDENT.sub("", _TYPE.sub("", _REMARK.sub("", _COMMENT.sub("", body))))
    body = "".join(map(_line, body.splitlines())).replace("\n}", "}")
    return f"const _{name} = (() => {{\n{body}return {{ {exported} }};\n}})();\n"


def _line(line: str) -> str:
    """Return a line with its end, which is left out where a statement or list surely goes on."""
    parts = _STRING.split(line)
    plain = "`" not in line and "/" not in "".join(parts[::2])
    return _tight(line) + ("" if plain and line.endswith(("{", ";", ",", "(", "[")) else "\n")


def _tight(line: str) -> str:
    """Leave out spaces that say nothing; a line where one might say something stays as it is."""
    parts = _STRING.split(line)
    if line.count("`") > 2 or re.search("[/'\"`]", "".join(parts[::2])):
        return line  # a regular expression or comment, one template in another, or one that goes on
    return "".join(part if at % 2 else _SPACED.sub(r"\1", part) for at, part in enumerate(parts))


def _as_constants(found: re.Match[str]) -> str:
    return f"const {{ {found[1].replace(' as ', ': ')} }} = _{found[2]};"


@functools.cache
def static_style(kind: str) -> str:
    """Return the style that a static form carries: tokens, common pieces, the inspector's own."""
    return _styled(_rules("pieces") + _rules(kind))


@functools.cache
def live_style(*kinds: str) -> str:
    """Return the style of these inspectors' live forms, with that of every module they use.

    What is one kind's own holds below its root only: kinds that stand on one page may use the
    same class for different things.
    """
    shared = [name for name in _order(*kinds) if name not in kinds]
    own = (f".kind-{kind}{{{_rules(kind)}}}" for kind in kinds if _rules(kind))
    return _styled("".join(map(_rules, ("pieces", *shared))) + "".join(own))


def _rules(name: str) -> str:
    sheet = STATIC / f"{name}.css"
    return sheet.read_text() if sheet.exists() else ""


def _styled(rules: str) -> str:
    """Nest rules below the root: thrice its class, so that they hold against a notebook's."""
    css = _CSS_COMMENT.sub("", f"{_rules('tokens')}.nw.nw.nw{{{rules}}}")
    return _CSS_SPACE.sub(lambda found: found[1] or "", css).replace(";}", "}").strip()
