"""Ramdisks: listing and unpacking, and what a hostile one tries."""

from __future__ import annotations

import gzip
import io
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro_workflow.errors import ImageError
from nitro_workflow.image import open_image, ramdisk_entries, unpack_ramdisk
from nitro_workflow.image.build.image_writer import write_image
from nitro_workflow.image.format.byte_source import MemorySource
from nitro_workflow.image.ramdisk.cpio import pack_entry, pack_trailer, padding
from nitro_workflow.image.ramdisk.file_tree import (
    Node,
    RamdiskLayout,
    file_node,
    folder_node,
    symlink_node,
)
from nitro_workflow.image.ramdisk.ramdisk_entry import stream_entries
from nitro_workflow.image.ramdisk.ramdisk_stream import open_stream
from nitro_workflow.image.ramdisk.unpack import unpack_entries
from tests.image.conftest import UNHURRIED, parts_of

REG, DIR, LNK = stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK


def entry(name: bytes, mode: int = REG | 0o644, data: bytes = b"", **fields: object) -> bytes:
    fields.setdefault("inode", 1)
    return pack_entry(name, mode, len(data), **fields) + data + padding(len(data))


def archive(*entries: bytes) -> bytes:
    return b"".join(entries) + pack_trailer()


def listed(data: bytes) -> list:
    return list(stream_entries(open_stream(MemorySource(data), 0, len(data))))


def unpacked(data: bytes, target: Path, **given):
    entries = stream_entries(open_stream(MemorySource(data), 0, len(data)))
    return unpack_entries(entries, target, **given)


@pytest.fixture
def image(tmp_path):
    nodes = [
        folder_node(b"etc"),
        file_node(b"etc/motd", b"hello\n", 0o640),
        symlink_node(b"etc/mtab", b"/proc/mounts"),
        Node(b"null", stat.S_IFCHR | 0o666, device=(1, 3)),
        file_node(b"run", bytes(2_000_000), 0o4755),
    ]
    ramdisk = b"".join(RamdiskLayout(nodes).pieces())
    assert len(ramdisk) == RamdiskLayout(nodes).size
    path = tmp_path / "x.eif"
    write_image(parts_of(ramdisks=(b"", ramdisk)), output=path, architecture="x86_64")
    return path


def test_listing(image):
    with open_image(image) as opened:
        entries = {e.path: (e, e.sha256()) for e in ramdisk_entries(opened, 1)}
        assert list(ramdisk_entries(opened, 0)) == []
    assert list(entries) == ["etc", "etc/motd", "etc/mtab", "null", "run"]
    motd, digest = entries["etc/motd"]
    assert (motd.kind, motd.mode, motd.size, motd.uid, motd.gid) == ("file", 0o640, 6, 0, 0)
    assert digest == "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
    assert entries["etc/mtab"][0].target == "/proc/mounts"
    assert entries["null"][0].device == (1, 3)


@pytest.mark.parametrize("index", [-1, 2, 99])
def test_a_ramdisk_that_is_not_there(image, index):
    with open_image(image) as opened, pytest.raises(ImageError, match="expected 0 to 1"):
        list(ramdisk_entries(opened, index))


def test_unpacking(image, tmp_path):
    target = tmp_path / "out"
    with open_image(image) as opened:
        report = unpack_ramdisk(opened, 1, target)
    assert (report.files, report.folders, report.links) == (2, 1, 1)
    assert report.left_out == ("null",)
    assert (target / "etc/motd").read_bytes() == b"hello\n"
    assert stat.S_IMODE((target / "etc/motd").stat().st_mode) == 0o640
    assert stat.S_IMODE((target / "run").stat().st_mode) == 0o755  # no set-user-id
    assert (target / "etc/mtab").readlink() == Path("/proc/mounts")
    with open_image(image) as opened, pytest.raises(ImageError, match="not empty"):
        unpack_ramdisk(opened, 1, target)


def test_gzip_and_several_archives_and_members():
    one, two = archive(entry(b"a", data=b"A" * 100_000)), archive(entry(b"b", data=b"B"))
    for data in (
        one + bytes(512) + two,
        gzip.compress(one + two),
        gzip.compress(one) + bytes(8) + gzip.compress(bytes(4) + two),
    ):
        stream = open_stream(MemorySource(data), 0, len(data))
        assert [(e.path, b"".join(e.data())) for e in stream_entries(stream)] == [
            ("a", b"A" * 100_000), ("b", b"B"),
        ]  # fmt: skip


@pytest.mark.parametrize(
    "magic", [b"BZh9", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"\x02\x21\x4c\x18", b"\x5d\0\0\0"]
)
def test_other_compressions_are_named(magic):
    with pytest.raises(ImageError, match="compressed with"):
        listed(magic + bytes(100))


