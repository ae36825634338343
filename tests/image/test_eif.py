"""The container: what is read, and what is refused where."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro_workflow.errors import ImageError
from nitro_workflow.image import open_image
from nitro_workflow.image.build.image_writer import bytes_part, write_image
from nitro_workflow.image.format.eif import (
    HEADER,
    SECTION_HEADER,
    EifHeader,
    SectionKind,
    parse_header,
)
from tests.image.conftest import IDENTITY, UNHURRIED, parts_of


def test_sections_of_a_small_image(small):
    with open_image(small()) as image:
        assert [section.kind.name for section in image.sections] == [
            "KERNEL", "CMDLINE", "METADATA", "RAMDISK", "RAMDISK",
        ]  # fmt: skip
        assert image.command_line == b"quiet"
        assert image.metadata["ImageName"] == "image"
        assert image.signature_section is None
        assert image.header.architecture == "x86_64"
        assert image.header.offsets[:5] == tuple(section.offset for section in image.sections)
        assert image.header.sizes[:5] == tuple(section.size for section in image.sections)


def test_a_path_a_descriptor_and_a_file_object_read_alike(small):
    path = small(arch="aarch64")
    fd = os.open(path, os.O_RDONLY)
    os.lseek(fd, 77, os.SEEK_SET)
    try:
        memory = io.BytesIO(path.read_bytes())
        with path.open("rb") as file, open_image(file) as a, open_image(memory) as b:
            assert open_image(fd).sections == open_image(path).sections == a.sections
            assert a.sections == b.sections
            assert a.metadata == b.metadata
        assert os.lseek(fd, 0, os.SEEK_CUR) == 77
        assert open_image(fd).header.architecture == "aarch64"
    finally:
        os.close(fd)


@pytest.mark.parametrize("version", [2, 3, 4])
def test_the_published_versions_are_read(small, version):
    metadata = IDENTITY.pack() if version == 4 else None
    with open_image(small(version=version, metadata=metadata)) as image:
        assert image.header.version == version
        assert (image.metadata is None) == (version < 4)


@pytest.mark.parametrize("version", [0, 1, 5, 65535])
def test_other_versions_are_refused(small, version):
    with pytest.raises(ImageError, match="expected 2, 3 or 4") as error:
        open_image(small(version=version))
    assert error.value.where == "EIF header, byte 4"


def test_every_truncation_is_refused(small):
    whole = small().read_bytes()
    for length in range(len(whole)):
        with pytest.raises(ImageError) as error:
            open_image(io.BytesIO(whole[:length]))
        assert error.value.where
        assert error.value.next


@pytest.mark.parametrize("tail", [b"\0", b"\0" * 11, b"\0" * 12, SECTION_HEADER.pack(3, 0, 0)])
def test_what_is_appended_is_refused(small, tail):
    with pytest.raises(ImageError):
        open_image(io.BytesIO(small().read_bytes() + tail))


def _with_section(index: int, kind: int, size: int) -> bytes:
    """A header of 3 sections and section headers of which one is as given."""
    header = EifHeader(4, 0, 0, 0, 0, 3, (0,) * 32, (0,) * 32, 0, 0).pack()
    rows = [(1, 0), (2, 0), (3, 0)]
    rows[index] = (kind, size)
    return header + b"".join(SECTION_HEADER.pack(kind, 0, size) for kind, size in rows)


@pytest.mark.parametrize(
    ("kind", "size", "found"),
    [
        (0, 0, "section type 0"),
        (6, 0, "section type 6"),
        (65535, 0, "section type 65535"),
        (3, 1, "0 bytes left"),
        (3, 2**64 - 1, "0 bytes left"),
        (3, 2**63, "0 bytes left"),
    ],
)
def test_a_section_that_is_not_one(kind, size, found):
    with pytest.raises(ImageError, match=found) as error:
        open_image(io.BytesIO(_with_section(2, kind, size)))
    assert error.value.where == f"section 2, byte {HEADER.size + 24}"


def test_33_sections_are_refused_in_header_and_in_body(tmp_path):
    header = EifHeader(4, 0, 0, 0, 0, 33, (0,) * 32, (0,) * 32, 0, 0).pack()
    body = SECTION_HEADER.pack(3, 0, 0) * 33
    with pytest.raises(ImageError, match="33 sections; expected 2 to 32"):
        open_image(io.BytesIO(header + body))
    header = EifHeader(4, 0, 0, 0, 0, 32, (0,) * 32, (0,) * 32, 0, 0).pack()
    with pytest.raises(ImageError, match="a 33rd section"):
        open_image(io.BytesIO(header + body))
    parts = parts_of(ramdisks=(b"",) * 30)
    with pytest.raises(ImageError, match="33 sections"):
        write_image(parts, output=tmp_path / "x.eif", architecture="x86_64")
    assert not list(tmp_path.iterdir())


def test_32_sections_are_read(tmp_path):
    parts = parts_of(ramdisks=(b"x",) * 29)
    write_image(parts, output=tmp_path / "x.eif", architecture="x86_64")
    with open_image(tmp_path / "x.eif") as image:
        assert len(image.ramdisks) == 29


@pytest.mark.parametrize("metadata", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_metadata_that_is_not_an_object(small, metadata):
    with open_image(small(metadata=metadata)) as image, pytest.raises(ImageError) as error:
        _ = image.metadata
    assert "metadata section, byte" in error.value.where


def test_metadata_too_long_to_be_read(small):
    with open_image(small(metadata=b" " * (4 * 1024**2 + 1))) as image, pytest.raises(ImageError):
        _ = image.metadata


@pytest.mark.parametrize("path", ["/dev/null", "/", "/nowhere/x.eif"])
def test_what_is_not_a_file(path):
    with pytest.raises(ImageError) as caught:
        open_image(path)
    assert caught.value.where == path


def test_a_closed_descriptor_and_a_pipe_are_refused():
    with pytest.raises(ImageError, match="Bad file descriptor"):
        open_image(9999)
    reader, writer = os.pipe()
    with pytest.raises(ImageError, match="expected a regular file"):
        open_image(reader)
    os.close(reader)
    os.close(writer)


def test_the_reader_imports_the_standard_library_alone():
    code = (
        "import sys; import nitro_workflow.image.format.eif, nitro_workflow.image.ramdisk.ramdisk_entry,"
        "nitro_workflow.image.ramdisk.unpack, nitro_workflow.image.inspect.measure;"
        "sys.exit(any(m.split('.')[0] in ('cryptography', 'cbor2', 'click', 'boto3')"
        " for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


u64 = st.integers(0, 2**64 - 1)
u16 = st.integers(0, 2**16 - 1)


@given(
    st.builds(
        EifHeader,
        u16,
        u16,
        u64,
        u64,
        u16,
        u16,
        st.tuples(*[u64] * 32),
        st.tuples(*[u64] * 32),
        st.integers(0, 2**32 - 1),
        st.integers(0, 2**32 - 1),
    )
)
@UNHURRIED
def test_headers_round_trip(header):
    assert parse_header(header.pack()) == header


@given(
    st.lists(
        st.tuples(st.sampled_from(SectionKind), st.binary(max_size=40)), min_size=2, max_size=32
    )
)
@settings(UNHURRIED, max_examples=60)
def test_images_round_trip(tmp_path_factory, sections):
    path = tmp_path_factory.mktemp("eif") / "x.eif"
    write_image(
        [bytes_part(kind, data) for kind, data in sections], output=path, architecture="x86_64"
    )
    with open_image(path) as image:
        read = [(s.kind, image.source.read_exactly(s.data_offset, s.size)) for s in image.sections]
    assert read == sections


@given(st.binary(max_size=2000))
@UNHURRIED
def test_any_bytes_are_an_image_or_an_image_error(data):
    for prefix in (b"", struct.pack(">4sHHQQHH", b".eif", 4, 0, 0, 0, 0, 2) + bytes(516)):
        with contextlib.suppress(ImageError):
            open_image(io.BytesIO(prefix + data))
