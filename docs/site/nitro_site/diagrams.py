"""Mermaid's fences as the pictures that `make diagrams` drew: nothing is loaded to show them."""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

from nitro_site.diagram_files import THEMES, picture, said


class DrawnDiagrams(SphinxTransform):
    """Puts a picture for each theme in a fence's place; its text twin is the picture's text."""

    default_priority = 400  # before images are collected and code is highlighted

    def apply(self, **_: object) -> None:
        """Replace every fence of the document."""
        for fence in list(self.document.findall(nodes.literal_block)):
            if fence.get("language") == "mermaid":
                fence.parent.replace(fence, self._pictures(fence))

    def _pictures(self, fence: nodes.literal_block) -> nodes.Element:
        figure = nodes.container(classes=["diagram"])
        for theme in THEMES:
            path = picture(fence.astext(), theme)
            if not path.exists():
                logging.getLogger(__name__).warning(
                    "no picture of this diagram; `make diagrams` draws it", location=fence
                )
                return fence
            uri = f"/{path.relative_to(self.env.srcdir).as_posix()}"
            alt = f"{said('accTitle', fence.astext())}. {said('accDescr', fence.astext())}"
            figure += nodes.image(uri=uri, alt=alt, classes=[f"only-{theme}"])
        return figure


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the transform."""
    app.add_transform(DrawnDiagrams)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
