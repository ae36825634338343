"""What an administrator may have put into his instance's folder does not lead the hypervisor."""

import json
import os
import socket

import pytest

from nitro_workflow.cloud import Endpoint
from nitro_workflow.host.instance import instance_folder

ADDRESS = Endpoint("https://127.0.0.1:9", "/ca.pem")


@pytest.fixture
def folder(tmp_path):
    it = tmp_path / "instance"
    instance_folder.prepare(it, ADDRESS, None, 1 << 20)
    return it


def test_made_whole_and_private(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        "hosts",
        "state",
        "trace.jsonl",
        "vsock",
        "vsock-proxy.yaml",
    ]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert "127.0.0.1" in (folder / "vsock-proxy.yaml").read_text()


def test_state_and_trace_are_kept_the_rest_is_not(folder):
    (folder / "state" / "job").write_text("kept")
    (folder / "trace.jsonl").write_text("{}\n")
    (folder / "vsock" / "16").mkdir()
    for name in ("parent.log", "status.json"):
        (folder / name).write_text("old")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "control.sock"))
    instance_folder.prepare(folder, ADDRESS, None, 1 << 20)
    assert (folder / "state" / "job").read_text() == "kept"
    assert (folder / "trace.jsonl").read_text() == "{}\n"
    assert not any(
        (folder / name).exists() for name in ("parent.log", "status.json", "control.sock")
    )
    assert [it.name for it in (folder / "vsock").iterdir()] == ["3"]


@pytest.mark.parametrize(
    "name",
    ["hosts", "vsock-proxy.yaml", "trace.jsonl", "vsock", "state", "parent.log", "status.json"],
)
def test_a_link_is_not_written_through(folder, tmp_path, name):
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "v.sock").write_text("precious")
    target = victim if name in ("vsock", "state") else victim / "v.sock"
    path = folder / name
    if path.is_dir():
        for inner in path.iterdir():
            inner.rmdir()
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
    path.symlink_to(target)
    instance_folder.prepare(folder, ADDRESS, None, 1 << 20)
    assert (victim / "v.sock").read_text() == "precious"
    assert [it.name for it in victim.iterdir()] == ["v.sock"]
    assert not path.is_symlink()


def test_a_link_or_a_pipe_is_not_read(folder, tmp_path):
    (tmp_path / "secret").write_text('{"parent": {"pid": 1, "exit": 5}}')
    (folder / "status.json").symlink_to(tmp_path / "secret")
    (folder / "parent.log").symlink_to(tmp_path / "secret")
    assert instance_folder.programs(folder) == {}
    assert instance_folder.last_lines(folder / "parent.log") == "it wrote nothing"
    os.mkfifo(folder / "proxy.log")
    assert instance_folder.last_lines(folder / "proxy.log") == "it wrote nothing"


@pytest.mark.parametrize("text", ["", "{", "[]", "5", '{"parent": 5}', "[" * 99_999])
def test_nonsense_is_no_status(folder, text):
    (folder / "status.json").write_text(text)
    assert instance_folder.programs(folder) == {}


def test_status_and_last_lines(folder):
    (folder / "status.json").write_text(json.dumps({"proxy": {"pid": 3, "exit": None, "x": 1}}))
    assert instance_folder.programs(folder) == {"proxy": {"pid": 3, "exit": None}}
    (folder / "proxy.log").write_text("one\ntwo\nthree\nfour\nfive\n")
    assert instance_folder.last_lines(folder / "proxy.log") == "two three four five"
