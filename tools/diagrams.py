"""Draw the notebooks' Mermaid diagrams to ``docs/site/diagrams``: ``python tools/diagrams.py``.

JupyterLab's own Mermaid draws them, in both themes, as a learner sees them; the site then shows
pictures and loads nothing. Needs Chromium. A picture is named by its source's digest: what is there
is not drawn again, what is of no notebook any more is removed.
"""

from __future__ import annotations

import json
import re
import sys
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote_to_bytes

import nbformat
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "site")]

from nitro_site.diagram_files import FOLDER, THEMES, picture  # noqa: E402

from tests.browser.chromium import FLAGS, find_chromium  # noqa: E402
from tests.browser.jupyterlab import address_in, jupyterlab, use_dark_theme  # noqa: E402

NAME = "diagrams.ipynb"
FENCE = re.compile(r"^```mermaid\n(.*?)^```", re.DOTALL | re.MULTILINE)
WAIT_MS = 60_000


def sources() -> Iterator[str]:
    """Return every Mermaid fence of the notebooks."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                yield from FENCE.findall(cell.source)


def draw(wanted: list[str], theme: str) -> Iterator[bytes]:
    """Return JupyterLab's picture of each diagram, in order."""
    with TemporaryDirectory() as folder:
        place, settings = Path(folder, "files"), Path(folder, "settings")
        place.mkdir()
        cells = [nbformat.v4.new_markdown_cell(f"```mermaid\n{source}```") for source in wanted]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), place / NAME)
        if theme == "dark":
            use_dark_theme(settings)
        _show_every_cell(settings)
        with jupyterlab(place, settings) as address, sync_playwright() as play:
            browser = play.chromium.launch(executable_path=find_chromium(), args=FLAGS)
            page = browser.new_page(viewport={"width": 1000, "height": 900})
            page.goto(address_in("lab", address, NAME))
            yield from _pictures(page, len(wanted))
            browser.close()


def _show_every_cell(settings: Path) -> None:
    """Have JupyterLab draw the cells below the screen too."""
    folder = settings / "settings" / "@jupyterlab" / "notebook-extension"
    folder.mkdir(parents=True)
    value = json.dumps({"windowingMode": "none"})
    (folder / "tracker.jupyterlab-settings").write_text(value)


def _pictures(page: Page, count: int) -> Iterator[bytes]:
    drawn = page.locator(".jp-RenderedMermaid img")
    drawn.nth(count - 1).wait_for(timeout=WAIT_MS)
    for at in range(count):
        head, _, body = (drawn.nth(at).get_attribute("src") or "").partition(",")
        yield b64decode(body) if "base64" in head else unquote_to_bytes(body)


def main() -> None:
    """Draw what is missing, remove what is left over."""
    every = list(sources())
    FOLDER.mkdir(exist_ok=True)
    kept = {picture(source, theme) for source in every for theme in THEMES}
    for left in set(FOLDER.glob("*.svg")) - kept:
        left.unlink()
    for theme in THEMES:
        wanted = [source for source in every if not picture(source, theme).exists()]
        for source, image in zip(wanted, draw(wanted, theme) if wanted else (), strict=True):
            path = picture(source, theme)
            path.write_bytes(image.strip() + b"\n")
            print(path.name)


if __name__ == "__main__":
    main()
