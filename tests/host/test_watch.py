"""What the hypervisor sees of processes that it does not trust, and what it then does."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from nitro_workflow.host.instance import disk_watch, instance_disk
from nitro_workflow.host.instance.disk_watch import DiskWatch, excess
from nitro_workflow.host.instance.instance_disk import FoldersMoved, measure_folder
from nitro_workflow.host.rules import instance_limits
from nitro_workflow.host.sandbox.memory_use import Usage, processes_below, use_of
from nitro_workflow.host.sandbox.watch import Watch
from nitro_workflow.remove_tree import remove_tree
from tests.host.no_descriptors import TAKE_ALL

MIB = 1 << 20
PATIENCE = 60  # seconds, on a loaded machine
NOTHING = Usage(0, 0, {})


@contextlib.contextmanager
def child(code):
    """Run ``code`` below a shell; yields the shell's pid and its own once it is ready.

    What is below this process itself is other tests' too: their hypervisors come and go.
    """
    code = f"import mmap, os, time\n{code}\nprint(os.getpid(), flush=True)\ntime.sleep(120)"
    with subprocess.Popen(
        ["sh", "-c", '"$0" -c "$1"; :', sys.executable, code],
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            yield process.pid, int(process.stdout.readline())
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def mib(shell, *, exact):
    """Return MiB below it."""
    return use_of(shell, None, enough=-1 if exact else 1 << 60).memory / MIB


FILL = "def fill(fd):\n for at in range(100): os.pwrite(fd, bytes(1 << 20), at << 20)\n"
HOLDERS = {
    "heap": "kept = bytearray(100 << 20); kept[::4096] = b'x' * len(kept[::4096])",
    "memfd": f"{FILL}fd = os.memfd_create('x'); fill(fd)",
    "memfd mapped and closed": f"{FILL}fd = os.memfd_create('x'); fill(fd)\n"
    "kept = mmap.mmap(fd, 100 << 20); kept[::4096]; os.close(fd)",
    "memfd open and mapped": f"{FILL}fd = os.memfd_create('x'); fill(fd)\n"
    "kept = mmap.mmap(fd, 100 << 20); kept[::4096]",
    "let go, and still there": "kept = mmap.mmap(-1, 100 << 20); kept.write(bytes(100 << 20))\n"
    "kept.madvise(mmap.MADV_DONTNEED)",
    "from a parent that has let it go": "kept = mmap.mmap(-1, 100 << 20)\n"
    "kept.write(bytes(100 << 20))\nif os.fork() == 0: time.sleep(120)\nkept.close()",
    "anonymous and shared": "kept = mmap.mmap(-1, 100 << 20); kept.write(bytes(100 << 20))",
    "forked": "kept = bytearray(100 << 20); kept[::4096] = b'x' * len(kept[::4096])\n"
    "for _ in range(4):\n if os.fork() == 0: time.sleep(120)",
}


@pytest.mark.parametrize("how", HOLDERS)
def test_every_kind_of_memory_counts_once_where_it_is_counted_exactly(how):
    with child("pass") as (shell, _):
        idle = mib(shell, exact=True)
    with child(HOLDERS[how]) as (shell, _):
        held = mib(shell, exact=True) - idle
        assert 95 < held < 140, held
        assert mib(shell, exact=False) - idle > 95  # never less than that


def test_memory_that_only_root_may_look_behind_counts_by_its_extent(monkeypatch):
    stat = Path.stat

    def forbidden(path, **how):
        if "map_files" in str(path):
            raise PermissionError(errno.EPERM, "Operation not permitted")
        return stat(path, **how)

    with child("pass") as (shell, _):
        idle = mib(shell, exact=True)
    monkeypatch.setattr(Path, "stat", forbidden)
    with child(HOLDERS["let go, and still there"]) as (shell, _):
        assert 95 < mib(shell, exact=True) - idle < 140


def the_one_below(pid):
    """Wait for the child's own child, which a thread of it starts."""
    deadline = time.monotonic() + PATIENCE
    while not (below := processes_below(pid)):
        assert time.monotonic() < deadline
    (found,) = below
    return found


