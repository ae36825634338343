"""What runs on the instance: launches by token, images by digest, and what the program is made of."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

import enclave_image
from nitro_workflow.errors import HostError, ImageRefused
from nitro_workflow.host import LaunchRequest, NitroCliHost
from nitro_workflow.host.ec2 import aws_blobs, on_instance
from nitro_workflow.host.ec2.instance_launches import InstanceLaunches
from nitro_workflow.host.ec2.parent_bundle import write_bundle

IMAGE = b"an image" * 100
DIGEST = "4fc71abdb4d1e2b8f1d8f8a4c5f7f9bd2b1c2a2ee0d4a53d7cbbf2ac2fa6f8ea"


class Cut(BaseException):
    """The request's process is killed."""


class Enclaves:
    """Plays nitro-cli: what runs, and what it was asked to run."""

    def __init__(self) -> None:
        self.running: list[dict[str, Any]] = []
        self.asked: list[LaunchRequest] = []
        self.cut = False

    def describe_enclaves(self) -> list[dict[str, Any]]:
        return list(self.running)

    def run_enclave(self, request: LaunchRequest) -> dict[str, Any]:
        self.asked.append(request)
        one = {"EnclaveID": f"i-0-enc{len(self.asked)}", "EnclaveName": "application"}
        self.running.append(one)
        if self.cut:
            raise Cut
        return one


@pytest.fixture
def enclaves() -> Enclaves:
    return Enclaves()


@pytest.fixture
def launches(enclaves: Enclaves, tmp_path: Path) -> InstanceLaunches:
    def fetch(_: Any, path: Path) -> None:
        path.write_bytes(IMAGE)

    return InstanceLaunches(enclaves, tmp_path / "launches", tmp_path / "images", fetch)  # type: ignore[arg-type]


def request(token: str = "one", **more: Any) -> dict[str, Any]:
    import hashlib

    digest = hashlib.sha256(IMAGE).hexdigest()
    asked = LaunchRequest("/owner/application.eif", 1024, 2, client_token=token, **more)
    key = f"instance/{digest}/application.eif"
    return {"request": asked.to_json(), "eif": {"key": key, "sha256": digest}}


def test_an_image_is_run_under_its_own_name(enclaves: Enclaves, launches: InstanceLaunches) -> None:
    launches.run(request())
    (asked,) = enclaves.asked
    assert Path(asked.eif_path).name == "application.eif"
    assert Path(asked.eif_path).read_bytes() == IMAGE


def test_an_image_with_another_digest_is_not_run(
    enclaves: Enclaves, launches: InstanceLaunches, tmp_path: Path
) -> None:
    other = request()
    other["eif"] = {**other["eif"], "sha256": DIGEST}
    with pytest.raises(ImageRefused, match="an image with SHA-256"):
        launches.run(other)
    assert enclaves.asked == []
    assert list((tmp_path / "images").rglob("*.eif")) == []


def test_an_image_that_was_changed_on_the_disk_is_got_again(
    enclaves: Enclaves, launches: InstanceLaunches, tmp_path: Path
) -> None:
    launches.run(request())
    (image,) = (tmp_path / "images").rglob("*.eif")
    image.write_bytes(b"another")
    launches.run(request("two"))
    assert image.read_bytes() == IMAGE


def test_a_launch_that_was_cut_off_is_found_again(
    enclaves: Enclaves, launches: InstanceLaunches
) -> None:
    """nitro-cli has started it, and its answer was never kept: no second one is started."""
    launches.run(request("other"))
    enclaves.cut = True
    with pytest.raises(Cut):
        launches.run(request())
    enclaves.cut = False
    assert launches.run(request())["EnclaveID"] == "i-0-enc2"
    assert len(enclaves.asked) == 2
    assert launches.run(request("third"))["EnclaveID"] == "i-0-enc3"


def test_a_token_of_another_launch_is_refused(
    enclaves: Enclaves, launches: InstanceLaunches
) -> None:
    launches.run(request())
    with pytest.raises(HostError) as refused:
        launches.run(request(enclave_cid=77))
    assert refused.value.code == "E03"
    enclaves.running.clear()
    assert launches.run(request())["EnclaveID"] == "i-0-enc2", "it has ended: started again"


# -- requests --------------------------------------------------------------------------------------


