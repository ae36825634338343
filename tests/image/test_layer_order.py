"""The entries of a layer count in their order; a damaged archive is refused, never read in part."""

from __future__ import annotations

import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro_workflow.errors import ImageError
from tests.image.conftest import UNHURRIED
from tests.image.test_oci import (
    LAYERS,
    as_folder,
    as_tar,
    flat,
    folder,
    hard,
    link,
    member,
    oci_files,
    tar,
    tree_of,
)

BASE = tar(
    folder("target"), member("target/keep", b"k"), folder("target/sub"),
    member("target/sub/x", b"x"), link("link", "target"),
)  # fmt: skip
KEPT = {"target", "target/keep", "target/sub", "target/sub/x"}


@pytest.mark.parametrize(
    ("upper", "added"),
    [
        ([folder("link"), member("link/.wh.keep"), member("link/new")], {"link", "link/new"}),
        ([folder("link"), folder("link/sub"), member("link/sub/.wh..wh..opq")],
         {"link", "link/sub"}),
        ([folder("link"), member("link/.wh..wh..opq"), member("link/n")], {"link", "link/n"}),
        # the link stays a link: a whiteout does not go through it
        ([member("link/.wh.keep")], {"link"}),
        ([member("link/.wh..wh..opq")], {"link"}),
        ([member("link/sub/.wh.x")], {"link"}),
        # the whiteout first, then the folder in the link's place
        ([member(".wh.link"), folder("link"), member("link/keep", b"2")], {"link", "link/keep"}),
        ([folder("link"), member("link/keep", b"2"), member(".wh.link")], {"link", "link/keep"}),
    ],
)  # fmt: skip
def test_a_link_that_becomes_a_folder_loses_nothing_of_its_target(tmp_path, upper, added):
    tree = flat(tmp_path, BASE, tar(*upper))
    assert set(tree) == KEPT | added
    assert tree["target/keep"][1] == b"k"


def test_a_whiteout_spares_its_own_layer_and_takes_the_rest_of_a_folder(tmp_path):
    lower = tar(folder("d"), member("d/low"), folder("d/both"), member("d/both/low"))
    upper = tar(member("d/both/new", b"n"), member(".wh.d"))
    assert set(flat(tmp_path, lower, upper)) == {"d", "d/both", "d/both/new"}


def test_a_later_entry_of_the_same_name_wins(tmp_path):
    layer = tar(member("a", b"1"), folder("a"), member("a/b"), link("c", "a"), member("c", b"3"))
    tree = flat(tmp_path, layer)
    assert set(tree) == {"a", "a/b", "c"}
    assert tree["c"] == ("-rw-r--r--", b"3")


def test_absolute_names_mean_the_images_root(tmp_path):
    layer = tar(
        folder("/"), folder("/usr"), member("/usr/a", b"x"), hard("usr/b", "/usr/a"),
        member("//usr//c", b"y"),
    )  # fmt: skip
    tree = flat(tmp_path, layer)
    assert set(tree) == {"usr", "usr/a", "usr/b", "usr/c"}
    assert tree["usr/b"][1] == b"x"
    assert set(flat(tmp_path, layer, tar(member("/usr/.wh.a")))) == {"usr", "usr/b", "usr/c"}


@pytest.mark.parametrize(
    "entry", [member("/../x"), member("usr/../x"), hard("x", "/../etc/passwd"), hard("x", "../a")]
)
def test_dots_stay_refused(tmp_path, entry):
    with pytest.raises(ImageError, match="leaves the archive"):
        flat(tmp_path, tar(entry))


THREE = tar(member("one", b"1"), member("two", b"2"), member("three", b"3"))


def _changed(at: int, value: int) -> bytes:
    return bytes([*THREE[:at], value, *THREE[at + 1 :]])


@pytest.mark.parametrize(
    ("layer", "where"),
    [
        (_changed(1024 + 150, THREE[1024 + 150] ^ 1), "byte 1024"),
        (_changed(1024 + 257, 0), "byte 1024"),
        (THREE[: 1024 + 200], "byte 1024"),
        (THREE[:1024] + bytes(512) + THREE[1024:], "byte 1536"),
        (THREE[:1024] + bytes(1024) + THREE[1024:], "byte 2048"),
        (THREE + b"more", f"byte {len(THREE)}"),
        (THREE[: 1024 + 512], "byte"),
        (THREE[: 1024 + 512 + 1], "byte"),
        (bytes(512) + THREE, "byte 512"),
    ],
    ids=[
        "checksum", "magic", "cut header", "zero block", "two zero blocks", "after the end",
        "no content", "cut content", "begins with zeros",
    ],
)  # fmt: skip
def test_a_damaged_archive_is_refused_with_its_offset(tmp_path, layer, where):
    with pytest.raises(ImageError) as caught:
        flat(tmp_path, layer)
    assert where in caught.value.where
    assert caught.value.where.startswith("layer blobs/sha256/")


def test_so_is_the_archive_that_holds_the_layers(tmp_path):
    path = as_tar(tmp_path / "a.tar", oci_files(LAYERS))
    path.write_bytes(path.read_bytes() + THREE)
    with pytest.raises(ImageError, match="after the end"):
        tree_of(path)


@pytest.mark.parametrize("end", [b"", bytes(512), bytes(1024), bytes(10_240), bytes(100)])
def test_an_end_with_or_without_zero_blocks_is_an_end(tmp_path, end):
    # Go's writers leave them out where a process copies entries (io.EOF at a header is the end)
    assert set(flat(tmp_path, THREE[: 3 * 1024] + end)) == {"one", "two", "three"}


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_damaged_header_after_a_long_name_is_refused(tmp_path, form):
    layer = bytearray(tar(member("a"), member("n" * 200, b"x"), member("b"), form=form))
    layer[512 + 1024 + 148] ^= 1
    with pytest.raises(ImageError):
        flat(tmp_path, bytes(layer))


@given(st.integers(0, len(THREE) - 1), st.integers(1, 255))
@settings(UNHURRIED, max_examples=100)
def test_no_change_of_a_byte_loses_a_file(tmp_path_factory, at, change):
    layer = _changed(at, THREE[at] ^ change)
    path = tmp_path_factory.mktemp("oci")
    try:
        tree = tree_of(as_folder(path, oci_files([layer])))
    except ImageError:
        return
    assert len(tree) == 3
