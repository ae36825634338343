"""Compare two images: which PCRs differ, which sections and files cause it, what a policy sees."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Any, Final

from nitro_workflow.errors import ImageError
from nitro_workflow.image.format import Image, Progress, Readable, Section, SectionKind, open_image
from nitro_workflow.image.inspect.measure import CHUNK, Measurements, measure_image
from nitro_workflow.image.inspect.policy_meaning import policy_meaning
from nitro_workflow.image.ramdisk import RamdiskEntry, ramdisk_entries

# Which PCRs a section goes into; a ramdisk's depends on its place (1.6 of the format's arithmetic).
_PCRS: Final = {
    SectionKind.KERNEL: ("PCR0", "PCR1"),
    SectionKind.CMDLINE: ("PCR0", "PCR1"),
    SectionKind.SIGNATURE: ("PCR8",),
    SectionKind.METADATA: (),
}


@dataclass(frozen=True, slots=True)
class PcrChange:
    """One register in both images, 96 hex digits each; None where the image is not signed."""

    name: str
    a: str | None
    b: str | None

    @property
    def equal(self) -> bool:
        """True when both images have the same value."""
        return self.a == self.b


@dataclass(frozen=True, slots=True)
class SectionChange:
    """A section that is not the same in both: sizes in bytes, None where it is not there."""

    name: str
    change: str  # added, removed, changed
    size_a: int | None
    size_b: int | None
    pcrs: tuple[str, ...]  # what it is measured into; empty for metadata


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file of a ramdisk that is not the same: ``what`` names its differing properties."""

    ramdisk: int
    path: str
    change: str  # added, removed, changed
    what: tuple[str, ...]  # such as "mode 0644 → 0755"


@dataclass(frozen=True, slots=True)
class ImageDiff:
    """All differences of two images, A and B; empty tuples where there are none."""

    pcrs: tuple[PcrChange, ...]
    header: tuple[str, ...]
    sections: tuple[SectionChange, ...]
    files: tuple[FileChange, ...]
    metadata: tuple[str, ...]
    meaning: tuple[str, ...]
    identical: bool

    @property
    def same_measurements(self) -> bool:
        """True when every PCR is equal, whatever else differs."""
        return all(pcr.equal for pcr in self.pcrs)

    def to_json(self) -> dict[str, Any]:
        """Return the fields under their names, PCRs with ``equal``."""
        return {
            "identical": self.identical,
            "same_measurements": self.same_measurements,
            "pcrs": [asdict(pcr) | {"equal": pcr.equal} for pcr in self.pcrs],
            "header": list(self.header),
            "sections": [asdict(section) for section in self.sections],
            "files": [asdict(file) for file in self.files],
            "metadata": list(self.metadata),
            "meaning": list(self.meaning),
        }


def diff_images(a: Readable, b: Readable, progress: Progress | None = None) -> ImageDiff:
    """Compare two images down to the files of their ramdisks. Raises `ImageError`.

    Both are read twice at most; memory grows with the number of files, not with their size.
    """
    with open_image(a) as left, open_image(b) as right:
        total = left.source.size + right.source.size
        report = None if progress is None else _Shifted(progress, 0, total)
        measured_a = measure_image(left, report)
        if report is not None:
            report.start = left.source.size
        measured_b = measure_image(right, report)
        pcrs = _pcr_changes(measured_a, measured_b)
        sections, changed = _section_changes(left, right)
        header = _header_changes(left, right)
        return ImageDiff(
            pcrs=pcrs,
            header=header,
            sections=sections,
            files=tuple(
                change for index in changed for change in _file_changes(left, right, index)
            ),
            metadata=_metadata_changes(left, right),
            meaning=policy_meaning({pcr.name: (pcr.a, pcr.b) for pcr in pcrs}),
            identical=not sections and not header and measured_a.crc32 == measured_b.crc32,
        )


class _Shifted:
    """Progress over two files as one."""

    def __init__(self, report: Progress, start: int, total: int) -> None:
        self.start = start
        self._report = report
        self._total = total

    def __call__(self, done: int, _: int) -> None:
        self._report(self.start + done, self._total)


def _pcr_changes(a: Measurements, b: Measurements) -> tuple[PcrChange, ...]:
    left, right = a.hex(), b.hex()
    names = ("PCR0", "PCR1", "PCR2", "PCR8")
    return tuple(PcrChange(name, left.get(name), right.get(name)) for name in names)


def _header_changes(a: Image, b: Image) -> tuple[str, ...]:
    rows = (
        ("architecture", a.header.architecture, b.header.architecture),
        ("version", a.header.version, b.header.version),
        ("flags", a.header.flags, b.header.flags),
        ("default memory", a.header.default_memory, b.header.default_memory),
        ("default CPUs", a.header.default_cpus, b.header.default_cpus),
    )
    return tuple(f"{name} {left} → {right}" for name, left, right in rows if left != right)


