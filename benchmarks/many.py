"""Twenty enclaves at once over five parents: what each costs us in memory, and that all answer.

``python benchmarks/many.py [--enclaves N] [--parents N]`` builds docs/examples/attester (gcc),
boots the parents with their real applications, launches the enclaves and asks each for an
attestation document, all at once. "Ours" is the proportional set size of every process that is not
the enclaves' own program: hypervisor, parents with proxy and application, sandboxes. Limit: 40 MB
for each enclave.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from constant_cloud import ConstantCloud

from nitro_workflow.attestation import parse_document, pcr4
from nitro_workflow.errors import HostError, VsockError
from nitro_workflow.host import (
    LaunchRequest,
    ParentPrograms,
    SandboxHost,
)
from nitro_workflow.host.control.hypervisor import serve
from nitro_workflow.image import BootParts, build_image

LIMIT_MB = 40.0  # of ours, for each enclave
SOURCE = Path(__file__).resolve().parents[1] / "docs/examples/attester/attester.c"
PROGRAM = "attester"
PORT = 7
SECONDS = 60.0


def main() -> int:
    """Launch, ask, weigh; print one JSON object; 1 above the limit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--enclaves", type=int, default=20)
    parser.add_argument("--parents", type=int, default=5)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return _serve(options.serve)
    folder = Path(tempfile.mkdtemp(prefix="nw-", dir="/tmp"))
    (folder / "lab").mkdir()
    hypervisor = subprocess.Popen([sys.executable, __file__, "--serve", str(folder)])
    try:
        report = _measure(folder, hypervisor.pid, options.enclaves, options.parents)
    finally:
        hypervisor.send_signal(signal.SIGTERM)
        hypervisor.wait(SECONDS)
        shutil.rmtree(folder)
    print(json.dumps(report))
    return int(report["ours_mb_each"] > LIMIT_MB)


def _serve(folder: Path) -> int:
    import enclave_image

    package = Path(enclave_image.__file__).resolve().parent
    programs = ParentPrograms(package / "parent" / "__main__.py", [package])
    serve(folder / "lab", folder / "run", ConstantCloud(folder / "ca.pem"), programs)
    return 0


def _measure(folder: Path, hypervisor: int, enclaves: int, parents: int) -> dict[str, Any]:
    image = _image(folder)
    host = SandboxHost(folder / "run")
    _until_it_answers(host)
    instances = [f"i-{number:017x}" for number in range(1, parents + 1)]
    begun = time.monotonic()
    for instance in instances:
        host.boot_instance(instance)
    booted = time.monotonic()
    orders = [instances[number % parents] for number in range(enclaves)]
    with ThreadPoolExecutor(parents) as crew:
        started = list(
            crew.map(
                lambda it: host.run_enclave(LaunchRequest(str(image), 64, 2, instance_id=it)),
                orders,
            )
        )
    launched = time.monotonic()
    with ThreadPoolExecutor(enclaves) as crew:
        documents = list(crew.map(lambda one: _ask(host, one), started))
    answered = time.monotonic()
    for one, document in zip(started, documents, strict=True):
        _check(one, document)
    ours, programs = _weigh(hypervisor)
    return {
        "enclaves": enclaves,
        "parents": parents,
        "boot_parents_s": round(booted - begun, 2),
        "launch_all_s": round(launched - booted, 2),
        "documents_from_all_ms": round((answered - launched) * 1000),
        "ours_mb": round(ours / 1e6, 1),
        "ours_mb_each": round(ours / 1e6 / enclaves, 1),
        "limit_mb_each": LIMIT_MB,
        "programs_mb_each": round(programs / 1e6 / enclaves, 2),
        "processors": os.cpu_count(),
    }


def _image(folder: Path) -> Path:
    root = folder / "root" / "bin"
    root.mkdir(parents=True)
    command = ["gcc", "-static", "-O2", "-o", str(root / PROGRAM), str(SOURCE)]
    subprocess.run(command, check=True)
    output = folder / "attester.eif"
    build_image(
        rootfs=folder / "root", command=[f"/bin/{PROGRAM}"], environment={}, output=output,
        name=PROGRAM, version="1", boot=BootParts.stand_in(os.uname().machine),
        build_time=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    return output


def _until_it_answers(host: SandboxHost) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            host.ping()
        except HostError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def _ask(host: SandboxHost, enclave: dict[str, Any]) -> bytes:
    """Return the enclave's document; it may just be about to listen."""
    transport = host.vsock(enclave["EnclaveID"].rpartition("-enc")[0])
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            with transport.connect(enclave["EnclaveCID"], PORT) as sock, sock.makefile("rb") as it:
                return it.read()
        except VsockError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _check(enclave: dict[str, Any], document: bytes) -> None:
    """Require that the document is this very enclave's, on its own parent."""
    parsed = parse_document(document)
    instance = enclave["EnclaveID"].rpartition("-enc")[0]
    if parsed.module_id != enclave["EnclaveID"] or parsed.pcrs[4] != pcr4(instance):
        raise SystemExit(f"{enclave['EnclaveID']} gave the document of {parsed.module_id}")


def _weigh(hypervisor: int) -> tuple[int, int]:
    """Return bytes of ours and of the enclaves' programs, by proportional set size."""
    ours = programs = 0
    for pid in _descendants(hypervisor):
        try:
            size = _pss(pid)
            name = Path(f"/proc/{pid}/comm").read_text().strip()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if name == PROGRAM:
            programs += size
        else:
            ours += size
    return ours, programs


def _pss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _descendants(root: int) -> set[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except OSError:
                continue
            parents[int(entry.name)] = int(text.rpartition(")")[2].split()[1])
    found, new = set(), {root}
    while new:
        found |= new
        new = {pid for pid, parent in parents.items() if parent in new} - found
    return found


if __name__ == "__main__":
    sys.exit(main())
