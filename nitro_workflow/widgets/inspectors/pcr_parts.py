"""What feeds each PCR, with sizes, and how to compute PCR0 without this package."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from os import PathLike
from pathlib import Path

from nitro_workflow.image import Image, Section, SectionKind, open_image
from nitro_workflow.widgets.formats import size
from nitro_workflow.widgets.inspectors.charts import Chart, Shape, box, bracket, label, line

__all__ = ["PcrPart", "compute_pcr0", "outside", "part_name", "parts_chart", "parts_of", "pcrs_of"]

_KINDS = {
    SectionKind.KERNEL: "kernel",
    SectionKind.CMDLINE: "command line",
    SectionKind.METADATA: "metadata",
    SectionKind.SIGNATURE: "signature",
}


@dataclass(frozen=True, slots=True)
class PcrPart:
    """What is measured: its bytes, or -1 where they are not known, and into which PCRs.

    ``inside`` says whether the image file holds it.
    """

    name: str
    size: int
    pcrs: tuple[str, ...]
    inside: bool = True


def part_name(image: Image, section: Section) -> str:
    """Return how a person calls a section."""
    if section.kind is not SectionKind.RAMDISK:
        return _KINDS[section.kind]
    number = image.ramdisks.index(section)
    rest = f" {number}" if len(image.ramdisks) > 2 else ""
    return "boot ramdisk" if number == 0 else f"application ramdisk{rest}"


def pcrs_of(image: Image, section: Section) -> tuple[str, ...]:
    """Return the PCRs that a section is hashed into (image-format README, "PCRs")."""
    if section.kind in {SectionKind.KERNEL, SectionKind.CMDLINE}:
        return ("PCR0", "PCR1")
    if section.kind is SectionKind.RAMDISK:
        return ("PCR0", "PCR1") if section == image.ramdisks[0] else ("PCR0", "PCR2")
    return ("PCR8",) if section.kind is SectionKind.SIGNATURE else ()


def parts_of(file: object) -> tuple[PcrPart, ...]:
    """Return the measured parts of an `Image` or of the file at a path; of nothing, by name only.

    Raises `ImageError`.
    """
    if isinstance(file, Image):
        measured = [section for section in file.sections if pcrs_of(file, section)]
        return tuple(PcrPart(part_name(file, s), s.size, pcrs_of(file, s)) for s in measured)
    if isinstance(file, str | PathLike | BytesIO):
        with open_image(file) as image:
            return parts_of(image)
    boot = ("PCR0", "PCR1")
    names = {"kernel": boot, "command line": boot, "boot ramdisk": boot,
             "application ramdisk": ("PCR0", "PCR2")}  # fmt: skip
    return tuple(PcrPart(name, -1, pcrs) for name, pcrs in names.items())


def outside() -> tuple[PcrPart, ...]:
    """Return what is measured that no image holds."""
    return (
        PcrPart("the parent's role ARN", -1, ("PCR3",), inside=False),
        PcrPart("the parent's instance id", -1, ("PCR4",), inside=False),
        PcrPart("the signing certificate, DER", -1, ("PCR8",), inside=False),
    )


_WIDTH, _INSIDE, _HIGH = 820, 552, 38  # of the chart; the parts of the file; a box


def parts_chart(parts: Sequence[PcrPart]) -> Chart:
    """Return what feeds each PCR as boxes and brackets; not to scale, and it says so."""
    inside = [part for part in parts if part.inside and part.pcrs != ("PCR8",)]
    shapes = [label(0, 14, "in the image file, in this order (not to scale)", kind="small",
                    anchor="start")]  # fmt: skip
    weights = [max(len(part.name), 10) for part in inside]
    edges = [sum(weights[:at]) * _INSIDE / (sum(weights) or 1) for at in range(len(inside) + 1)]
    for part, left, right in zip(inside, edges, edges[1:], strict=False):
        middle = (left + right) / 2 - 1
        shapes += [
            box(left + 1, 22, right - left - 4, _HIGH, tint=1 if "PCR1" in part.pcrs else 3),
            label(middle, 38 if part.size >= 0 else 46, part.name, kind="strong"),
            label(middle, 53, size(part.size) if part.size >= 0 else "", kind="small"),
        ]
    boot = edges[sum("PCR1" in part.pcrs for part in inside)]
    shapes += bracket(2, boot - 5, 66, "PCR1") if boot else ()
    shapes += bracket(boot + 2, _INSIDE - 4, 66, "PCR2") if boot < edges[-1] else ()
    shapes += bracket(2, _INSIDE - 4, 96, "PCR0") if inside else ()
    return Chart(_WIDTH, 124, _in_words(parts), (*shapes, *_beside(parts)))


def _beside(parts: Sequence[PcrPart]) -> Iterator[Shape]:
    left, wide = 566, 176
    yield label(left, 14, "from outside the image", kind="small", anchor="start")
    for at, part in enumerate(part for part in parts if not part.inside):
        y = 22 + 33 * at
        yield box(left, y, wide, 26, tint=4)
        name = part.name.removeprefix("the ").removesuffix(", DER")  # narrow, it has 20 letters
        yield label(left + wide / 2, y + 17, name)
        yield line(f"M{left + wide + 4} {y + 13}h18m-6 -5l6 5l-6 5", "bracket")
        yield label(left + wide + 28, y + 17, part.pcrs[0], kind="pcr", anchor="start")


def _in_words(parts: Sequence[PcrPart]) -> str:
    names = dict.fromkeys(name for part in parts for name in part.pcrs)
    fed = {name: [part.name for part in parts if name in part.pcrs] for name in names}
    return "; ".join(f"{name}: {', '.join(fed[name])}" for name in sorted(fed))


# The arithmetic of `image.measure`, in three lines of the standard library; tests run them.
_SECOND = (
    "at = u('>32Q', eif, 28); parts = b''.join(eif[o+12:o+12+u('>Q', eif, o+4)[0]]"
    " for o in at if o and eif[o+1] in (1, 2, 3))"
)
_RECIPE = (
    "import hashlib, struct; eif = open({name!r}, 'rb').read(); u = struct.unpack_from",
    _SECOND,
    "print(hashlib.sha384(bytes(48) + hashlib.sha384(parts).digest()).hexdigest())",
)


def compute_pcr0(file: object) -> tuple[str, ...]:
    """Return three lines of Python that print PCR0 of an EIF, to run in the image's folder."""
    name = Path(os.fsdecode(file)).name if isinstance(file, str | PathLike) else "image.eif"
    first, *others = _RECIPE
    return (first.format(name=name), *others)
