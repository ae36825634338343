"""Finding QEMU, making boot parts, trying KVM, fetching: with stand-ins for all of them."""

from __future__ import annotations

import json
import lzma
import os
import shutil
import stat
from pathlib import Path

import pytest

from nitro_workflow.errors import HostError, ImageRefused, UsageError
from nitro_workflow.host import QemuHost, local_host
from nitro_workflow.host.control.enclave_machines import machine_of
from nitro_workflow.host.qemu import debian_packages, kvm_trial, qemu_install, qemu_program
from nitro_workflow.host.qemu.boot_blobs import LOCK, MODULES, make_blobs
from nitro_workflow.host.qemu.boot_image import boot_files
from nitro_workflow.host.qemu.kvm_trial import acceleration
from nitro_workflow.host.qemu.qemu_command import (
    QemuDescriptors,
    QemuSpec,
    qemu_command,
    time_stamp_khz,
)
from nitro_workflow.host.qemu.qemu_program import QemuProgram, find_qemu, installed_blobs
from nitro_workflow.image import COMMAND_LINES, BootParts, build_image

PROGRAM = QemuProgram(("qemu",), "11.1.3", "a test's")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("NITRO_CLI_BLOBS", raising=False)
    qemu_program._described.cache_clear()
    return tmp_path / "cache" / "nitro-workflow" / "qemu"


def program(folder: Path, text: str, name: str = "qemu-system-x86_64") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


# -- which QEMU ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "taken"), [("10.2.0", True), ("11.1.3", True), ("10.1.9", False), ("9.2.0", False)]
)
def test_a_qemu_of_the_system_is_used_where_it_is_new_enough(tmp_path, monkeypatch, version, taken):
    path = program(tmp_path / "bin", f"echo QEMU emulator version {version}")
    monkeypatch.setenv("PATH", str(path.parent))
    if taken:
        assert find_qemu() == QemuProgram((str(path),), version, "this system's")
        return
    with pytest.raises(HostError, match=f"qemu-system-x86_64 {version}") as refusal:
        find_qemu()
    assert "install-qemu" in refusal.value.next


@pytest.mark.parametrize("text", ["exit 1", "echo something else"])
def test_a_program_that_does_not_say_its_version_is_none(tmp_path, monkeypatch, text):
    monkeypatch.setenv("PATH", str(program(tmp_path / "bin", text).parent))
    with pytest.raises(HostError, match="no qemu-system-x86_64"):
        find_qemu()


