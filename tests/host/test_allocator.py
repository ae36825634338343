"""The pool of CPUs and memory: the file's forms, and what enclaves may then have."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro_workflow.errors import HostError
from nitro_workflow.host.rules import Pool, allocator_file, parse_allocator, read_pool

AWS_DEFAULT = """---
# Enclave configuration file.
memory_mib: 512
cpu_count: 2
# cpu_pool: 2,3,6-9
"""
FILE = Path("allocator.yaml")


def test_the_file_that_aws_ships():
    assert parse_allocator(AWS_DEFAULT, FILE) == Pool((1, 2), 512, FILE)


@pytest.mark.parametrize(
    ("written", "cpus"),
    [("2,3,6-9", (2, 3, 6, 7, 8, 9)), ("4", (4,)), ('"1-2, 5"', (1, 2, 5)), ("7-7", (7,))],
)
def test_cpu_pools(written, cpus):
    assert parse_allocator(f"memory_mib: 64\ncpu_pool: {written}\n", FILE).cpus == cpus


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a",
        "{",
        "memory_mib: 512",
        "memory_mib: 512\ncpu_count: 2\ncpu_pool: 1,2",
        "memory_mib: 512\ncpu_count: two",
        "memory_mib: true\ncpu_count: 2",
        "memory_mib: -1\ncpu_count: 2",
        "cpu_count: 2",
        "memory_mib: 512\ncpu_count: 2\nmemory: 1",
        "memory_mib: 512\ncpu_pool: 0-1",
        "memory_mib: 512\ncpu_pool: 3-1",
        "memory_mib: 512\ncpu_pool: 0-3-7",
        "memory_mib: 512\ncpu_pool: 1-9999",
        "memory_mib: 512\ncpu_pool: ''",
    ],
)
def test_files_that_are_none(text):
    with pytest.raises(HostError) as caught:
        parse_allocator(text, FILE)
    assert "allocator.yaml" in caught.value.found
    assert caught.value.expected


@given(st.text(max_size=200))
def test_any_text_is_a_pool_or_an_error(text):
    try:
        pool = parse_allocator(text, FILE)
    except HostError:
        return
    assert pool.memory_mib >= 0


def test_only_a_written_pool_is_shared_out():
    assert Pool((1,), 512).memory_left(500) == 512
    assert Pool((1,), 512, FILE).memory_left(500) == 12
    assert Pool((1,), 512, FILE).memory_left(600) == 0


def test_the_users_file(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert read_pool().file is None
    allocator_file().parent.mkdir()
    target = tmp_path / "dotfiles.yaml"
    target.write_text(AWS_DEFAULT)
    allocator_file().symlink_to(target)  # as people keep their settings
    assert read_pool() == Pool((1, 2), 512, allocator_file())
    target.write_text("")
    with pytest.raises(HostError):  # an emptied file is no permission for everything
        read_pool()
    target.unlink()
    allocator_file().unlink()
    allocator_file().mkdir()
    with pytest.raises(HostError):
        read_pool()
