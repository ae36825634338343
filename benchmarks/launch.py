"""Launch of an enclave: from run-enclave to its first attestation document.

``python benchmarks/launch.py [--rootfs FOLDER] [--runs N]`` takes the root filesystem that step P6
built (the lab's default folder unless given), puts a program into a copy that asks for a document
at once, and launches it several times. Limit: 0.6 s with 90 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from constant_cloud import ConstantCloud

from nitro_workflow.attestation import parse_document
from nitro_workflow.host import (
    Hypervisor,
    ParentPrograms,
)
from nitro_workflow.image import BootParts, build_image, measure_file
from nitro_workflow.lab import default_folder
from nitro_workflow.vsock import HostTransport

LIMIT = 0.6  # seconds, with 90 MB
INSTANCE = "i-0123456789abcdef0"

PROGRAM = """
import sys
sys.path.insert(0, "/app")
from nitro_workflow.enclave import open_nsm
from nitro_workflow.vsock import open_transport
document = open_nsm().attest()
with open_transport().connect(3, 7000) as sock:
    sock.sendall(document)
"""

PARENT = """
import os, socket
listener = socket.socket(socket.AF_UNIX)
listener.bind(os.environ["NITRO_WORKFLOW_INSTANCE"] + "/control.sock")
listener.listen()
while True:
    listener.accept()
"""


def main() -> int:
    """Build, launch, print one JSON object; 1 above the limit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rootfs", type=Path, default=default_folder() / "developer" / "rootfs")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    if not options.rootfs.is_dir():
        parser.error(f"no root filesystem at {options.rootfs}: run `nitro-workflow walk` first")
    folder = Path(tempfile.mkdtemp(prefix="nw-"))
    try:
        eif = build(options.rootfs, folder)
        seconds = launches(eif, folder, options.runs)
    finally:
        shutil.rmtree(folder)
    median = statistics.median(seconds["document"])
    body = {
        "image_mb": seconds.pop("mb")[0],
        "limit_s": LIMIT,
        **{f"{name}_s": [round(it, 3) for it in values] for name, values in seconds.items()},
        "median_s": round(median, 3),
        "python": sys.version.split()[0],
        "cpus": os.cpu_count(),
    }
    print(json.dumps(body))
    return 0 if median <= LIMIT else 1


def build(rootfs: Path, folder: Path) -> Path:
    """Return an image of a copy of ``rootfs`` with `PROGRAM` in it."""
    copy = folder / "rootfs"
    subprocess.run(["cp", "-a", str(rootfs), str(copy)], check=True)
    (copy / "app" / "first_document.py").write_text(PROGRAM)
    output = folder / "launch.eif"
    build_image(
        rootfs=copy,
        command=["/usr/bin/python3", "-I", "-S", "-B", "/app/first_document.py"],
        environment={"HOME": "/"},
        output=output,
        name="launch",
        version="1",
        boot=BootParts.stand_in(),
        build_time=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return output


def launches(eif: Path, folder: Path, runs: int) -> dict[str, list[float]]:
    """Return seconds to run-enclave's answer, and to the document's arrival at the parent."""
    parent = folder / "parent.py"
    parent.write_text(PARENT)
    hypervisor = Hypervisor(
        folder / "lab", folder, ConstantCloud(folder / "ca"), ParentPrograms(parent)
    )
    measured = measure_file(eif)
    times: dict[str, list[float]] = {"mb": [eif.stat().st_size / 1e6], "boot": [], "document": []}
    try:
        hypervisor.boot_instance(INSTANCE)
        vsock = folder / "instance" / INSTANCE / "vsock"
        with HostTransport(vsock).listen(7000) as listener:
            listener.settimeout(30)
            for _ in range(runs):
                started = time.perf_counter()
                hypervisor.run_enclave(eif_path=str(eif), memory_mib=512, cpu_count=2)
                times["boot"].append(time.perf_counter() - started)
                document = receive(listener)
                times["document"].append(time.perf_counter() - started)
                if parse_document(document).pcrs[0] != measured.pcr0:
                    raise SystemExit("the document is not this image's")
    finally:
        hypervisor.close()
    return times


def receive(listener: Any) -> bytes:
    """Return all that the next connection says."""
    sock, _ = listener.accept()
    with sock, sock.makefile("rb") as stream:
        return bytes(stream.read())


if __name__ == "__main__":
    sys.exit(main())