def test_the_one_in_the_cache_runs_by_its_own_loader(cache, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    loader = program(
        cache / "prefix/usr/lib64", "echo QEMU emulator version 11.1.3", "ld-linux-x86-64.so.2"
    )
    with pytest.raises(HostError):
        find_qemu()  # nothing says that the fetching came to its end
    qemu_program._described.cache_clear()
    (cache / "installed.json").write_text(json.dumps({"qemu": "1:11.1.3"}))
    # The stand-in is a script: the shell that its first line names is not on this PATH's account.
    found = find_qemu()
    assert (found.command[0], found.version) == (str(loader), "11.1.3")
    assert found.start()[-2:] == ["-L", str(cache / "prefix/usr/share/seabios")]


def test_boot_parts_are_awss_where_they_are_named(cache, tmp_path, monkeypatch):
    with pytest.raises(HostError, match="no boot parts"):
        installed_blobs()
    (cache / "blobs").mkdir(parents=True)
    assert installed_blobs() == cache / "blobs"
    monkeypatch.setenv("NITRO_CLI_BLOBS", str(tmp_path))
    assert installed_blobs() == tmp_path


def test_hosts_have_two_names():
    assert isinstance(local_host("qemu", Path("/run/lab")), QemuHost)
    assert type(local_host("sandbox", Path("/run/lab"))).__name__ == "SandboxHost"
    with pytest.raises(UsageError, match="host 'xen'"):
        local_host("xen", Path("/run/lab"))
    with pytest.raises(UsageError, match="host 'xen'"):
        machine_of("xen")


# -- its command line ------------------------------------------------------------------------------


def command(**fields) -> list[str]:
    spec = QemuSpec(
        **{"command_line": "a b", "memory_mib": 256, "cpus": 2, "accelerator": "tcg", "user": None}
        | fields
    )
    return qemu_command(PROGRAM, spec, QemuDescriptors(3, 4, 5, 6, 7))


def after(words: list[str], option: str) -> str:
    return words[words.index(option) + 1]


def test_a_machine_has_nothing_but_its_devices():
    words = command()
    assert {"-nodefaults", "-no-user-config", "-no-reboot"} <= set(words)
    assert not {"-netdev", "-nic", "-drive", "-hda", "-virtfs", "-monitor"} & set(words)
    assert after(words, "-sandbox") == (
        "on,obsolete=deny,spawn=deny,resourcecontrol=deny,elevateprivileges=deny"
    )
    assert after(words, "-run-with") == "exit-with-parent=on"
    assert after(words, "-object").endswith("share=on,seal=on")


def test_started_by_root_it_becomes_another_user():
    words = command(user=1_878_990_001)
    assert after(words, "-run-with") == "exit-with-parent=on,user=1878990001:1878990001"


def test_the_images_command_line_comes_first_and_emulation_is_told_its_clock():
    said = after(command(), "-append").split()
    assert said[:2] == ["a", "b"]
    assert {"tsc=reliable", "no_timer_check", "panic=-1", "reboot=t"} <= set(said)
    assert any(it.startswith("tsc_early_khz=") for it in said)
    assert "tsc_early_khz" not in after(command(accelerator="kvm"), "-append")
    assert 100_000 < time_stamp_khz() < 10_000_000


def test_a_stand_in_has_nothing_to_boot(tmp_path):
    (tmp_path / "rootfs").mkdir()
    path = build_image(
        rootfs=tmp_path / "rootfs", command=["/a"], environment={}, output=tmp_path / "a.eif",
        name="a", version="1", boot=BootParts.stand_in("x86_64"),
        build_time=__import__("datetime").datetime(2026, 1, 1, tzinfo=__import__("datetime").UTC),
    ).path  # fmt: skip
    descriptor = os.open(path, os.O_RDONLY)
    with pytest.raises(HostError, match="no machine boots it") as refusal:
        boot_files(descriptor)
    os.close(descriptor)
    assert refusal.value.code == "E36"


# -- KVM -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "accelerator", "why"),
    [
        ("[ 0.0] Linux version 6.12", "kvm", "the kernel starts on it"),
        ("KVM internal error. Suberror: 1", "tcg", "it stops with an internal error"),
        ("something else", "tcg", "it does not start a kernel"),
    ],
)
def test_kvm_is_tried_and_the_outcome_kept(tmp_path, monkeypatch, said, accelerator, why):
    monkeypatch.setattr(kvm_trial, "KVM", program(tmp_path, ""))
    it = QemuProgram((str(program(tmp_path, f"echo '{said}'; sleep 30")),), "11.1.3", "")
    monkeypatch.setattr(kvm_trial, "TRY_SECONDS", 1.0 if said == "something else" else 60.0)
    found = acceleration(it, tmp_path / "bzImage")
    assert found.accelerator == accelerator
    assert why in found.why
    monkeypatch.setattr(kvm_trial, "_try", None)
    assert acceleration(it, tmp_path / "bzImage") == found


def test_without_kvm_it_is_emulation(tmp_path, monkeypatch):
    monkeypatch.setattr(kvm_trial, "KVM", tmp_path / "kvm")
    assert str(acceleration(PROGRAM, tmp_path / "b")) == "software emulation (no /dev/kvm)"


# -- boot parts ------------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path, require) -> Path:
    require("cc", shutil.which("cc") is not None, "apt-get install gcc libc6-dev")
    folder = tmp_path / "package"
    modules = folder / "usr/lib/modules/6.12.1/kernel/drivers"
    modules.mkdir(parents=True)
    for name in (*MODULES, "nsm"):
        (modules / f"{name}.ko.xz").write_bytes(lzma.compress(name.encode() * 10))
    (folder / "boot").mkdir()
    (folder / "boot/vmlinuz-6.12.1").write_bytes(b"kernel")
    (folder / "boot/config-6.12.1").write_text("#\n#\n# Linux/x86_64 6.12.1 Kernel Configuration\n")
    return folder


