"""axe-core and contrast, in the page that a test has drawn."""

from __future__ import annotations

import shutil

from tests.javascript.javascript_tools import javascript_tools

__all__ = ["CONTRAST", "serious", "with_axe"]


def with_axe(page, require):
    """Put axe-core into the page; skips or fails, as `require` says, where npm is not there."""
    require("node", shutil.which("npm") is not None, "install Node.js 20 with npm")
    with javascript_tools() as tools:
        page.add_script_tag(path=str(tools / "node_modules" / "axe-core" / "axe.min.js"))


def serious(page):
    """Return axe's serious and critical findings, each with the elements."""
    found = page.evaluate("axe.run(document.getElementById('host'))")
    return [
        (one["id"], [node["target"] for node in one["nodes"]][:5])
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
    ]


# The lowest contrast ratio (WCAG 2) between any text and the ground it stands on.
CONTRAST = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (c) => [0.2126, 0.7152, 0.0722].reduce((sum, k, i) => {
    const v = c[i] / 255; return sum + k * (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); }, 0);
  const ground = (node) => { for (; node; node = node.parentElement) {
    const c = rgb(getComputedStyle(node).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } return [255,255,255]; };
  let worst = { ratio: 21 };
  for (const node of document.querySelectorAll("#host *")) {
    if (![...node.childNodes].some((kid) => kid.nodeType === 3 && kid.textContent.trim())) continue;
    const [a, b] = [light(rgb(getComputedStyle(node).color)), light(ground(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst.ratio) worst = { ratio, text: node.textContent.slice(0, 60) };
  }
  return worst;
}"""
