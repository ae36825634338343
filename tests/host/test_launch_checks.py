"""What would make a launch fail, said before it: one cause each, the first one first."""

import os
import shutil
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nitro_workflow.errors import UsageError
from nitro_workflow.host import LaunchRequest
from nitro_workflow.host.rules import Pool, launch_problems
from nitro_workflow.host.rules.launch_rules import host_architecture
from nitro_workflow.image import BootParts, build_image

POOL = Pool(tuple(range(1, 9)), 4096)


def build(folder, command, *, signing=None, architecture=None, rootfs=None):
    root = folder / "root"
    root.mkdir(exist_ok=True)
    for path, content in (rootfs or {}).items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            target.symlink_to(content)
        else:
            target.write_bytes(content[0])
            target.chmod(content[1])
    output = folder / "x.eif"
    build_image(
        rootfs=root,
        command=command,
        environment={"PATH": "/bin:/usr/bin"},
        output=output,
        name="x",
        version="1",
        boot=BootParts.stand_in(architecture or host_architecture()),
        build_time=datetime(2026, 1, 1, tzinfo=UTC),
        signing=signing,
    )
    return output


def problems(eif, *, memory=512, cpus=2, at=None, pool=POOL, **more):
    request = LaunchRequest(str(eif), memory, None if "cpu_ids" in more else cpus, **more)
    return [(it.code, it.found) for it in launch_problems(request, at=at, pool=pool)]


def elf(machine=None, interpreter=b""):
    """The head of a 64-bit ELF file with one program header."""
    machine = machine or {"x86_64": 62, "aarch64": 183}[host_architecture()]
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    kind = 3 if interpreter else 1
    head += struct.pack("<IIQQQQQQ", kind, 4, 120, 0, 0, len(interpreter) + 1, 0, 1)
    return head + interpreter + b"\0"


STATIC = (elf(), 0o755)
OTHER = {"x86_64": 183, "aarch64": 62}[host_architecture()]


def test_an_image_that_may_run(tmp_path):
    eif = build(tmp_path, ["/bin/app"], rootfs={"bin/app": STATIC})
    assert problems(eif) == []
    assert problems(eif, cpu_ids=(3, 4)) == []


@pytest.mark.parametrize(
    ("command", "rootfs", "words"),
    [
        (["/bin/app"], {"bin/other": STATIC}, "'/bin/app' is not in the image"),
        (["app"], {"opt/app": STATIC}, "'app' is not in the image, in none of"),
        (["/bin/app"], {"bin/app": (elf(), 0o644)}, "its mode is 0644"),
        (["/bin"], {"bin/app": STATIC}, "is a directory"),
        (["/app"], {"app": (elf(machine=OTHER), 0o755)}, "is a program for"),
        (["/app"], {"app": (elf(interpreter=b"/lib/ld.so"), 0o755)}, "its loader '/lib/ld.so'"),
        (["/app"], {"app": (b"#!/bin/bash\n", 0o755)}, "its interpreter '/bin/bash'"),
        (["/app"], {"app": (b"echo no shebang\n", 0o755)}, "/bin/sh"),
        (["/app"], {"app": "/gone"}, "'/app' is not in the image"),
    ],
)
def test_a_command_that_cannot_start(tmp_path, command, rootfs, words):
    found = problems(build(tmp_path, command, rootfs=rootfs))
    assert [code for code, _ in found] == ["E36"]
    assert words in found[0][1]


def test_what_execvpe_finds(tmp_path):
    rootfs = {
        "usr/bin/app": "../lib/real",
        "usr/lib/real": (b"#! /usr/bin/env python3\n", 0o755),
        "usr/bin/env": (elf(interpreter=b"/lib64/ld.so"), 0o755),
        "lib64": "usr/lib",
        "usr/lib/ld.so": STATIC,
    }
    assert problems(build(tmp_path, ["app"], rootfs=rootfs)) == []


def test_files_that_are_no_image(tmp_path):
    assert problems(tmp_path / "absent.eif")[0][0] == "E19"
    assert problems(tmp_path)[0][0] == "E35"
    assert problems("/dev/zero")[0][0] == "E35"
    os.mkfifo(tmp_path / "pipe")
    assert problems(tmp_path / "pipe")[0][0] == "E35"
    (tmp_path / "cut.eif").write_bytes(b".eif" + bytes(600))
    assert problems(tmp_path / "cut.eif")[0][0] == "E35"
    assert problems("a\0b")[0][0] == "E19"


