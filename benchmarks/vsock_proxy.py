"""The vsock proxy against a direct connection: bytes a second, one connection, one way.

``python benchmarks/vsock_proxy.py [--mib N] [--runs N]``. A sender of its own process goes to a
sink in this one: directly over loopback TCP, then through the proxy (Unix socket in, TCP out, as
from a sandboxed enclave). The ratio is of the best of runs that alternate: what else the machine
does only slows. Limit: 0.7.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT = 0.7
PORT = 8000
PIECE = 1 << 18

SENDER = """
import socket, sys
kind, where, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
if kind == "tcp":
    sock = socket.create_connection(("127.0.0.1", int(where)))
else:
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(where)
data = bytes(1 << 18)
while count > 0:
    count -= sock.send(data)
sock.shutdown(socket.SHUT_WR)
sock.recv(1)
"""


def main() -> int:
    """Measure, print one JSON object; 1 below the limit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    size = options.mib << 20
    with tempfile.TemporaryDirectory(prefix="nw-", dir="/tmp") as name:
        folder = Path(name)
        (folder / "vsock").mkdir()
        with socket.create_server(("127.0.0.1", 0)) as sink:
            port = sink.getsockname()[1]
            proxy = _start(folder, port)
            try:
                ways = {"direct": ("tcp", str(port)), "proxy": ("unix", _door(folder))}
                speeds: dict[str, list[float]] = {way: [] for way in ways}
                for _ in range(options.runs):
                    for way, place in ways.items():
                        speeds[way].append(size / _seconds(sink, place, size))
            finally:
                proxy.terminate()
                proxy.wait(20)
    direct, through = (max(speeds[way]) for way in ("direct", "proxy"))
    report = {
        "direct_mb_s": round(direct / 1e6),
        "proxy_mb_s": round(through / 1e6),
        "ratio": round(through / direct, 2),
        "limit": LIMIT,
        "mib": options.mib,
        "runs": options.runs,
        "processors": os.cpu_count(),
    }
    print(json.dumps(report))
    return int(report["ratio"] < LIMIT)


def _start(folder: Path, port: int) -> subprocess.Popen[bytes]:
    config = folder / "vsock-proxy.yaml"
    config.write_text(f"allowlist:\n- {{address: 127.0.0.1, port: {port}}}\n")
    command = [sys.executable, "-m", "nitro_workflow.vsock.proxy", "--config", str(config)]
    process = subprocess.Popen(
        [*command, str(PORT), "127.0.0.1", str(port)],
        env={**os.environ, "NITRO_WORKFLOW_VSOCK": f"host:{folder / 'vsock'}"},
        stderr=subprocess.PIPE,
    )
    if process.stderr is None or b"->" not in process.stderr.readline():
        raise SystemExit("the proxy did not start")
    return process


def _door(folder: Path) -> str:
    """Return where an enclave's connection to CID 3 arrives."""

    return str(folder / "vsock" / "3" / f"v.sock_{PORT}")


def _seconds(sink: socket.socket, place: tuple[str, str], size: int) -> float:
    """Return how long the whole took, from the first byte here to the last."""
    sender = subprocess.Popen([sys.executable, "-c", SENDER, *place, str(size)])
    sock, _ = sink.accept()
    with sock:
        buffer, got = bytearray(PIECE), 0
        begun = time.perf_counter()
        while count := sock.recv_into(buffer):
            got += count
        ended = time.perf_counter()
    sender.wait(20)
    if got < size:
        raise SystemExit(f"{got} bytes of {size}")
    return ended - begun


if __name__ == "__main__":
    sys.exit(main())
