"""What does the application load? Found by letting it work, in a bare interpreter, for real.

The application runs as in the image (``-I -S -B``, only its own paths) and does the jobs of a
rehearsal: both forms, a refusal by KMS, tampered ciphertext, a file that is not the CSV. What its
process then has loaded is the closure: no list to keep by hand, none to forget.
"""

from __future__ import annotations

import functools
import io
import json
import os
import socket
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from enclave_image.configuration import MeasuredConfig, Program, Query
from enclave_image.job_protocol import Credentials, JobRequest
from enclave_image.owner.data_encryption import encrypt_envelope, encrypt_message
from enclave_image.owner.dataset import DEFAULT_THRESHOLD, QUERY, CustomerRecords
from enclave_image.packing.rehearsal import KEY_ARN, PracticeKms
from enclave_image.packing.wheels import Wheels, interpreter
from nitro_workflow.errors import ImageError, VsockError
from nitro_workflow.nsm import NsmModule
from nitro_workflow.vsock import (
    GATEWAY,
    PROXY_PORT,
    read_line,
    recv_json,
    send_json,
    write_stream,
)

__all__ = ["Closure", "Script", "find_closure"]

HOST = "kms.us-east-1.nitro-lab.internal"
CONTEXT = {"dataset": "rehearsal", "version": "1"}
REHEARSAL_BYTES = 100_000
PATIENCE_S = 60.0

# Loaded on paths that a rehearsal does not reach: names of hosts, tracebacks, other encodings.
EXTRA = (
    "encodings.ascii",
    "encodings.idna",
    "encodings.latin_1",
    "encodings.utf_8",
    "http.client",
    "linecache",
    "traceback",
)


@dataclass(frozen=True, slots=True)
class Closure:
    """Absolute paths on this machine: files of modules; data files; library path → file."""

    modules: tuple[Path, ...]
    data: tuple[Path, ...]
    libraries: dict[str, Path]


@dataclass(frozen=True, slots=True)
class Script:
    """What is rehearsed: the work, with records that it is made for, and where its modules are."""

    work: Query | Program
    threshold: int
    records: bytes
    folder: Path | None = None

    @classmethod
    def of_customers(cls) -> Script:
        """Return the query over generated customers."""
        records = io.BufferedReader(CustomerRecords(seed=1, size=REHEARSAL_BYTES)).read()
        query = Query(tuple(QUERY["columns"]), QUERY["group_by"], QUERY["measures"])
        return cls(query, DEFAULT_THRESHOLD, records)


def find_closure(wheels: Wheels, beside: Path, script: Script | None = None) -> Closure:
    """Rehearse with these wheels and return what was loaded; `Script.of_customers` by default.

    The rehearsal has a folder of its own in ``beside``, where a lab finds what a killed one left.
    Raises `ImageError` when the rehearsal fails.
    """
    with tempfile.TemporaryDirectory(prefix=".rehearsal-", dir=beside) as name:
        chosen = script or Script.of_customers()
        report = _rehearse(Path(name), wheels, chosen)
    paths = [*wheels.module_paths(), *([chosen.folder] if chosen.folder else [])]
    modules = tuple(map(Path, report["modules"]))
    data = {
        Path(path)
        for path in report["opened"]
        if any(Path(path).is_relative_to(base) for base in paths)
        and not path.endswith((".py", ".pyc"))
    }
    libraries = {path: Path(path).resolve() for path in report["libraries"]}
    data -= {*modules, *map(Path, libraries)}
    return Closure(modules, tuple(sorted(p for p in data if p.is_file())), libraries)


def _rehearse(folder: Path, wheels: Wheels, script: Script) -> dict[str, Any]:
    issued: dict[bytes, bytes] = {}
    kms = PracticeKms(HOST, lambda document: issued[document])
    config = folder / "config.json"
    config.write_bytes(_config(kms, script).to_json())
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs, _short(folder) as (descriptor, sockets), kms_gateway(kms, sockets):
        threading.Thread(target=_answer_nsm, args=(ours, issued), daemon=True).start()
        process = _start(folder, config, (theirs.fileno(), descriptor), wheels, script)
        try:
            _jobs(kms, sockets, process, script)
            _, complaint = process.communicate(b"", timeout=PATIENCE_S)
        except (VsockError, OSError, subprocess.TimeoutExpired) as error:
            process.kill()
            _, complaint = process.communicate()
            raise _failed(complaint, error) from error
        if process.returncode:
            raise _failed(complaint, None)
        return dict(json.loads((folder / "report.json").read_bytes()))


@contextmanager
def _short(folder: Path) -> Iterator[tuple[int, Path]]:
    """Yield a descriptor of the folder and its path by it: a socket's path has 107 bytes at most.

    A process that inherits the descriptor sees the same folder under the same path.
    """
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield descriptor, Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def _start(
    folder: Path, config: Path, inherited: tuple[int, int], wheels: Wheels, script: Script
) -> subprocess.Popen[bytes]:
    nsm, sockets = inherited
    order = {
        "paths": [
            *([str(script.folder)] if script.folder else []),
            *(str(path) for path in wheels.module_paths()),
        ],
        "config": str(config),
        "vsock": f"/proc/self/fd/{sockets}",
        "nsm": nsm,
        "report": str(folder / "report.json"),
        "extra": EXTRA,
        "hidden": wheels.unlocked_modules(),
    }
    # A folder with __main__.py, as in the image: the interpreter loads runpy for it.
    probe = folder / "app"
    probe.mkdir()
    source = Path(__file__).with_name("closure_probe.py").read_bytes()
    (probe / "__main__.py").write_bytes(source)
    return subprocess.Popen(
        [interpreter(), "-I", "-S", probe, json.dumps(order)],
        pass_fds=inherited,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={"HOME": "/", "PATH": "/usr/bin"},
    )


