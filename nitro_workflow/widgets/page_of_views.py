"""One self-contained page: static forms that read without script, and the live ones in its place.

It asks no network: the policy in its head allows its own style and its own script, by its hash,
and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence

from nitro_workflow.widgets.drawing import Markup, tag, to_json
from nitro_workflow.widgets.es_modules import live_style, page_module
from nitro_workflow.widgets.inspectors import DROPPED, STILL, draw_html
from nitro_workflow.widgets.view import View

__all__ = ["saved_page"]

_GROUND = (
    ":root{color-scheme:light dark}body{margin:0;padding:20px 12px;background:#fff}"
    ".nw{margin-left:auto!important;margin-right:auto!important}"
    "@media(prefers-color-scheme:dark){:root:not([data-theme]) body{background:#0f1114}}"
    # Whoever shows the page in a frame may say which theme is theirs.
    "[data-theme=light]{color-scheme:light}[data-theme=dark]{color-scheme:dark}"
    "[data-theme=dark] body{background:#0f1114}"
)


def saved_page(views: Sequence[View], *, title: str, ask: str = "") -> str:
    """Return the HTML of a page with these views.

    ``ask`` is the address, on the server that sends the page, which answers questions; without it
    nobody does.
    """
    kinds = frozenset(view.model.kind for view in views) - STILL
    kinds |= DROPPED if "drop" in kinds else frozenset()
    script = page_module(kinds)
    sections = "\n".join(_section(view, number) for number, view in enumerate(views))
    models = json.dumps([to_json(view.model) for view in views]).replace("<", "\\u003c")
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src '{_hash(script)}'"
    policy += "; base-uri 'none'; form-action 'none'" + ("; connect-src 'self'" if ask else "")
    head = (
        '<meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width">'
        f"{tag('title', title)}"
        f"<style>{live_style(*sorted(kinds))}{_GROUND}</style>"
    )
    body = tag("body", Markup("{}"), data_ask=ask or None).replace(
        "{}",
        f"<main>{sections}</main>"
        f'<script type="application/json" id="nw-models">{models}</script>'
        f'<script type="module">{script}</script>',
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>{body}</html>\n'


def _section(view: View, number: int) -> str:
    html = draw_html(view.model)
    return html.replace("<section", f'<section data-nw-page="{number}"', 1)


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
