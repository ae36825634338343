"""What an image is, whether it is whole, and what one does about it."""

from __future__ import annotations

from collections.abc import Sequence

from nitro_workflow.errors import ImageError
from nitro_workflow.image import CheckReport, Image, ImageFinding, describe_contents
from nitro_workflow.widgets.drawing import Head
from nitro_workflow.widgets.formats import size
from nitro_workflow.widgets.inspectors.images_compared import ImagesCompared

__all__ = ["compared_head", "image_head", "measuring_head", "unreadable_head"]


def image_head(image: Image, report: CheckReport, label: str) -> Head:
    """Return the verdict of the strict validator; ``label`` says what the image is."""
    what = _what(image)
    errors = [one for one in report.findings if one.severity == "error"]
    if errors:
        first, more = errors[0], len(errors) - 1
        others = f", and {more} more" if more else ""
        why = (
            f"{first.rule} at byte {first.offset:,}: found {first.found}, expected {first.expected}"
        )
        return Head(what, f"Damaged or made by hand: {first.rule}{others}", "bad", f"{why}.",
                    "Build or copy the image again; the hypervisor may refuse it.")  # fmt: skip
    warnings = [one for one in report.findings if one.severity == "warning"]
    said = [label or _boots(image, warnings)]
    more_said = [one.found for one in warnings if label and not one.rule.startswith("kernel")]
    said += [f"{found[:1].upper()}{found[1:]}." for found in more_said[:1]]
    return Head(what, "Whole: CRC and section table hold", "good", " ".join(said))


def measuring_head(image: Image) -> Head:
    """Return the head of an image of which only the headers are read: no verdict yet."""
    return Head(_what(image), "measuring …", "neutral",
                "The headers are read; CRC, PCRs and files come when every byte is.")  # fmt: skip


def _what(image: Image) -> str:
    header = image.header
    return (
        f"Enclave image · EIF {header.version}, {header.architecture} · {size(image.source.size)}"
        f" · {len(image.sections)} sections"
    )


def _boots(image: Image, warnings: Sequence[ImageFinding]) -> str:
    if not describe_contents(image)["Bootable"]:
        return "Stand-in boot parts: measured, never booted."
    kernel = next((one for one in warnings if one.rule.startswith("kernel")), None)
    return f"It may not boot: {kernel.found}." if kernel else "It holds what boots."


def compared_head(one: ImagesCompared) -> Head:
    """Return the verdict on two images: what differs, which file causes it, and what then."""
    what = f"Two enclave images · {one.a} and {one.b}, side by side"
    changed = [f"{file.change} {file.path}" for file in one.files]
    more = len(changed) + one.left_out - 1
    why = f"{changed[0]}{f', and {more} more' if more else ''}." if changed else ""
    why = f"{why[:1].upper()}{why[1:]}"
    if one.same:
        return Head(what, one.verdict, "good", why, "A policy that takes one takes the other.")
    return Head(what, one.verdict, "bad", why,
                f"Have the policy's owner review {one.b} before its PCRs are taken.")  # fmt: skip


def unreadable_head(error: ImageError) -> Head:
    """Return the head of what is no image, or not a whole one."""
    return Head("Enclave image", f"Not readable as an image: {error.found}", "bad",
                f"Expected {error.expected}; at {error.where}.", error.next or "")  # fmt: skip
