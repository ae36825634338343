"""The copy that is measured cannot be changed: not through the file, not through the descriptor."""

import mmap
import os

import pytest

from nitro_workflow.errors import HostError
from nitro_workflow.host.sandbox.sealed_copy import sealed_copy


def test_the_file_may_change_the_copy_does_not(tmp_path):
    path = tmp_path / "a.eif"
    path.write_bytes(b"before" * 100_000)
    descriptor, size = sealed_copy(path)
    path.write_bytes(b"after")
    try:
        assert size == 600_000
        assert os.pread(descriptor, 6, 599_994) == b"before"
        for change in (
            lambda: os.pwrite(descriptor, b"x", 0),
            lambda: os.ftruncate(descriptor, 0),
            lambda: os.ftruncate(descriptor, size + 1),
            lambda: mmap.mmap(descriptor, size, mmap.MAP_SHARED, mmap.PROT_WRITE),
        ):
            with pytest.raises(PermissionError):
                change()
    finally:
        os.close(descriptor)


def test_what_is_no_file(tmp_path):
    with pytest.raises(HostError) as caught:
        sealed_copy(tmp_path / "absent.eif")
    assert (caught.value.code, "failing operation: 'Open'" in caught.value.found) == ("E19", True)
    os.mkfifo(tmp_path / "pipe")
    for wrong in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(HostError) as caught:
            sealed_copy(wrong)
        assert caught.value.code == "E35"
