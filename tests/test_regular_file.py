"""Only plain files are read, and only so much of them."""

import errno
import os
import resource

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


def test_without_a_descriptor_nothing_is_said_of_what_is_there(tmp_path):
    """A launch whose record seemed not to be there was made again."""
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    limits, held = resource.getrlimit(resource.RLIMIT_NOFILE), []
    last = os.dup(0)
    os.close(last)
    resource.setrlimit(resource.RLIMIT_NOFILE, (last, limits[1]))
    try:
        while True:
            held.append(os.dup(0))
    except OSError:
        with pytest.raises(OSError, match=os.strerror(errno.EMFILE)):
            read_regular(path, 100)
    finally:
        for it in held:
            os.close(it)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert read_regular(path, 100) == b"0123456789"
