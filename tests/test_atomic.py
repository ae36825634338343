"""One atomic write: whole, or not at all and nothing left."""

from __future__ import annotations

import doctest
import os
import stat

import pytest

from nitro_workflow import atomic
from nitro_workflow.atomic import atomic_file, write_all, write_atomic
from nitro_workflow.errors import ImageError, LabError, ServiceError


def test_the_example_runs() -> None:
    result = doctest.testmod(atomic)
    assert result.failed == 0
    assert result.attempted


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_replaced_with_its_new_mode(tmp_path, durable) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"old")
    write_atomic(path, b"new", mode=0o600, durable=durable)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [*tmp_path.iterdir()] == [path]


def _half_written(path, error) -> None:
    with atomic_file(path) as fd:
        write_all(fd, b"half")
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_what_was_there(tmp_path, error) -> None:
    path = tmp_path / "record"
    path.write_bytes(b"old")
    with pytest.raises(error):
        _half_written(path, error)
    assert path.read_bytes() == b"old"
    assert [*tmp_path.iterdir()] == [path]


def test_a_full_disk_is_the_callers_kind_of_error(tmp_path) -> None:
    path = tmp_path / "record"
    with pytest.raises(LabError, match="No space left"), atomic_file(path, failure=LabError):
        raise OSError(28, "No space left on device")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("name", ["no/folder", "nul\0byte", "x" * 300 + "/y"])
def test_a_place_that_is_not_there_is_an_error_of_the_package(tmp_path, name) -> None:
    with pytest.raises(ImageError):
        write_atomic(tmp_path / name, b"", failure=ImageError)
    with pytest.raises(ServiceError):
        write_atomic(tmp_path / name, b"")


def test_nobody_else_can_read_the_draft(tmp_path) -> None:
    with atomic_file(tmp_path / "key", mode=0o600) as fd:
        assert stat.S_IMODE(os.fstat(fd).st_mode) == 0o600


def test_a_device_or_pipe_is_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    link = tmp_path / "link"
    link.symlink_to(os.devnull)
    for path in (pipe, link):
        with pytest.raises(ServiceError, match="a device, pipe or socket"):
            write_atomic(path, b"x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "pipe"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert link.is_symlink()