def test_descendants_are_found_through_threads():
    code = (
        "import threading, subprocess\n"
        "threading.Thread(target=lambda: subprocess.run(['sleep', '120']), daemon=True).start()"
    )
    with child(code) as (_, pid):
        found = the_one_below(pid)
        assert Path(f"/proc/{found}/stat").read_text().rpartition(")")[2].split()[1] == str(pid)
    assert processes_below(1 << 30) == []


def test_a_thread_that_ends_hides_no_descendant():
    """Whoever lets some end all the time would else hold what they like behind them."""
    code = (
        "import threading, subprocess\n"
        "ends = [threading.Thread(target=time.sleep, args=(2 + n / 200,)) for n in range(200)]\n"
        "[it.start() for it in ends]\n"
        "threading.Thread(target=lambda: subprocess.run(['sleep', '120']), daemon=True).start()"
    )
    with child(code) as (_, pid):
        below = the_one_below(pid)
        while len(list(Path(f"/proc/{pid}/task").iterdir())) > 2:
            assert processes_below(pid) == [below]


def test_a_watch_ends_once_and_says_for_what():
    said, ended = [], threading.Event()
    with child(HOLDERS["memfd"]) as (shell, _):

        def end(reason):
            said.append(reason)
            ended.set()

        watch = Watch(shell, replace(instance_limits(), memory=50 * MIB), None, end)
        assert ended.wait(PATIENCE)
        watch.close()
    assert len(said) == 1
    assert said[0].startswith("memory: ")


@pytest.mark.parametrize("memory", [True, False])
def test_a_watch_that_cannot_look_lets_nothing_run(memory):
    ended = threading.Event()
    said = []

    def fail(_):
        raise OSError("no longer there")

    with child("pass") as (shell, _):
        watch = Watch(
            shell, instance_limits(), None, lambda it: (said.append(it), ended.set()),
            memory=memory, more=fail,
        )  # fmt: skip
        assert ended.wait(PATIENCE)
        watch.close()
    assert "cannot be watched" in said[0]


def test_a_folder_is_measured_without_following_anything(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "file").write_bytes(bytes(MIB))
    (tmp_path / "a" / "sparse").touch()
    os.truncate(tmp_path / "a" / "sparse", 1 << 40)
    (tmp_path / "a" / "out").symlink_to("/usr")
    found = measure_folder(tmp_path, entries=100)
    assert found.entries == 5
    assert MIB <= found.size < 2 * MIB
    assert measure_folder(tmp_path / "a" / "out", entries=100).entries == 0
    assert measure_folder(tmp_path / "absent", entries=100).entries == 0


def test_any_depth_and_too_many(tmp_path):
    at = os.open(tmp_path, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=at)
        os.close(os.open("file", os.O_CREAT, dir_fd=at))
        below = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
    try:
        before = len(list(Path("/proc/self/fd").iterdir()))
        assert measure_folder(tmp_path, entries=10_000).entries == 6000
        # Other tests' descriptors may be closed by now; a leak here would be thousands more.
        assert len(list(Path("/proc/self/fd").iterdir())) <= before
        assert excess(tmp_path, 1 << 40) == ""
        assert 10 < measure_folder(tmp_path, entries=10).entries < 20
    finally:  # pytest itself cannot remove so deep a folder
        remove_tree(tmp_path)


def test_a_folder_without_rights_hides_nothing(tmp_path):
    (tmp_path / "locked" / "inner").mkdir(parents=True)
    (tmp_path / "locked" / "inner" / "file").write_bytes(bytes(MIB))
    (tmp_path / "locked" / "inner").chmod(0)
    (tmp_path / "locked").chmod(0)
    assert measure_folder(tmp_path, entries=100).size >= MIB


