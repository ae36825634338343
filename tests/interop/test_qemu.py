"""QEMU's `-M nitro-enclave` judges our images, PCRs and messages to the module.

Images of our builder, with the boot parts of `image blobs`, are booted by emulation; their program
(``qemu_ask.c``) hands the requests that lie in ``/ask`` to /dev/nsm. `JUDGED` has what each side says of images that
deviate, and who is right where they differ.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import struct
from collections.abc import Callable, Iterable
from pathlib import Path

import cbor2
import pytest

from nitro_workflow.attestation import Verifier, parse_document, pcr3, pcr4
from nitro_workflow.errors import DocumentError
from nitro_workflow.image import (
    BootParts,
    build_image,
    check_image,
    measure_file,
    open_image,
    signing_key_from_pem,
)
from nitro_workflow.image.build.builder import build_from_parts
from nitro_workflow.image.format.boot_parts import COMMAND_LINES
from nitro_workflow.image.format.eif import SectionKind
from nitro_workflow.nsm import NsmModule, messages
from tests.image.conftest import IDENTITY, key_and_certificate
from tests.image.test_check import patched, sections, with_crc, written
from tests.interop.peers import Unbuilt
from tests.interop.qemu import MODULE_ID, PARENT_ID, PARENT_ROLE, REMEDY, Qemu, make

pytestmark = [pytest.mark.interop, pytest.mark.heavy]

NOW = dt.datetime.now(dt.UTC)
SPAN = (NOW - dt.timedelta(days=1), NOW + dt.timedelta(days=1))
PCRS = (0, 1, 2, 3, 4, 8, 16)
DESCRIBE = [messages.encode_request(messages.DescribePcr(index)) for index in PCRS]
ATTEST = messages.encode_request(messages.Attestation(b"user data", b"nonce", b"public key"))


@pytest.fixture(scope="session")
def made() -> Qemu | str:
    try:
        return make()
    except Unbuilt as trouble:
        return str(trouble)


@pytest.fixture
def qemu(made, require) -> Qemu:
    require("interop", isinstance(made, Qemu), f"{REMEDY} ({str(made)[-300:].strip()})")
    return made


def build(qemu: Qemu, folder: Path, asked: Iterable[bytes], curve: str | None = None) -> Path:
    """Build an image of two ramdisks; the second has the program and what it asks."""
    root = folder / "rootfs"
    (root / "ask").mkdir(parents=True)
    for number, request in enumerate(asked):
        (root / "ask" / str(number)).write_bytes(request)
    shutil.copy(qemu.parts / "ask", root / "app")
    boot = BootParts.from_blobs(qemu.blobs)
    signing = signing_key_from_pem(*key_and_certificate(curve, *SPAN)) if curve else None
    return build_image(
        rootfs=root, command=["/app"], environment={"A": "b"}, output=folder / "image.eif",
        name="image", version="1", boot=boot, build_time=NOW, signing=signing,
    ).path  # fmt: skip


def with_ramdisks(image: Path, layout: str, folder: Path) -> Path:
    """Build an image of the ramdisks of another: ``ab`` as one, or ``a b a`` as three."""
    with open_image(image) as opened:
        kernel, first, second = (
            opened.source.read_exactly(part.data_offset, part.size)
            for part in (*opened.of_kind(SectionKind.KERNEL), *opened.ramdisks)
        )
    (folder / "kernel").write_bytes(kernel)
    ramdisks = []
    for number, letters in enumerate(layout.split()):
        ramdisks.append(folder / f"ramdisk{number}")
        ramdisks[-1].write_bytes(b"".join({"a": first, "b": second}[one] for one in letters))
    return build_from_parts(
        kernel=folder / "kernel", command_line=COMMAND_LINES["x86_64"], ramdisks=ramdisks,
        identity=IDENTITY, output=folder / "other.eif", architecture="x86_64",
    ).path  # fmt: skip


def answers(said: list[str], count: int) -> list[bytes]:
    """Return what the module answered."""
    found = [bytes.fromhex(line[7:]) for line in said if line.startswith("ANSWER ")]
    assert len(found) == count, said
    return found


def registers(image: Path) -> dict[int, bytes]:
    """Return the PCRs that are not zero, as this package computes them."""
    return measure_file(image).registers | {3: pcr3(PARENT_ROLE), 4: pcr4(PARENT_ID)}


@pytest.mark.parametrize("kind", ["a b", "ab", "a b a", "P-256", "P-384", "P-521"])
def test_it_measures_and_boots_our_images(qemu, tmp_path, kind):
    curve = kind if kind.startswith("P-") else None
    image = build(qemu, tmp_path, DESCRIBE, curve)
    if curve is None and kind != "a b":
        image = with_ramdisks(image, kind, tmp_path)
    report = check_image(image, at=NOW)
    assert report.rules <= {"ramdisk-only-one", "ramdisk-content"}, report.findings
    ours = registers(image)
    assert any(ours[8]) is (curve is not None)
    found = answers(qemu.boot(image), len(PCRS))
    for index, answer in zip(PCRS, found, strict=True):
        expected = messages.PcrState(index < 16, ours.get(index, bytes(48)))
        assert messages.decode_pcr(answer) == expected, index


def test_its_module_answers_as_ours(qemu, tmp_path):
    asked = [
        messages.DescribeNsm(), messages.DescribePcr(31), messages.DescribePcr(32),
        messages.ExtendPcr(0, b"data"), messages.ExtendPcr(32, b"data"),
        messages.ExtendPcr(16, b"data"), messages.ExtendPcr(16, b""), messages.DescribePcr(16),
        messages.LockPcr(16), messages.LockPcr(16), messages.LockPcr(32),
        messages.ExtendPcr(16, b"data"), messages.LockPcrs(33), messages.LockPcrs(18),
        messages.LockPcrs(0), messages.DescribePcr(17), messages.DescribeNsm(),
    ]  # fmt: skip
    requests = [messages.encode_request(one) for one in asked]
    requests += [
        b"\xff", b"\xa0", b"\x65Hello", b"\xa1\x65Hello\xa0", b"\x6bDescribePCR", DESCRIBE[0] + b"\0",
        b"\xa1\x69GetRandom\xa0", cbor2.dumps({"DescribePCR": {"index": -1}}),
        cbor2.dumps({"DescribePCR": {"index": 1 << 16}}), cbor2.dumps({"DescribePCR": {}}),
    ]  # fmt: skip
    image = build(qemu, tmp_path, requests)
    ours = NsmModule(MODULE_ID, registers(image), lambda **_: b"", os.urandom)
    for request, theirs in zip(requests, answers(qemu.boot(image), len(requests)), strict=True):
        # It writes a map's keys in alphabetical order; nsm-api's structs have another.
        assert cbor2.loads(theirs) == cbor2.loads(ours.handle(request, NOW)), request


def test_its_unsigned_document_is_read_and_refused(qemu, tmp_path):
    image = build(qemu, tmp_path, [ATTEST])
    [answer] = answers(qemu.boot(image), 1)
    document = messages.decode_attestation(answer)
    with pytest.raises(DocumentError) as refusal:
        parse_document(document)
    assert (refusal.value.where, refusal.value.found) == (
        "protected, byte 2", "protected header a10120",
    )  # fmt: skip
    report = Verifier.aws().explain(document, at="document")
    assert (report.verdict, report.failed) == ("refused", ("shape", "chain", "root"))
    assert "signature of 64 bytes" in report.step("shape").detail[0]
    assert {report.step(name).status for name in ("validity", "signature")} == {"skipped"}
    # What it says is read all the same.
    assert report.reading.pcrs == {i: registers(image).get(i, bytes(48)) for i in range(16)}
    said = {"module_id": MODULE_ID, "digest": "SHA384", "user_data": b"user data"}
    said |= {"nonce": b"nonce", "public_key": b"public key"}
    assert {name: report.reading.values[name] for name in said} == said


# -- images that deviate --------------------------------------------------------------------------

KERNEL, CMDLINE, METADATA, FIRST, SECOND = sections()
STARTS = "linux kernel too old to load a ram disk"  # read and measured: only the kernel is a dummy
Make = Callable[[Path], bytes]


def of(*rows: tuple[SectionKind, bytes], **given: object) -> Make:
    return lambda folder: written(folder, rows, **given)


def at(place: int, form: str, value: int, rows: list | None = None) -> Make:
    """Return an image with a number changed, and the CRC mended."""
    return lambda folder: patched(written(folder, rows or sections()), place, form, value)


def signed(change: Callable[[bytes], bytes]) -> Make:
    """Return an image with its signature section changed."""

    def make(folder: Path) -> bytes:
        key = signing_key_from_pem(*key_and_certificate("P-384", *SPAN))
        data = written(folder, sections(), signing=key)
        with open_image(folder / "x.eif") as image:
            section = image.sections[-1]
        new = change(data[section.data_offset :])
        data = data[: section.offset] + struct.pack(">HHQ", 4, 0, len(new)) + new
        return patched(data, 0x11C + 8 * section.index, ">Q", len(new))

    return make


def byte_string(section: bytes) -> bytes:
    [entry] = cbor2.loads(section)
    return cbor2.dumps([entry | {"signing_certificate": bytes(entry["signing_certificate"])}])


def other_order(section: bytes) -> bytes:
    [entry] = cbor2.loads(section)
    return cbor2.dumps([dict(reversed(entry.items()))])


def swapped_rows(folder: Path) -> bytes:
    """Return an image whose table names the second ramdisk first; its CRC is over file order."""
    data = bytearray(written(folder, sections()))
    for table in (0x1C, 0x11C):
        data[table + 24 : table + 40] = (
            data[table + 32 : table + 40] + data[table + 24 : table + 32]
        )
    return with_crc(bytes(data))


# What QEMU says (`STARTS`: it takes the image), the rule that we name an error (None: we take it),
# and, where the two differ, why we keep ours.
JUDGED: dict[str, tuple[Make, str, str | None, str]] = {
    "as built": (of(*sections()), STARTS, None, ""),
    "signed": (signed(bytes), STARTS, None, ""),
    "CRC": (lambda f: written(f, sections())[:544] + bytes(4) + written(f, sections())[548:],
            "CRC mismatch", "crc", ""),
    "magic": (at(0, ">I", 0x2E656967), "Magic mismatch", "header-magic", ""),
    "version 1": (at(4, ">H", 1), "Expected EIF version 4", "header-version", ""),
    "flags": (at(6, ">H", 2), "flags to be 0", None, "other builders set some: a warning of ours"),
    "section's flags": (at(550, ">H", 1), "section header flags", "section-flags", ""),
    "33 sections": (at(0x1A, ">H", 33), "must not be greater than 32", "header-sections", ""),
    "one section too many": (at(0x1A, ">H", 6), "section header flags", "section-count", ""),
    "size in the table": (at(0x11C, ">Q", 7), "size mismatch", "table-size", ""),
    "size in the section": (at(552, ">Q", 7), "size mismatch", "table-size", ""),
    "offset in the table": (at(0x1C + 8, ">Q", 549), "size mismatch", "table-offset", ""),
    "rows of the table swapped": (swapped_rows, "CRC mismatch", "table-offset", ""),
    "cut": (lambda f: with_crc(written(f, sections())[:-1]), "Failed to read EIF ramdisk",
            "section-header", ""),
    "no ramdisk": (of(KERNEL, CMDLINE, METADATA), "No ramdisk", "layout-ramdisk", ""),
    "no kernel": (of(CMDLINE, METADATA, FIRST), "No kernel", "layout-kernel", ""),
    "no command line": (of(KERNEL, METADATA, FIRST), "No cmdline", "layout-cmdline", ""),
    "two kernels": (of(KERNEL, *sections()), "More than 1 kernel", "layout-kernel", ""),
    "two command lines": (of(*sections(), CMDLINE), "More than 1 cmdline", "layout-cmdline", ""),
    "signature section": (signed(lambda _: b"\xff"), "as CBOR", "signature-shape", ""),
    "certificate as a byte string": (signed(byte_string), "Invalid signature CBOR",
                                     "signature-shape", ""),
    "version 3": (at(4, ">H", 3, [KERNEL, CMDLINE, FIRST, SECOND]), "Expected EIF version 4", None,
                  "AWS published 2 and 3; QEMU reads images from 4 up"),
    "aarch64": (of(*sections(kernel=bytes(56) + b"ARM\x64"), arch="aarch64"), "flags to be 0", None,
                "bit 0 says aarch64; QEMU's machine is for x86_64 alone"),
    "empty ramdisk": (of(*sections(second=b"")), "Out of memory reading", None,
                      "QEMU takes NULL from malloc(0) for want of memory; eif_build writes such"),
    "keys of the signature in the other order": (
        signed(other_order), "Invalid sign", None, "AWS's reader, serde, asks for no order"),
    "version 5": (at(4, ">H", 5), STARTS, "header-version", "nobody has published one"),
    "no metadata": (of(KERNEL, CMDLINE, FIRST, SECOND), STARTS, "layout-metadata",
                    "AWS's README: the hypervisor refuses it"),
    "section of type 6": (at(548 + 12 * 4 + len(b"".join(row[1] for row in sections()[:4])) + 1,
                             ">B", 6), STARTS, "section-header", "AWS's reader refuses it"),
    "bytes after the end": (lambda f: written(f, sections()) + b"more", STARTS, "section-header",
                            "AWS's reader walks to the end of the file"),
    "ramdisk first": (of(FIRST, KERNEL, CMDLINE, METADATA, SECOND), STARTS, "layout-order",
                      "AWS's README: ramdisks come after the kernel"),
    "NUL in the command line": (of(*sections(cmdline=b"a\0b")), STARTS, "cmdline-nul",
                                "measured whole and used by half"),
    "signature of another image": (signed(lambda s: s[:-1] + bytes([s[-1] ^ 1])), STARTS,
                                   "signature-", "QEMU does not verify; nitro-cli does"),
}  # fmt: skip


@pytest.mark.parametrize("name", JUDGED)
def test_what_each_refuses(qemu, tmp_path, name):
    make_image, theirs, ours, why = JUDGED[name]
    image = tmp_path / "image.eif"
    image.write_bytes(make_image(tmp_path))
    assert theirs in qemu.refusal(image)
    errors = {f.rule for f in check_image(image).findings if f.severity == "error"}
    if ours is None:
        assert errors == set()
    else:
        assert any(rule.startswith(ours) for rule in errors), errors
    assert (theirs == STARTS) is (ours is None) or why
