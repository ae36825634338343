"""The lab folder: made, refused, locked; records whole or not at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from nitro_workflow.errors import LabError
from nitro_workflow.lab.lab_folder import (
    AF_UNIX_LIMIT,
    LabFolder,
    default_folder,
    runtime_folder,
    save,
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
    folder = runtime_folder(tmp_path)
    longest = folder / "instance" / "i-0123456789abcdef0" / "control.sock"
    assert len(os.fsencode(longest)) <= AF_UNIX_LIMIT
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    assert folder != runtime_folder(tmp_path / "other")


def test_a_link_in_place_of_the_private_folder_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may write /tmp could lead the sockets, and the mode 0700, to any folder of ours."""
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        monkeypatch.setenv("XDG_RUNTIME_DIR", short)
        (tmp_path / "ours").mkdir(mode=0o755)
        (Path(short) / "nitro-workflow").symlink_to(tmp_path / "ours")
        with pytest.raises(LabError, match="is a link"):
            runtime_folder(tmp_path)
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
    with folder.lock("step P1", seconds=5):  # a killed holder holds nothing
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