def test_folders_that_are_moved_lead_nowhere_and_not_for_ever(folder, monkeypatch):
    (folder / "a" / "b").mkdir(parents=True)
    listed = instance_disk._listed

    def moving(at):
        found = listed(at)
        if found == ([], []):
            (folder / "a" / "b").rename(folder / "moved")
        return found

    monkeypatch.setattr(instance_disk, "_listed", moving)
    with pytest.raises(FoldersMoved):
        measure_folder(folder, entries=100)

    def spoiled(*_, **__):
        raise FoldersMoved

    monkeypatch.setattr(disk_watch, "measure_folder", spoiled)
    monkeypatch.setattr(disk_watch, "EVERY", -1.0)
    watch = DiskWatch(folder, MIB, 0o700)
    said = [watch(NOTHING) for _ in range(disk_watch.PATIENCE + 1)]
    assert said[:-1] == [""] * disk_watch.PATIENCE
    assert "moved" in said[-1]


@pytest.fixture
def folder(tmp_path):
    it = tmp_path / "instance"
    it.mkdir(mode=0o700)
    return it


def test_the_mode_is_put_back(folder):
    watch = DiskWatch(folder, 100 * MIB, 0o700)
    folder.chmod(0o777)
    assert watch(NOTHING) == ""
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_log_begins_anew_and_a_link_in_its_place_is_left_alone(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(disk_watch, "LOG_BYTES", 1000)
    watch = DiskWatch(folder, 100 * MIB, 0o700)
    (folder / "parent.log").write_bytes(bytes(1001))
    (folder / "proxy.log").write_bytes(bytes(1000))
    (tmp_path / "precious").write_bytes(bytes(2000))
    (folder / "instance.log").symlink_to(tmp_path / "precious")
    assert watch(NOTHING) == ""
    assert (folder / "parent.log").stat().st_size == 0
    assert (folder / "proxy.log").stat().st_size == 1000
    assert (tmp_path / "precious").stat().st_size == 2000


def test_unlinked_files_count_for_the_disk(folder):
    watch = DiskWatch(folder, MIB, 0o700)
    assert watch(replace(NOTHING, deleted={-5: 2 * MIB})) == ""  # another filesystem's
    watch = DiskWatch(folder, MIB, 0o700)
    assert watch(replace(NOTHING, deleted={folder.stat().st_dev: 2 * MIB})).startswith("disk")


def test_an_unlinked_file_is_seen(folder):
    code = f"fd = os.open({str(folder / 'x')!r}, os.O_RDWR | os.O_CREAT); os.unlink({str(folder / 'x')!r})"
    with child(f"{code}\nos.write(fd, os.urandom(3 << 20))") as (shell, _):
        found = use_of(shell, None, enough=1 << 60)
    assert found.deleted[folder.stat().st_dev] >= 3 * MIB


def test_mapped_memory_is_not_needed_elsewhere():
    """A process's own mappings count nothing: only what runs below it."""
    with child(HOLDERS["anonymous and shared"]) as (shell, pid):
        assert use_of(shell, None, enough=-1).memory > 95 * MIB
        assert use_of(pid, None, enough=-1).memory == 0


def test_a_process_without_descriptors_sees_no_empty_machine(tmp_path):
    """Whoever takes them all would else hold what they like: "it has ended", "nothing is there"."""
    (tmp_path / "inner").mkdir()
    looks = {
        "use_of": "use_of(os.getppid(), None, enough=1 << 60)",
        "measure_folder": f"measure_folder(Path({str(tmp_path)!r}), entries=9)",
    }
    code = """
import os
from pathlib import Path
from nitro_workflow.host.instance.instance_disk import measure_folder
from nitro_workflow.host.sandbox.memory_use import use_of
{look}
{take_all}
for left in range(8):
    try:
        print(left, {look})
        break
    except OSError as error:
        print(errno.errorcode[error.errno])
    os.close(held.pop())
"""
    for look in looks.values():
        done = subprocess.run(
            [sys.executable, "-c", code.format(look=look, take_all=TAKE_ALL)],
            capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        refused, seen = done.stdout.split("\n")[:-2], done.stdout.split("\n")[-2]
        assert refused
        assert set(refused) == {"EMFILE"}
        assert "processes=0" not in seen
        assert "entries=0" not in seen
