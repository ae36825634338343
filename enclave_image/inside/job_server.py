"""The application in the enclave: a job server on vsock, one job a connection, one at a time.

It listens before the heavy libraries are there and loads them at once, so that the first job finds
them ready. The parent on the other side is not trusted: every length is declared and held, every
job has a deadline, and whatever goes wrong ends in one error frame and a server that serves on.
Nothing is logged but job ids and the codes of refusals.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import re
import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from enclave_image.configuration import CONFIG_PATH, MeasuredConfig, parse_config
from enclave_image.job_protocol import (
    APPLICATION_PORT,
    MAX_REQUEST_FRAME,
    JobRequest,
    evidence_event,
    exchange_of,
    failure_event,
    internal_error,
    parse_request,
    result_event,
)
from nitro_workflow.errors import EnclaveError, FrameError, NitroWorkflowError, VsockError
from nitro_workflow.vsock import StreamReader, recv_json, send_json

if TYPE_CHECKING:
    from enclave_image.inside.run_key import Nsm

__all__ = ["Application", "JobLimits", "JobServer", "main"]

_STEP = re.compile(r"D[1-9]\b")
# This file is /app/enclave_image/inside/job_server.py of an image whose root is /
# (elsewhere without a sandbox).
CONFIG_FILE = Path(__file__).parents[3] / CONFIG_PATH[1:]


class JobLimits:
    """Seconds. Tests make them smaller; the image has these."""

    idle = 20.0  # no byte for this long: the sender is gone
    request = 10.0  # for the request frame
    base = 60.0  # for a job, plus its size at the slowest rate
    slowest_rate = 1024 * 1024  # bytes a second
    linger = 2.0  # for the other side to read an error before the connection closes
    wait = 3.0  # of a second connection for the first to end; longer than its linger
    busy = 1.0  # to tell a second connection that it has waited in vain


class Application:
    """What is the same for all jobs of this run: configuration, key pair, way to KMS."""

    def __init__(self, config: MeasuredConfig, nsm: Nsm, transport: Any) -> None:
        from enclave_image.inside.run_key import KmsAccess, RunKey

        logging.disable(logging.CRITICAL)  # the SDK logs tracebacks (docs/reference/formats.md)
        self.config = config
        self.key = RunKey(nsm)
        self.kms = KmsAccess(config, self.key, transport)
        module, _, name = config.query.processor.partition(":")
        self.processor = getattr(importlib.import_module(module), name)

    def run(self, request: JobRequest, job: _Job) -> dict[str, Any]:
        """Do one job and return its last frame. Raises errors of the package's tree."""
        from enclave_image.inside.message_opening import DeclaredInput, open_stream
        from enclave_image.inside.sealed_result import seal_result

        self.key.report_to(job.emit)
        processor = self.processor(self.config.query, self.config.threshold)
        source = DeclaredInput(StreamReader(job.sock), request.size, job.expired)
        kms = self.kms.client(request.credentials, job.emit)
        job.step = "D8"
        opened = open_stream(request, self.config, kms, source, processor.feed)
        job.emit("D8", opened.evidence)
        job.step = "D9"
        summary = processor.finish()
        sealed = seal_result(
            summary,
            self.config,
            self.key,
            input_sha256=opened.input_sha256,
            nonce=request.nonce,
            exchange=exchange_of(job.told),
        )
        job.emit("D9", sealed.evidence)
        return result_event(sealed.result, sealed.receipt)


class _Job:
    """One connection: its deadline, its evidence, its last frame."""

    def __init__(self, sock: socket.socket, limits: type[JobLimits]) -> None:
        self.sock = sock
        self.step = "D2"
        self.expired = threading.Event()
        self.told: dict[str, Mapping[str, Any]] = {}
        """The last evidence of each step: what the receipt says of KMS is what was told."""
        self._limits = limits
        self._timers: list[threading.Timer] = []
        sock.settimeout(limits.idle)

    def emit(self, step: str, evidence: Mapping[str, Any]) -> None:
        """Send one evidence frame now."""
        self.step = step
        self.told[step] = evidence
        send_json(self.sock, evidence_event(step, evidence))

    def expire_after(self, seconds: float) -> None:
        """Stop reading after so many seconds, and everything a little later."""
        self.cancel()
        for delay, action in (
            (seconds, self._stop_reading),
            (seconds + self._limits.linger, self._stop),
        ):
            timer = threading.Timer(delay, action)
            timer.daemon = True
            timer.start()
            self._timers.append(timer)

    def cancel(self) -> None:
        """Forget the deadline."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def _stop_reading(self) -> None:
        self.expired.set()
        _shut(self.sock, socket.SHUT_RD)

    def _stop(self) -> None:
        _shut(self.sock, socket.SHUT_RDWR)

    def finish(self, event: Mapping[str, Any]) -> None:
        """Send the last frame and let the other side read it, though it may still be sending."""
        send_json(self.sock, event)
        _shut(self.sock, socket.SHUT_WR)
        end = time.monotonic() + self._limits.linger
        self.sock.settimeout(self._limits.linger / 4)
        with contextlib.suppress(TimeoutError):  # silent: it is reading
            while time.monotonic() < end and self.sock.recv(1 << 16):
                pass


def _shut(sock: socket.socket, how: int) -> None:
    try:
        sock.shutdown(how)
    except OSError:
        return  # the other side was faster


class JobServer:
    """Accepts connections for ever; whatever a job does, the next one is served."""

    def __init__(self, listener: socket.socket, limits: type[JobLimits] = JobLimits) -> None:
        self._listener = listener
        self._limits = limits
        self._one_at_a_time = threading.Lock()
        self._loaded = threading.Event()
        self._application: Application | None = None
        self._start_error: NitroWorkflowError | None = None

    def load(self, config: bytes, nsm: Nsm, transport: Any) -> None:
        """Make the application ready; an error is told to each job: no one reads the console."""
        try:
            self._application = Application(parse_config(config), nsm, transport)
            self._loaded.set()
        except NitroWorkflowError as error:
            self.refuse_all(error)
        except Exception as error:  # noqa: BLE001 - the server says that it is unfit
            self.refuse_all(internal_error(error))

    def refuse_all(self, error: NitroWorkflowError) -> None:
        """Answer every job with this error: the application cannot be made ready."""
        self._start_error = error
        self._loaded.set()

    def serve_forever(self) -> None:
        """Accept until the listener is closed."""
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            if self._one_at_a_time.acquire(timeout=self._limits.wait):
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()
            else:
                self._say_busy(sock)

    def _serve(self, sock: socket.socket) -> None:
        try:
            with sock:
                self._one_job(sock)
        except (OSError, VsockError):
            _log("the other side left")
        finally:
            self._one_at_a_time.release()

    def _one_job(self, sock: socket.socket) -> None:
        job = _Job(sock, self._limits)
        try:
            event = self._outcome(job)
        except NitroWorkflowError as error:
            error = _in_time(error, job)
            event = failure_event(_step_of(error, job.step), error)
        except Exception as error:  # noqa: BLE001 - one job's failure is not the server's
            event = failure_event(job.step, internal_error(error))
        job.cancel()
        _log(f"{event['event']} at {job.step}")
        job.finish(event)

    def _outcome(self, job: _Job) -> dict[str, Any]:
        job.expire_after(self._limits.request)
        request = parse_request(recv_json(job.sock, MAX_REQUEST_FRAME))
        job.expire_after(self._limits.base + request.size / self._limits.slowest_rate)
        self._loaded.wait()
        if self._application is None:
            raise self._start_error or EnclaveError("the application did not start")
        _log(f"job {request.job}")
        return self._application.run(request, job)

    def _say_busy(self, sock: socket.socket) -> None:
        error = EnclaveError(
            "another job is running",
            expected="one job at a time",
            where="D2",
            next="wait for the running job's result, then send this one again",
            code="Busy",
        )
        try:
            with sock:
                sock.settimeout(self._limits.busy)
                send_json(sock, failure_event("D2", error))
        except (OSError, VsockError):
            _log("the other side left")


def _step_of(error: NitroWorkflowError, reached: str) -> str:
    """Return the step that the error itself names (KMS's refusal is D4), else the one reached."""
    named = _STEP.match(error.where)
    return named[0] if named else reached


def _in_time(error: NitroWorkflowError, job: _Job) -> NitroWorkflowError:
    """Name the deadline where it was what ended the stream; say what to do in any case."""
    error.next = error.next or "send the job again, as enclave_image.job_protocol says"
    if not job.expired.is_set() or not isinstance(error, FrameError | VsockError):
        return error
    return FrameError(
        "the job's deadline passed",
        expected="the request and the declared bytes in time",
        where="D2",
        next="send the job again; look at what slows the parent down",
        code="DeadlineError",
    )


def _log(line: str) -> None:
    """Write to the console, which exists in debug mode only."""
    print(f"nitro-workflow: {line}", flush=True)


def main() -> None:
    """Serve jobs on the application's vsock port, with what was measured."""
    from nitro_workflow import vsock

    threading.excepthook = lambda args: _log(f"thread ended: {args.exc_type.__name__}")
    transport = vsock.open_transport()
    server = JobServer(transport.listen(APPLICATION_PORT))
    threading.Thread(target=_load, args=(server, transport), daemon=True).start()
    server.serve_forever()


def _load(server: JobServer, transport: Any) -> None:
    from nitro_workflow.enclave import open_nsm

    try:
        config, nsm = CONFIG_FILE.read_bytes(), open_nsm()
    except (NitroWorkflowError, OSError) as error:
        _log(f"not fit to serve: {type(error).__name__}")
        server.refuse_all(error if isinstance(error, NitroWorkflowError) else internal_error(error))
        return
    server.load(config, nsm, transport)
