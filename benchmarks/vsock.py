"""vsock and the module of a supervised enclave: connections, throughput, documents, launch.

``python benchmarks/vsock.py [--rootfs FOLDER] [--only NAME ...]`` prints one JSON object for each
part. Times are medians; on a machine that does other work, look at the smallest of several runs.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from launch import INSTANCE, PARENT, Cloud, launches
from launch import build as build_first_document

from nitro_workflow.attestation import HypervisorPki
from nitro_workflow.host import Hypervisor, ParentPrograms
from nitro_workflow.host.control import enclave_machines
from nitro_workflow.image import BootParts, build_image
from nitro_workflow.lab import default_folder
from nitro_workflow.vsock import HostTransport

CONNECTION_LIMIT_US, THROUGHPUT_LIMIT_GB, DOCUMENT_LIMIT_MS, LAUNCH_LIMIT_MS = 300, 1.0, 0.5, 50
ROUNDS, GIB, PIECE = 300, 1 << 30, 256 * 1024

GUEST = """
import socket, struct, sys, time
sys.path.insert(0, "/app")
listener = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
listener.bind((socket.VMADDR_CID_ANY, 7000))
listener.listen(64)
buffer = bytearray(256 * 1024)
def documents(sock):
    from nitro_workflow.enclave import open_nsm
    nsm = open_nsm()
    nsm.attest()
    times = []
    for _ in range(50):
        begin = time.perf_counter()
        nsm.attest()
        times.append(time.perf_counter() - begin)
    sock.sendall(struct.pack("=50d", *times))
while True:
    sock, _ = listener.accept()
    with sock:
        sock.sendall(b"!")
        what = sock.recv(1)
        if what == b"n":
            documents(sock)
        if what == b"r":
            left = 1 << 30
            while left:
                left -= sock.recv_into(buffer)
            sock.sendall(b"!")
"""

CLIENT = """
import json, socket, sys, time
cid, rounds = int(sys.argv[1]), int(sys.argv[2])
connects, answers = [], []
for _ in range(rounds):
    begin = time.perf_counter()
    sock = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
    sock.connect((cid, 7000))
    connects.append(time.perf_counter() - begin)
    sock.recv(1)
    answers.append(time.perf_counter() - begin)
    sock.close()
