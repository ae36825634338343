"""The strict validator: each rule has an image that breaks exactly it, with the right byte."""

from __future__ import annotations

import datetime as dt
import io
import json
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro_workflow.errors import ImageError
from nitro_workflow.image import BootParts, build_image, check_image, signing_key_from_pem
from nitro_workflow.image.build.image_writer import bytes_part, write_image
from nitro_workflow.image.format.eif import SECTION_HEADER, SectionKind
from nitro_workflow.image.ramdisk.file_tree import (
    RamdiskLayout,
    bootstrap_nodes,
    customer_nodes,
    file_node,
)
from tests.image.conftest import IDENTITY, NOW, UNHURRIED, key_and_certificate

BOOTSTRAP = b"".join(RamdiskLayout(bootstrap_nodes(b"I", b"N")).pieces())
PROGRAM = file_node(b"a", b"\x7fELF", 0o755)
CUSTOMER = b"".join(RamdiskLayout(customer_nodes([PROGRAM], ["/a"], [])).pieces())
BZIMAGE = bytes(0x202) + b"HdrS" + bytes(200)
ARM_IMAGE = bytes(56) + b"ARM\x64" + bytes(200)


def sections(**changes: bytes) -> list[tuple[SectionKind, bytes]]:
    return [
        (SectionKind.KERNEL, changes.get("kernel", BZIMAGE)),
        (SectionKind.CMDLINE, changes.get("cmdline", b"quiet")),
        (SectionKind.METADATA, changes.get("metadata", IDENTITY.pack())),
        (SectionKind.RAMDISK, changes.get("first", BOOTSTRAP)),
        (SectionKind.RAMDISK, changes.get("second", CUSTOMER)),
    ]


def written(tmp_path, rows, *, version=4, arch="x86_64", signing=None) -> bytes:
    path = tmp_path / "x.eif"
    parts = [bytes_part(kind, data) for kind, data in rows]
    write_image(parts, output=path, architecture=arch, version=version, signing=signing)
    return path.read_bytes()


def with_crc(data: bytes) -> bytes:
    crc = zlib.crc32(data[548:], zlib.crc32(data[:544]))
    return data[:544] + struct.pack(">I", crc) + data[548:]


def patched(data: bytes, at: int, form: str, value: int) -> bytes:
    raw = struct.pack(form, value)
    return with_crc(data[:at] + raw + data[at + len(raw) :])


def rules(data: bytes, **given) -> dict[str, int]:
    """Return rule -> byte of what is found, but for the CRC when it was not mended."""
    return {f.rule: f.offset for f in check_image(io.BytesIO(data), **given).findings}


def test_a_good_image_has_no_findings(tmp_path, pairs):
    assert rules(written(tmp_path, sections())) == {}
    assert rules(written(tmp_path, sections(kernel=ARM_IMAGE), arch="aarch64")) == {}
    data = written(tmp_path, sections(), signing=signing_key_from_pem(*pairs["P-384"]))
    report = check_image(io.BytesIO(data), at=NOW)
    assert report.findings == ()
    assert report.ok
    assert report.measurements is not None


def test_a_stand_in_is_said(tmp_path):
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "a").write_bytes(b"\x7fELF")
    (tmp_path / "r" / "a").chmod(0o755)
    built = build_image(
        rootfs=tmp_path / "r", command=["/a"], environment={}, output=tmp_path / "x.eif",
        name="n", version="1", boot=BootParts.stand_in("aarch64"), build_time=NOW,
    )  # fmt: skip
    report = check_image(built.path)
    assert report.rules == {"kernel-stand-in"}
    assert report.ok


HEADER_RULES = [
    ("header-magic", 0, ">I", 0x2E656967, 0),
    ("header-version", 4, ">H", 5, 4),
    ("header-version", 4, ">H", 1, 4),
    ("header-flags", 6, ">H", 0x2, 6),
    ("header-memory", 8, ">Q", 1, 8),
    ("header-cpus", 16, ">Q", 1, 16),
    ("header-reserved", 0x18, ">H", 1, 0x18),
    ("header-unused", 0x21C, ">I", 1, 0x21C),
    ("section-count", 0x1A, ">H", 4, 0x1A),
    ("table-unused", 0x1C + 8 * 9, ">Q", 1, 0x1C + 8 * 9),
    ("table-unused", 0x11C + 8 * 9, ">Q", 1, 0x11C + 8 * 9),
    ("table-offset", 0x1C + 8, ">Q", 549, 0x1C + 8),
    ("table-size", 0x11C + 8, ">Q", 4, 0x11C + 8),
    ("table-range", 0x11C + 8, ">Q", 1 << 40, 0x1C + 8),
    ("table-range", 0x1C + 8, ">Q", 2**64 - 1, 0x1C + 8),
    ("table-overlap", 0x1C + 8, ">Q", 600, 0x1C + 8),
    ("table-overlap", 0x1C, ">Q", 0, 0x1C),
    ("header-sections", 0x1A, ">H", 33, 0x1A),
    ("header-sections", 0x1A, ">H", 1, 0x1A),
    ("section-flags", 550, ">H", 1, 550),
]