def test_another_architecture(tmp_path):
    other = "aarch64" if host_architecture() == "x86_64" else "x86_64"
    found = problems(build(tmp_path, ["/app"], architecture=other, rootfs={"app": STATIC}))
    assert found == [("E35", f"EIF file parsing error: an image for {other}")]


def test_an_expired_certificate_is_one_cause(tmp_path, signing_key):
    """nitro-cli issue 243: it shows E36, E39 and E11."""
    eif = build(tmp_path, ["/app"], rootfs={"app": STATIC}, signing=signing_key)
    now = datetime.now(UTC)
    assert problems(eif, at=now) == []
    for wrong in (now + timedelta(days=2), now - timedelta(days=2)):
        assert [code for code, _ in problems(eif, at=wrong)] == ["E59"]


def test_memory_cpus_cid_and_name(tmp_path):
    eif = build(tmp_path, ["/app"], rootfs={"app": STATIC})
    with eif.open("r+b") as file:
        file.truncate(eif.stat().st_size)
    assert [it[0] for it in problems(eif, memory=8)] == ["E26"]
    assert [it[0] for it in problems(eif, memory=4098)] == ["E27"]
    assert [it[0] for it in problems(eif, cpus=10)] == ["E22"]
    assert [it[0] for it in problems(eif, cpu_ids=(1, 1))] == ["E20"]
    assert [it[0] for it in problems(eif, cpu_ids=(1, 99))] == ["E21"]
    assert [it[0] for it in problems(eif, cpus=0)] == ["E29"]
    assert [it[0] for it in problems(eif, enclave_cid=3)] == ["E03"]
    assert [it[0] for it in problems(eif, enclave_name="a\nb")] == ["E58"]
    wrong = problems(tmp_path / "absent", memory=8, cpus=10, enclave_cid=2, enclave_name="")
    assert [it[0] for it in wrong] == ["E19", "E22", "E03", "E58"]


def test_the_texts_are_nitro_clis(tmp_path):
    eif = build(tmp_path, ["/app"], rootfs={"app": STATIC})
    text = "Insufficient CPUs available in the pool. User provided `cpu-count` is 10, which is more"
    assert problems(eif, cpus=10)[0][1].startswith(text)
    text = "No such CPU available in the pool. User provided `cpu-ids` contains CPU 99"
    assert problems(eif, cpu_ids=(1, 99))[0][1].startswith(text)
    text = "Insufficient memory available. User provided `memory` is 4098 MB, which is more than"
    assert problems(eif, memory=4098)[0][1].startswith(text)


def test_a_bad_pool_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "nitro-workflow"
    folder.mkdir()
    (folder / "allocator.yaml").write_text("cpu_count: 1")
    eif = build(tmp_path, ["/app"], rootfs={"app": STATIC})
    assert "memory_mib" in problems(eif, pool=None)[0][1]


def test_the_real_image_of_the_tests(eif):
    """An interpreter with its loader, as people pack it."""
    assert problems(eif, memory=1024) == []
    assert Path(eif).stat().st_size > 1 << 20
    assert shutil.which("python3")


def test_image_check_launch_says_it_before(tmp_path, signing_key):
    from click.testing import CliRunner

    from nitro_workflow.cli.image import image

    def check(*words):
        return CliRunner().invoke(image, ["check", str(eif), *words])

    eif = build(tmp_path, ["/app"], rootfs={"app": STATIC}, signing=signing_key)
    least = check("--launch")
    assert least.exit_code == 0, least.output
    assert "nothing forbids it with --memory 64" in least.output
    later = check("--launch", "--at", (datetime.now(UTC) + timedelta(days=9)).isoformat())
    assert later.exit_code == 1
    assert "E59" in later.output
    assert check("--launch", "--memory", "4").exit_code == 1
    with pytest.raises(UsageError):
        CliRunner().invoke(image, ["check", str(eif), "--memory", "4"], catch_exceptions=False)
    shutil.rmtree(tmp_path / "root")
    eif = build(tmp_path, ["/gone"], rootfs={"app": STATIC})
    found = check("--launch", "--json")
    assert found.exit_code == 1
    assert '"code": "E36"' in found.output
