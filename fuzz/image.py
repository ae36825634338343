"""Fuzz the readers of enclave images, ramdisks and container archives with atheris.

    python fuzz/image.py [corpus folder] [-max_total_time=1800] …

Any bytes must either be read or raise an error of the package's tree, without time or memory
running away. The first byte chooses the reader. Atheris is installed where this runs (pip install
atheris), not with the package.
"""

from __future__ import annotations

import contextlib
import io
import sys

import atheris

with atheris.instrument_imports(include=["nitro_workflow.image", "tarfile"]):
    from nitro_workflow.image.container import (
        container_image,
        layer_compression,
        layers,
        union_tree,
    )
    from nitro_workflow.image.format import (
        byte_source,
        eif,
        kernel_header,
        metadata,
        signature_section,
    )
    from nitro_workflow.image.inspect import describe, measure, validator
    from nitro_workflow.image.ramdisk import ramdisk_entry, ramdisk_stream

from nitro_workflow.errors import NitroWorkflowError
from nitro_workflow.image.format.eif import SECTION_HEADER, EifHeader
from nitro_workflow.image.ramdisk.cpio import pack_trailer

LIMIT = 1 << 22  # bytes that any input may unpack to here


def read_eif(data: bytes) -> None:
    """Open, list, measure and describe an image; the validator must not raise at all."""
    file = io.BytesIO(data)
    report = validator.check_image(file)
    try:
        with eif.open_image(file) as image:
            kernel_header.kernel_version(image)
            measured = measure.measure_image(image)
            assert report.measurements in (None, measured)
            describe.describe_contents(image)
        describe.describe_image(file)
    except NitroWorkflowError:
        # What cannot be opened is never called good.
        with contextlib.suppress(NitroWorkflowError):
            eif.open_image(file)
            return
        assert not report.ok


def read_sections(data: bytes) -> None:
    """Put the bytes into the sections of an image that is otherwise whole."""
    cut = len(data) // 2
    rows = [(1, b"k"), (2, b"c"), (5, data[:cut]), (3, data[cut:]), (4, data[:cut])]
    body = b"".join(SECTION_HEADER.pack(kind, 0, len(part)) + part for kind, part in rows)
    header = EifHeader(4, 0, 0, 0, 0, len(rows), (0,) * 32, (0,) * 32, 0, 0)
    read_eif(header.pack() + body)


def read_ramdisk(data: bytes) -> None:
    """List a ramdisk and read every file."""
    memory = byte_source.MemorySource(data)
    for entry in ramdisk_entry.stream_entries(
        ramdisk_stream.open_stream(memory, 0, len(data), limit=LIMIT)
    ):
        entry.sha256()
        assert not entry.path.startswith("/")
        assert ".." not in entry.path.split("/")


def read_headers(data: bytes) -> None:
    """Read the bytes as the hex numbers of cpio headers, so that the checksum-free format opens."""
    rows = [data[at : at + 60] for at in range(0, len(data), 60)]
    archive = b""
    for row in rows:
        numbers = row[:26].ljust(26, b"\0")
        fields = "".join(f"{numbers[at] << 8 | numbers[at + 1]:08X}" for at in range(0, 26, 2))
        name = row[26:].replace(b"\0", b"/") + b"\0"
        fields = f"{fields[:88]}{len(name):08X}{fields[96:]}"
        entry = b"070701" + fields.encode() + name
        archive += entry + bytes(-len(entry) & 3)
    read_ramdisk(archive + pack_trailer())


def with_checksums(data: bytes) -> bytes:
    """Make the checksums of a tar's headers right, so that mutations get past them."""
    archive, at = bytearray(data), 0
    while at + 512 <= len(archive):
        block = archive[at : at + 512]
        if any(block):
            block[148:156] = b" " * 8
            archive[at + 148 : at + 156] = b"%06o\0 " % sum(block)
        digits = bytes(block[124:136]).strip(b"\0 ")
        size = int(digits, 8) if digits.isdigit() and not digits.strip(b"01234567") else 0
        at += 512 + min(size + (-size & 511), 1 << 20)
    return bytes(archive)


def read_fixed_layer(data: bytes) -> None:
    """Read a layer whose headers' checksums are right."""
    read_layer(with_checksums(data))


def read_layer(data: bytes) -> None:
    """Put a tar on an empty tree, and read every file of the result."""
    top = layers.LayerStack()
    import tempfile

    with tempfile.TemporaryFile() as file:
        layer_compression.unpack_to(io.BytesIO(data), file)
        top.apply(file, "fuzz")
        total = 0
        for node in top.tree.nodes():
            assert b".." not in node.path.split(b"/")
            for piece in node.content() if node.content else ():
                total += len(piece)
                if total > LIMIT:
                    return


def read_layout(data: bytes) -> None:
    """Read a tar file as a container image."""
    with tempfile_named(data) as path, container_image.open_container_image(path):
        pass


@contextlib.contextmanager
def tempfile_named(data: bytes):
    import tempfile
    from pathlib import Path

    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        file.write(data)
        file.flush()
        yield Path(file.name)


def read_signature(data: bytes) -> None:
    """Read a signature section, and write it again."""
    section = signature_section.parse_signature_section(data)
    assert signature_section.parse_signature_section(section.pack()) == section
    signature_section.certificate_der(section.certificate_pem)


def read_metadata(data: bytes) -> None:
    """Read the user's metadata and write the section."""
    value = metadata.parse_custom_metadata(data)
    metadata.Identity("n", "v", metadata.BuildInfo("t"), None, value).pack()


def read_paths(data: bytes) -> None:
    """Follow paths through a tree of links."""
    tree = union_tree.UnionTree()
    from nitro_workflow.image.ramdisk.file_tree import file_node, symlink_node

    for row in data.split(b"\n")[:50]:
        path, _, target = row.partition(b"=")
        with contextlib.suppress(NitroWorkflowError):
            name = ramdisk_entry.safe_path(path)
            if name != ".":
                target = target.replace(b"\0", b"")
                node = symlink_node(b"", target) if target else file_node(b"", b"x")
                tree.put(name, node)
                tree.link("twin", name)
    for node in tree.nodes():
        assert b".." not in node.path.split(b"/")


READERS = (
    read_eif, read_sections, read_ramdisk, read_headers, read_layer, read_layout,
    read_signature, read_metadata, read_paths, read_fixed_layer,
)  # fmt: skip


def one_input(data: bytes) -> None:
    """Let the first byte choose the reader of the others."""
    if data:
        with contextlib.suppress(NitroWorkflowError):
            READERS[data[0] % len(READERS)](data[1:])


def main() -> None:
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