@pytest.mark.parametrize(("rule", "at", "form", "value", "place"), HEADER_RULES)
def test_headers(tmp_path, rule, at, form, value, place):
    found = rules(patched(written(tmp_path, sections()), at, form, value))
    assert found[rule] == place
    assert "crc" not in found


def test_flags_of_another_builder_are_no_error(tmp_path):
    """bottlerocket's eif-builder sets bits 6 and 9."""
    data = patched(written(tmp_path, sections()), 6, ">H", 1 << 6 | 1 << 9)
    data = (
        data[:544] + zlib.crc32(data[548:], zlib.crc32(data[:544])).to_bytes(4, "big") + data[548:]
    )
    report = check_image(io.BytesIO(data))
    [finding] = report.findings
    assert (finding.rule, finding.severity, finding.offset) == ("header-flags", "warning", 6)
    assert "0x0240: an extension this package does not know" in finding.found
    assert "PCR0 may be computed otherwise" in finding.found
    assert report.ok


def test_the_crc(tmp_path):
    data = written(tmp_path, sections())
    report = check_image(io.BytesIO(data[:544] + b"\0\0\0\0" + data[548:]))
    [finding] = report.findings
    assert (finding.rule, finding.offset, finding.severity) == ("crc", 544, "error")
    assert finding.expected == f"0x{zlib.crc32(data[548:], zlib.crc32(data[:544])):08x}"


def test_every_truncation_is_an_error(tmp_path):
    data = written(tmp_path, sections(first=b"", second=b"", metadata=b"{}"))
    for length in range(len(data)):
        report = check_image(io.BytesIO(data[:length]))
        assert not report.ok, length


CONTENTS = [
    ("kernel-format", {"kernel": b"kernel"}, "warning"),
    ("kernel-architecture", {"kernel": ARM_IMAGE}, "error"),
    ("cmdline-nul", {"cmdline": b"a\0"}, "error"),
    ("cmdline-space", {"cmdline": b"a "}, "note"),
    ("cmdline-text", {"cmdline": "ä".encode()}, "warning"),
    ("cmdline-length", {"cmdline": b"a" * 2048}, "warning"),
    ("cmdline-length", {"cmdline": b"a" * 5000}, "error"),
    ("metadata-json", {"metadata": b"{"}, "error"),
    ("metadata-json", {"metadata": b"[]"}, "error"),
    ("metadata-json", {"metadata": b"[" * 100_000}, "error"),
    ("metadata-keys", {"metadata": b"{}"}, "error"),
    ("metadata-keys", {"metadata": IDENTITY.pack().replace(b"BuildTime", b"BuildTame")}, "error"),
    ("metadata-keys", {"metadata": IDENTITY.pack().replace(b'"1.0"', b"1")}, "error"),
    ("metadata-duplicate", {"metadata": b'{"ImageName":"a",' + IDENTITY.pack()[1:]}, "error"),
    ("metadata-duplicate", {"metadata": IDENTITY.pack()[:-5] + b'{"a":1,"a":1}}'}, "warning"),
    ("metadata-json", {"metadata": IDENTITY.pack().decode().encode("utf-16")}, "error"),
    ("metadata-json", {"metadata": IDENTITY.pack()[:-5] + b"NaN}"}, "error"),
    ("metadata-json", {"metadata": IDENTITY.pack()[:-5] + b'"\\ud800"}'}, "error"),
    ("metadata-json", {"metadata": IDENTITY.pack()[:-5] + b"[" * 127 + b"]" * 127 + b"}"}, "error"),
    ("metadata-custom", {"metadata": IDENTITY.pack()[:-5] + b"[1]}"}, "warning"),
    ("metadata-more", {"metadata": b'{"X":1,' + IDENTITY.pack()[1:]}, "note"),
    ("metadata-size", {"metadata": b" " * (4 * 1024**2 + 1)}, "error"),
    ("ramdisk-empty", {"second": b""}, "warning"),
    ("ramdisk-archive", {"second": b"nothing"}, "warning"),
    ("ramdisk-content", {"second": BOOTSTRAP}, "note"),
    ("ramdisk-content", {"first": CUSTOMER}, "note"),
]


