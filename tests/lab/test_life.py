"""The lab's life: interrupted, moved, copied, removed, full, read-only, two at once, started over."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from nitro_workflow.cli import lab_state
from nitro_workflow.errors import HostError, LabError
from nitro_workflow.lab import Lab, LabUsers, StepResult, find_processes
from nitro_workflow.lab.engine.disk_errors import disk_errors
from nitro_workflow.lab.processes import background
from nitro_workflow.lab.processes.runtime_place import remove_runtime
from nitro_workflow.lab.steps import parent_launch

CLI = (sys.executable, "-m", "nitro_workflow.cli")
DEADLINE = 120.0  # seconds, on a loaded machine


def wait(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def remove(folder: Path) -> None:
    """Remove a lab's folder under its processes, which may make a file in it a moment more."""

    def gone() -> bool:
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()

    wait(gone, "the folder is removed")


def end_idle_watch(lab: Lab) -> None:
    """End what would soon end the others by itself: within a moment of its start, or seconds."""
    [watch] = [one for one in find_processes(lab.path) if one.name == "idle"]
    os.kill(watch.pid, signal.SIGKILL)
    wait(lambda: not watch.alive, "the idle watch has ended")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CLI, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )


@pytest.fixture(scope="module")
def one_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    opened = Lab.open(tmp_path_factory.mktemp("standing") / "lab")
    yield opened
    opened.down()


@pytest.fixture
def standing(one_lab: Lab) -> Lab:
    """Return a lab that is up, for tests that leave it as good as they found it."""
    one_lab.up()
    return one_lab


# -- a lab is its folder ---------------------------------------------------------------------------


def test_another_terminal_finds_and_ends_the_same_processes(standing: Lab, tmp_path: Path) -> None:
    before = standing.pair.status()
    other = {"XDG_RUNTIME_DIR": str(tmp_path / "other"), "TMPDIR": str(tmp_path)}
    shown = json.loads(run("status", "--json", "--lab", str(standing.path), **other).stdout)
    assert shown["processes"] == before
    ended = run("down", "--lab", str(standing.path), **other)
    assert ended.stdout == "Stopped: idle, hypervisor, cloud.\n"
    assert set(standing.pair.status().values()) == {"stopped"}


def test_nothing_is_left_beside_the_lab(fresh: Lab) -> None:
    """Neither after `down` nor after a removed lab's end: no socket, no ciphertext."""
    fresh.up()
    runtime = fresh.pair.processes.runtime
    assert (runtime / "hypervisor.sock").exists()
    fresh.down()
    assert not runtime.exists()
    fresh.up()
    assert fresh.pair.processes.runtime == runtime, "the same one again"
    remove(fresh.path)
    wait(lambda: not runtime.exists(), "the idle watch removed it")


def test_only_a_labs_own_folder_of_sockets_is_removed(tmp_path: Path) -> None:
    """Whatever a command line in /proc names."""
    for name in ("0123456789ab", "nitro-workflow/other", "nitro-workflow/0123456789ab"):
        (tmp_path / name).mkdir(parents=True)
        remove_runtime(tmp_path / name)
    left = [name for name in ("0123456789ab", "nitro-workflow/other") if (tmp_path / name).exists()]
    assert left == ["0123456789ab", "nitro-workflow/other"]
    assert not (tmp_path / "nitro-workflow" / "0123456789ab").exists()