piece = bytes(256 * 1024)
sock = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
sock.connect((cid, 7000))
sock.recv(1)
sock.sendall(b"r")
begin = time.perf_counter()
for _ in range((1 << 30) // len(piece)):
    sock.sendall(piece)
sock.recv(1)
print(json.dumps([connects, answers, time.perf_counter() - begin]))
"""

RUN = """
import sys
from pathlib import Path
from nitro_workflow.host import run_program
sys.exit(run_program(sys.argv[2:], Path(sys.argv[1])))
"""


def show(**values: Any) -> None:
    """Print one line of JSON."""
    print(json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in values.items()}))


@contextmanager
def hypervisor(folder: Path) -> Iterator[Hypervisor]:
    """Run a hypervisor with a cloud of constants."""
    parent = folder / "parent.py"
    parent.write_text(PARENT)
    it = Hypervisor(folder / "lab", folder, Cloud(folder / "ca"), ParentPrograms(parent))
    try:
        yield it
    finally:
        it.close()


def image(folder: Path, rootfs: Path, command: list[str], name: str) -> Path:
    """Return an image of ``rootfs`` that runs ``command``."""
    output = folder / f"{name}.eif"
    build_image(
        rootfs=rootfs,
        command=command,
        environment={"HOME": "/"},
        output=output,
        name=name,
        version="1",
        boot=BootParts.stand_in(),
        build_time=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return output


def connections(rootfs: Path, folder: Path) -> None:
    """Connect from the parent: by its folder, and as an unmodified program; send a gibibyte."""
    copy = folder / "rootfs"
    subprocess.run(["cp", "-a", str(rootfs), str(copy)], check=True)
    (copy / "app" / "guest.py").write_text(GUEST)
    eif = image(folder, copy, ["/usr/bin/python3", "-I", "-S", "-B", "/app/guest.py"], "guest")
    with hypervisor(folder) as it:
        it.boot_instance(INSTANCE)
        vsock = folder / "instance" / INSTANCE / "vsock"
        cid = it.run_enclave(eif_path=str(eif), memory_mib=512, cpu_count=2)["EnclaveCID"]
        transport = HostTransport(vsock)
        times = [first_byte(transport, cid) for _ in range(ROUNDS)]
        connect_us = statistics.median(one for one, _ in times) * 1e6
        show(
            what="connection by the folder",
            connect_us=connect_us,
            first_byte_us=statistics.median(both for _, both in times) * 1e6,
            limit_us=CONNECTION_LIMIT_US,
            within_limit=connect_us <= CONNECTION_LIMIT_US,
        )
        unmodified(vsock, cid)
        documents(transport, cid)


def first_byte(transport: HostTransport, cid: int) -> tuple[float, float]:
    """Return the seconds to a connection, and to the enclave's first byte."""
    begin = time.perf_counter()
    with transport.connect(cid, 7000) as sock:
        connected = time.perf_counter() - begin
        sock.recv(1)
        return connected, time.perf_counter() - begin


def unmodified(vsock: Path, cid: int) -> None:
    """Run a client that knows AF_VSOCK alone."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            RUN,
            str(vsock),
            sys.executable,
            "-c",
            CLIENT,
            str(cid),
            str(ROUNDS),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    connects, answers, seconds = json.loads(done.stdout)
    connect_us, speed = statistics.median(connects) * 1e6, GIB / seconds / 1e9
    show(
        what="connection by AF_VSOCK at both ends",
        socket_and_connect_us=connect_us,
        first_byte_us=statistics.median(answers) * 1e6,
        limit_us=CONNECTION_LIMIT_US,
        within_limit=connect_us <= CONNECTION_LIMIT_US,
    )
    show(
        what="throughput by AF_VSOCK at both ends",
        gb_s=speed,
        limit_gb_s=THROUGHPUT_LIMIT_GB,
        within_limit=speed >= THROUGHPUT_LIMIT_GB,
    )


def documents(transport: HostTransport, cid: int) -> None:
    """Compare a document in the enclave with what signing it takes."""
    import struct

    with transport.connect(cid, 7000) as sock:
        sock.recv(1)
        sock.sendall(b"n")
        with sock.makefile("rb") as stream:
            inside = statistics.median(struct.unpack("=50d", stream.read(400))) * 1e3
    now = datetime.now(UTC)
    issuer = HypervisorPki.create(now).instance(INSTANCE, now)
    module = f"{INSTANCE}-enc0123456789abcdef"
    pcrs = dict.fromkeys(range(16), bytes(48))
    alone = median_ms(lambda: issuer.issue(pcrs=pcrs, module_id=module, now=now))
    show(
        what="document",
        inside_ms=inside,
        signature_ms=alone,
        added_ms=inside - alone,
        limit_ms=DOCUMENT_LIMIT_MS,
        within_limit=inside - alone <= DOCUMENT_LIMIT_MS,
    )


def median_ms(do: Callable[[], object], rounds: int = 50) -> float:
    """Return the median milliseconds of ``do``."""
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        do()
        times.append(time.perf_counter() - begin)
    return statistics.median(times) * 1e3


def launch(rootfs: Path, folder: Path) -> None:
    """Launch with a supervisor and without, in turns."""
    eif = build_first_document(rootfs, folder)
    found: dict[bool, list[float]] = {True: [], False: []}
    problem = enclave_machines.supervision_problem
    problem()
    for turn in range(4):
        supervised = turn % 2 == 0
        enclave_machines.supervision_problem = problem if supervised else lambda: "left out"
        found[supervised] += launches(eif, folder, 3)["document"][1:]
    enclave_machines.supervision_problem = problem
    added = (statistics.median(found[True]) - statistics.median(found[False])) * 1e3
    show(
        what="launch to first document",
        supervised_s=[round(it, 3) for it in found[True]],
        without_s=[round(it, 3) for it in found[False]],
        added_ms=added,
        limit_ms=LAUNCH_LIMIT_MS,
        within_limit=added <= LAUNCH_LIMIT_MS,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rootfs", type=Path, default=default_folder() / "developer" / "rootfs")
    parts = ("connections", "launch")
    parser.add_argument("--only", nargs="+", choices=parts, default=list(parts))
    options = parser.parse_args()
    if not options.rootfs.is_dir():
        parser.error(f"no root filesystem at {options.rootfs}: run `nitro-workflow walk` first")
    for part in options.only:
        folder = Path(tempfile.mkdtemp(prefix="nw-"))
        try:
            if part == "connections":
                connections(options.rootfs, folder)
            else:
                launch(options.rootfs, folder)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
