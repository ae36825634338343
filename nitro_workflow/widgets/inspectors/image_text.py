"""An image as lines: verdict, sections, findings, what is inside, what differs."""

from __future__ import annotations

from collections.abc import Iterator

from nitro_workflow.widgets.drawing import (
    MARKS,
    digest_lines,
    fact_lines,
    head_lines,
    indented,
    table_lines,
)
from nitro_workflow.widgets.formats import file_count, size
from nitro_workflow.widgets.inspectors.image_model import ImageModel, RamdiskView
from nitro_workflow.widgets.inspectors.images_compared import ImagesCompared

__all__ = ["draw_text"]


def draw_text(model: ImageModel) -> Iterator[str]:
    """Yield the lines of the whole view."""
    yield from head_lines(model.head)
    if model.compared is not None:
        yield from _compared(model.compared)
    lines = ((one.name, f"{one.offset:>12,}", f"{one.size:>12,}", " ".join(one.pcrs) or "in no PCR",
              one.says) for one in model.sections)  # fmt: skip
    if model.sections:
        head = ("section", f"{'offset':>12}", f"{'bytes':>12}", "measured in", "")
        yield from table_lines(head, lines)
    for one in model.sections:
        if one.text:
            yield f"  {one.name}"
            yield from indented(one.text.splitlines(), "    ")
    for severity, where, found, expected in model.findings:
        yield f"  {severity}: {where}: {found}; expected {expected}"
    for ramdisk in model.ramdisks:
        yield from _ramdisk(ramdisk)
    for name, digest in model.pcrs:
        yield from fact_lines(((name, "\n".join(digest_lines(digest))),))


def _ramdisk(one: RamdiskView) -> Iterator[str]:
    yield f"  Inside the {one.name}: {file_count(one.files)}, {size(one.size)}"
    if one.problem:
        yield f"    ! {one.problem}"
    lines = (
        (name, f"{files:>7,} files", f"{count:>14,} bytes") for name, files, count in one.groups
    )
    yield from table_lines(("", "", ""), lines, "    ")
    yield from (f"    largest: {path}, {size(count)}" for path, count in one.largest[:3])


def _compared(one: ImagesCompared) -> Iterator[str]:
    yield f"  {one.a} and {one.b}: {one.verdict}"
    for pcr in one.pcrs:
        said = (
            f"{MARKS['good']} {pcr.name} equal"
            if pcr.same
            else f"{MARKS['bad']} {pcr.name} differs"
        )
        yield f"    {said}"
        if not pcr.same:
            for name, digest in ((one.a, pcr.a), (one.b, pcr.b)):
                text = "\n".join(digest_lines(digest)) if digest else "not signed"
                yield from fact_lines(((name, text),), "        ")
    yield from table_lines(("", "", "", ""), one.sections, "    ")
    for file in one.files:
        yield f"    {file.change} {file.path} ({file.place}): {file.what}"
        yield from indented(file.lines, "        ")
    if one.left_out:
        yield f"    and {one.left_out:,} more files"
    yield from (f"    {text}" for text in (*one.other, *one.meaning))