def test_every_truncation_of_a_ramdisk_is_refused():
    # Between two entries there is no telling a cut from an end, save by the trailer.
    data = archive(entry(b"d", DIR | 0o755), entry(b"d/f", data=b"content"))
    for length in range(1, len(data) - 1):
        with pytest.raises(ImageError):
            listed(data[:length])
    packed = gzip.compress(data)
    for length in range(2, len(packed)):
        with pytest.raises(ImageError):
            listed(packed[:length])


HOSTILE_NAMES = {
    "traversal": b"../out",
    "traversal inside": b"a/../../out",
    "absolute": b"/etc/passwd",
    "long part": b"x" * 256,
    "long path": b"/".join([b"x" * 200] * 21),
}


@pytest.mark.parametrize("name", HOSTILE_NAMES.values(), ids=HOSTILE_NAMES)
@pytest.mark.parametrize("mode", [REG | 0o644, DIR | 0o755, LNK | 0o777])
def test_hostile_names_are_refused_and_write_nothing(tmp_path, name, mode):
    target = tmp_path / "deep" / "target"
    target.parent.mkdir()
    with pytest.raises(ImageError):
        unpacked(archive(entry(name, mode, b"x" if mode != DIR | 0o755 else b"")), target)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["deep", "target"]


def _link_then(tmp_path: Path, *more: bytes) -> bytes:
    return archive(entry(b"link", LNK | 0o777, os.fsencode(tmp_path)), *more)


