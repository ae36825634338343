"""Control groups: where one may be made, what is written, and what the kernel then holds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nitro_workflow.host.rules import instance_limits
from nitro_workflow.host.sandbox import control_group
from nitro_workflow.host.sandbox.control_group import ControlGroup, delegated_place
from tests.host.waiting import wait_for

MIB = 1 << 20


@pytest.fixture
def tree(tmp_path):
    """A session's part of a hierarchy, with the files that the kernel would make."""
    mount = tmp_path / "cgroup"
    own = mount / "user.slice" / "app.slice" / "shell.scope"
    own.mkdir(parents=True)
    for folder in (mount, mount / "user.slice", own.parent, own):
        (folder / "cgroup.procs").touch()
        (folder / "cgroup.subtree_control").write_text("")
    process = tmp_path / "self"
    process.write_text("0::/user.slice/app.slice/shell.scope\n")
    return mount, process


def test_the_nearest_ancestor_that_hands_both_controllers_down(tree):
    mount, process = tree
    assert delegated_place(mount, process) is None
    (mount / "user.slice" / "cgroup.subtree_control").write_text("cpu memory pids\n")
    assert delegated_place(mount, process) == mount / "user.slice"
    (mount / "user.slice/app.slice/cgroup.subtree_control").write_text("memory\n")
    assert delegated_place(mount, process) == mount / "user.slice"
    (mount / "user.slice/app.slice/cgroup.subtree_control").write_text("pids memory\n")
    assert delegated_place(mount, process) == mount / "user.slice" / "app.slice"


@pytest.mark.parametrize("text", ["", "1:name=systemd:/x\n", "4:memory:/a\n0:", "\0"])
def test_a_process_without_the_one_hierarchy_has_no_place(tree, text):
    mount, process = tree
    (mount / "cgroup.subtree_control").write_text("memory pids\n")
    process.write_text(text)
    assert delegated_place(mount, process) is None
    process.unlink()
    assert delegated_place(mount, process) is None


def test_a_group_of_somebody_else_is_no_place(tree, monkeypatch):
    mount, process = tree
    (mount / "user.slice" / "cgroup.subtree_control").write_text("memory pids\n")
    monkeypatch.setattr(control_group.os, "access", lambda *_: False)
    assert delegated_place(mount, process) is None


def test_a_group_that_cannot_be_limited_is_not_left(tmp_path):
    with pytest.raises(FileNotFoundError):  # the kernel makes no files here
        ControlGroup(tmp_path, instance_limits())
    assert list(tmp_path.iterdir()) == []


def test_the_limits_are_written_as_the_kernel_reads_them(tmp_path, monkeypatch):
    made, make = {}, control_group.Path.mkdir

    def mkdir(path):
        make(path)
        for name in ("memory.max", "pids.max", "memory.swap.max", "cgroup.procs", "memory.events"):
            (path / name).touch()
        made["path"] = path

    monkeypatch.setattr(control_group.Path, "mkdir", mkdir)
    group = ControlGroup(tmp_path, instance_limits())
    read = {path.name: path.read_text() for path in made["path"].iterdir()}
    assert read["memory.max"] == str(1024 * MIB)
    assert read["pids.max"] == "256"
    assert read["memory.swap.max"] == "0"
    os.close(group.open_entry())
    assert not group.ran_out_of_memory()
    (group.path / "memory.events").write_text("low 0\noom 1\noom_kill 1\n")
    assert group.ran_out_of_memory()
    for path in made["path"].iterdir():
        path.unlink()
    group.close()
    assert list(tmp_path.iterdir()) == []


def test_a_place_where_no_process_can_enter_is_of_no_use(tmp_path, monkeypatch):
    """What looks delegated and is not must not keep the sandbox from starting."""
    monkeypatch.setattr(control_group, "delegated_place", lambda: tmp_path)
    assert control_group.place_of_this_process.__wrapped__() is None  # no group at all
    make = control_group.Path.mkdir

    def mkdir(path):
        make(path)
        for name in ("memory.max", "pids.max"):
            (path / name).touch()

    monkeypatch.setattr(control_group.Path, "mkdir", mkdir)
    monkeypatch.setattr(
        control_group.ControlGroup, "open_entry", lambda _: os.open("/dev/full", os.O_WRONLY)
    )
    monkeypatch.setattr(control_group.ControlGroup, "close", lambda _: None)
    assert control_group.place_of_this_process.__wrapped__() is None


@pytest.fixture
def place(require):
    found = delegated_place()
    remedy = "systemd-run --user --scope …; rlimits and the watch hold the limits here"
    require("cgroup", found is not None, remedy)
    return found


def test_the_kernel_holds_processes_and_memory(place):
    """Where it is delegated: memfds and forks beyond the limits are refused or ended."""
    limits = instance_limits()
    group = ControlGroup(place, limits)
    code = (
        "import os, sys; os.write(int(sys.argv[1]), b'0')\n"
        "fd = os.memfd_create('x')\n"
        "for at in range(1500): os.pwrite(fd, bytes(1 << 20), at << 20)"
    )
    entry = group.open_entry()
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, str(entry)], pass_fds=(entry,), check=False, timeout=60
        )
        assert done.returncode == -9
        assert group.ran_out_of_memory()
    finally:
        os.close(entry)
        group.close()
    assert not group.path.exists()


def test_closing_ends_what_is_left_inside(place):
    group = ControlGroup(place, instance_limits())
    entry = group.open_entry()
    code = "import os, sys, time; os.write(int(sys.argv[1]), b'0'); print(1, flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(entry)], pass_fds=(entry,), stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"1\n"
        os.close(entry)
        group.close()
        assert process.wait(60) == -9
    wait_for(lambda: not Path(group.path).exists())
