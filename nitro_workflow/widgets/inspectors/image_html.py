"""An image as HTML without script: the map, the sections, what is inside, what differs."""

from __future__ import annotations

from nitro_workflow.widgets.drawing import (
    Digest,
    Kid,
    Markup,
    card,
    code,
    diff_html,
    digest_html,
    facts,
    fold,
    mark,
    picture_svg,
    rows,
    section,
    tag,
)
from nitro_workflow.widgets.formats import file_count, size
from nitro_workflow.widgets.inspectors.charts import chart_html
from nitro_workflow.widgets.inspectors.image_model import ImageModel, RamdiskView, SectionView
from nitro_workflow.widgets.inspectors.images_compared import (
    ChangedFile,
    ChangedPcr,
    ImagesCompared,
)

__all__ = ["draw_html"]

_TONES = {"error": "bad", "warning": "warning", "note": "neutral"}


def draw_html(model: ImageModel) -> Markup:
    """Return the whole card."""
    return card(
        model.head,
        _compared(model.compared) if model.compared else None,
        _map(model) if model.sections else None,
        _sections(model) if model.sections else None,
        _findings(model) if model.findings else None,
        *map(_ramdisk, model.ramdisks),
        section("What it measures to", facts((name, digest_html(one)) for name, one in model.pcrs))
        if model.pcrs
        else None,
        label="Enclave image",
        aside=picture_svg(model.picture.picture) if model.picture else None,
    )


def _map(model: ImageModel) -> Markup:
    return section("The file, to scale", chart_html(model.chart))


def _sections(model: ImageModel) -> Markup:
    head = ("section", "offset", "bytes", "measured in", "")
    lines = ((one.name, f"{one.offset:,}", f"{one.size:,}", _measured(one.pcrs), _says(one))
             for one in model.sections)  # fmt: skip
    return tag("div", rows(head, lines, label="Sections"), class_="part sections")


def _measured(pcrs: tuple[str, ...]) -> Kid:
    if not pcrs:
        return tag("span", "in no PCR", class_="note")
    # The space stands between names where the style is dropped.
    return tag("span", *(kid for name in pcrs for kid in (tag("b", name, class_="pcrtag"), " ")))


def _says(one: SectionView) -> Kid:
    if not one.text:
        return tag("span", one.says, class_="note")
    return fold(tag("span", one.says, class_="note"), tag("pre", one.text))


def _findings(model: ImageModel) -> Markup:
    lines = ((mark(_TONES.get(severity, "neutral"), severity), where, found, expected)  # type: ignore[arg-type]
             for severity, where, found, expected in model.findings)  # fmt: skip
    table = rows(("", "rule", "found", "expected"), lines, label="What the validator says")
    return section("What the validator says", table)


def _ramdisk(one: RamdiskView) -> Markup:
    title = f"Inside the {one.name}: {file_count(one.files)}, {size(one.size)}; width is size"
    groups = ((code(name), f"{files:,}", f"{count:,}") for name, files, count in one.groups)
    largest = ((code(path), f"{count:,}") for path, count in one.largest)
    problem = tag("p", mark("warning", one.problem)) if one.problem else None
    return section(
        title, problem, chart_html(one.chart),
        rows(("folder", "files", "bytes"), groups, label=f"Folders of the {one.name}"),
        fold("the largest files", rows(("file", "bytes"), largest)) if one.largest else None,
    )  # fmt: skip


def _compared(one: ImagesCompared) -> Markup:
    pcrs = ((pcr.name, _said(pcr), _digest(pcr.a), None if pcr.same else _digest(pcr.b))
            for pcr in one.pcrs)  # fmt: skip
    whole = ((f"{pcr.name} of {name}", tag("code", digest.hex)) for pcr in one.pcrs
             for name, digest in ((one.a, pcr.a), (one.b, pcr.b)) if digest)  # fmt: skip
    kids: list[Kid] = [
        rows(("", "", one.a, one.b), pcrs, label="PCRs of both"),
        fold("the cut values, whole", rows(("", ""), whole, label="Whole values")),
        rows(("section", "", "bytes", "measured in"), one.sections) if one.sections else None,
        *map(_file, one.files),
        tag("p", f"and {one.left_out:,} more files", class_="note") if one.left_out else None,
        tag("ul", *(tag("li", text) for text in one.other)) if one.other else None,
        tag("p", tag("b", "What that does to a policy"), class_="title"),
        tag("ul", *(tag("li", text) for text in one.meaning)),
    ]
    return section(f"{one.a} and {one.b}, side by side", *kids)


def _said(pcr: ChangedPcr) -> Markup:
    if pcr.same:
        return mark("good", "equal") if pcr.a else mark("neutral", "neither is signed")
    return mark("bad", "differs")


def _digest(one: Digest | None) -> Kid:
    return tag("span", "not signed", class_="note") if one is None else digest_html(one, groups=4)


def _file(one: ChangedFile) -> Markup:
    signs = {"added": "+", "removed": "−", "changed": "~"}
    name = tag("span", tag("b", signs.get(one.change, "~")), " ", code(one.path), f" {one.change}: "
               f"{one.what}", tag("span", f" {one.place}", class_="note"))  # fmt: skip
    if not one.lines:
        return tag("p", name, class_="changed")
    return tag(
        "div",
        fold(name, diff_html((line, -1) for line in one.lines), opened=True),
        class_="changed",
    )