def test_a_lab_in_a_folder_that_others_may_write_takes_it_for_itself(tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab").chmod(0o777)
    Lab.open(tmp_path / "lab")
    assert (tmp_path / "lab").stat().st_mode & 0o022 == 0


def test_a_link_to_the_lab_is_the_lab(standing: Lab, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(standing.path)
    assert Lab.open(tmp_path / "link").pair.status() == standing.pair.status()


def test_the_sockets_are_made_again_after_the_runtime_folder_was_cleaned(standing: Lab) -> None:
    shutil.rmtree(standing.pair.processes.runtime)
    assert "its sockets are not there" in standing.pair.status()["hypervisor"]
    standing.up()
    assert "sockets" not in standing.pair.status()["hypervisor"]
    assert standing.bench.host.describe_enclaves() == []


def test_a_moved_lab_says_so_and_goes_on(fresh: Lab, tmp_path: Path) -> None:
    fresh.run("P1")
    key = fresh.bench.produced("P1", "key_arn")
    end_idle_watch(fresh)
    moved = Lab.open(fresh.path.rename(tmp_path / "moved"))
    try:
        assert "the lab's former place" in moved.pair.status()["cloud"]
        moved.up()
        assert moved.bench.produced("P1", "key_arn") == key
        assert not moved.ensure("P1"), "the key is there, in the moved cloud"
        wait(lambda: len(find_processes(moved.path)) == 3, "the former processes have ended")
    finally:
        moved.down()


def test_a_copy_of_a_lab_is_another_lab(standing: Lab, tmp_path: Path) -> None:
    shutil.copytree(standing.path, tmp_path / "copy", ignore=shutil.ignore_patterns("*.sock"))
    copy = Lab.open(tmp_path / "copy")
    assert set(copy.pair.status().values()) == {"stopped"}
    assert copy.down() == []
    assert all(state.startswith("running") for state in standing.pair.status().values())


def test_what_a_removed_lab_left_ends_by_itself(fresh: Lab) -> None:
    fresh.up()
    remove(fresh.path)
    wait(lambda: not find_processes(fresh.path), "the idle watch ended them")


def test_status_and_down_know_what_runs_for_a_removed_lab(fresh: Lab) -> None:
    fresh.up()
    end_idle_watch(fresh)
    remove(fresh.path)
    status = CliRunner().invoke(lab_state.status, ["--lab", str(fresh.path)])
    assert isinstance(status.exception, LabError)
    assert "cloud (pid" in status.exception.found
    down = CliRunner().invoke(lab_state.down, ["--lab", str(fresh.path)])
    assert "hypervisor" in down.output
    assert find_processes(fresh.path) == []
    assert not fresh.path.exists()


def test_who_only_looks_makes_no_folder(tmp_path: Path) -> None:
    for command in (lab_state.status, lab_state.trace, lab_state.reset):
        result = CliRunner().invoke(command, ["--lab", str(tmp_path / "typo")])
        assert isinstance(result.exception, LabError), command.name
    assert CliRunner().invoke(lab_state.down, ["--lab", str(tmp_path / "typo")]).exit_code == 0
    assert not (tmp_path / "typo").exists()


# -- two at once -----------------------------------------------------------------------------------


def test_a_service_that_a_person_started_is_joined_and_left_alone(fresh: Lab) -> None:
    with subprocess.Popen(
        [*CLI, "cloud", "serve", "--lab", str(fresh.path)], stderr=subprocess.DEVNULL
    ) as service:
        try:
            endpoint = fresh.path / "cloud" / "endpoint.json"
            wait(endpoint.exists, "the service is up")
            fresh.run("P1")
            assert fresh.pair.status()["cloud"] == f"running (pid {service.pid}), started by hand"
            assert fresh.down() == ["idle", "hypervisor"]
            assert endpoint.exists()
            assert service.poll() is None
        finally:
            service.terminate()


def test_only_the_last_user_of_a_lab_is_the_last(tmp_path: Path) -> None:
    hold = (
        "import sys, time; from pathlib import Path; from nitro_workflow.lab import LabUsers\n"
        "with LabUsers(Path(sys.argv[1])): print('in', flush=True); time.sleep(60)"
    )
    with (
        LabUsers(tmp_path) as here,
        subprocess.Popen(
            [sys.executable, "-c", hold, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as other,
    ):
        assert other.stdout is not None
        assert other.stdout.readline() == "in\n"
        assert not here.last()
        other.kill()
        other.wait()
        assert here.last(), "a killed one uses nothing"


# -- interrupted -----------------------------------------------------------------------------------


@pytest.fixture
def launched(lab: Lab, walked: dict[str, StepResult]) -> Lab:
    lab.ensure("P8")
    return lab


def running(lab: Lab) -> tuple[list[str], list[str]]:
    found = [one for one in lab.bench.host.describe_instances() if one["State"] != "stopped"]
    enclaves = [enclave["EnclaveID"] for one in found for enclave in one["Enclaves"]]
    return [one["InstanceId"] for one in found], enclaves


class Killed(BaseException):
    """What a kill is to a program: nothing after it is run."""


@pytest.mark.parametrize("moment", ["run_instances", "boot_instance", "run_enclave"])
def test_however_a_launch_was_interrupted_the_next_leaves_one_enclave(
    launched: Lab, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """The call is made, and its answer never noted: twice, then a launch that ends."""

    def interrupted(*_: object, **__: object) -> None:
        raise Killed

    host = type(launched.bench.host)
    real_host, real_ask = getattr(host, moment, None), parent_launch._ask_for_instance
    with monkeypatch.context() as patch:
        if moment == "run_instances":
            patch.setattr(parent_launch, "_ask_for_instance", lambda *a: interrupted(real_ask(*a)))
        else:
            patch.setattr(host, moment, lambda *a, **k: interrupted(real_host(*a, **k)))
        for _ in range(2):
            with pytest.raises(Killed):
                launched.run("P8")
        instances, enclaves = running(launched)
        assert len(instances) <= 1
        assert len(enclaves) <= 1
    launched.run("P8")
    produced = launched.bench.result("P8").produced
    assert running(launched) == ([produced["instance_id"]], [produced["enclave_id"]])
    ec2 = launched.bench.parties.session("administrator").client("ec2")
    filters = [{"Name": "instance-state-name", "Values": ["running"]}]
    left = ec2.describe_instances(Filters=filters)["Reservations"]
    assert [one["InstanceId"] for group in left for one in group["Instances"]] == instances_of(
        produced
    )


def instances_of(produced: dict[str, str]) -> list[str]:
    return [produced["instance_id"]]


def test_status_shows_what_no_step_knows(launched: Lab) -> None:
    """An enclave beside P8's own: somebody ran it by hand, or a launch was interrupted."""
    from nitro_workflow.host import LaunchRequest
    from nitro_workflow.lab import image_of

    instance = launched.bench.produced("P8", "instance_id")
    request = LaunchRequest(str(image_of(launched.bench)), 512, 2, instance_id=instance)
    extra = launched.bench.host.run_enclave(request)["EnclaveID"]
    try:
        shown = CliRunner().invoke(lab_state.status, ["--lab", str(launched.path)]).output
        lines = [line for line in shown.splitlines() if line.startswith("enclave")]
        assert f"{extra}, running, not of step P8" in lines[0], lines
    finally:
        launched.bench.host.terminate_enclave(extra)


def test_an_earlier_instance_that_the_host_cannot_end_is_no_error(
    launched: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = type(launched.bench.host)
    real, refused = host.stop_instance, []

    def stop(self: object, instance: str) -> None:
        if not refused:
            refused.append(instance)
            raise HostError("gone", code="E39")
        real(self, instance)

    monkeypatch.setattr(host, "stop_instance", stop)
    launched.run("P8")
    assert refused
    real(launched.bench.host, refused[0])


# -- the disk --------------------------------------------------------------------------------------


def test_looking_writes_nothing(standing: Lab) -> None:

    def state() -> dict[str, tuple[int, int]]:
        # The cloud notes what starting it asked of it, a moment later.
        files = [p for p in standing.path.rglob("*") if p.is_file() and "sqlite" not in p.name]
        return {
            str(p): (p.stat().st_mtime_ns, p.stat().st_ino)
            for p in files
            if p.parent.name != "logs"
        }

    before = state()
    for _ in range(3):
        standing.pair.status()
        standing.pair.processes.endpoint()
        assert standing.pair.processes._cloud_answers()
        run("status", "--lab", str(standing.path))
    assert state() == before


def test_a_disk_that_cannot_be_written_is_named_with_what_to_do(tmp_path: Path) -> None:
    for number, words in ((28, "make room"), (30, "writable"), (122, "quota")):
        with pytest.raises(LabError) as caught, disk_errors("P3"):
            raise OSError(number, os.strerror(number), str(tmp_path / "file"))
        assert words in caught.value.next
        assert caught.value.where == "P3"
        assert "file" in caught.value.found
    with pytest.raises(LabError) as caught, disk_errors("P5"):  # as `shutil` says it of a copy
        raise OSError(28, "No space left on device", "/its/source", None, str(tmp_path / "copy"))
    assert "copy" in caught.value.found
    assert "source" not in caught.value.found


def test_a_process_that_could_not_even_say_so_is_said_to_lack_room(
    fresh: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk the cloud's own log stays empty: "it said nothing" helps nobody."""
    real, full = os.statvfs, [True]

    def statvfs(path: object) -> object:
        found = real(path)
        if not full:
            return found
        changed = list(found)
        changed[3] = changed[4] = 7  # f_bfree, f_bavail
        return os.statvfs_result(changed)

    monkeypatch.setattr(os, "statvfs", statvfs)
    for _ in range(2):
        with pytest.raises(LabError) as caught:
            fresh.up()
        assert caught.value.found.startswith("No space left on device: ")
        assert "make room" in caught.value.next
        assert find_processes(fresh.path) == []
        assert fresh.down() == []
    full.clear()  # room was made
    fresh.up()


def test_a_process_that_ends_silently_is_asked_of_its_disk(
    fresh: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk may have become full while it started."""
    asked: list[Path] = []

    def room(folder: Path, needed: int) -> None:
        if asked:
            raise LabError("No space left on device")
        asked.append(folder)

    monkeypatch.setattr(background, "require_room", room)
    monkeypatch.setattr(background, "command_of", lambda *_: ["/bin/false"])
    monkeypatch.setattr(background.sys, "executable", "/bin/false")
    with pytest.raises(LabError, match="No space left"):
        fresh.up()
    assert asked == [fresh.path]


def test_the_lock_is_held_where_nothing_can_be_written(fresh: Lab, monkeypatch) -> None:
    real = os.open

    def read_only(path: object, flags: int, *rest: int, **more: int) -> int:
        if str(path) == str(fresh.path / "lock") and flags & os.O_RDWR:
            raise OSError(30, "Read-only file system")
        return real(path, flags, *rest, **more)

    with fresh.bench.folder.lock("make it"):
        pass
    monkeypatch.setattr(os, "open", read_only)
    with fresh.bench.folder.lock("look"):
        other = Lab.open(fresh.path)
        with pytest.raises(LabError, match="busy"), other.bench.folder.lock("other", 0.1):
            pass


# -- started over ----------------------------------------------------------------------------------


def test_reset_asks_first_and_then_leaves_a_new_lab(fresh: Lab) -> None:
    fresh.run("P1")
    key, root = fresh.bench.produced("P1", "key_arn"), fresh.bench.cloud.trust().root_sha256
    options = ["--lab", str(fresh.path)]
    asked = CliRunner().invoke(lab_state.reset, options, input="n\n")
    assert (asked.exit_code, asked.output.splitlines()[-1]) == (1, "Nothing was removed.")
    for unanswered in ("</dev/null", "<&-"):
        line = f"{shlex.join(CLI)} reset --lab {shlex.quote(str(fresh.path))} {unanswered}"
        silent = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
        assert silent.returncode == 2
        assert "--yes" in silent.stderr
    assert fresh.bench.result("P1") is not None
    done = CliRunner().invoke(lab_state.reset, [*options, "--yes"])
    assert done.exit_code == 0, done.exception
    assert find_processes(fresh.path) == []
    again = Lab.open(fresh.path)
    assert again.bench.folder.recorded() == []
    again.run("P1")
    assert again.bench.produced("P1", "key_arn") != key
    assert again.bench.cloud.trust().root_sha256 != root


def test_going_back_to_a_step_drops_it_and_those_after_it(launched: Lab) -> None:
    launched.ensure("D9")
    kept = launched.bench.result("P8")
    launched.reset("D1")
    assert launched.bench.result("P8") == kept
    assert not any(launched.bench.result(f"D{number}") for number in range(1, 10))
    assert launched.run("D9").caught_up[0] == "D1"


def test_going_back_names_what_was_dropped_and_how_to_make_it_again(tmp_path: Path) -> None:
    Lab.open(tmp_path / "lab")
    options = ["--lab", str(tmp_path / "lab"), "--from", "p5", "--yes"]
    said = CliRunner().invoke(lab_state.reset, options).output
    assert "the records of P5 and of the steps after it" in said
    assert "`nitro-workflow walk --from P5` makes them again" in said


def test_a_changed_trust_root_is_said_with_what_it_ends(fresh: Lab) -> None:
    said: list[str] = []
    fresh.bench.say = said.append
    fresh.up()
    fresh.up()
    assert not any("trust root" in line for line in said), "it is new, and has not changed"
    before = fresh.bench.cloud.trust().root_sha256
    fresh.down()
    fresh.up()
    [line] = [line for line in said if "trust root changed" in line]
    assert before[:16] in line
    assert "nothing ends with it" in line, "no enclave had run"


def test_a_changed_trust_root_ends_the_enclave_that_ran(fresh: Lab) -> None:
    fresh.up()
    fresh.down()
    fresh.bench.folder.keep("P8", {"step": "P8"})
    fresh.up()
    assert "That ends the enclave of step P8" in fresh.notices[-1]


# -- in a notebook ----------------------------------------------------------------------------------


def test_a_lesson_asks_before_it_starts_over(fresh: Lab) -> None:
    from nitro_workflow.lessons import Lesson

    fresh.run("P1")
    lesson = Lesson(fresh, "01", ())
    assert "yes=True" in str(lesson.reset()._repr_mimebundle_())
    assert fresh.bench.result("P1") is not None
    lesson.reset(yes=True)
    assert fresh.bench.result("P1") is None
    assert find_processes(fresh.path) == []
    fresh.run("P1")


def test_a_lesson_shows_that_the_trust_root_changed(standing: Lab) -> None:
    from nitro_workflow.lessons import Lesson

    opened = Lab.open(standing.path)
    opened.up()
    assert "changed" not in repr(Lesson(opened, "01", ()))
    opened.down()
    opened.up()
    assert "trust root changed" in repr(Lesson(opened, "01", ()))


def test_a_new_lab_in_the_place_of_a_removed_one_ends_what_that_left(fresh: Lab) -> None:
    fresh.up()
    before = {one.pid for one in find_processes(fresh.path)}
    end_idle_watch(fresh)
    remove(fresh.path)
    again = Lab.open(fresh.path)
    assert "the lab that was here before" in again.pair.status()["cloud"]
    again.up()
    try:
        assert before.isdisjoint(one.pid for one in find_processes(again.path))
    finally:
        again.down()


def test_drafts_of_killed_writers_go_and_all_else_stays(fresh: Lab) -> None:
    names = [
        ".P1.json.0123456789ab",
        ".attack-xyz",
        ".second-cloud-abc",
        ".rehearsal-x",
        ".fetch-y",
        ".ordinary",
        ".P2.json.x",
    ]
    for name in names:
        (fresh.path / "steps" / name).write_text("half")
    for name in (*names, ".job.json.0123456789ab"):
        (fresh.path / "jobs" / name).write_text("a job's record, being written")
    os.utime(fresh.path / "jobs" / names[0], (0, 0))
    fresh.bench.folder.sweep()
    kept = sorted(path.name for path in (fresh.path / "steps").iterdir())
    assert kept == [".P2.json.x", ".ordinary"]
    jobs = {path.name for path in (fresh.path / "jobs").iterdir()}
    assert jobs == {*names[1:], ".job.json.0123456789ab"}


def test_a_lab_that_lost_its_record_is_made_one_again(fresh: Lab) -> None:
    fresh.up()
    fresh.down()
    (fresh.path / "launch.json").write_text("{}")
    (fresh.path / "lab.json").unlink()
    assert Lab.open(fresh.path).bench.folder.identity != fresh.bench.folder.identity
