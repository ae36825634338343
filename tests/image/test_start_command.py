"""A command that cannot start is said when the image is built or checked, not at its launch."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from click.testing import CliRunner

from nitro_workflow.cli import cli
from nitro_workflow.image import BootParts, build_image, check_image
from nitro_workflow.image.ramdisk.file_tree import Node, file_node, folder_node, symlink_node
from nitro_workflow.image.ramdisk.start_command import command_problem, files_of_nodes
from tests.image.conftest import NOW

MISSING = "is not in the image"


def elf(loader: bytes = b"", bits: int = 64) -> bytes:
    """Return the headers of an ELF with one program header, a loader's where one is named."""
    wide = bits == 64
    head, entry = (64, 56) if wide else (52, 32)
    kind, at = (3 if loader else 1), head + entry
    program = (
        struct.pack("<IIQQQQQQ", kind, 4, at, 0, 0, len(loader) + 1, 0, 1)
        if wide
        else struct.pack("<IIIIIIII", kind, at, 0, 0, len(loader) + 1, 0, 4, 1)
    )
    raw = bytearray(head)
    raw[:5] = b"\x7fELF" + (b"\2" if wide else b"\1")
    struct.pack_into("<Q" if wide else "<I", raw, 0x20 if wide else 0x1C, head)
    struct.pack_into("<HH", raw, 0x36 if wide else 0x2A, entry, 1)
    return bytes(raw) + program + loader + b"\0"


SHELL = [
    folder_node(b"bin"),
    file_node(b"bin/dash", elf(), 0o755),
    symlink_node(b"bin/sh", b"dash"),
]


def script(text: bytes, mode: int = 0o755) -> Node:
    return file_node(b"app", text, mode)


@pytest.mark.parametrize(
    ("nodes", "command", "environment", "says"),
    [
        (SHELL, ["/bin/sh"], [], ""),
        (SHELL, ["sh"], [], ""),
        (SHELL, ["bin/../bin/./sh"], [], ""),
        (SHELL, ["/bin/bash"], [], f"'/bin/bash' {MISSING}"),
        (SHELL, ["bash"], [], "in none of ['/sbin/bash', '/usr/sbin/bash', '/bin/bash'"),
        (SHELL, ["sh"], ["PATH=/opt/bin"], "in none of ['/opt/bin/sh']"),
        (SHELL, ["/bin"], [], "is a directory"),
        (SHELL, [""], [], "''"),
        ([*SHELL, script(b"#!/bin/sh\n")], ["/app"], [], ""),
        ([*SHELL, script(b"#! /bin/sh -e\n")], ["./app"], [], ""),
        ([*SHELL, script(b"#!/bin/bash\n")], ["/app"], [], f"its interpreter '/bin/bash', which {MISSING}"),
        ([*SHELL, script(b"#!/bin/sh\r\n")], ["/app"], [], r"'/bin/sh\r'"),
        ([*SHELL, script(b"#!/bin/sh\n", 0o644)], ["/app"], [], "its mode is 0644"),
        ([*SHELL, script(b"echo\n")], ["/app"], [], ""),
        ([script(b"echo\n")], ["/app"], [], f"no `#!`: '/bin/sh', which {MISSING}"),
        ([script(elf())], ["/app"], [], ""),
        ([script(elf(b"/lib64/ld.so"))], ["/app"], [], f"its loader '/lib64/ld.so', which {MISSING}"),
        ([script(elf(b"/lib/ld.so", 32))], ["/app"], [], "its loader '/lib/ld.so'"),
        ([symlink_node(b"app", b"gone")], ["/app"], [], MISSING),
        ([symlink_node(b"app", b"app")], ["/app"], [], ""),  # nothing is told of a circle
        ([symlink_node(b"app", b"/proc/self/exe")], ["/app"], [], ""),  # nor of what init mounts
        ([], ["/dev/fd/0"], [], ""),
    ],
)  # fmt: skip
def test_what_init_would_meet(nodes, command, environment, says):
    found = command_problem(files_of_nodes(nodes), command, environment)
    assert says in found if says else found == ""


@pytest.mark.parametrize("cut", range(0, 130, 7))
def test_a_damaged_program_raises_nothing(cut):
    command_problem(files_of_nodes([script(elf(b"/lib64/ld.so")[:cut])]), ["/app"])


def build(tmp_path: Path, *nodes: tuple[str, bytes, int]) -> tuple[str, ...]:
    root = tmp_path / "root"
    for name, data, mode in nodes:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(mode)
    built = build_image(
        rootfs=root, command=["/app/run.sh"], environment={}, output=tmp_path / "x.eif",
        name="n", version="1", boot=BootParts.stand_in("x86_64"), build_time=NOW,
    )  # fmt: skip
    return built.notes


def test_the_builder_and_the_validator_say_the_same(tmp_path):
    [note] = build(tmp_path, ("app/run.sh", b"#!/bin/bash\n", 0o755))
    assert note.startswith("the command '/app/run.sh' needs its interpreter '/bin/bash'")
    report = check_image(io.BytesIO((tmp_path / "x.eif").read_bytes()))
    [finding] = [one for one in report.findings if one.rule == "ramdisk-command"]
    assert finding.severity == "warning"
    assert note.startswith(finding.found)


def test_a_command_that_can_start_is_not_spoken_of(tmp_path):
    assert build(tmp_path, ("app/run.sh", b"#!/bin/sh\n", 0o755), ("bin/sh", elf(), 0o755)) == ()
    report = check_image(io.BytesIO((tmp_path / "x.eif").read_bytes()))
    assert "ramdisk-command" not in report.rules


def test_the_command_prints_it(tmp_path):
    (tmp_path / "root").mkdir()
    options = ["image", "build", "--rootfs", str(tmp_path / "root"), "--command", "/nope"]
    result = CliRunner().invoke(cli, [*options, "-o", str(tmp_path / "x.eif")])
    assert result.exit_code == 0, result.output
    assert "the command '/nope' is not in the image" in result.output
