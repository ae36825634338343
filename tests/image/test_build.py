"""Building from a folder: nitro-cli's layout, the same bytes each time, whole or not at all."""

from __future__ import annotations

import datetime as dt
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro_workflow.errors import ImageError, UsageError
from nitro_workflow.image import BootParts, build_image, measure_file, open_image, ramdisk_entries
from nitro_workflow.image.container.folder_tree import tree_from_folder
from nitro_workflow.image.format.boot_parts import is_stand_in_kernel
from nitro_workflow.image.format.metadata import (
    BuildInfo,
    Identity,
    kernel_identity,
    parse_custom_metadata,
    rfc3339,
)
from tests.image.conftest import NOW, UNHURRIED


@pytest.fixture
def rootfs(tmp_path):
    root = tmp_path / "rootfs"
    (root / "app").mkdir(parents=True)
    (root / "app/main.py").write_text("print('hello')\n")
    (root / "app/main.py").chmod(0o755)
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    (root / "lib").symlink_to("usr/lib")
    os.link(root / "app/main.py", root / "app/twin.py")
    (root / "big").write_bytes(bytes(3_000_000))
    return root


def build(rootfs, output, **changes):
    given = {
        "rootfs": rootfs,
        "command": ["/app/main.py", "--serve"],
        "environment": {"PATH": "/usr/bin", "A": "b c"},
        "output": output,
        "name": "app",
        "version": "2",
        "boot": BootParts.stand_in("x86_64"),
        "build_time": NOW,
    }
    return build_image(**{**given, **changes})


def test_the_layout_is_nitro_clis(rootfs, tmp_path):
    built = build(rootfs, tmp_path / "a.eif")
    assert built.measurements == measure_file(built.path)
    assert built.size == built.path.stat().st_size
    with open_image(built.path) as image:
        kernel = image.sections[0]
        assert is_stand_in_kernel(image.source.read_at(kernel.data_offset, 100))
        assert image.metadata["BuildMetadata"]["KernelVersion"] == "none (stand-in, does not boot)"
        bootstrap = {e.path: e.mode for e in ramdisk_entries(image, 0)}
        assert bootstrap == {"dev": 0o755, "init": 0o755, "nsm.ko": 0o755}
        entries = {}
        content = {}
        for item in ramdisk_entries(image, 1):
            entries[item.path] = item
            content[item.path] = b"".join(item.data())
    assert content["cmd"] == b"/app/main.py\n--serve\n"
    assert content["env"] == b"PATH=/usr/bin\nA=b c\n"
    assert list(entries) == sorted(entries)
    for folder in ("dev", "run", "sys", "var", "proc"):
        assert entries[f"rootfs/{folder}"].mode == 0o755
    assert entries["rootfs/tmp"].mode == 0o1777
    assert entries["rootfs/lib"].target == "usr/lib"
    assert entries["rootfs/app/twin.py"].link_of == "rootfs/app/main.py"
    assert content["rootfs/app/main.py"] == b"print('hello')\n"
    assert {(e.uid, e.gid) for e in entries.values()} == {(0, 0)}


def test_equal_inputs_give_equal_bytes(rootfs, tmp_path):
    first = build(rootfs, tmp_path / "a.eif")
    os.utime(rootfs / "big", (1, 1))
    second = build(rootfs, tmp_path / "b.eif")
    assert first.path.read_bytes() == second.path.read_bytes()
    later = build(rootfs, tmp_path / "c.eif", build_time=NOW + dt.timedelta(days=1))
    assert later.path.read_bytes() != first.path.read_bytes()
    assert later.measurements.hex() == first.measurements.hex()


def test_what_is_measured_changes_with_what_goes_in(rootfs, tmp_path):
    first = build(rootfs, tmp_path / "a.eif").measurements
    (rootfs / "app/main.py").chmod(0o744)
    second = build(rootfs, tmp_path / "b.eif").measurements
    assert first.pcr1 == second.pcr1
    assert first.pcr0 != second.pcr0
    assert first.pcr2 != second.pcr2
    third = build(rootfs, tmp_path / "c.eif", boot=BootParts.stand_in("aarch64")).measurements
    assert third.pcr1 != first.pcr1
    assert third.pcr2 == second.pcr2


def test_sockets_fifos_and_attributes(rootfs, monkeypatch):
    import socket

    os.mkfifo(rootfs / "fifo")
    with socket.socket(socket.AF_UNIX) as sock:
        monkeypatch.chdir(rootfs)  # AF_UNIX allows 107 bytes
        sock.bind("sock")
    try:
        os.setxattr(rootfs / "big", "user.origin", b"x")
        attributes = 1
    except OSError:
        attributes = 0
    tree = tree_from_folder(rootfs)
    assert [stat.S_ISFIFO(n.mode) for n in tree.nodes if n.path == b"fifo"] == [True]
    assert b"sock" not in [n.path for n in tree.nodes]
    assert len(tree.notes) == 1 + attributes


