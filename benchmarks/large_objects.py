"""One large object, put and got, against a bare TLS sink: `python benchmarks/large_objects.py`.

The sink is as little as a server can be: it ends TLS with the cloud's own certificate, computes the
CRC32 of what comes, keeps nothing, and sends as many bytes as were asked for. The same client of
boto3 talks to both in turns. Limits: 1.5 times the sink's median, and 64 MB of memory more than
before at the peak. Between the two stand an MD5 (S3's ETag), the disk and its sync.

Below each row stands where the processor time went, and the bound: what the client and the sink
took, a bare MD5, and bare reads or writes of a file of that length, measured in the same run. A
server that keeps the bytes and makes an ETag needs all of that, so on a machine whose processors
were all busy with the sink it can not be faster. Processor time says so on a shared machine too.

    python benchmarks/large_objects.py [--mib 1024] [--rounds 3] [--json]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import re
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

ACCOUNT = "111122223333"
RATIO_LIMIT, MB_LIMIT = 1.5, 64
_BLOCK = 256 * 1024
_END = b"0\r\n\r\n"  # of HTTP's chunked coding


def peak(pid: int) -> float:
    """Return the most memory that a process had so far, in MB."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(r"^VmHWM:\s+(\d+) kB", text, re.MULTILINE)[1]) * 1024 / 1e6