@pytest.mark.parametrize(("rule", "changes", "severity"), CONTENTS)
def test_contents(tmp_path, rule, changes, severity):
    report = check_image(io.BytesIO(written(tmp_path, sections(**changes))))
    assert [(f.rule, f.severity) for f in report.findings] == [(rule, severity)]
    assert report.ok == (severity != "error")


def test_layouts(tmp_path):
    kernel, cmdline, metadata, first, second = sections()

    def found(*rows, version=4):
        return set(rules(written(tmp_path, rows, version=version)))

    assert found(kernel, cmdline, first, second) == {"layout-metadata"}
    assert found(kernel, cmdline, first, second, version=3) == set()
    assert found(kernel, cmdline, metadata, first, second, version=3) == {"layout-version"}
    assert found(kernel, cmdline, metadata) == {"layout-ramdisk"}
    assert found(cmdline, metadata, first, second) == {"layout-kernel"}
    assert found(kernel, metadata, first, second) == {"layout-cmdline"}
    assert found(kernel, kernel, cmdline, metadata, first, second) == {"layout-kernel"}
    assert found(kernel, cmdline, metadata, metadata, first, second) == {"layout-metadata"}
    assert found(kernel, cmdline, metadata, first) == {"ramdisk-only-one"}
    assert found(kernel, cmdline, first, second, metadata) == {"layout-unusual-order"}
    assert found(first, kernel, cmdline, metadata, second) == {
        "layout-order", "layout-unusual-order",
    }  # fmt: skip


def test_signatures(tmp_path, pairs):
    key = signing_key_from_pem(*pairs["P-256"])
    data = written(tmp_path, sections(), signing=key)
    assert rules(data, at=NOW + dt.timedelta(days=365 * 30)) == {
        "signature-validity": data.rindex(SECTION_HEADER.pack(4, 0, len(data) - _last(data) - 12))
    }
    assert rules(data) == {}  # without a time validity is not judged
    at = _last(data)
    assert set(rules(patched(data, len(data) - 1, ">B", data[-1] ^ 1))) == {"signature-holds"}
    assert "signature-shape" in rules(patched(data, at + 12, ">B", 0x80))
    moved = with_crc(data.replace(b"quiet", b"quick"))
    assert set(rules(moved)) == {"signature-holds"}
    version_2 = patched(data, 4, ">H", 2)
    assert set(rules(version_2)) == {"layout-version"}
    expired = key_and_certificate("P-256", NOW - dt.timedelta(2), NOW - dt.timedelta(1))
    late = written(tmp_path, sections(), signing=signing_key_from_pem(*expired))
    assert set(rules(late, at=NOW)) == {"signature-validity"}


def _last(data: bytes) -> int:
    """The offset of the last section's header, from the table."""
    count = int.from_bytes(data[0x1A:0x1C], "big")
    return int.from_bytes(data[0x1C + 8 * (count - 1) : 0x1C + 8 * count], "big")


def test_a_stale_signature_size_is_found_and_taken_by_readers(tmp_path, pairs):
    data = written(tmp_path, sections(), signing=signing_key_from_pem(*pairs["P-256"]))
    found = check_image(io.BytesIO(patched(data, 0x11C + 8 * 5, ">Q", 100))).findings
    assert [f.rule for f in found] == ["table-size"]
    assert "leaves it stale" in found[0].clause


def test_findings_are_json(tmp_path):
    report = check_image(io.BytesIO(written(tmp_path, sections(cmdline=b"a\0"))))
    row = json.loads(json.dumps(report.findings[0].to_json()))
    assert sorted(row) == ["clause", "expected", "found", "offset", "rule", "severity"]


def test_files_that_cannot_be_read():
    with pytest.raises(ImageError):
        check_image("/nowhere")


@given(st.binary(max_size=600), st.integers(0, 600))
@UNHURRIED
def test_the_validator_never_raises(data, cut):
    header = b".eif\0\4" + bytes(542)
    for candidate in (data, header + data, header[:cut] + data):
        report = check_image(io.BytesIO(candidate))
        assert not report.ok