def carried_out(tmp_path: Path, capsys: Any, **fields: Any) -> dict[str, Any]:
    text = base64.b64encode(json.dumps(fields).encode()).decode()
    assert on_instance.main([text]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_a_short_answer_is_a_line_and_a_long_one_is_put(
    tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    put: dict[str, bytes] = {}

    class Bucket:
        def put_object(self, **given: Any) -> None:
            put[given["Key"]] = given["Body"]

    monkeypatch.setattr(on_instance, "_s3", Bucket)
    say = [sys.executable, "-c", "import sys; print('x' * int(sys.argv[1]))"]
    told = {"op": "run", "timeout": 20, "bucket": "b", "answer": "answers/a.json"}
    done = carried_out(tmp_path, capsys, argv=[*say, "3"], **told)
    assert done["ok"] == {"exit": 0, "stdout": "xxx\n", "stderr": ""}
    assert put == {}
    stored = carried_out(tmp_path, capsys, argv=[*say, "30000"], **told)["stored"]
    assert stored["bytes"] == len(put["answers/a.json"]) > 30_000
    assert json.loads(put["answers/a.json"])["ok"]["exit"] == 0


def test_what_is_no_operation_is_an_error(tmp_path: Path, capsys: Any) -> None:
    answer = carried_out(tmp_path, capsys, op="shell", bucket="b", answer="answers/a")
    assert answer["error"]["type"] == "HostError"


def test_the_parent_is_asked_over_its_socket(tmp_path: Path, capsys: Any) -> None:
    ask = {"op": "ask", "request": {"op": "ping"}, "timeout": 1, "bucket": "b", "answer": "a"}
    assert carried_out(tmp_path, capsys, **ask)["error"]["code"] == "ParentUnavailable"


# -- the archive -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "parent.tar.gz"
    with path.open("wb") as sink:
        write_bundle(sink, [Path(enclave_image.__file__).parent])
    return path


def test_the_archive_is_the_same_each_time_and_has_nothing_compiled(archive: Path) -> None:
    again = io.BytesIO()
    write_bundle(again, [Path(enclave_image.__file__).parent])
    assert again.getvalue() == archive.read_bytes()
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
    assert all(one.isreg() and (one.uid, one.mtime, one.mode) == (0, 0, 0o644) for one in members)
    assert not [one.name for one in members if one.name.endswith((".so", ".pyc"))]
    assert archive.stat().st_size < 4 << 20


def test_the_program_runs_with_nothing_else_installed(archive: Path, tmp_path: Path) -> None:
    with tarfile.open(archive) as tar:
        tar.extraction_filter = getattr(tarfile, "data_filter", None)  # 3.11.4 brought it
        tar.extractall(tmp_path)
    code = (
        "import boto3, nitro_workflow.host.ec2.on_instance as here\n"
        "import enclave_image.parent.parent_application, nitro_workflow.vsock.proxy\n"
        "import nitro_workflow.host.instance.first_process\n"
        "here.Requests.of_this_machine()\n"
        "from nitro_workflow.vsock.allowlist import parse_allowlist\n"
        "parse_allowlist('allowlist: []')\n"
        "for name in ('s3', 'sts'): boto3.Session(region_name='us-east-1').client(name)\n"
        "import sys; print([m for m in sys.modules if m.partition('.')[0] in ('cbor2', 'click')])\n"
    )
    done = subprocess.run(
        [sys.executable, "-sPS", "-c", code],
        env={"PATH": os.defpath, "PYTHONPATH": str(tmp_path)},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


# -- boot parts ------------------------------------------------------------------------------------

PARTS = {"bzImage": b"kernel", "bzImage.config": b"config", "cmdline": b"c", "init": b"i"}
PARTS |= {"nsm.ko": b"driver"}
PUBLISHED = {"x86_64": {name: aws_blobs._git_id(data) for name, data in PARTS.items()}}


def tarred(parts: dict[str, bytes], *, link: str = "") -> str:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in parts.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            if name == link:
                entry.type, entry.linkname, entry.size = tarfile.SYMTYPE, "/etc/passwd", 0
            tar.addfile(entry, io.BytesIO(data))
    return base64.b64encode(out.getvalue()).decode()


def test_git_gives_the_same_id(tmp_path: Path, require: Any) -> None:
    require("interop", shutil.which("git") is not None, "git")
    (tmp_path / "file").write_bytes(b"some bytes\n")
    said = subprocess.run(
        ["git", "hash-object", str(tmp_path / "file")], capture_output=True, text=True, check=True
    )
    assert aws_blobs._git_id(b"some bytes\n") == said.stdout.strip()


def test_parts_that_aws_has_published_are_kept(tmp_path: Path) -> None:
    kept = aws_blobs.keep_blobs(tarred({**PARTS, "linuxkit": b"x"}), tmp_path / "blobs", PUBLISHED)
    assert set(kept) == set(PARTS)
    assert {path.name for path in (tmp_path / "blobs").iterdir()} == set(PARTS)


@pytest.mark.parametrize("changed", list(PARTS))
def test_a_part_of_the_administrators_is_refused(tmp_path: Path, changed: str) -> None:
    parts = {**PARTS, changed: b"the administrator's own"}
    with pytest.raises(ImageRefused, match=changed) as refused:
        aws_blobs.keep_blobs(tarred(parts), tmp_path / "blobs", PUBLISHED)
    assert not (tmp_path / "blobs").exists()
    assert "blobs-not-published" in refused.value.next


def test_a_missing_part_is_refused(tmp_path: Path) -> None:
    parts = {name: data for name, data in PARTS.items() if name != "nsm.ko"}
    with pytest.raises(ImageRefused, match="missing"):
        aws_blobs.keep_blobs(tarred(parts), tmp_path / "blobs", PUBLISHED)
    assert not (tmp_path / "blobs").exists()


@pytest.mark.parametrize("text", ["", "!", "AAAA", base64.b64encode(b"no tar" * 200).decode()])
def test_an_archive_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises((HostError, ImageRefused)):
        aws_blobs.keep_blobs(text, tmp_path / "blobs", PUBLISHED)
    assert not (tmp_path / "blobs").exists()


def test_a_link_in_the_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="no plain file"):
        aws_blobs.keep_blobs(tarred(PARTS, link="init"), tmp_path / "blobs", PUBLISHED)


def test_without_parts_it_is_said_where_they_are(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.delenv(aws_blobs.SETTING, raising=False)
    with pytest.raises(HostError, match="no boot parts") as refused:
        aws_blobs.boot_parts_of(tmp_path / "blobs")
    assert refused.value.code == aws_blobs.NO_BOOT_PARTS
    assert aws_blobs.SETTING in refused.value.next
    monkeypatch.setenv(aws_blobs.SETTING, str(tmp_path / "absent"))
    with pytest.raises(HostError) as named:
        aws_blobs.boot_parts_of(tmp_path / "blobs")
    assert named.value.code != aws_blobs.NO_BOOT_PARTS, "nothing is got in its place"


def test_the_host_uses_its_own_nitro_cli() -> None:
    assert isinstance(on_instance.Requests.of_this_machine()._host, NitroCliHost)
