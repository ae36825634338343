"""What a person can hand over to `nitro-workflow image`: odd names, pipes, loops, odd times."""

from __future__ import annotations

import json
import os

import pytest

from nitro_workflow.errors import ImageError, ImageRefused
from tests.image.test_cli import build, keys, rows, run

__all__ = ["run"]  # a fixture

ODD = os.fsdecode(b"\xff\xfe")


def test_paths_that_are_no_unicode(run, tmp_path):
    (tmp_path / ODD).mkdir()
    (tmp_path / ODD / os.fsdecode(b"\xfd")).write_bytes(b"x")
    result = run("build", "--rootfs", ODD, "--command", ODD, "--json", "-o", f"{ODD}.eif")
    [built] = rows(result)
    assert built["Image"] == f"{ODD}.eif"
    assert result.stdout.isascii()
    described = json.loads(run("describe", f"{ODD}.eif", "--json").stdout)
    assert described["ImageName"] == "\\xff\\xfe"
    for command in (["measure"], ["check"], ["ls"]):
        run(*command, f"{ODD}.eif")
    run("extract", f"{ODD}.eif", f"{ODD}.out", "--ramdisk", "1")
    with pytest.raises(ImageError, match="No such file"):
        run("measure", f"{ODD}.nothing")


@pytest.mark.parametrize("option", ["--name", "--version", "--build-tool", "--img-os"])
def test_metadata_that_is_no_unicode_is_refused(run, option):
    with pytest.raises(ImageError, match="not Unicode"):
        build(run, "a.eif", option, ODD)


def test_nothing_but_a_file_is_overwritten(run, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for target in ("fifo", "root"):
        with pytest.raises(ImageError, match=r"device, pipe or socket|Is a directory"):
            build(run, target)
    assert (tmp_path / "fifo").is_fifo()


def test_sources_that_are_no_files(run, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(ImageError, match="neither a file nor a folder"):
        run("build", "--image", "fifo", "-o", "o.eif")
    for source in ("--rootfs", "--image"):
        with pytest.raises(ImageError):
            run("build", source, "loop", "--command", "/x", "-o", "o.eif")
    assert not (tmp_path / "o.eif").exists()


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_times_at_the_calendars_edges(run, tmp_path, pairs, at):
    build(run, "a.eif", *keys(tmp_path, pairs))
    with pytest.raises(ImageRefused, match="validity"):
        run("verify", "a.eif", "--at", at)
    run("check", "a.eif", "--at", at, code=1)
    run("build", "--rootfs", "root", "--command", "/x", "-o", "b.eif", "--build-time", at)
