"""The local cloud: start, memory, and objects of 256 MiB, against moto's server in the same run.

    python benchmarks/cloud.py [--mib 256] [--calls 400] [--json]

- *start*: from the command to ``endpoint.json``, the best of five; processor seconds beside it, for
  a machine that has other work. Limit 1 s.
- *memory*: resident after a call to each service. Limit 120 MB.
- *object*: PutObject and GetObject of one object, seconds and the growth of the server's resident
  memory at its peak; the same with moto's server.
- *calls*: GetCallerIdentity a second with one client, and as a ratio to moto's.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from nitro_workflow.cloud import Connection

ACCOUNT = "444455556666"
SERVE = (sys.executable, "-m", "nitro_workflow.cloud.local.serve")
STARTS = 5
SECONDS_LIMIT, MB_LIMIT = 1.0, 120
Row = dict[str, object]


def status(pid: int, name: str) -> float:
    """Return ``VmRSS`` or ``VmHWM`` of a process in MB."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)[1]) * 1024 / 1e6


def processor(pid: int) -> float:
    """Return the processor seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def cloud(lab: Path) -> Iterator[tuple[Connection, int, float]]:
    """Run the cloud; yield its connection, its pid and how long it took to be ready."""
    began = time.perf_counter()
    process = subprocess.Popen([*SERVE, "--lab", str(lab)])
    endpoint = lab / "cloud" / "endpoint.json"
    while not endpoint.exists():
        time.sleep(0.005)
    took = time.perf_counter() - began
    yield Connection.of(lab), process.pid, took
    process.terminate()
    process.wait()


@contextmanager
def moto() -> Iterator[tuple[str, int]]:
    """Run moto's server; yield its address and its pid."""
    command = [sys.executable, "-m", "moto.server", "-p", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    lines = process.stderr
    assert lines is not None
    address = next(m[0] for line in lines if (m := re.search(r"http://127\S+:\d+", line)))
    threading.Thread(target=lines.read, daemon=True).start()
    yield address, process.pid
    process.terminate()
    process.wait()
    lines.close()


def moto_client(service: str, address: str) -> Any:
    """Return a client of moto's server."""
    session = boto3.Session("a", "b", region_name="us-east-1")
    return session.client(service, endpoint_url=address, config=Config(proxies={}))


def start() -> Row:
    """Start five times in folders of their own."""
    waits, costs = [], []
    for _ in range(STARTS):
        with tempfile.TemporaryDirectory() as folder, cloud(Path(folder)) as (_, pid, took):
            waits.append(took)
            costs.append(processor(pid))
    best = min(waits)
    return {
        "what": "start", "seconds": round(best, 2), "processor_seconds": round(min(costs), 2),
        "limit": SECONDS_LIMIT, "holds": best <= SECONDS_LIMIT,
    }  # fmt: skip


def touch(connection: Connection) -> None:
    """Make one call to each service."""
    calls = {
        "cloudtrail": "lookup_events", "ec2": "describe_instances", "iam": "list_roles",
        "kms": "create_key", "s3": "list_buckets", "sts": "get_caller_identity",
    }  # fmt: skip
    for service, name in calls.items():
        with connection.client(service, ACCOUNT) as client:
            getattr(client, name)()


def timed(call: Callable[[], object]) -> float:
    """Return the seconds of a call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def transfer(s3: Any, pid: int, source: Path) -> Row:
    """Put and get one object, from a file and into nothing; return seconds and memory."""
    s3.create_bucket(Bucket="benchmark")
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")  # the peak starts here
    before = status(pid, "VmRSS")

    def put() -> None:
        with source.open("rb") as body:
            s3.put_object(Bucket="benchmark", Key="object", Body=body)

    def get() -> None:
        stream = s3.get_object(Bucket="benchmark", Key="object")["Body"]
        while stream.read(1024 * 1024):
            pass

    row: Row = {"put_seconds": round(timed(put), 2), "get_seconds": round(timed(get), 2)}
    return {**row, "growth_mb": round(status(pid, "VmHWM") - before, 1)}


def rate(client: Any, calls: int) -> float:
    """Return GetCallerIdentity a second: the best of five runs."""
    client.get_caller_identity()

    def run() -> None:
        for _ in range(calls // 5):
            client.get_caller_identity()

    return (calls // 5) / min(timed(run) for _ in range(5))


def rows(mib: int, calls: int) -> Iterator[Row]:
    """Yield every measurement."""
    yield start()
    with tempfile.TemporaryDirectory() as name, cloud(Path(name)) as (connection, pid, _):
        touch(connection)
        resident = status(pid, "VmRSS")
        yield {
            "what": "memory", "megabytes": round(resident, 1), "limit": MB_LIMIT,
            "holds": resident <= MB_LIMIT,
        }  # fmt: skip
        source = Path(name) / "source"
        with source.open("wb") as file:
            for _ in range(mib):
                file.write(os.urandom(1024 * 1024))
        with connection.client("s3", ACCOUNT) as s3:
            yield {"what": "object", "mib": mib, **transfer(s3, pid, source)}
        with moto() as (address, other):
            s3, sts = (moto_client(service, address) for service in ("s3", "sts"))
            yield {"what": "object, moto", "mib": mib, **transfer(s3, other, source)}
            with connection.client("sts", ACCOUNT) as own:
                ours, theirs = rate(own, calls), rate(sts, calls)
            for client in (s3, sts):
                client.close()
        ratio = round(ours / theirs, 2)
        yield {"what": "calls", "a_second": round(ours), "moto": round(theirs), "ratio": ratio}


def main() -> None:
    """Print one line a measurement."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=256)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--json", action="store_true")
    values = parser.parse_args()
    for row in rows(values.mib, values.calls):
        text = "  ".join(f"{name} {value}" for name, value in row.items())
        print(json.dumps(row) if values.json else text, flush=True)


if __name__ == "__main__":
    main()
