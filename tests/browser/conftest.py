"""A real Chromium, and a page that runs the inspector as JupyterLab would."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from nitro_workflow.widgets.drawing import to_json
from nitro_workflow.widgets.es_modules import drop_module, live_module, live_style
from nitro_workflow.widgets.inspectors import DROPPED, KINDS
from nitro_workflow.widgets.live_answers import told
from tests.browser.chromium import FLAGS, find_chromium

PATIENCE_MS = 60_000  # what is waited for comes; the limit only ends a test that would hang
expect.set_options(timeout=PATIENCE_MS)

# JupyterLab's variables, as its two themes set them.
DARK = (
    "--jp-layout-color0:#111;--jp-layout-color1:#212121;--jp-layout-color2:#424242;"
    "--jp-ui-font-color1:#fff;--jp-border-color2:#616161;--jp-brand-color1:#42a5f5;"
)


@pytest.fixture
def chromium(require):
    """Return the path of Chromium."""
    path = find_chromium()
    require("browser", path is not None, "apt-get install chromium")
    return path


@pytest.fixture
def page(chromium):
    """Return an empty page; every error of its console fails the test."""
    from playwright.sync_api import sync_playwright

    errors: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1100, "height": 900})
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: None if _others(error) else errors.append(str(error)))
        yield page
        browser.close()
    assert errors == []


def _others(error) -> bool:
    """Tell what is none of ours: Notebook 7's own errors, and anywidget's clock of two seconds."""
    own = "/static/notebook/" in (error.stack or "")
    return own or error.message == "[anywidget] Failed to initialize model."


# What anywidget gives a renderer; questions are answered by the view's own functions, and wait while
# a test has them `held`.
LIVE = """
const state = MODEL;
const handlers = {};
window.unanswered = 0;
const box = {
  send: async (message) => {
    window.unanswered += 1;
    await window.held;
    const answer = await window.askPython(message);
    for (const hear of handlers["msg:custom"]) hear(answer);
    window.unanswered -= 1;
  },
  on: (name, handler) => { (handlers[name] ??= new Set()).add(handler); },
  off: (name, handler) => { handlers[name].delete(handler); },
};
const model = { get: (name) => (name === "layout" ? box : state[name]), on() {}, off() {} };
const url = URL.createObjectURL(new Blob([MODULE], { type: "text/javascript" }));
const { default: widget } = await import(url);
window.cleanup = widget.render({ model, el: document.getElementById("host") });
document.body.dataset.ready = "yes";
"""
THEMES = {
    "light": 'data-jp-theme-light="true" style="background:#fff',
    "dark": f'data-jp-theme-light="false" style="background:#111;{DARK}--jp-layout-color0:#111;',
}


def _module(kind):
    return drop_module(DROPPED) if kind == "drop" else live_module(kind)


@pytest.fixture
def show(page):
    """Show a view's live form in the page, light or dark."""
    asked: list = []

    def draw(view, *, theme="light", answers=True):
        asked[:] = [view]
        if not page.evaluate("'askPython' in window"):
            page.expose_function("askPython", lambda message: told(asked[0].answers, message))
        state = {"model": to_json(view.model), "answers": answers and bool(view.answers)}
        script = LIVE.replace("MODEL", json.dumps(state), 1)
        script = script.replace("MODULE", json.dumps(_module(view.model.kind)), 1)
        script = script.replace("</", "<\\/")
        page.set_content(
            f"<!doctype html><html lang=en><title>Inspector</title>"
            f"<style>{live_style(*sorted(KINDS))}</style>"
            f'<body {THEMES[theme]}"><main id="host"></main>'
            f'<script type="module">{script}</script>'
        )
        page.wait_for_selector("body[data-ready=yes]")
        return page

    return draw