@pytest.mark.parametrize("command", [[], ["a\nb"], ["a\0b"]])
def test_commands_that_are_not_lines(rootfs, tmp_path, command):
    with pytest.raises(ImageError):
        build(rootfs, tmp_path / "a.eif", command=command)
    assert not (tmp_path / "a.eif").exists()


def test_a_failed_build_leaves_what_was_there(rootfs, tmp_path):
    output = tmp_path / "a.eif"
    output.write_text("as it was")

    def change(done: int, total: int) -> None:
        (rootfs / "big").write_bytes(b"shorter")

    with pytest.raises(ImageError, match="3000000 bytes, as when the build began"):
        build(rootfs, output, progress=change)
    assert output.read_text() == "as it was"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.eif", "rootfs"]


def test_places_that_cannot_be_written(rootfs, tmp_path):
    with pytest.raises(ImageError, match="No such file"):
        build(rootfs, tmp_path / "no" / "a.eif")
    with pytest.raises(ImageError):
        build(rootfs, tmp_path)
    with pytest.raises(ImageError, match="a folder that can be read"):
        build(tmp_path / "nothing", tmp_path / "a.eif")


def test_boot_parts_from_blobs(tmp_path, rootfs):
    blobs = tmp_path / "blobs"
    blobs.mkdir()
    with pytest.raises(ImageError, match=r"no (bzImage or Image|Image or bzImage)"):
        BootParts.from_blobs(blobs)
    (blobs / "bzImage").write_bytes(b"K")
    (blobs / "bzImage.config").write_text(
        "#\n# Automatically generated file\n"
        "# Linux/x86_64 4.14.256-209.484.amzn2.x86_64 Kernel Configuration\n"
    )
    (blobs / "cmdline").write_text(" reboot=k panic=30 \n")
    (blobs / "init").write_bytes(b"I")
    with pytest.raises(ImageError, match=r"nsm\.ko"):
        BootParts.from_blobs(blobs)
    (blobs / "nsm.ko").write_bytes(b"N")
    parts = BootParts.from_blobs(blobs)
    assert parts.command_line == b"reboot=k panic=30"
    assert (parts.operating_system, parts.kernel_version) == ("Linux", "4.14.256")
    assert not parts.is_stand_in
    with pytest.raises(ImageError, match="no Image"):
        BootParts.from_blobs(blobs, "aarch64")
    with pytest.raises(ImageError, match="boot parts for x86_64"):
        build(rootfs, tmp_path / "a.eif", boot=parts, architecture="aarch64")
    with pytest.raises(UsageError, match="riscv"):
        BootParts.stand_in("riscv")


def test_the_kernels_identity():
    assert kernel_identity(b"") == ("Unknown", "Unknown")
    assert kernel_identity(b"1\n2\n# Linux/arm64 6.6.79 Kernel") == ("Linux", "6.6.79")


def test_metadata_as_serde_writes_it():
    build_info = BuildInfo("T", "tool", "1", "Linux", "6")
    packed = Identity(
        "ä\n", "v", build_info, None, {"b": 1.0, "a": [True, None, "\x1f\x7f"]}
    ).pack()
    assert packed.decode() == (
        '{"ImageName":"ä\\n","ImageVersion":"v","BuildMetadata":{"BuildTime":"T","BuildTool":"tool",'
        '"BuildToolVersion":"1","OperatingSystem":"Linux","KernelVersion":"6"},"DockerInfo":null,'
        '"CustomMetadata":{"a":[true,null,"\\u001f\x7f"],"b":1.0}}'
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.0"), (-0.0, "-0.0"), (1e15, "1000000000000000.0"), (1e16, "1e16"), (1.5e300, "1.5e300"),
     (0.001, "0.001"), (1e-5, "0.00001"), (1e-6, "1e-6"), (1.25e-7, "1.25e-7"), (123.456, "123.456"),
     (-2.5, "-2.5"), (2**64, "1.8446744073709552e19"), (2**63, "9223372036854775808")],
)  # fmt: skip
def test_numbers_as_rust_writes_them(value, text):
    assert (
        f'"CustomMetadata":{text}}}'
        in Identity("", "", BuildInfo("T"), None, value).pack().decode()
    )


@given(st.floats(allow_nan=False, allow_infinity=False))
@UNHURRIED
def test_numbers_keep_their_value(value):
    text = Identity("", "", BuildInfo("T"), None, value).pack().decode()
    assert float(text.rpartition(":")[2][:-1]) == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), b"x", {"a": "\ud800"}, {1, 2}])
def test_metadata_that_json_does_not_have(value):
    with pytest.raises(ImageError):
        Identity("", "", BuildInfo("T"), None, value).pack()


@pytest.mark.parametrize("data", [b"{", b"NaN", b" " * 4097, b"\xff", b"[" * 4000])
def test_custom_metadata_files_that_are_refused(data):
    with pytest.raises(ImageError):
        parse_custom_metadata(data)


def test_build_times():
    assert rfc3339(NOW) == "2026-06-01T00:00:00+00:00"
    with pytest.raises(ImageError, match="zone"):
        rfc3339(dt.datetime(2026, 1, 1))  # noqa: DTZ001
