"""Lesson 05: the PCRs that a learner computed, what moves them, and a checksum made again."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from nitro_workflow.image import (
    CRC_OFFSET,
    HEADER,
    Section,
    SectionKind,
    measure_parts,
    open_image,
)
from nitro_workflow.lab import Lab, image_of
from nitro_workflow.lessons import worlds
from nitro_workflow.lessons.checking import LessonChecks, StandIn, marks
from nitro_workflow.lessons.truth import Truth
from nitro_workflow.lessons.verdict import Verdict
from nitro_workflow.registers import ZERO_PCR

__all__ = ["Checks", "Parts", "parts_of", "what_moves"]

PCRS = ("PCR0", "PCR1", "PCR2")
PARTS = ("kernel", "command line", "first ramdisk", "a file of the application", "metadata")


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of an image that a learner takes apart: each the data of one section."""

    kernel: bytes
    command_line: bytes
    boot: bytes
    application: bytes
    metadata: bytes

    def measured(self) -> Mapping[str, str]:
        """Return the engine's PCRs of these parts, name → 96 hex digits."""
        ramdisks = [self.boot, self.application]
        return measure_parts(self.kernel, self.command_line, ramdisks).hex()


def parts_of(data_of: bytes, sections: tuple[Section, ...]) -> Parts:
    """Return the parts of an image as its own bytes have them."""

    def data(kind: SectionKind) -> list[bytes]:
        return [data_of[s.data_offset : s.end] for s in sections if s.kind is kind]

    kernel, command_line, metadata = (
        b"".join(data(kind))
        for kind in (SectionKind.KERNEL, SectionKind.CMDLINE, SectionKind.METADATA)
    )
    boot, *application = data(SectionKind.RAMDISK)
    return Parts(kernel, command_line, boot, b"".join(application), metadata)


def _ours(lab: Lab) -> tuple[bytes, Parts]:
    path = image_of(lab.bench)
    with open_image(path) as image:
        data = path.read_bytes()
        return data, parts_of(data, image.sections)


def what_moves(parts: Parts) -> Mapping[str, frozenset[str]]:
    """Measure the image again with one bit of each part flipped; return which PCRs are others."""
    before = parts.measured()
    changed = {
        "kernel": {"kernel": _flipped(parts.kernel)},
        "command line": {"command_line": _flipped(parts.command_line)},
        "first ramdisk": {"boot": _flipped(parts.boot)},
        "a file of the application": {"application": _flipped(parts.application)},
        "metadata": {"metadata": _flipped(parts.metadata)},
    }
    fields = {name: getattr(parts, name) for name in Parts.__dataclass_fields__}
    after = {name: Parts(**fields | one).measured() for name, one in changed.items()}
    return {
        name: frozenset(pcr for pcr in PCRS if now[pcr] != before[pcr])
        for name, now in after.items()
    }


def _flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def _digest(data: bytes) -> bytes:
    return hashlib.sha384(data).digest()


def _near_misses(parts: Parts, name: str) -> Iterator[tuple[str, str]]:
    """Yield what a learner's value may be instead, and what is then to be said."""
    whole = parts.kernel + parts.command_line + parts.boot + parts.application
    content = {
        "PCR0": whole,
        "PCR1": parts.kernel + parts.command_line + parts.boot,
        "PCR2": parts.application,
    }
    mine = content[name]
    digest = _digest(mine)
    yield digest.hex(), "This is the digest of the content. A register starts as 48 zero bytes."
    yield _digest(digest).hex(), "The digest is hashed again, but without the 48 zero bytes."
    yield _digest(digest + ZERO_PCR).hex(), "The zeros come first: they are the register's value."
    yield _digest(ZERO_PCR + mine).hex(), "The zeros stand before the digest, not the content."
    text = digest.hex().encode()
    yield _digest(ZERO_PCR + text).hex(), "Extend by the 48 bytes of the digest, not its hex text."
    short = hashlib.sha256(mine).digest()
    yield hashlib.sha256(bytes(32) + short).hexdigest(), "This is SHA-256; a PCR is SHA-384."
    for other, data in content.items():
        if other != name:
            yield _digest(ZERO_PCR + _digest(data)).hex(), f"This is {other}."
    swapped = parts.kernel + parts.command_line + parts.application + parts.boot
    yield _digest(ZERO_PCR + _digest(swapped)).hex(), "The ramdisks go in the order of the file."
    told = parts.kernel + parts.command_line + parts.metadata + parts.boot + parts.application
    yield _digest(ZERO_PCR + _digest(told)).hex(), "The metadata is in: it is not measured."


def _named(moved: object) -> frozenset[str]:
    text = moved if isinstance(moved, str) else " ".join(map(str, _listed(moved)))
    return frozenset(word for word in text.upper().replace(",", " ").split() if word != "NONE")


def _listed(moved: object) -> tuple[Any, ...]:
    return tuple(moved) if isinstance(moved, (list, tuple, set, frozenset)) else (moved,)


def _crc(lab: Lab) -> int:
    """Return the checksum of the image whose last bit is flipped."""
    data, _ = _ours(lab)
    return zlib.crc32(_flipped(data)[HEADER.size :], zlib.crc32(data[:CRC_OFFSET]))


