"""The parent's application: D1, D2, records that outlive it, and what it is not told."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time
import uuid
from base64 import b64decode
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from application_world import CREDENTIALS, Sealed, World, records
from botocore.exceptions import ClientError, EndpointConnectionError

from enclave_image.parent import parent_application
from enclave_image.parent.parent_application import ParentApplication, serve
from nitro_workflow.errors import VsockError
from nitro_workflow.vsock import PIECES_FILE, PieceKeeper


class Frozen(NamedTuple):
    access_key: str
    secret_key: str
    token: str


ROLE = "arn:aws:sts::444455556666:assumed-role/ParentInstance/i-0123456789abcdef0"


class Body:
    def __init__(self, data: bytes):
        self._data = data

    def iter_chunks(self, size: int):
        for at in range(0, len(self._data), size):
            yield self._data[at : at + size]


class Session:
    """A boto3 session of the instance role, as far as the parent uses it."""

    def __init__(self):
        self.objects: dict[tuple[str, str, str], bytes] = {}
        self.error: Exception | None = None

    def client(self, name: str):
        return self

    def close(self):
        pass

    def get_object(self, *, Bucket, Key, VersionId):  # noqa: N803 - S3's names
        if self.error:
            raise self.error
        return {"Body": Body(self.objects[Bucket, Key, VersionId])}

    def get_caller_identity(self):
        return {"Arn": ROLE}

    def get_credentials(self):
        return self

    def get_frozen_credentials(self):
        return Frozen(*CREDENTIALS.to_json().values())


class Instance:
    def __init__(self, folder: Path, world: World):
        self.folder, self.world, self.session = folder, world, Session()
        self.reachable = True
        self.parent = ParentApplication(folder, self, self.session)

    def connect(self, cid: int, port: int, timeout: float = 1.0) -> socket.socket:
        if not self.reachable:
            raise VsockError("nobody listens", where=f"vsock {cid}:{port}", next="start it")
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(self.world.path)
        return sock

    def put(self, sealed: Sealed) -> dict:
        self.session.objects["bucket", "data", "v1"] = sealed.ciphertext
        if sealed.encrypted_key:
            self.session.objects["bucket", "key", "v2"] = sealed.encrypted_key
        return {
            "op": "send",
            "job": str(uuid.uuid4()),
            "form": "envelope" if sealed.encrypted_key else "encryption-sdk",
            "nonce": "07" * 32,
            "cid": 16,
            "bucket": "bucket",
            "key": "data",
            "version_id": "v1",
            "encrypted_key": sealed.encrypted_key and {"key": "key", "version_id": "v2"},
        }

    def wait(self, job: str) -> dict:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            state = self.parent.answer({"op": "job", "job": job})
            if state["status"] not in ("queued", "running"):
                return state
            time.sleep(0.02)
        raise AssertionError(state)


@pytest.fixture
def instance(tmp_path, world):
    return Instance(tmp_path, world)


@pytest.mark.parametrize("form", ["encryption-sdk", "envelope"])
def test_a_job_goes_through_and_is_traced(instance, world, form):
    sealed = world.seal(records(), form)
    request = instance.put(sealed)
    assert instance.parent.answer(request) == {"status": "queued"}
    state = instance.wait(request["job"])
    assert state["status"] == "done", state
    assert set(state["evidence"]) == {"D3", "D6", "D7", "D8", "D9"}
    assert state["result"]
    assert state["receipt"]
    steps = [(line["step"], line["what"]) for line in state["trace"]]
    keys = [("D1", "key")] if form == "envelope" else []
    assert steps == [
        ("D1", "data"),
        *keys,
        ("D2", "ciphertext"),
        ("D9", "result, encrypted for the owner"),
        ("D9", "receipt, signed"),
    ]
    lines = [
        json.loads(line) for line in (instance.folder / "trace.jsonl").read_text().splitlines()
    ]
    assert {line["job"] for line in lines} == {request["job"]}
    assert lines[0]["sha256"] == sealed.report.sha256
    assert {"seq", "at", "visible_to", "size", "source", "target"} <= lines[0].keys()


def test_a_job_keeps_what_the_proxy_carried_while_it_ran(instance, world, monkeypatch):
    """The enclave of these tests has no proxy: what one would have kept is put there."""
    keeper = PieceKeeper(instance.folder / PIECES_FILE)
    keeper.keep("enclave", "kms", b"of an earlier job")
    request = instance.put(world.seal(records()))
    receive, add = parent_application.recv_json, instance.parent.records.add
    known_first: list[bool] = []

    def carry_first(sock, limit):
        event = receive(sock, limit)
        if event.get("step") == "D6":
            keeper.keep("enclave", "kms", b"request")
            keeper.keep("kms", "enclave", b"answer")
        return event

    def note(job, step, evidence):
        if step == "D6":
            known_first.append("wire" in instance.parent.records.get(job))
        add(job, step, evidence)

    monkeypatch.setattr(parent_application, "recv_json", carry_first)
    monkeypatch.setattr(instance.parent.records, "add", note)
    instance.parent.answer(request)
    wire = instance.wait(request["job"])["wire"]
    assert {way: b64decode(data) for way, data in wire.items()} == {
        "to_kms": b"request",
        "from_kms": b"answer",
    }
    assert known_first == [True], "whoever sees the evidence of D6 can ask for these bytes"


def test_a_job_was_handed_over_before_the_enclave_had_it(instance, world, monkeypatch):
    """Else what the enclave asks at once would stand before it in the trace."""
    sent: list[datetime] = []
    send = parent_application.send_json

    def note(*given):
        sent.append(datetime.now(UTC))
        send(*given)

    monkeypatch.setattr(parent_application, "send_json", note)
    request = instance.put(world.seal(records()))
    instance.parent.answer(request)
    instance.wait(request["job"])
    text = (instance.folder / "trace.jsonl").read_text()
    [at] = [it["at"] for it in map(json.loads, text.splitlines()) if it["step"] == "D2"]
    assert datetime.fromisoformat(at) <= sent[0]


def test_where_the_proxy_keeps_nothing_a_job_has_no_wire(instance, world):
    request = instance.put(world.seal(records()))
    instance.parent.answer(request)
    assert instance.wait(request["job"])["wire"] == {}


def test_two_jobs_at_once_are_done_one_after_the_other(instance, world):
    request = instance.put(world.seal(records()))
    other = {**request, "job": str(uuid.uuid4())}
    instance.parent.answer(request)
    instance.parent.answer(other)
    assert [instance.wait(one["job"])["status"] for one in (request, other)] == ["done"] * 2


def test_get_object_answers_digest_length_and_role(instance):
    instance.session.objects["b", "k", "v"] = b"x" * 700_000
    answer = instance.parent.answer(
        {"op": "get_object", "bucket": "b", "key": "k", "version_id": "v"}
    )
    assert answer == {
        "bytes": 700_000,
        "sha256": hashlib.sha256(b"x" * 700_000).hexdigest(),
        "version_id": "v",
        "role": ROLE,
    }


@pytest.mark.parametrize("code", ["AccessDenied", "NoSuchKey", "NoSuchVersion"])
def test_the_clouds_refusal_keeps_its_words(instance, world, code):
    request = instance.put(world.seal(records()))
    refused = {"Error": {"Code": code, "Message": "because no bucket policy allows it"}}
    instance.session.error = ClientError(refused, "GetObject")
    error = instance.parent.answer({**request, "op": "get_object"})["error"]
    assert (error["code"], error["found"]) == (code, "because no bucket policy allows it")
    instance.parent.answer(request)
    state = instance.wait(request["job"])
    assert (state["status"], state["step"]) == ("refused", "D1")
    instance.session.error = EndpointConnectionError(endpoint_url="https://127.0.0.1:1")
    error = instance.parent.answer({**request, "op": "get_object"})["error"]
    assert error["code"] == "CloudUnavailable"


def test_the_enclaves_refusal_is_recorded_as_it_was(instance, world):
    sealed = world.seal(records())
    sealed.ciphertext = sealed.ciphertext[:-1] + bytes([sealed.ciphertext[-1] ^ 1])
    request = instance.put(sealed)
    instance.parent.answer(request)
    state = instance.wait(request["job"])
    assert (state["status"], state["step"]) == ("refused", "D8")
    assert state["error"]["code"] == "UntrustedAnswer"
    assert "result" not in state


def test_an_enclave_that_is_not_there(instance, world, monkeypatch):
    monkeypatch.setattr(parent_application, "START_PATIENCE_S", 0.3)
    request = instance.put(world.seal(records()))
    instance.reachable = False
    instance.parent.answer(request)
    state = instance.wait(request["job"])
    assert (state["status"], state["error"]["code"]) == ("failed", "VsockError")


@pytest.mark.parametrize(
    "changes",
    [
        {"op": "x"},
        {"op": None},
        {"job": "../x"},
        {"cid": 3},
        {"cid": "16"},
        {"cid": True},
    ],
)
def test_a_bad_request_is_answered(instance, world, changes):
    request = {**instance.put(Sealed(b"x" * 64, None)), **changes}
    assert instance.parent.answer(request)["error"]["code"] == "FrameError"


@pytest.mark.parametrize("changes", [{"form": "x"}, {"nonce": "zz"}, {"nonce": "07"}])
def test_a_bad_job_ends_in_an_error(instance, changes):
    request = {**instance.put(Sealed(b"x" * 64, None)), **changes}
    instance.parent.answer(request)
    state = instance.wait(request["job"])
    assert state["status"] == "failed"
    assert state["error"]["found"]


def test_a_job_id_serves_once(instance, world):
    request = instance.put(world.seal(records()))
    instance.parent.answer(request)
    assert "used before" in instance.parent.answer(request)["error"]["found"]
    assert instance.wait(request["job"])["status"] == "done"


def test_records_outlive_the_process(instance, world, tmp_path):
    request = instance.put(world.seal(records()))
    instance.parent.answer(request)
    done = instance.wait(request["job"])
    jobs = tmp_path / "state" / "jobs"
    (jobs / "half.json").write_text('{"status": "runn')
    (jobs / "other.json").write_text(json.dumps({**done, "status": "running"}))
    again = Instance(tmp_path, world).parent
    assert again.answer({"op": "job", "job": request["job"]}) == done
    lost = again.answer({"op": "job", "job": "other"})
    assert (lost["status"], lost["step"]) == ("failed", "D2")
    assert "restarted" in lost["error"]["found"]
    assert "error" in again.answer({"op": "job", "job": "half"})


def test_a_disk_that_takes_no_record_ends_no_lane(instance, world, tmp_path):
    """The job fails, what cannot even begin is refused, and the next one is done."""
    jobs, away, request = tmp_path / "state" / "jobs", tmp_path / "away", None
    fetch = instance.session.get_object

    def fill(**named):
        jobs.rename(away)
        return fetch(**named)

    request = instance.put(world.seal(records()))
    instance.session.get_object = fill
    instance.parent.answer(request)
    state = instance.wait(request["job"])
    assert (state["status"], state["error"]["code"]) == ("failed", "ServiceError")
    other = {**request, "job": str(uuid.uuid4())}
    assert instance.parent.answer(other)["error"]["code"] == "ServiceError"
    assert (
        "not known" in instance.parent.answer({"op": "job", "job": other["job"]})["error"]["found"]
    )
    away.rename(jobs)
    instance.session.get_object = fetch
    assert instance.parent.answer(other) == {"status": "queued"}
    assert instance.wait(other["job"])["status"] == "done"


def test_a_want_of_threads_and_of_descriptors_ends_nothing(instance, world, monkeypatch):
    request, start = instance.put(world.seal(records())), threading.Thread.start

    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        assert "thread" in instance.parent.answer(request)["error"]["found"]
    assert threading.Thread.start is start
    assert instance.parent.answer(request) == {"status": "queued"}
    assert instance.wait(request["job"])["status"] == "done"

    def full(**_):
        raise OSError(errno.EMFILE, "Too many open files")

    instance.session.get_object = full
    error = instance.parent.answer({**request, "op": "get_object"})["error"]
    assert (error["found"], error["code"]) == ("Too many open files", "ServiceError")


def test_no_secret_is_written_or_answered(instance, world):
    request = instance.put(world.seal(records()))
    instance.parent.answer(request)
    state = json.dumps(instance.wait(request["job"]))
    written = b"".join(p.read_bytes() for p in instance.folder.rglob("*.json*"))
    for secret in (CREDENTIALS.secret_access_key, CREDENTIALS.session_token):
        assert secret not in state
        assert secret.encode() not in written


def test_the_control_socket_talks_lines(instance):
    path = instance.folder / "c"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=serve, args=(listener, instance.parent))
        thread.start()
        with socket.socket(socket.AF_UNIX) as sock, sock.makefile("rwb") as stream:
            sock.connect(str(path))
            for line, key in ((b'{"op":"ping"}', "ok"), (b"no json", "error"), (b"[]", "error")):
                stream.write(line + b"\n")
                stream.flush()
                assert key in json.loads(stream.readline())
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


SCRIPT = Path(__file__).parents[2] / "enclave_image" / "parent" / "__main__.py"


@pytest.mark.parametrize("start", [[str(SCRIPT)], ["-m", "enclave_image.parent"]])
def test_it_starts_by_file_and_by_name_in_the_instances_folder(tmp_path, start):
    environment = {
        **os.environ,
        "NITRO_WORKFLOW_INSTANCE": str(tmp_path),
        "NITRO_WORKFLOW_VSOCK": f"host:{tmp_path}",
    }
    with subprocess.Popen([sys.executable, *start], env=environment, cwd=tmp_path) as process:
        path, end = tmp_path / "control.sock", time.monotonic() + 60
        while not path.exists() and time.monotonic() < end:
            time.sleep(0.02)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            sock.sendall(b'{"op":"ping"}\n')
            assert json.loads(sock.recv(1000)) == {"ok": True, "pid": process.pid}
        assert stat.S_ISSOCK(path.stat().st_mode)
        process.terminate()
