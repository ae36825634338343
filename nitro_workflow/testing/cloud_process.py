"""A local cloud in a process of its own, which believes documents of a given root."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nitro_workflow.atomic import write_atomic
from nitro_workflow.cloud import Connection, Settings, serving_pid
from nitro_workflow.errors import CloudUnavailable

__all__ = ["served_cloud"]

READY_SECONDS = 60.0
"""It answers within 2 s on an idle laptop; this is for a loaded CI machine."""

_LOG_TAIL = 600  # characters of a dead process's log that are shown


@contextmanager
def served_cloud(folder: Path, root_der: bytes) -> Iterator[Connection]:
    """Yield how to reach a cloud that keeps its state in ``folder``, until the block ends.

    Its KMS believes attestation documents under ``root_der`` alone. Raises `CloudUnavailable` with
    the end of its log where it does not start.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    root = x509.load_der_x509_certificate(root_der).public_bytes(Encoding.PEM)
    trusted = Settings(folder).nitro_root
    trusted.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(trusted, root)
    log = folder / "cloud.log"
    command = [sys.executable, "-m", "nitro_workflow.cli", "cloud", "serve", "--lab", str(folder)]
    with log.open("wb") as errors:
        process = subprocess.Popen(command, stdout=errors, stderr=errors)
    try:
        _wait(process, folder, log)
        yield Connection.of(folder)
    finally:
        process.terminate()
        process.wait()


def _wait(process: subprocess.Popen[bytes], folder: Path, log: Path) -> None:
    until = time.monotonic() + READY_SECONDS
    while process.poll() is None and time.monotonic() < until:
        if serving_pid(folder) == process.pid:
            return
        time.sleep(0.02)
    raise CloudUnavailable(
        f"the local cloud did not start: {log.read_text(errors='replace')[-_LOG_TAIL:]}",
        expected=f"an endpoint within {READY_SECONDS:.0f} s",
        where=str(folder),
        next="Run `nitro-workflow cloud serve` by hand to see why.",
    )
