"""Whatever stands there is gone afterwards, and nothing that only a link leads to."""

import os

import pytest

from nitro_workflow.remove_tree import remove_tree


def deep(folder, depth):
    folder.mkdir()
    at = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=at)
        below = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=at))
    os.close(at)


@pytest.mark.parametrize("depth", [1, 1500, 6000])  # recursion ends at 1000, a path at 4096 bytes
def test_nested_folders(tmp_path, depth):
    deep(tmp_path / "state", depth)
    remove_tree(tmp_path / "state")
    assert list(tmp_path.iterdir()) == []


def test_wide_ones_with_odd_names_and_modes(tmp_path):
    state = tmp_path / "state"
    for at in range(50):
        (state / f"a{at}" / "b" / "c").mkdir(parents=True)
        (state / f"a{at}" / "b" / "\n").touch()
        (state / f"a{at}" / "b" / "c").chmod(0)
        (state / f"a{at}" / "b").chmod(0o500)
    os.close(os.open(os.fsencode(state) + b"/\xff\xfe", os.O_CREAT | os.O_WRONLY))
    os.mkfifo(state / "pipe")
    state.chmod(0)
    remove_tree(state)
    assert list(tmp_path.iterdir()) == []


def test_links_are_removed_and_what_they_lead_to_is_not(tmp_path):
    kept = tmp_path / "kept"
    (kept / "folder").mkdir(parents=True)
    (kept / "file").touch()
    state = tmp_path / "state"
    (state / "below").mkdir(parents=True)
    (state / "link").symlink_to(kept)
    (state / "below" / "link").symlink_to(kept / "folder")
    (state / "nowhere").symlink_to("/no/such")
    remove_tree(state)
    (tmp_path / "itself").symlink_to(kept)
    remove_tree(tmp_path / "itself")
    assert sorted(it.name for it in kept.iterdir()) == ["file", "folder"]
    assert list(tmp_path.iterdir()) == [kept]


def test_a_file_and_nothing(tmp_path):
    (tmp_path / "file").touch()
    remove_tree(tmp_path / "file")
    remove_tree(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []
