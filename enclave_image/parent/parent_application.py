"""The instance's application: gets the ciphertext, hands it to the enclave, keeps what comes back.

Nobody needs to trust it. It holds the instance role's credentials, ciphertext, attestation
documents and an encrypted result; none of that gives plaintext without the enclave. It is told what
to do over a control socket, one JSON object a line::

    {"op": "ping"}
    {"op": "get_object", "bucket", "key", "version_id"}
                             → {"bytes", "sha256", "version_id", "role"}
    {"op": "send", "job", "form", "nonce", "cid", "bucket", "key", "version_id",
     "encrypted_key": null | {"key", "version_id"}}         → {"status": "queued"}
    {"op": "job", "job"}     → {"status", "step", "evidence", "result", "receipt", "error", "trace",
                                "wire"}

``wire`` is what the proxy carried for the job, as far as it was kept: direction → base64 of TLS
records. An answer with ``error`` alone is a request that was not carried out. Job records lie in
the instance's folder: they outlive whoever asked.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import queue
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from enclave_image.job_protocol import (
    APPLICATION_PORT,
    MAX_ANSWER_FRAME,
    JobRequest,
    parse_request,
    unb64,
)
from enclave_image.parent.carried_bytes import carried_since
from enclave_image.parent.instance_role import Fetched, InstanceRole
from enclave_image.parent.job_records import JobRecords
from nitro_workflow.errors import (
    EnclaveError,
    FrameError,
    NitroWorkflowError,
    Refused,
    VsockError,
)
from nitro_workflow.system_errors import as_package_error
from nitro_workflow.vsock import (
    PIECES_FILE,
    TraceWriter,
    Transport,
    accept_next,
    open_transport,
    recv_json,
    run_in_thread,
    send_json,
    write_stream,
)

__all__ = ["ParentApplication", "main", "serve"]

FOLDER_SETTING = "NITRO_WORKFLOW_INSTANCE"
MAX_LINE = 64 * 1024
SILENCE_S = 120.0  # of the enclave between two frames, and what D8 takes at the slowest rate:
SLOWEST_RATE = 1024 * 1024  # bytes a second
BUSY_PATIENCE_S = 600.0
START_PATIENCE_S = (
    60.0  # from run-enclave to the application's first accept: 1 s on a quiet machine
)

_JOB_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class ParentApplication:
    """Carries out what the control socket asks for."""

    def __init__(self, folder: Path, transport: Transport, session: Any) -> None:
        state = folder / "state"
        self.records = JobRecords(state / "jobs")
        self._role = InstanceRole(session, state / "objects")
        self._transport = transport
        self._trace = TraceWriter(folder / "trace.jsonl")
        self._pieces = folder / PIECES_FILE
        self._lanes: dict[int, queue.Queue[Mapping[str, Any]]] = {}
        self._lanes_lock = threading.Lock()

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to one request; errors become ``{"error": …}``."""
        try:
            operations: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
                "ping": self._ping,
                "get_object": self._get_object,
                "send": self._send,
                "job": lambda r: self.records.get(_text(r, "job")),
            }
            operation = operations.get(str(request.get("op")))
            if operation is None:
                raise _bad("an unknown op", "ping | get_object | send | job")
            return operation(request)
        except (NitroWorkflowError, OSError) as error:
            return {"error": _told(error).to_json()}

    @staticmethod
    def _ping(_: Mapping[str, Any]) -> dict[str, Any]:
        return {"ok": True, "pid": os.getpid()}

    # -- D1 ----------------------------------------------------------------------------------------

    def _get_object(self, request: Mapping[str, Any]) -> dict[str, Any]:
        found = self._fetch(request, job=None)
        return {
            "bytes": found.size,
            "sha256": found.sha256,
            "version_id": found.version_id,
            "role": self._role.arn(),
        }

    def _fetch(self, request: Mapping[str, Any], *, job: str | None) -> Fetched:
        bucket, key, version = (_text(request, name) for name in ("bucket", "key", "version_id"))
        found = self._role.fetch(bucket, key, version)
        self._note(job, "D1", "s3", "parent", key, found.size, found.sha256, ["s3", "parent"])
        return found

    # -- D2 ----------------------------------------------------------------------------------------

    def _send(self, request: Mapping[str, Any]) -> dict[str, Any]:
        job, cid = _text(request, "job"), request.get("cid")
        if not _JOB_ID.fullmatch(job):
            raise _bad("a job id that is not a UUID", "a UUID in lower case")
        if not isinstance(cid, int) or isinstance(cid, bool) or not 3 < cid < 2**32 - 1:
            raise _bad("no CID of an enclave", "a whole number above 3")
        lane = self._lane(cid)
        self.records.create(job)
        lane.put(dict(request))
        return {"status": "queued"}

    def _lane(self, cid: int) -> queue.Queue[Mapping[str, Any]]:
        """Return the queue of one enclave: it does one job at a time."""
        with self._lanes_lock:
            lane = self._lanes.get(cid) or queue.Queue()
            if cid not in self._lanes and not run_in_thread(self._work, cid, lane):
                raise EnclaveError("no thread is left", where="D2", next="send the job again")
            return self._lanes.setdefault(cid, lane)

    def _work(self, cid: int, lane: queue.Queue[Mapping[str, Any]]) -> None:
        while True:
            request = lane.get()
            job = str(request["job"])
            try:
                self._run(request, cid)
            except NitroWorkflowError as error:
                self._fail(job, error)
            except Exception as error:  # noqa: BLE001 - a lane serves on; the record says what was
                self._fail(job, EnclaveError(f"{type(error).__name__}: {error}"[:300], where="D2"))

    def _fail(self, job: str, error: NitroWorkflowError) -> None:
        kind = "refused" if isinstance(error, Refused) else "failed"
        step = error.where[:2] if error.where.startswith("D") else "D2"
        with contextlib.suppress(NitroWorkflowError):  # on a full disk it is in memory, and told
            self.records.update(job, status=kind, step=step, error=error.to_json())

    def _run(self, request: Mapping[str, Any], cid: int) -> None:
        job = str(request["job"])
        self.records.update(job, status="running")
        data = self._fetch(request, job=job)
        key: bytes | None = None
        if request.get("encrypted_key"):
            place = {"bucket": request["bucket"], **request["encrypted_key"]}
            key = self._fetch(place, job=job).path.read_bytes()
        order = JobRequest(
            job=job,
            form=_text(request, "form"),
            credentials=self._role.credentials(),
            nonce=bytes.fromhex(_text(request, "nonce")),
            encrypted_key=key,
            size=data.size,
        )
        parse_request(order.to_json())  # the enclave would say the same, less clearly
        end = time.monotonic() + BUSY_PATIENCE_S
        while self._hand_over(order, data, cid) == "Busy" and time.monotonic() < end:
            time.sleep(0.2)

    def _hand_over(self, order: JobRequest, data: Fetched, cid: int) -> str:
        """Send one job, record what comes back; return the code of the error, if there was one."""
        begun = time.time()
        with self._connect(cid) as sock:
            handed = datetime.now(UTC)  # what the enclave asks of KMS comes after it
            sock.settimeout(SILENCE_S + data.size / SLOWEST_RATE)
            send_json(sock, order.to_json())
            sender = threading.Thread(target=_send_file, args=(sock, data.path), daemon=True)
            sender.start()
            digest, size = data.sha256, data.size
            what = ("D2", "parent", "enclave", "ciphertext", size, digest, _BOTH)
            self._note(order.job, *what, at=handed)
            code = self._record_answers(order.job, sock, begun)
        sender.join()
        return code

    def _connect(self, cid: int) -> socket.socket:
        """Connect to the application; one that has just been started listens a moment later."""
        end = time.monotonic() + START_PATIENCE_S
        while True:
            try:
                return self._transport.connect(cid, APPLICATION_PORT, 10.0)
            except VsockError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def _record_answers(self, job: str, sock: socket.socket, begun: float) -> str:
        while True:
            event = recv_json(sock, MAX_ANSWER_FRAME)
            kind = event.get("event")
            if kind == "evidence":
                if event["step"] == "D6":  # the answer of KMS has come by: kept before it is told
                    self.records.update(job, wire=carried_since(self._pieces, begun))
                self.records.add(job, str(event["step"]), event["evidence"])
            elif kind == "result":
                self._keep_result(job, event)
                return ""
            elif kind in ("refused", "failed"):
                code = str(event["error"].get("code", ""))
                if code != "Busy":
                    step, error = event["step"], event["error"]
                    self.records.update(job, status=kind, step=step, error=error)
                return code
            else:
                raise _bad("an event of no known form", "evidence | result | refused | failed")

    def _keep_result(self, job: str, event: Mapping[str, Any]) -> None:
        for name, what in _ANSWER.items():
            data = unb64(event[name], name)
            digest = hashlib.sha256(data).hexdigest()
            self._note(job, "D9", "enclave", "parent", what, len(data), digest, _BOTH)
        self.records.update(
            job, status="done", step="D9", result=event["result"], receipt=event["receipt"]
        )

    def _note(
        self,
        job: str | None,
        step: str,
        source: str,
        target: str,
        what: str,
        size: int,
        sha256: str,
        visible_to: list[str],
        at: datetime | None = None,
    ) -> None:
        line: dict[str, Any] = {
            "step": step,
            "source": source,
            "target": target,
            "what": what,
            "size": size,
            "sha256": sha256,
            "visible_to": visible_to,
        }
        self._trace.append(job=job, at=at, **line)
        if job is not None:
            self.records.update(job, trace=[*self.records.get(job)["trace"], line])


_BOTH = ["parent", "enclave"]
# How the trace calls the answer: the parent reads these bytes, and should not seem to read more.
_ANSWER = {"result": "result, encrypted for the owner", "receipt": "receipt, signed"}


def _send_file(sock: socket.socket, path: Path) -> None:
    """Stream a file; when the enclave refuses meanwhile, its answer says why."""
    with path.open("rb") as source, contextlib.suppress(VsockError):
        write_stream(sock, source)


def _text(request: Mapping[str, Any], name: str) -> str:
    value = request.get(name)
    if not isinstance(value, str) or not value:
        raise _bad(f"no {name}", f"a text {name!r}")
    return value


def _bad(found: str, expected: str) -> FrameError:
    return FrameError(
        found,
        expected=expected,
        where="control socket",
        next="see enclave_image/parent/parent_application.py",
    )


def serve(listener: socket.socket, parent: ParentApplication) -> None:
    """Answer control connections until the listener is closed."""
    while (sock := accept_next(listener)) is not None:
        if not run_in_thread(_converse, sock, parent):
            sock.close()


def _converse(sock: socket.socket, parent: ParentApplication) -> None:
    with contextlib.suppress(OSError), sock, sock.makefile("rwb") as stream:
        while line := stream.readline(MAX_LINE):
            stream.write(json.dumps(parent.answer(_parse(line))).encode() + b"\n")
            stream.flush()


def _told(error: NitroWorkflowError | OSError) -> NitroWorkflowError:
    return as_package_error(error) or EnclaveError(str(error), where="parent application")


def _parse(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def main() -> None:
    """Serve the control socket of the instance whose folder the environment names."""
    import boto3

    folder = Path(os.environ.get(FOLDER_SETTING, "."))
    path = folder / "control.sock"
    new = path.with_suffix(".sock.tmp")
    new.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(new))
        listener.listen(16)
        new.replace(path)  # whoever sees it can connect
        serve(listener, ParentApplication(folder, open_transport(), boto3.Session()))