def _named(image: Image) -> dict[str, Section]:
    """Return the sections by name, such as ``kernel`` and ``ramdisk 0``."""
    counts: dict[SectionKind, int] = {}
    named = {}
    for section in image.sections:
        number = counts.get(section.kind, 0)
        counts[section.kind] = number + 1
        plain = number == 0 and section.kind is not SectionKind.RAMDISK
        name = section.kind.name.lower()
        named[name if plain else f"{name} {number}"] = section
    return named


def _section_changes(a: Image, b: Image) -> tuple[tuple[SectionChange, ...], list[int]]:
    """Return the changed sections, and which ramdisks to look into."""
    left, right = _named(a), _named(b)
    changes, ramdisks = [], []
    for name in [*left, *(name for name in right if name not in left)]:
        one, two = left.get(name), right.get(name)
        if one is not None and two is not None and _same_bytes(a, one, b, two):
            continue
        change = "added" if one is None else "removed" if two is None else "changed"
        kind = (one or two or a.sections[0]).kind
        sizes = (one.size if one else None, two.size if two else None)
        changes.append(SectionChange(name, change, *sizes, _measured_into(kind, name)))
        if kind is SectionKind.RAMDISK:
            ramdisks.append(int(name.rpartition(" ")[2]))
    return tuple(changes), ramdisks


def _measured_into(kind: SectionKind, name: str) -> tuple[str, ...]:
    if kind is SectionKind.RAMDISK:
        return ("PCR0", "PCR1") if name == "ramdisk 0" else ("PCR0", "PCR2")
    return _PCRS[kind]


def _same_bytes(a: Image, one: Section, b: Image, two: Section) -> bool:
    if one.size != two.size:
        return False
    return all(
        a.source.read_exactly(one.data_offset + at, count)
        == b.source.read_exactly(two.data_offset + at, count)
        for at in range(0, one.size, CHUNK)
        for count in (min(CHUNK, one.size - at),)
    )


@dataclass(frozen=True, slots=True)
class _File:
    """What is compared of a file: a name and a text for each property."""

    kind: str
    mode: str
    owner: str
    size: str
    content: str
    target: str
    device: str
    links: str


def _file(entry: RamdiskEntry) -> _File:
    digest = hashlib.sha256()
    for piece in entry.data():
        digest.update(piece)
    return _File(
        kind=entry.kind,
        mode=f"{entry.mode:04o}",
        owner=f"{entry.uid}:{entry.gid}",
        size=f"{entry.size} bytes",
        content=f"sha256:{digest.hexdigest()}",
        target=str(entry.target),
        device=str(entry.device),
        links=str(entry.link_of),
    )


def _files(image: Image, index: int) -> dict[str, _File]:
    if index >= len(image.ramdisks):
        return {}
    return {entry.path: _file(entry) for entry in ramdisk_entries(image, index)}


def _file_changes(a: Image, b: Image, index: int) -> list[FileChange]:
    try:
        left, right = _files(a, index), _files(b, index)
    except ImageError as error:
        return [FileChange(index, "", "changed", (f"cannot be listed: {error}",))]
    changes = []
    for path in sorted(left.keys() | right.keys()):
        one, two = left.get(path), right.get(path)
        if one is None or two is None:
            there = one or two
            what = (f"{there.kind} {there.mode} {there.size}",) if there else ()
            changes.append(FileChange(index, path, "removed" if one else "added", what))
        elif one != two:
            changes.append(FileChange(index, path, "changed", _properties(one, two)))
    if not changes:
        changes = [FileChange(index, "", "changed", ("the same files: order, times or padding",))]
    return changes


def _properties(one: _File, two: _File) -> tuple[str, ...]:
    rows = zip(asdict(one).items(), asdict(two).values(), strict=True)
    return tuple(f"{name} {old} → {new}" for (name, old), new in rows if old != new)


def _metadata_changes(a: Image, b: Image) -> tuple[str, ...]:
    try:
        left, right = _flat(a.metadata or {}), _flat(b.metadata or {})
    except ImageError as error:
        return (f"cannot be read: {error}",)
    keys = [*left, *(key for key in right if key not in left)]
    return tuple(
        f"{key}: {left.get(key, 'absent')} → {right.get(key, 'absent')}"
        for key in keys
        if left.get(key) != right.get(key)
    )


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, str]:
    rows: dict[str, str] = {}
    for key, item in value.items():
        if isinstance(item, dict) and prefix.count(".") < 16:
            rows |= _flat(item, f"{prefix}{key}.")
        else:
            rows[f"{prefix}{key}"] = repr(item)
    return rows
