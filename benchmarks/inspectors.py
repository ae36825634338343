"""How soon an inspector shows, follows and decides, in a real Chromium.

    python benchmarks/inspectors.py

Each figure is the best of several rounds, so that a busy machine counts least.

- *visible*: from bytes to the page's first paint: Python's part, and the browser's from the page's
  arrival on. Limit 300 ms together. Of a large image a notebook shows the layout first, with
  "measuring", and the whole in its place when every byte has gone through SHA-384 twice: *whole*
  is Python's part of that.
- *selection*: from a click on a field to the layout with its bytes lit, the median of twenty.
  Limit 50 ms.
- *deciding*: from an edit of a policy's request to the new verdict on the page. Limit 100 ms.
- *command*: ``nitro-workflow inspect`` of a document, a process of its own. Limit 500 ms.
- *static HTML* of a document. Limit 200 KB.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, Page, Route, sync_playwright

from nitro_workflow.widgets import View, inspect, saved_page
from nitro_workflow.widgets.live_answers import told

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
DOCUMENT = ROOT / "tests" / "vectors" / "attestation" / "8e5652f3b009e620.bin"
ORIGIN = "http://inspect.invalid"  # answered by this process; nothing is resolved
ROUNDS = 5
LARGE = 64 << 20

PAINT = """() => new Promise((done) => {
  const arrived = performance.getEntriesByType("navigation")[0].responseEnd;
  new PerformanceObserver((list, all) => {
    const painted = list.getEntriesByName("first-contentful-paint")[0];
    if (painted) { all.disconnect(); done(painted.startTime - arrived); }
  }).observe({ type: "paint", buffered: true });
})"""
SELECT = """() => [...document.querySelectorAll("[role=treeitem]")].slice(0, 20).map((item) => {
  const begun = performance.now(); item.click(); document.body.offsetHeight;
  return performance.now() - begun;
}).sort((a, b) => a - b)[10]"""
DECIDE = """(field, text) => new Promise((done) => {
  const verdict = () => document.querySelector(".verdict").textContent;
  const [before, begun] = [verdict(), performance.now()];
  const all = new MutationObserver(() => {
    if (verdict() !== before) { all.disconnect(); done(performance.now() - begun); }
  });
  all.observe(document.body, { childList: true, subtree: true, characterData: true });
  field.value = text; field.dispatchEvent(new Event("input", { bubbles: true }));
})"""


def show(browser: Browser, view: View) -> Page:
    """Return the page of a view; its questions are answered by this process."""
    page = browser.new_page()
    html = saved_page([view], title="benchmark", ask="ask")

    def answer(route: Route) -> None:
        if route.request.method == "POST":
            route.fulfill(json=told(view.answers, json.loads(route.request.post_data or "null")))
        else:
            route.fulfill(body=html, content_type="text/html")

    page.route(f"{ORIGIN}/**", answer)
    page.goto(f"{ORIGIN}/")
    page.locator(".live .verdict").first.wait_for()
    return page


def visible(browser: Browser, path: Path) -> tuple[float, float, float]:
    """Return milliseconds of Python and of the browser, and of Python until all is known."""
    python, paint, whole = [], [], []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        view = inspect(path, at="document")
        first = view.soon or view
        saved_page([first], title="benchmark")
        python.append((time.perf_counter() - begun) * 1000)
        saved_page([view], title="benchmark")
        whole.append((time.perf_counter() - begun) * 1000)
        page = show(browser, first)
        paint.append(page.evaluate(PAINT))
        page.close()
    return min(python), min(paint), min(whole)


def image(folder: Path, size: int) -> Path:
    """Return an image with a file of random bytes."""
    from nitro_workflow.image.ramdisk import file_node, folder_node
    from tests.widgets.inspectors.image_cases import archive, write_eif

    nodes = file_node(b"cmd", b"/app\n"), folder_node(b"rootfs")
    files = [file_node(b"rootfs/%05d" % at, os.urandom(size // 2000)) for at in range(2000)]
    return Path(write_eif(folder / f"{size}.eif", app=archive(*nodes, *files)))


def command() -> tuple[float, float]:
    """Return milliseconds of a command: by the clock, and of the processor."""
    words = [str(Path(sys.executable).parent / "nitro-workflow"), "inspect", str(DOCUMENT)]
    # An installed package is compiled; a shell that forbids it makes each run compile all of it.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env=environment)
    clock, processor = [], []
    for _ in range(ROUNDS):
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env=environment)
        clock.append((time.perf_counter() - begun) * 1000)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        processor.append(used * 1000)
    return min(clock), min(processor)


def best(measure: Callable[[], float]) -> float:
    """Return the best of several rounds."""
    return min(measure() for _ in range(ROUNDS))


def main() -> None:
    """Print the figures."""
    from tests.browser.chromium import FLAGS, find_chromium
    from tests.widgets.inspectors.policy_cases import GOOD, inquiry

    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        files = {"document": DOCUMENT, "image, 1 MB": image(Path(folder), 1 << 20),
                 "image, 64 MB": image(Path(folder), LARGE)}  # fmt: skip
        for name, file in files.items():
            python, paint, whole = visible(browser, file)
            print(f"visible, {name:<14} {python:7.0f} ms of Python, {paint:.0f} ms of the browser,"
                  f" whole {whole:.0f} ms")  # fmt: skip
        page = show(browser, inspect(DOCUMENT, at="document"))
        print(f"selection              {best(lambda: page.evaluate(SELECT)):8.1f} ms")
        asked = inquiry()
        texts = iter([GOOD["PCR0"], ""] * ROUNDS)  # each flips the verdict
        page = show(browser, View(asked.model({}), answers={"decide": asked.answer}))
        pcr0 = page.get_by_role("textbox", name="PCR0").first
        took = best(lambda: pcr0.evaluate(DECIDE, next(texts)))
        print(f"deciding               {took:8.1f} ms")
        browser.close()
    clock, processor = command()
    print(f"command                {clock:8.0f} ms, {processor:.0f} ms of the processor")
    size = len(inspect(DOCUMENT, at="document").html.encode())
    print(f"static HTML            {size:8,} bytes")


if __name__ == "__main__":
    main()