HOSTILE = {
    "file below a link": lambda p: _link_then(p, entry(b"link/pwned", data=b"x")),
    "folder below a link": lambda p: _link_then(p, entry(b"link/pwned", DIR | 0o755)),
    "link below a link": lambda p: _link_then(p, entry(b"link/pwned", LNK | 0o777, b"x")),
    "deep below a link": lambda p: _link_then(p, entry(b"link/a/pwned", data=b"x")),
    "folder in the place of a link": lambda p: _link_then(p, entry(b"link", DIR | 0o777)),
    "link in the place of a folder": lambda p: archive(
        entry(b"d", DIR | 0o755), entry(b"d", LNK | 0o777, os.fsencode(p)), entry(b"d/pwned")
    ),
    "link in the place of the root": lambda p: archive(entry(b".", LNK | 0o777, b"/")),
    "file below a file": lambda p: archive(entry(b"f"), entry(b"f/pwned", data=b"x")),
    "link without a target": lambda p: archive(entry(b"l", LNK | 0o777, b"")),
    "link target with NUL": lambda p: archive(entry(b"l", LNK | 0o777, b"a\0b")),
    "link target too long": lambda p: archive(entry(b"l", LNK | 0o777, b"a" * 4096)),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_hostile_archives_are_refused_and_write_nothing_outside(tmp_path, make):
    outside = tmp_path / "outside"
    outside.mkdir()
    with pytest.raises(ImageError):
        unpacked(make(outside), tmp_path / "target")
    assert list(outside.iterdir()) == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["outside", "target"]


def test_a_file_in_the_place_of_a_link_does_not_follow_it(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("as it was")
    data = archive(entry(b"l", LNK | 0o777, os.fsencode(victim)), entry(b"l", REG | 0o600, b"new"))
    unpacked(data, tmp_path / "t")
    assert victim.read_text() == "as it was"
    assert (tmp_path / "t" / "l").read_text() == "new"


def test_hard_links_stay_inside(tmp_path):
    same = {"inode": 5, "links": 2}
    data = archive(entry(b"a", data=b"shared", **same), entry(b"b", **same))
    unpacked(data, tmp_path / "t")
    assert (tmp_path / "t/a").samefile(tmp_path / "t/b")
    assert (tmp_path / "t/b").read_text() == "shared"
    # GNU cpio gives the content with the last name.
    data = archive(entry(b"a", **same), entry(b"b", data=b"shared", **same))
    unpacked(data, tmp_path / "u")
    assert (tmp_path / "u/a").read_text() == "shared"
    # A first name that has become a link to elsewhere is not linked to.
    victim = tmp_path / "victim"
    victim.write_text("as it was")
    data = archive(
        entry(b"a", data=b"1", **same),
        entry(b"a", LNK | 0o777, os.fsencode(victim)),
        entry(b"b", data=b"2", **same),
    )
    unpacked(data, tmp_path / "v")
    assert victim.read_text() == "as it was"
    assert (tmp_path / "v/b").read_text() == "2"


def test_devices_fifos_and_sockets_are_not_made(tmp_path):
    kinds = (stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK, 0o170000)
    data = archive(
        *(entry(b"x%d" % n, kind | 0o666, special=(1, 3)) for n, kind in enumerate(kinds))
    )
    report = unpacked(data, tmp_path / "t")
    assert len(report.left_out) == 5
    assert list((tmp_path / "t").iterdir()) == []


def test_a_gzip_bomb_stops_at_the_limit():
    bomb = gzip.compress(archive(entry(b"zeros", data=bytes(20_000_000))))
    stream = open_stream(MemorySource(bomb), 0, len(bomb), limit=1_000_000)
    with pytest.raises(ImageError, match="MAX_UNPACKED"):
        [item.sha256() for item in stream_entries(stream)]


def test_content_stops_at_the_limit(tmp_path):
    with pytest.raises(ImageError, match="more than 10 bytes"):
        unpacked(archive(entry(b"a", data=bytes(11))), tmp_path / "t", limit=10)


def test_too_many_entries_stop_at_the_limit(monkeypatch):
    monkeypatch.setattr("nitro_workflow.image.ramdisk.cpio.MAX_ENTRIES", 3)
    with pytest.raises(ImageError, match="more than 3 entries"):
        listed(archive(*(entry(b"%d" % n) for n in range(4))))


def test_a_hundred_thousand_files(tmp_path):
    nodes = [folder_node(b"d%02d" % n) for n in range(100)]
    nodes += [file_node(b"d%02d/%04d" % (n % 100, n), b"x") for n in range(100_000)]
    data = b"".join(RamdiskLayout(nodes).pieces())
    assert sum(1 for _ in listed(data)) == 100_100
    report = unpacked(data, tmp_path / "t")
    assert report.files == 100_000


def test_names_that_are_not_utf8(tmp_path):
    data = archive(entry(b"caf\xe9", data=b"x"), entry(b"l", LNK | 0o777, b"caf\xe9"))
    assert listed(data)[0].path == "caf\udce9"
    unpacked(data, tmp_path / "t")
    assert (tmp_path / "t" / "l").read_text() == "x"
    assert (tmp_path / "t" / os.fsdecode(b"caf\xe9")).exists()


def test_parents_that_are_not_listed_are_made(tmp_path):
    unpacked(archive(entry(b"a/b/c", data=b"x")), tmp_path / "t")
    assert (tmp_path / "t/a/b/c").read_text() == "x"


def test_folders_that_forbid_writing_are_filled_first(tmp_path):
    data = archive(entry(b"d", DIR | 0o555), entry(b"d/f", data=b"x"), entry(b"d", DIR | 0o555))
    unpacked(data, tmp_path / "t")
    assert stat.S_IMODE((tmp_path / "t/d").stat().st_mode) == 0o555


@pytest.mark.parametrize(
    ("at", "value", "found"),
    [
        (0, b"070707", "magic"),
        (6, b"0000000g", "hex"),
        (6, b" 0000001", "hex"),
        (94, b"00000000", "name of 0"),
    ],
)
def test_headers_that_are_not_headers(at, value, found):
    data = bytearray(archive(entry(b"a")))
    data[at : at + len(value)] = value
    with pytest.raises(ImageError, match=found):
        listed(bytes(data))


names = st.lists(
    st.binary(min_size=1, max_size=12).filter(lambda n: b"/" not in n and b"\0" not in n and n not in (b".", b"..", b"TRAILER!!!")),
    unique=True, max_size=12,
)  # fmt: skip


@given(names, st.data())
@settings(UNHURRIED, max_examples=60)
def test_trees_round_trip(names, data):
    nodes = []
    for name in names:
        content = data.draw(st.binary(max_size=20))
        mode = data.draw(st.integers(0, 0o7777))
        nodes.append(file_node(name, content, mode) if content else folder_node(name, mode))
    packed = b"".join(RamdiskLayout(nodes).pieces())
    assert len(packed) == RamdiskLayout(nodes).size
    stream = open_stream(MemorySource(packed), 0, len(packed))
    read = [(os.fsencode(e.path), e.mode, b"".join(e.data())) for e in stream_entries(stream)]
    assert read == [
        (n.path, n.mode & 0o7777, b"".join(n.content()) if n.content else b"") for n in nodes
    ]


def test_the_name_that_ends_an_archive_is_refused():
    with pytest.raises(ImageError, match="TRAILER"):
        RamdiskLayout([file_node(b"TRAILER!!!", b"")])


@given(st.binary(max_size=400))
@settings(UNHURRIED, max_examples=200)
def test_any_bytes_are_a_ramdisk_or_an_image_error(data):
    for candidate in (data, archive(entry(b"a", data=b"b")) + data, gzip.compress(data)):
        try:
            for item in listed(candidate):
                item.sha256()
        except ImageError:
            pass


def test_streams_over_file_objects(image):
    with open_image(io.BytesIO(image.read_bytes())) as opened:
        assert next(e.path for e in ramdisk_entries(opened, 1)) == "etc"