def processor(pid: int, thread: int | None = None) -> float:
    """Return the processor seconds that a process, or one thread of it, took so far."""
    place = f"/proc/{pid}/stat" if thread is None else f"/proc/{pid}/task/{thread}/stat"
    fields = Path(place).read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def sink(listener: socket.socket, folder: str, size: int) -> None:
    """Serve one connection after the other until killed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/server.pem", f"{folder}/server.key")
    while True:
        plain, _ = listener.accept()
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(plain, server_side=True) as connection:
            while _serve(connection, size):
                pass


def _serve(connection: ssl.SSLSocket, size: int) -> bool:
    head = b""
    while b"\r\n\r\n" not in head:
        data = connection.recv(_BLOCK)
        if not data:
            return False
        head += data
    head, _, rest = head.partition(b"\r\n\r\n")
    if head.startswith(b"PUT"):
        if b"100-continue" in head.lower():
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        _take(connection, rest)
        connection.sendall(b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 0\r\n\r\n')
        return True
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
    block, left = bytes(_BLOCK), size
    while left:
        left -= _BLOCK
        connection.sendall(block)
    return True


def _take(connection: ssl.SSLSocket, tail: bytes) -> None:
    checksum, buffer = zlib.crc32(tail), bytearray(_BLOCK)
    view = memoryview(buffer)
    while not tail.endswith(_END):
        count = connection.recv_into(buffer)
        checksum = zlib.crc32(view[:count], checksum)
        tail = tail[-len(_END) :] + bytes(view[max(0, count - len(_END)) : count])


def client_of(endpoint: str, folder: Path) -> Any:
    """Return the client that both are asked with."""
    key = json.loads((folder / "credentials.json").read_text())[ACCOUNT]
    config = Config(read_timeout=600, retries={"max_attempts": 0}, s3={"addressing_style": "path"})
    return boto3.client(
        "s3", endpoint_url=endpoint, verify=str(folder / "ca.pem"), region_name="us-east-1",
        aws_access_key_id=key["access_key_id"], aws_secret_access_key=key["secret_access_key"],
        config=config,
    )  # fmt: skip


def put(client: Any, path: Path) -> float:
    """Return the seconds of one PutObject."""
    began = time.perf_counter()
    with path.open("rb") as body:
        client.put_object(Bucket="large", Key="object", Body=body)
    return time.perf_counter() - began


def get(client: Any, _: Path) -> float:
    """Return the seconds of one GetObject, read in blocks and thrown away."""
    began = time.perf_counter()
    with client.get_object(Bucket="large", Key="object")["Body"] as body:
        while body.read(_BLOCK):
            pass
    return time.perf_counter() - began


def bare_md5(path: Path) -> float:
    """Return the processor seconds of one MD5 over as many bytes."""
    md5, block = hashlib.md5(usedforsecurity=False), bytes(_BLOCK)
    began = time.process_time()
    for _ in range(path.stat().st_size // _BLOCK):
        md5.update(block)
    return time.process_time() - began


def bare_write(path: Path) -> float:
    """Return the processor seconds to keep as many bytes in a file and sync it."""
    block, began = bytes(_BLOCK), time.process_time()
    with path.with_suffix(".bare").open("wb", buffering=0) as file:
        for _ in range(path.stat().st_size // _BLOCK):
            file.write(block)
        os.fsync(file.fileno())
        took = time.process_time() - began
    path.with_suffix(".bare").unlink()
    return took


def bare_read(path: Path) -> float:
    """Return the processor seconds to read as many bytes of a file that the system still holds."""
    buffer, began = bytearray(_BLOCK), time.process_time()
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass
    return time.process_time() - began


def measure(mib: int, rounds: int) -> list[dict[str, Any]]:
    """Return a row for put and one for get."""
    with tempfile.TemporaryDirectory() as scratch:
        path, lab = Path(scratch) / "body", Path(scratch) / "lab"
        with path.open("wb") as file:
            for _ in range(mib):
                file.write(bytes(1024**2))
        command = [sys.executable, "-m", "nitro_workflow.cloud.local.serve", "--lab", str(lab)]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            return _rows(process, lab / "cloud", path, rounds)
        finally:
            process.terminate()
            process.wait()


def _rows(
    process: subprocess.Popen[bytes], folder: Path, path: Path, rounds: int
) -> list[dict[str, Any]]:
    while not (folder / "endpoint.json").exists():
        time.sleep(0.01)
    cloud = client_of(json.loads((folder / "endpoint.json").read_text())["endpoint"], folder)
    cloud.create_bucket(Bucket="large")
    listener = socket.create_server(("127.0.0.1", 0))
    size = path.stat().st_size
    other = multiprocessing.Process(target=sink, args=(listener, str(folder), size), daemon=True)
    other.start()
    bare = client_of(f"https://127.0.0.1:{listener.getsockname()[1]}", folder)
    before, rows = peak(process.pid), []
    pids = process.pid, other.pid or 0
    for name, step, extra in (("put", put, (bare_md5, bare_write)), ("get", get, (bare_read,))):
        pairs = []
        for _ in range(rounds):
            ours = _timed(step, cloud, path, pids[0])
            theirs = _timed(step, bare, path, pids[1])
            pairs.append((ours, theirs, {each.__name__: each(path) for each in extra}))
        rows.append(_row(name, pairs, peak(process.pid) - before))
    for client in (cloud, bare):
        client.close()
    other.terminate()
    other.join()
    listener.close()
    return rows


def _timed(
    step: Callable[[Any, Path], float], client: Any, path: Path, pid: int
) -> dict[str, float]:
    """Return the seconds of one step, and the processor seconds of both its ends."""
    before = time.process_time(), processor(pid), processor(pid, pid)
    seconds = step(client, path)
    after = time.process_time(), processor(pid), processor(pid, pid)
    names = ("client", "server", "loop")
    took = dict(zip(names, (b - a for a, b in zip(before, after, strict=True)), strict=True))
    return {"seconds": seconds, **took}


_Pair = tuple[dict[str, float], dict[str, float], dict[str, float]]


def _row(name: str, pairs: list[_Pair], grown: float) -> dict[str, Any]:
    ours, theirs, bare = (_medians([pair[column] for pair in pairs]) for column in range(3))
    ratio = statistics.median(mine["seconds"] / other["seconds"] for mine, other, _ in pairs)
    base = theirs["client"] + theirs["server"]
    needed, cores = base + sum(bare.values()), len(os.sched_getaffinity(0))
    bound = max(needed / cores, theirs["seconds"], *bare.values())
    return {
        "name": name, "seconds": round(ours["seconds"], 2), "sink": round(theirs["seconds"], 2),
        "ratio": round(ratio, 2), "grown_mb": round(grown, 1),
        "holds": ratio <= RATIO_LIMIT and grown <= MB_LIMIT,
        "cloud_processor": _rounded(ours), "sink_processor": _rounded(theirs),
        "bare_processor": _rounded(bare), "bound": round(bound / theirs["seconds"], 2),
        "processor_ratio": round((ours["client"] + ours["server"]) / base, 2),
        "processor_bound": round(needed / base, 2), "cores": cores,
    }  # fmt: skip


def _medians(columns: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(column[name] for column in columns) for name in columns[0]}


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in figures.items() if name != "seconds"}


def _text(row: dict[str, Any], mib: int) -> str:
    ours, theirs, bare = row["cloud_processor"], row["sink_processor"], row["bare_processor"]
    more = ", ".join(f"{name.replace('bare_', '')} {took} s" for name, took in bare.items())
    return (
        f"{row['name']}  {mib} MiB in {row['seconds']} s, the sink {row['sink']} s: {row['ratio']} "
        f"(limit {RATIO_LIMIT}), memory +{row['grown_mb']} MB (limit {MB_LIMIT})\n"
        f"     processor: client {ours['client']} s, cloud {ours['server']} s (its loop "
        f"{ours['loop']} s); with the sink: client {theirs['client']} s, sink "
        f"{theirs['server']} s; bare: {more}\n"
        f"     in all {row['processor_ratio']} times the sink's processor time, bound "
        f"{row['processor_bound']}; of its seconds on {row['cores']} processors, bound "
        f"{row['bound']}"
    )


def main(say: Callable[[str], None] = print) -> int:
    """Measure, print, and say by the exit code whether the limits hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    values = parser.parse_args()
    rows = measure(values.mib, values.rounds)
    for row in rows:
        say(json.dumps(row) if values.json else _text(row, values.mib))
    return 0 if all(row["holds"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
