r"""What every inspector is drawn with: text that cannot become markup, heads, digests, tables.

>>> from nitro_workflow.widgets.drawing import Head, head_lines, tag
>>> tag("p", "<b> of an attacker's", tag("b", "ours"), class_="why")
'<p class="why">&lt;b&gt; of an attacker&#x27;s<b>ours</b></p>'
>>> print(*head_lines(Head("PCRs", "PCR0 differs", "bad", next="Build again.")), sep="\n")
✗ PCR0 differs
  PCRs
  next  Build again.

A model is a frozen dataclass with a `kind` and a `Head`; these pieces draw its parts as HTML
without script (`html_*`) and as lines of text (`text_*`). `static/common.js` has the same pieces.
"""

from nitro_workflow.widgets.drawing.digests import (
    Digest,
    Picture,
    digest_of,
    first_difference,
    grouped,
    groups_of,
)
from nitro_workflow.widgets.drawing.html_cards import card, fold, section
from nitro_workflow.widgets.drawing.html_changes import diff_html
from nitro_workflow.widgets.drawing.html_digests import digest_html, picture_svg
from nitro_workflow.widgets.drawing.html_pieces import (
    chip,
    code,
    facts,
    mark,
    rows,
    scale_bar,
)
from nitro_workflow.widgets.drawing.markup import Kid, Markup, drawn_text, tag
from nitro_workflow.widgets.drawing.plain_values import TEXT_LIMIT, to_json, visible
from nitro_workflow.widgets.drawing.text_pieces import (
    digest_lines,
    dump_lines,
    fact_lines,
    head_lines,
    indented,
    table_lines,
)
from nitro_workflow.widgets.drawing.verdicts import MARKS, WORDS, Head, Model, Tone

__all__ = [
    "MARKS",
    "TEXT_LIMIT",
    "WORDS",
    "Digest",
    "Head",
    "Kid",
    "Markup",
    "Model",
    "Picture",
    "Tone",
    "card",
    "chip",
    "code",
    "diff_html",
    "digest_html",
    "digest_lines",
    "digest_of",
    "drawn_text",
    "dump_lines",
    "fact_lines",
    "facts",
    "first_difference",
    "fold",
    "grouped",
    "groups_of",
    "head_lines",
    "indented",
    "mark",
    "picture_svg",
    "rows",
    "scale_bar",
    "section",
    "table_lines",
    "tag",
    "to_json",
    "visible",
]
