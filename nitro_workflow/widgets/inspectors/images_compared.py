"""Two images: which PCRs differ, which section and file causes it, down to the changed line."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nitro_workflow.errors import ImageError
from nitro_workflow.image import FileChange, Image, ImageDiff, Readable, diff_images, open_image
from nitro_workflow.widgets.drawing import Digest, digest_of, first_difference
from nitro_workflow.widgets.formats import size
from nitro_workflow.widgets.inspectors.pcr_rows import listed
from nitro_workflow.widgets.inspectors.ramdisk_index import read_files

__all__ = ["ChangedFile", "ChangedPcr", "ImagesCompared", "compare_images"]

_FILES = 200  # changed files that are listed
_OPENED = 20  # changed text files that are compared line by line
_LINES = 400  # lines of one difference
_WIDTH = 400  # characters of one line of it
# Comparing lines takes time that grows with their square: longer texts are said to differ, no more.
_TEXT, _COMPARED = 256 * 1024, 4_000  # bytes, lines


@dataclass(frozen=True, slots=True)
class ChangedPcr:
    """A register in both images; None where an image is not signed."""

    name: str
    a: Digest | None
    b: Digest | None
    same: bool


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file that is not the same; ``lines`` are those in which a text file differs, with signs."""

    place: str
    path: str
    change: str
    what: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImagesCompared:
    """What differs; ``meaning`` says of each register what a policy makes of it."""

    a: str
    b: str
    verdict: str
    same: bool
    pcrs: tuple[ChangedPcr, ...]
    sections: tuple[tuple[str, str, str, str], ...]
    files: tuple[ChangedFile, ...]
    other: tuple[str, ...]
    meaning: tuple[str, ...]
    left_out: int = 0


def compare_images(a: Readable, b: Readable, names: tuple[str, str] = ("A", "B")) -> ImagesCompared:
    """Return what differs between two images. Raises `ImageError` for what is none."""
    found = diff_images(a, b)
    with open_image(a) as left, open_image(b) as right:
        files = tuple(_files(found, left, right))
    return ImagesCompared(
        *names,
        verdict=_verdict(found),
        same=found.same_measurements,
        pcrs=tuple(_pcr(one.name, one.a, one.b) for one in found.pcrs),
        sections=tuple((one.name, one.change, _sizes(one.size_a, one.size_b),
                        ", ".join(one.pcrs) or "in no PCR") for one in found.sections),
        files=files,
        other=(*found.header, *found.metadata),
        meaning=found.meaning,
        left_out=max(0, len(found.files) - _FILES),
    )  # fmt: skip


def _verdict(found: ImageDiff) -> str:
    if found.identical:
        return "The same image, byte for byte"
    if found.same_measurements:
        return "Different files that measure the same"
    names = [pcr.name for pcr in found.pcrs if not pcr.equal]
    return f"{listed(names)} {'differs' if len(names) == 1 else 'differ'}"


def _pcr(name: str, a: str | None, b: str | None) -> ChangedPcr:
    at = first_difference(a, b) if a and b else -1
    return ChangedPcr(
        name, digest_of(a, at) if a else None, digest_of(b, at) if b else None, a == b
    )


def _sizes(a: int | None, b: int | None) -> str:
    if a is None or b is None:
        return size(a if b is None and a is not None else b or 0)
    return size(a) if a == b else f"{a:,} → {size(b)}"


def _files(found: ImageDiff, left: Image, right: Image) -> Iterator[ChangedFile]:
    texts = _texts(found.files, left, right)
    for one in found.files[:_FILES]:
        lines = texts.get((one.ramdisk, one.path), ())
        what = "; ".join(_brief(text) for text in one.what)
        place, path = f"ramdisk {one.ramdisk}", one.path or "(the archive)"
        yield ChangedFile(place, path, one.change, what, lines)


def _brief(what: str) -> str:
    """Shorten the digests of a changed content: they are there to differ."""
    return "content" if what.startswith("content sha256:") else what


def _texts(
    changes: Sequence[FileChange], left: Image, right: Image
) -> dict[tuple[int, str], tuple[str, ...]]:
    """Return the changed lines of the first text files that have another content."""
    wanted = [(one.ramdisk, one.path) for one in changes if one.change == "changed" and one.path
              and any(text.startswith("content") for text in one.what)][:_OPENED]  # fmt: skip
    found = {}
    for ramdisk in {number for number, _ in wanted}:
        paths = frozenset(path for number, path in wanted if number == ramdisk)
        try:
            one, other = (read_files(image, ramdisk, paths) for image in (left, right))
        except ImageError:
            continue
        for path in paths & one.keys() & other.keys():
            found[ramdisk, path] = _lines(one[path], other[path])
    return found


def _lines(one: bytes, other: bytes) -> tuple[str, ...]:
    """Return the lines in which two texts differ; nothing where either is no text, or too long."""
    if max(len(one), len(other)) > _TEXT or b"\0" in one + other:
        return ()
    try:
        before, after = one.decode().splitlines(), other.decode().splitlines()
    except UnicodeDecodeError:
        return ()
    if max(len(before), len(after)) > _COMPARED:
        return ()
    lines = difflib.unified_diff(before, after, lineterm="", n=2)
    kept = [line[:_WIDTH] for line in lines if not line.startswith(("---", "+++"))]
    more = len(kept) - _LINES
    return (*kept[:_LINES], *([f"… and {more:,} more lines"] if more > 0 else ()))