def _who_notices(lab: Lab) -> str:
    """Ask the engine for the forged image, with a policy that names the true one."""
    _, parts = _ours(lab)
    true, forged = (
        parts.measured(),
        Parts(
            parts.kernel,
            parts.command_line,
            parts.boot,
            _flipped(parts.application),
            parts.metadata,
        ).measured(),
    )
    who = worlds.callers_of(lab.bench)["ParentInstance"]
    condition = {"StringEqualsIgnoreCase": {"kms:RecipientAttestation:PCR0": true["PCR0"]}}
    allow = {"Effect": "Allow", "Principal": {"AWS": who}, "Action": "kms:Decrypt",
             "Resource": "*", "Condition": condition}  # fmt: skip
    said = [worlds.in_words(worlds.ask_policy(allow, who, dict(pcrs))) for pcrs in (true, forged)]
    return (
        f"Asked with a policy that names your PCR0: the true image is {said[0]}, the forged one "
        f"{said[1]}."
    )


class Checks(LessonChecks):
    """Checks of lesson 05."""

    truths: ClassVar[Mapping[str, Truth]] = {
        "built-tomorrow": Truth(
            "the PCRs only",
            "the time stands in the metadata: in the file, but not among what is measured",
        ),
        "forged-image": Truth(
            "KMS: its PCRs are not those of the policy",
            "a checksum can be made again by anyone; the PCRs are computed by the hypervisor",
            found=_who_notices,
        ),
    }
    stand_ins: ClassVar[Mapping[str, StandIn]] = {
        "crc": StandIn("checksum", make=_crc, usable=lambda _, made: isinstance(made, int)),
    }

    def pcrs(self, pcr0: Any, pcr1: Any, pcr2: Any) -> Verdict:
        """Compare three PCRs with what the engine measures of the same image."""
        _, parts = _ours(self.lab)
        true = parts.measured()
        for name, made in zip(PCRS, (pcr0, pcr1, pcr2), strict=True):
            text = bytes(made).hex() if isinstance(made, (bytes, bytearray)) else made
            if text != true[name]:
                return Verdict.wrong(f"{name} is another value.", _why(parts, name, text))
        return Verdict.right("All three are what the engine measures, and what P6 wrote down.")

    def moves(self, moves: Any) -> Verdict:
        """Compare what the learner says of each part with images measured again."""
        true = what_moves(_ours(self.lab)[1])
        wrong = [part for part in PARTS if _named(moves[part]) != true[part]]
        odd = sorted({word for part in PARTS for word in _named(moves[part])} - set(PCRS))
        if odd:
            return Verdict.wrong(f"{odd[0]} is none of {', '.join(PCRS)}.", 'Write "PCR0 PCR2".')
        if wrong:
            said = " and ".join(sorted(_named(moves[wrong[0]]))) or "none"
            return Verdict.wrong(
                f"{wrong[0]}: you say {said}; with one bit of it flipped, others change.",
                "Which lines of the rule above name it?",
                *([f"Still to look at: {', '.join(wrong[1:])}."] if wrong[1:] else []),
            )
        return Verdict.right("Five images were measured, each with one bit flipped: it is so.")

    def crc(self, crc: Any) -> Verdict:
        """Compare a checksum with that of the forged image."""
        data, _ = _ours(self.lab)
        forged = _flipped(data)
        misses = {
            zlib.crc32(forged): "It covers its own four bytes: nothing could come out right so.",
            zlib.crc32(forged[HEADER.size :]): "The header is missing: its 544 bytes come first.",
            zlib.crc32(forged[:CRC_OFFSET]): "The sections are missing: all after byte 0x224.",
            int.from_bytes(data[CRC_OFFSET : HEADER.size], "big"): "This is the old checksum.",
        }
        if isinstance(crc, int) and crc == _crc(self.lab):
            return Verdict.right("This is what a builder would have written.")
        why = misses.get(crc) if isinstance(crc, int) else None
        return Verdict.wrong(
            "The reader would refuse the file.",
            why or "CRC-32 of the first 0x220 bytes, then go on with all from 0x224.",
        )

    @marks("built-tomorrow")
    def rebuilt(self, first: Any, second: Any) -> Verdict:
        """Compare two builds: of which the time alone is another."""
        digests = {hashlib.sha256(built.path.read_bytes()).hexdigest() for built in (first, second)}
        same = first.measurements.hex() == second.measurements.hex()
        if len(digests) == 1:
            return Verdict.wrong("Both files are the same.", "Give the second another build_time.")
        if not same:
            return Verdict.wrong("The PCRs differ: more than the time was changed.")
        return Verdict.right("Two files with two digests; one PCR0, one PCR1, one PCR2.")


def _why(parts: Parts, name: str, made: object) -> str:
    if not isinstance(made, str):
        return f"A PCR is 48 bytes, or 96 hex digits; this is of type {type(made).__name__}."
    near = dict(_near_misses(parts, name))
    rule = "SHA-384 of 48 zero bytes and of the SHA-384 of the content."
    return near.get(made.lower(), f"Look at the rule: {rule}")
