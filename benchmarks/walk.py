"""The walk's figures against its limits.

``python benchmarks/walk.py [--size 16MiB] [--large 256MiB]`` prints a table; exit code 1 when a
limit is missed. Run it on a machine that does nothing else (the load is printed): these are
wall-clock figures, so no test asserts them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from nitro_workflow.cli.workflow import SIZE
from nitro_workflow.host import LaunchRequest
from nitro_workflow.lab import Lab, image_of, start_job

MIB = 1024 * 1024
CLOSE = 0.02  # seconds between looks at the enclave's memory


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table."""

    name: str
    value: float
    limit: float
    unit: str

    @property
    def held(self) -> bool:
        return self.value <= self.limit

    def __str__(self) -> str:
        verdict = "held" if self.held else "MISSED"
        return f"{self.name:<52}{self.value:10.2f} {self.unit:<4} ≤ {self.limit:g} {verdict}"


def import_time() -> Figure:
    """Return the best of five: the import itself, less the interpreter's own start."""
    code = "from time import *; t = time(); import nitro_workflow; print(time() - t)"
    runs = [
        float(subprocess.check_output([sys.executable, "-c", code], text=True)) for _ in range(5)
    ]
    return Figure("import nitro_workflow", min(runs) * 1000, 150, "ms")


def walk(folder: Path, size: int) -> list[Figure]:
    """Walk as the command does, set-up done: processes are started, nothing else is there yet."""
    begun = time.monotonic()
    lab = Lab.open(folder, size=size)
    try:
        results = {result.step: result for result in lab.walk()}
        seconds = time.monotonic() - begun
        failed = next((one.error for one in results.values() if one.error), None)
        if failed:
            raise SystemExit(f"the walk failed: {failed}")
        rootfs = results["P5"].evidence["rootfs_bytes"] / 1e6
        debian = sys.base_prefix == "/usr"
        return [
            Figure(f"walk, 17 steps, {size // MIB} MiB", seconds, 20, "s"),
            # The limit is for a distribution's python3; others bring more of their own along.
            Figure(f"root filesystem ({sys.base_prefix})", rootfs, 80 if debian else 100, "MB"),
            Figure("launch to first document", launch_to_document(lab), 1.5, "s"),
        ]
    finally:
        lab.down()


def launch_to_document(lab: Lab) -> float:
    """Return the seconds from run-enclave to the first document that a job of it shows."""
    host = lab.bench.host
    instance = lab.bench.produced("P8", "instance_id")
    request = LaunchRequest(str(image_of(lab.bench)), 512, 2, instance_id=instance)
    begun = time.monotonic()
    enclave = host.run_enclave(request)
    try:
        start_job(lab.bench, "envelope", cid=enclave["EnclaveCID"]).evidence("D3")
        return time.monotonic() - begun
    finally:
        host.terminate_enclave(enclave["EnclaveID"])


def enclave_memory(folder: Path, size: int) -> Figure:
    """Return the most that the enclave's processes had resident during a job of ``size`` bytes."""
    lab = Lab.open(folder, size=size)
    try:
        lab.ensure("D1")
        job = start_job(lab.bench, "encryption-sdk")
        [enclave] = lab.bench.host.describe_enclaves()
        most = 0
        while job.state().get("status") not in ("done", "refused", "failed"):
            most = max(most, _resident(int(enclave["ProcessID"])))
            time.sleep(CLOSE)
        if job.state()["status"] != "done":
            raise SystemExit(f"the job failed: {job.state().get('error')}")
        return Figure(f"enclave resident, {size // MIB} MiB of data", most / 1e6, 150, "MB")
    finally:
        lab.down()


def _resident(pid: int) -> int:
    """Return bytes resident of a process and all below it."""
    total = 0
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        try:
            status = Path(f"/proc/{one}/status").read_text()
            children = Path(f"/proc/{one}/task/{one}/children").read_text()
        except OSError:
            continue
        for line in status.splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1]) * 1024
        waiting += [int(child) for child in children.split()]
    return total


def main() -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=lambda text: SIZE.convert(text, None, None), default="16MiB")
    parser.add_argument(
        "--large", type=lambda text: SIZE.convert(text, None, None), default="256MiB"
    )
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")
    figures = [import_time()]
    with tempfile.TemporaryDirectory(prefix="nitro-walk-") as name:
        figures += walk(Path(name), options.size)
        figures.append(enclave_memory(Path(name), options.large))
    for figure in figures:
        print(figure)
    return 0 if all(figure.held for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