def test_parts_have_awss_names_and_are_the_same_each_time(package, tmp_path):
    first = make_blobs(tmp_path / "one", package, {"package": "linux"})
    second = make_blobs(tmp_path / "two", package, {"package": "linux"})
    assert first.digests == second.digests
    parts = BootParts.from_blobs(tmp_path / "one")
    assert (parts.kernel, parts.nsm_module) == (b"kernel", b"nsm" * 10)
    assert parts.command_line == COMMAND_LINES["x86_64"]
    assert parts.kernel_version == "6.12.1"
    for name in MODULES:
        assert name.encode() * 10 in parts.init  # they are a part of it
    lock = json.loads((tmp_path / "one" / LOCK).read_bytes())
    assert lock["sha256"] == dict(first.digests)
    assert lock["origin"]["package"] == "linux"
    assert make_blobs(tmp_path / "one", package, {}).was_locked


def test_other_parts_than_the_lock_has_are_refused_and_change_nothing(package, tmp_path):
    folder = tmp_path / "one"
    make_blobs(folder, package, {})
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (package / "boot/vmlinuz-6.12.1").write_bytes(b"another kernel")
    with pytest.raises(ImageRefused, match="another bzImage"):
        make_blobs(folder, package, {})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_lock_that_is_none(package, tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / LOCK).write_text("[]")
    with pytest.raises(HostError, match="not a lock"):
        make_blobs(tmp_path / "one", package, {})


def test_a_kernel_without_the_driver(package, tmp_path):
    next(package.rglob("nsm.ko.xz")).unlink()
    with pytest.raises(HostError, match="0 files"):
        make_blobs(tmp_path / "one", package, {})


def test_without_a_compiler_it_says_what_to_install(package, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(HostError, match="no cc") as refusal:
        make_blobs(tmp_path / "one", package, {})
    assert "apt-get install gcc" in refusal.value.next


# -- fetching --------------------------------------------------------------------------------------


def test_elsewhere_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(debian_packages, "_os_release", lambda: "ID=fedora\n")
    with pytest.raises(HostError, match="another system") as refusal:
        qemu_install.install_qemu(print)
    assert "10.2 or later" in refusal.value.next


def test_apt_works_in_folders_of_its_own(tmp_path, monkeypatch):
    """The system's apt is asked for one thing, its mirror; every other call has our settings."""
    calls = tmp_path / "calls"
    program(
        tmp_path / "bin",
        f'echo "$APT_CONFIG $*" >>{calls}\n'
        'case "$1" in indextargets) echo "http://mirror/debian/ bookworm stable main";; esac',
        "apt-get",
    )
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setattr(debian_packages, "_os_release", lambda: "VERSION_CODENAME=bookworm\n")
    it = debian_packages.DebianPackages(tmp_path / "work", ("trixie", "trixie-backports"))
    it.update()
    settings = (tmp_path / "work/apt.conf").read_text()
    assert 'Dir::State::status "/dev/null";' in settings
    assert f'Dir::Cache "{tmp_path}/work/cache";' in settings
    assert 'APT::Update::Error-Mode "any";' in settings  # a mirror that fails for a moment
    assert (tmp_path / "work/sources.list").read_text().splitlines() == [
        f"deb [signed-by={debian_packages.KEYRING}] http://mirror/debian/ {suite} main"
        for suite in ("trixie", "trixie-backports")
    ]
    asked, updated = calls.read_text().splitlines()
    assert asked.startswith(" indextargets")
    assert updated == f"{tmp_path}/work/apt.conf --quiet update"


def test_a_mirror_that_fails_is_said(tmp_path, monkeypatch):
    program(tmp_path / "bin", "echo 'E: no such suite' >&2; exit 100", "apt-get")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    with pytest.raises(HostError, match="apt-get: E: no such suite"):
        debian_packages.DebianPackages(tmp_path / "work", ("trixie",))
