"""When a page has drawn what it was asked for."""

from __future__ import annotations

# What the page plans for its next frame is done after two; `unanswered` are the questions to Python.
SETTLED = """async () => {
  for (const _ of "12") await new Promise(requestAnimationFrame);
  return !window.unanswered && document.getAnimations().every((one) => one.playState !== "running");
}"""


def settled(page):
    """Wait until no question is open, nothing moves, and nothing is planned for a next frame."""
    page.wait_for_function(SETTLED)
    return page
