"""The lab folder: made, refused, locked; records whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from nitro_workflow.errors import LabError
from nitro_workflow.lab.lab_folder import (
    LabFolder,
    default_folder,
    save,
)
from nitro_workflow.lab.processes.runtime_place import (
    AF_UNIX_LIMIT,
    choose_runtime,
    known_runtime,
    make_runtime,
)


def test_a_new_folder_is_made_private_and_says_what_it_is(tmp_path: Path) -> None:
    folder = LabFolder.open(tmp_path / "deep" / "lab")
    assert json.loads((folder.path / "lab.json").read_text())["format"] == 1
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert (folder.path / "steps").is_dir()


def test_a_foreign_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(LabError, match=r"thesis\.tex") as caught:
        LabFolder.open(tmp_path)
    assert "--lab" in caught.value.next
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_whose_making_was_interrupted_is_completed(tmp_path: Path) -> None:
    (tmp_path / "steps").mkdir()
    (tmp_path / ".lab.json.x1y2").write_text('{"form')
    assert LabFolder.open(tmp_path).settings() == {}


@pytest.mark.parametrize("text", ["", '{"format": 1', "[1]", "\x00\x01"])
def test_a_half_written_lab_json_names_the_way_out(tmp_path: Path, text: str) -> None:
    LabFolder.open(tmp_path)
    (tmp_path / "lab.json").write_text(text)
    with pytest.raises(LabError) as caught:
        LabFolder.open(tmp_path)
    assert "nitro-workflow down" in caught.value.next
    assert (tmp_path / "lab.json").read_text() == text


def test_another_format_is_not_guessed_at(tmp_path: Path) -> None:
    LabFolder.open(tmp_path)
    (tmp_path / "lab.json").write_text('{"format": 99}')
    with pytest.raises(LabError, match="99"):
        LabFolder.open(tmp_path)


def test_a_folder_that_cannot_be_written_is_a_lab_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match="Not a directory"):
        LabFolder.open(tmp_path / "file" / "lab")


def test_the_folder_comes_from_the_environment_then_the_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NITRO_WORKFLOW_LAB", "/somewhere/lab")
    assert default_folder() == Path("/somewhere/lab")
    monkeypatch.delenv("NITRO_WORKFLOW_LAB")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert default_folder() == Path("/data/nitro-workflow/lab")


def test_a_damaged_step_record_counts_as_none(tmp_path: Path) -> None:
    folder = LabFolder.open(tmp_path)
    folder.keep("P1", {"step": "P1"})
    assert folder.record("P1") == {"step": "P1"}
    (folder.path / "steps" / "P1.json").write_text('{"step": "P')
    assert folder.record("P1") is None


def test_settings_are_kept_beside_the_rest(tmp_path: Path) -> None:
    folder = LabFolder.open(tmp_path)
    folder.change_settings(size=5)
    folder.change_settings(seed=7)
    assert LabFolder.open(tmp_path).settings() == {"size": 5, "seed": 7}


def test_a_failed_write_leaves_the_old_bytes_and_no_litter(tmp_path: Path) -> None:
    target = tmp_path / "record"
    save(target, b"old")
    with pytest.raises(TypeError):
        save(target, object())  # type: ignore[arg-type]
    assert target.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["record"]


def test_sockets_lie_in_a_short_private_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / ("long" * 30)))
    lab = LabFolder.open(tmp_path / "lab")
    folder = make_runtime(lab)
    longest = folder / "instance" / "i-0123456789abcdef0" / "control.sock"
    assert len(os.fsencode(longest)) <= AF_UNIX_LIMIT
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    assert folder != choose_runtime(tmp_path / "other")
    folder.rmdir()


def test_a_link_in_place_of_the_private_folder_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may write /tmp could lead the sockets, and the mode 0700, to any folder of ours."""
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        monkeypatch.setenv("XDG_RUNTIME_DIR", short)
        (tmp_path / "ours").mkdir(mode=0o755)
        (Path(short) / "nitro-workflow").symlink_to(tmp_path / "ours")
        with pytest.raises(LabError, match="is a link"):
            make_runtime(LabFolder.open(tmp_path / "lab"))
    assert not list((tmp_path / "ours").iterdir())
    assert (tmp_path / "ours").stat().st_mode & 0o777 == 0o755


def test_the_lock_names_its_holder_in_another_process(tmp_path: Path) -> None:
    folder = LabFolder.open(tmp_path)
    hold = (
        "import sys, time; from nitro_workflow.lab.lab_folder import LabFolder\n"
        "with LabFolder.open(sys.argv[1]).lock('step P6'):\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(LabError, match=f"step P6 in process {other.pid}"):
            folder.lock("step P1", seconds=0.2).__enter__()
        other.kill()
    with folder.lock("step P1", seconds=60):  # a killed holder holds nothing
        pass


def test_the_lock_is_taken_again_by_the_same_thread_and_not_by_another(tmp_path: Path) -> None:
    folder = LabFolder.open(tmp_path)
    seen: list[str] = []

    def other() -> None:
        try:
            folder.lock("other", seconds=0.1).__enter__()
        except LabError as error:
            seen.append(error.found)

    with folder.lock("outer"), folder.lock("inner"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert seen == ["the lab is busy: another thread of this process"]


def test_every_terminal_finds_the_sockets_whatever_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = LabFolder.open(tmp_path / "lab")
    with tempfile.TemporaryDirectory(dir="/tmp") as login:
        monkeypatch.setenv("XDG_RUNTIME_DIR", login)
        folder = make_runtime(lab)
        assert folder.is_relative_to(login)
        monkeypatch.delenv("XDG_RUNTIME_DIR")
        assert known_runtime(LabFolder.open(lab.path)) == folder
        monkeypatch.setenv("XDG_RUNTIME_DIR", "/nonexistent")
        assert make_runtime(LabFolder.open(lab.path)) == folder


def test_a_copy_of_a_lab_has_sockets_of_its_own(tmp_path: Path) -> None:
    lab = LabFolder.open(tmp_path / "lab")
    folder = make_runtime(lab)
    shutil.copytree(lab.path, tmp_path / "copy")
    assert known_runtime(LabFolder.open(tmp_path / "copy")) != folder
    lab.path.rename(tmp_path / "moved")
    assert known_runtime(LabFolder.open(tmp_path / "moved")) == folder, "a moved lab is the same"
    folder.rmdir()


def test_a_folder_that_is_no_lab_is_not_made_one_by_who_only_looks(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no lab in") as caught:
        LabFolder.open(tmp_path / "typo", make=False)
    assert "nitro-workflow walk" in caught.value.next
    assert not (tmp_path / "typo").exists()


def test_clearing_leaves_a_new_lab(tmp_path: Path) -> None:
    lab = LabFolder.open(tmp_path / "lab")
    lab.change_settings(size=5)
    lab.keep("P1", {"step": "P1"})
    before = lab.identity
    lab.clear()
    assert (lab.settings(), lab.recorded()) == ({}, [])
    assert lab.identity != before
    assert LabFolder.open(lab.path).identity == lab.identity
