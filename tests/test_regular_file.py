"""Only plain files are read, and only so much of them."""

import os

import pytest

from nitro_workflow.regular_file import read_regular


def test_the_first_bytes_or_the_last(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    assert read_regular(path, 100) == b"0123456789"
    assert read_regular(path, 3) == b"012"
    assert read_regular(path, 3, from_end=True) == b"789"
    assert read_regular(path, 100, from_end=True) == b"0123456789"


@pytest.mark.parametrize("kind", ["absent", "link", "pipe", "folder"])
def test_what_is_no_plain_file_is_empty(tmp_path, kind):
    path = tmp_path / kind
    if kind == "link":
        path.symlink_to("/etc/passwd")
    elif kind == "pipe":
        os.mkfifo(path)  # opened for reading it would wait for a writer
    elif kind == "folder":
        path.mkdir()
    assert read_regular(path, 100) == b""
