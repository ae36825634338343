"""Draw inspectors in both themes to ``docs/pictures/``: ``python tools/pictures.py [NAME…]``.

Needs Chromium. A picture is the live form as a reader meets it, with real bytes; those of a walk
are drawn where `NITRO_WORKFLOW_LAB` names a lab that has walked (`make pictures` makes one).
"""

from __future__ import annotations

import json
import os
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from playwright.sync_api import Browser, Page, Route, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from nitro_workflow.image import BootParts, build_image  # noqa: E402
from nitro_workflow.lessons import open_lesson  # noqa: E402
from nitro_workflow.widgets import Question, View, Views, inspect, saved_page  # noqa: E402
from nitro_workflow.widgets.live_answers import told  # noqa: E402
from nitro_workflow.widgets.samples import sample  # noqa: E402
from tests.browser.chromium import FLAGS, find_chromium  # noqa: E402

OUT = ROOT / "docs" / "pictures"
VECTORS = ROOT / "tests" / "vectors"
ORIGIN = "http://inspect.invalid"  # answered by this process; nothing is resolved
WIDTH = 900
SETTLE_MS = 900

Make = Callable[[], View | Views]
Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")


def image(folder: Path) -> Path:
    """Build a small image, so that there is one to look at."""
    root = folder / "rootfs"
    root.mkdir()
    (root / "app").write_text("#!/bin/sh\necho hello\n")
    (root / "app").chmod(0o755)
    out = folder / "app.eif"
    build_image(
        rootfs=root, command=["/app"], environment={}, output=out, name="app", version="1",
        boot=BootParts.stand_in("x86_64"), build_time=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    return out


def makers(folder: Path) -> dict[str, Make]:
    """Return what is drawn, by the name of its picture."""
    log = sample("attested.log")
    eif = image(folder)
    made: dict[str, Make] = {
        "document": lambda: inspect(log, at="document"),
        "document_refused": lambda: inspect(log),
        "chain": lambda: _first(inspect(log, at="document")).chain,
        "bytes": lambda: inspect(b"\x84\x44\xa0 no form at all"),
        "drop": inspect,
        "envelope": lambda: inspect(VECTORS / "cms" / "aws_sdk_c_0" / "envelope.ber"),
        "image": lambda: inspect(eif),
        "policy": lambda: inspect(VECTORS / "policies" / "eks_wallet.json"),
    }
    return made | (walked() if os.environ.get("NITRO_WORKFLOW_LAB") else {})


def walked() -> dict[str, Make]:
    """Return the views of a walk."""
    lesson = open_lesson("08")
    made: dict[str, Make] = {
        name: getattr(lesson, name)
        for name in ("pcrs", "decision", "image", "trace", "message", "result", "enclaves")
    }
    return made | {
        "job": lesson.trace,
        "attack": lambda: lesson.attack("decrypt-without-document"),
        "changes": lambda: lesson.difference("P7"),
        "question": lambda: (
            Question(
                "The instance's role repeats the enclave's whole request. What comes back?",
                ("A refusal", "An answer that it cannot open", "The data key"),
                lambda _: "Kept: you may change it until it is marked.",
            ).view
        ),
        "step": lambda: lesson.run("D4"),
        "workflow": lesson.steps,
    }


def _first(view: View | Views) -> View:
    return view[0] if isinstance(view, Views) else view


def draw(browser: Browser, name: str, view: View, theme: Theme) -> None:
    """Draw one view in one theme."""
    page = browser.new_page(viewport={"width": WIDTH, "height": 600}, color_scheme=theme)
    html = saved_page([view], title=name, ask="ask")

    def answer(route: Route) -> None:
        if route.request.method == "POST":
            reply = told(view.answers, json.loads(route.request.post_data or "null"))
            route.fulfill(json=reply)
        else:
            route.fulfill(body=html, content_type="text/html")

    page.route(f"{ORIGIN}/**", answer)
    page.goto(f"{ORIGIN}/")
    page.wait_for_timeout(SETTLE_MS)
    _act(page, name)
    picture = _taken(page, name)
    (OUT / f"{name}_{theme}.png").write_bytes(smaller(picture))
    page.close()


def _act(page: Page, name: str) -> None:
    """Do what a reader would, where a picture says more then."""
    if name == "chain":
        page.get_by_role("button", name="a minute later").click()
    if name == "job":
        page.get_by_label("Job", exact=True).select_option(index=1)
        page.get_by_role("button", name="Parent instance", exact=True).click()
    if name == "question":
        page.get_by_role("radio").first.check()
    page.wait_for_timeout(SETTLE_MS)


def _taken(page: Page, name: str) -> bytes:
    """Take the card; of "job", which stands at the head of the README, without its last part."""
    card = page.locator(".card").first
    if name != "job":
        return card.screenshot(animations="disabled")
    box, legend = card.bounding_box(), page.locator(".legend").first.bounding_box()
    if box is None or legend is None:
        sys.exit("the trace is not drawn")
    clip = {**box, "height": legend["y"] - box["y"]}
    return page.screenshot(animations="disabled", full_page=True, clip=clip)  # type: ignore[arg-type]


def smaller(png: bytes) -> bytes:
    """Return the same picture, packed as tightly as zlib can (PNG specification, §11)."""
    chunks = list(_chunks(png))
    data = zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
    kept = [(kind, body) for kind, body in chunks if kind in (b"IHDR", b"PLTE", b"tRNS")]
    out = png[:8]
    for kind, body in (*kept, (b"IDAT", zlib.compress(data, 9)), (b"IEND", b"")):
        crc = zlib.crc32(kind + body)
        out += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)
    return out


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length


def main() -> None:
    """Draw the pictures named, or all of them."""
    OUT.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="nitro-pictures-") as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        for name, make in makers(Path(folder)).items():
            if sys.argv[1:] and name not in sys.argv[1:]:
                continue
            view = make()
            one = _first(view)
            for theme in THEMES:
                draw(browser, name, one, theme)
            print(name, flush=True)
        browser.close()


if __name__ == "__main__":
    main()
