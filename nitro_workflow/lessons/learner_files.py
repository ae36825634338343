"""The files that a learner takes apart: the image, its root filesystem, an image from elsewhere."""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path
from typing import Any

from nitro_workflow.errors import UsageError
from nitro_workflow.image import open_image, ramdisk_entries
from nitro_workflow.lab import Lab, build_inputs, image_of
from nitro_workflow.lessons.lesson_errors import in_a_lesson
from nitro_workflow.lessons.offered_image import make_offered, try_application
from nitro_workflow.widgets import Listing, View

__all__ = ["LearnerFiles"]


class LearnerFiles:
    """The part of a `Lesson` that hands files out."""

    lab: Lab

    @in_a_lesson
    def image_file(self) -> Path:
        """Return where the developer's image lies."""
        return image_of(self.lab.bench)

    @in_a_lesson
    def build_inputs(self) -> dict[str, Any]:
        """Return what P6 gives to `nitro_workflow.image.build_image`: all but ``output``.

        Raises `LabError` before P5.
        """
        return build_inputs(self.lab.bench)

    @in_a_lesson
    def scratch(self, name: str) -> Path:
        """Return a place for a file of the learner's own, in the lab's folder.

        Raises `UsageError` for a name that leads elsewhere.
        """
        if not name or Path(name).name != name:
            raise UsageError(
                f"the name {name!r}",
                expected="one name, without folders",
                where="lesson.scratch",
                next="give a name such as again.eif",
            )
        folder = self.lab.path / "course" / "scratch"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder / name

    @in_a_lesson
    def source(self, path: str, name: str) -> Listing:
        """Show a function or a class, as the root filesystem of the image has it.

        ``name`` is as Python has it: ``Aggregator._summary``. Raises `UsageError` for what is not
        there.
        """
        file = self.build_inputs()["rootfs"] / path
        found = _segment(file.read_text(), name) if file.is_file() else None
        if found is None:
            raise UsageError(
                f"{name} of {path}",
                expected="a file of the root filesystem, and a function or class of it",
                where="lesson.source",
                next="look for it: lesson.origins() and lesson.image() show what is there",
            )
        return Listing(f"{path}: {name}", found, "python")

    @in_a_lesson
    def offered_image(self) -> Path:
        """Return an image that somebody hands in: "a comment and the version, nothing else"."""
        return make_offered(self.lab.bench, self.scratch("offered.eif"))

    @in_a_lesson
    def read_from_image(self, image: Path, path: str) -> bytes:
        """Return a file of an image's second ramdisk, whole. Raises `UsageError` where none is."""
        with open_image(image) as opened:
            for entry in ramdisk_entries(opened, 1):
                if entry.path == path and entry.kind == "file":
                    return b"".join(entry.data())
        raise UsageError(
            f"no file {path!r} in {Path(image).name}",
            expected="a path as lesson.image() shows it, from rootfs/ on",
            where="lesson.read_from_image",
            next="look for the name there",
        )

    @in_a_lesson
    def try_application(self, image: Path) -> View:
        """Show what an image's own aggregation answers for six made-up rows.

        It is run as you, outside of any sandbox: so `UsageError` for an image that was not built
        in this lesson.
        """
        known = {self.scratch(name).resolve() for name in ("ours.eif", "offered.eif")}
        if Path(image).resolve() not in known:
            raise UsageError(
                f"the image {Path(image).name}",
                expected="ours.eif or offered.eif of lesson.scratch",
                where="lesson.try_application",
                next="run the program of another image in an enclave, not here",
            )
        return try_application(image)


def _segment(text: str, name: str) -> str | None:
    """Return the source of a function or class, dedented as it stands."""
    body: list[ast.stmt] = ast.parse(text).body
    node: ast.stmt | None = None
    for part in name.split("."):
        found = [
            one
            for one in body
            if isinstance(one, (ast.FunctionDef, ast.ClassDef)) and one.name == part
        ]
        if not found:
            return None
        node, body = found[0], found[0].body
    found_text = ast.get_source_segment(text, node, padded=True) if node is not None else None
    return None if found_text is None else textwrap.dedent(found_text)
