"""Where a long name in the code font may go on in the next line: at its joints.

Sphinx writes each word of code as a piece that does not wrap, so that no ``--option`` breaks at a
hyphen. A long name then makes its table wider than the page. Here a long word is cut into several
such pieces, with a ``<wbr>`` between them: what is copied or searched for stays one name.
"""

from __future__ import annotations

import re
from html import escape, unescape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

WHOLE = 18  # characters: a shorter word stays in one piece
LONGEST = 32  # characters in one piece: half of a SHA-256 digest fits a phone's line
WORD = re.compile(r'<span class="pre">([^<]*)</span>')
JOINT = re.compile(
    r"(?<=[^\W_]{2})[_./,:;=|+&]+[\[('\"~]*(?=[^\W\d_]{3})"  # after_ and so:on, not in 1,024
    r"|(?<=[a-z]{2})(?=[A-Z][a-z])"  # beforeEach
)


def with_breaks(html: str) -> str:
    """Return the page with long words of code in pieces, which may stand in two lines."""
    return WORD.sub(lambda found: _pieces(found[0], unescape(found[1])), html)


def _pieces(whole: str, word: str) -> str:
    if len(word) <= WHOLE:
        return whole
    parts = JOINT.sub("\\g<0>\0", word).split("\0")
    pieces = [part[at : at + LONGEST] for part in parts for at in range(0, len(part), LONGEST)]
    return "<wbr>".join(f'<span class="pre">{escape(piece)}</span>' for piece in pieces)


def _break_words(
    _app: Sphinx, _page: str, _template: str, context: dict[str, object], _tree: object
) -> None:
    if isinstance(body := context.get("body"), str):
        context["body"] = with_breaks(body)


def setup(app: Sphinx) -> dict[str, bool]:
    """Let every page's body pass through `with_breaks`."""
    app.connect("html-page-context", _break_words)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
