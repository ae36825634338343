"""What is in an enclave image, and what of it is measured, as a view."""

from __future__ import annotations

from nitro_workflow.image import CRC_OFFSET, HEADER, Image, Section, SectionKind
from nitro_workflow.widgets.formats import size
from nitro_workflow.widgets.view_model import CheckLine, FieldNode, Inspection

__all__ = ["image_inspection"]

# name → (offset, length) in the file header; facts of the format, for the dump beside the tree.
_FIELDS = (
    ("magic", 0x000, 4),
    ("version", 0x004, 2),
    ("flags", 0x006, 2),
    ("default memory", 0x008, 8),
    ("default CPUs", 0x010, 8),
    ("sections", 0x01A, 2),
    ("section offsets", 0x01C, 256),
    ("section sizes", 0x11C, 256),
    ("CRC-32", CRC_OFFSET, 4),
)


def image_inspection(image: Image, *, label: str) -> Inspection:
    """Return the layout of an opened image: the header with its bytes, what each section feeds.

    ``label`` says what the image is (``bootable``, ``stand-in boot parts …``).
    """
    header = image.header
    return Inspection(
        title="Enclave image",
        verdict=f"EIF {header.version}, {header.architecture}, {len(image.sections)} sections",
        tone="neutral",
        trust=label,
        checks=tuple(_section(image, section) for section in image.sections),
        nodes=(
            FieldNode("header", size(HEADER.size), 0, HEADER.size, "", tuple(_header_nodes(image))),
            FieldNode("command line", image.command_line.decode("latin-1") or "—"),
        ),
        data=image.source.read_at(0, HEADER.size),
    )


def _header_nodes(image: Image) -> list[FieldNode]:
    header = image.header
    values = {
        "magic": ".eif",
        "version": str(header.version),
        "flags": f"{header.flags:#06x}, {header.architecture}",
        "default memory": size(header.default_memory),
        "default CPUs": str(header.default_cpus),
        "sections": str(header.num_sections),
        "section offsets": "where each section's own header stands",
        "section sizes": "of each section's data",
        "CRC-32": "over all but these four bytes",
    }
    notes = {"default memory": "nobody reads it", "CRC-32": "in no PCR"}
    return [
        FieldNode(name, values[name], start, start + length, notes.get(name, ""))
        for name, start, length in _FIELDS
    ]


def _section(image: Image, section: Section) -> CheckLine:
    feeds = _feeds(image, section)
    name = section.kind.name.lower()
    if section in image.ramdisks:
        name = f"ramdisk {image.ramdisks.index(section)}"
    return CheckLine(
        id=f"section-{section.index}",
        title=name,
        tone="good" if feeds else "neutral",
        outcome=f"{size(section.size)}, {f'measured in {feeds}' if feeds else 'not measured'}",
    )


def _feeds(image: Image, section: Section) -> str:
    """Return the PCRs that the section is hashed into (image-format README, "PCRs")."""
    if section.kind in {SectionKind.KERNEL, SectionKind.CMDLINE}:
        return "PCR0 and PCR1"
    if section.kind is SectionKind.RAMDISK:
        return "PCR0 and PCR1" if section == image.ramdisks[0] else "PCR0 and PCR2"
    return "PCR8, by its certificate" if section.kind is SectionKind.SIGNATURE else ""