def _failed(complaint: bytes, error: BaseException | None) -> ImageError:
    lines = complaint.decode(errors="replace").strip().splitlines() or [str(error)]
    return ImageError(
        f"the application does not run here: {lines[-1][:300]}",
        expected="a rehearsal that ends",
        where="root filesystem",
        next="run make test: tests/enclave_image says more",
    )


def _answer_nsm(sock: socket.socket, issued: dict[bytes, bytes]) -> None:
    def issue(**fields: Any) -> bytes:
        document = b"rehearsal" + os.urandom(16)
        issued[document] = fields["public_key"]
        return document

    module = NsmModule("i-rehearsal-enc0", {}, issue, os.urandom)
    while request := sock.recv(1 << 16):
        sock.send(module.handle(request, datetime.now(UTC)))


@contextmanager
def kms_gateway(kms: PracticeKms, folder: Path) -> Iterator[None]:
    """Play the hypervisor's carrying of connections out of the enclave, straight into the KMS."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / GATEWAY))
        listener.listen(8)
        thread = threading.Thread(target=_carry, args=(kms, listener), daemon=True)
        thread.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def _carry(kms: PracticeKms, listener: socket.socket) -> None:
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        read_line(sock)
        sock.sendall(b"OK 1\n")
        threading.Thread(target=kms.serve, args=(sock,), daemon=True).start()


def _config(kms: PracticeKms, script: Script | None = None) -> MeasuredConfig:
    script = script or Script.of_customers()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    owner = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    pem = owner.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return MeasuredConfig(
        region="us-east-1",
        kms_host=HOST,
        kms_port_vsock=PROXY_PORT,
        ca_pem=kms.ca_pem,
        key_arn=KEY_ARN,
        encryption_context=CONTEXT,
        query=script.work,
        threshold=script.threshold,
        owner_public_key_pem=pem.decode(),
        owner_result_context=CONTEXT,
    )


def _jobs(kms: PracticeKms, folder: Path, process: subprocess.Popen[bytes], script: Script) -> None:
    records = script.records
    client = kms.owner_client()
    message, letter = io.BytesIO(), io.BytesIO()
    about: dict[str, Any] = {"encryption_context": CONTEXT}
    encrypt_message(io.BytesIO(records), message, kms=client, key_arn=KEY_ARN, **about)
    made = client.generate_data_key(KeyId=KEY_ARN, KeySpec="AES_256", EncryptionContext=CONTEXT)
    key, blob = bytearray(made["Plaintext"]), made["CiphertextBlob"]
    encrypt_envelope(io.BytesIO(records), letter, data_key=key, **about)
    junk = io.BytesIO()
    encrypt_message(io.BytesIO(b"\xff" * 999), junk, kms=client, key_arn=KEY_ARN, **about)
    client.close()
    whole = message.getvalue()
    job = functools.partial(_job, folder, process)
    job(whole, None, "result")
    job(letter.getvalue(), blob, "result")
    job(whole[:-20] + bytes(20), None, "refused")
    # Not every application refuses bytes that are not its own.
    job(junk.getvalue(), None, "failed", "result")
    kms.bend = lambda _body, _answer: (400, {"__type": "AccessDeniedException", "message": "no"})
    job(whole, None, "refused")


def connect(sock: socket.socket, folder: Path, process: subprocess.Popen[bytes]) -> None:
    """Connect to the application, which has no socket first, and then one that refuses.

    Raises `VsockError` where it ends before it listens.
    """
    end = time.monotonic() + PATIENCE_S
    while process.poll() is None and time.monotonic() < end:
        try:
            return sock.connect(str(folder / "5005"))
        except (FileNotFoundError, ConnectionRefusedError):  # before bind, and before listen
            time.sleep(0.01)
    raise VsockError("the application does not listen")


def _job(
    folder: Path,
    process: subprocess.Popen[bytes],
    ciphertext: bytes,
    key: bytes | None,
    *outcomes: str,
) -> None:
    request = JobRequest(
        job=str(uuid.uuid4()),
        form="envelope" if key else "encryption-sdk",
        credentials=Credentials("AKIAIOSFODNN7EXAMPLE", "rehearsal", "rehearsal"),
        nonce=bytes(32),
        encrypted_key=key,
        size=len(ciphertext),
    )
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(PATIENCE_S)
        connect(sock, folder, process)
        send_json(sock, request.to_json())
        write_stream(sock, io.BytesIO(ciphertext))
        event = recv_json(sock)
        while event["event"] == "evidence":
            event = recv_json(sock)
    if event["event"] not in outcomes:
        expected = " or ".join(outcomes)
        raise VsockError(f"a rehearsal that ended in {event}"[:300], expected=expected)
