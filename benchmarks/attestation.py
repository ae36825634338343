"""The verifier against its own bare signatures and against hf/nitrite, in one run.

    python benchmarks/attestation.py [--documents 100000] [--json]

- *cold*: one document, everything checked, nothing remembered, as a ratio to the sum of the P-384
  verifications it needs (four links and the document), done bare with keys that are loaded. Both
  take turns, in processor time; the least disturbed round of each counts, and the median of all is
  shown beside it (other processes cost the longer of the two more cache). Limit 1.3.
- *same instance*: a thousand documents of one instance, each another; documents a second of one
  process as a ratio to nitrite's on one processor (``GOMAXPROCS=1``), taking turns. Limit 3.
- *batch*: resident memory at its peak after a tenth of the documents and after all, by the command
  with ``--json``. Limit 1.05 and 5 MB.
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
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding

from nitro_workflow.attestation import HypervisorPki, Verifier, parse_document
from nitro_workflow.encoding import _pycose

HERE = Path(__file__).parent
VECTORS = HERE.parent / "tests" / "vectors" / "attestation"
PEER = HERE.parent / "tests" / "interop" / "nitrite"
NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
MODULE = "i-0123456789abcdef0-enc0123456789abcdef"
SCHEME = ec.ECDSA(SHA384())
Row = dict[str, object]


def bare_verifications(raw: bytes) -> Callable[[], None]:
    """Return a function that verifies the document's five signatures and does nothing else."""
    document = parse_document(raw)
    chain = [x509.load_der_x509_certificate(d) for d in (*document.cabundle, document.certificate)]
    jobs = []
    for issuer, subject in pairwise(chain):
        jobs.append((issuer.public_key(), subject.signature, subject.tbs_certificate_bytes))
    signature = document.sign1.signature
    r, s = (int.from_bytes(half, "big") for half in (signature[:48], signature[48:]))
    covered = _pycose.sig_structure(document.sign1.protected, document.sign1.payload)
    jobs.append((chain[-1].public_key(), encode_dss_signature(r, s), covered))
    keys = [job for job in jobs if isinstance(job[0], ec.EllipticCurvePublicKey)]

    def verify() -> None:
        for key, sig, data in keys:
            key.verify(sig, data, SCHEME)

    return verify


def seconds(task: Callable[[], object], times: int) -> float:
    """Return the processor time of one call, from ``times`` calls."""
    started = time.process_time()
    for _ in range(times):
        task()
    return (time.process_time() - started) / times


def cold(rounds: int = 60) -> Row:
    """Compare whole verifications with their bare signatures, over four kinds of documents."""
    best, ratios = [], []
    names = ("19b71700ef369a55", "8e5652f3b009e620", "72ffd835a669cad2", "8df530572d54b373")
    for name in names:
        raw = (VECTORS / f"{name}.bin").read_bytes()
        bare = bare_verifications(raw)
        verifiers = iter([Verifier.aws() for _ in range(rounds * 2)])

        def whole(raw: bytes = raw, fresh: Iterator[Verifier] = verifiers) -> None:
            next(fresh).verify(raw, at="document")

        pairs = [(seconds(bare, 2), seconds(whole, 2)) for _ in range(rounds)]
        ratios += [ours / theirs for theirs, ours in pairs]
        best.append((min(theirs for theirs, _ in pairs), min(ours for _, ours in pairs)))
    theirs, ours = (sum(column) / len(best) * 1000 for column in zip(*best, strict=True))
    return {
        "what": "cold: one document, everything checked / its bare P-384 verifications",
        "ratio": round(ours / theirs, 3),
        "limit": "≤ 1.3",
        "ours_ms": round(ours, 3),
        "bare_ms": round(theirs, 3),
        "median_of_rounds": round(statistics.median(ratios), 3),
    }


def write_documents(folder: Path, count: int) -> tuple[HypervisorPki, list[Path]]:
    """Issue documents of one instance, each with its own nonce."""
    pki = HypervisorPki.create(NOW)
    issuer = pki.instance(MODULE[:19], NOW)
    pcrs = {index: bytes([index + 1]) * 48 for index in range(16)}
    paths = []
    for number in range(count):
        at = NOW + timedelta(seconds=number % 3600)
        nonce = number.to_bytes(32, "big")
        data = issuer.issue(module_id=MODULE, pcrs=pcrs, nonce=nonce, now=at)
        paths.append(folder / f"{number:06}.bin")
        paths[-1].write_bytes(data)
    (folder / "root.pem").write_bytes(
        x509.load_der_x509_certificate(pki.root_der).public_bytes(Encoding.PEM)
    )
    return pki, paths


def peer(folder: Path) -> Path | None:
    """Build the Go program, None where it cannot be had."""
    if shutil.which("go") is None:
        return None
    target = folder / "nitrite"
    build = ["go", "build", "-mod=readonly", "-o", str(target), "."]
    done = subprocess.run(build, cwd=PEER, capture_output=True, check=False)
    return target if done.returncode == 0 else None


def same_instance(folder: Path, rounds: int = 5) -> Row:
    """Compare documents a second with nitrite's, one processor each, taking turns."""
    pki, paths = write_documents(folder, 1000)
    raw = [path.read_bytes() for path in paths]
    program = peer(folder)
    asked = "\n".join(
        f"{int(parse_document(data).timestamp.timestamp()) + 1} {path}"
        for data, path in zip(raw, paths, strict=True)
    )
    environment = os.environ | {"GOMAXPROCS": "1"}
    ours, theirs = [], []
    for _ in range(rounds):
        verifier = Verifier.local(pki.root_der)
        started = time.perf_counter()
        for data in raw:
            verifier.verify(data, at="document")
        ours.append(len(raw) / (time.perf_counter() - started))
        if program is not None:
            command = [str(program), "bench", str(folder / "root.pem")]
            done = subprocess.run(
                command, input=asked, capture_output=True, text=True, check=True, env=environment
            )
            theirs.append(float(done.stdout))
    ratios = [a / b for a, b in zip(ours, theirs, strict=False)]
    return {
        "what": "same instance: documents a second, ours / hf/nitrite",
        "ratio": round(statistics.median(ratios), 2) if ratios else None,
        "limit": "≥ 3",
        "ours_per_s": round(statistics.median(ours)),
        "nitrite_per_s": round(statistics.median(theirs)) if theirs else "Go is missing",
    }


_PEAK = """
import resource, sys
from nitro_workflow.cli import main
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def peak(folder: Path, paths: list[Path], count: int) -> tuple[float, float]:
    """Return peak memory in MB and documents a second of the command on ``count`` documents."""
    listed = folder / "list"
    with listed.open("w", encoding="utf-8") as lines:
        for number in range(count):
            lines.write(f"{paths[number % len(paths)]}\n")
    command = [sys.executable, "-c", _PEAK, "attestation", "verify", "--json", "--at", "document"]
    command += ["--root", str(folder / "root.pem"), "--files-from", str(listed)]
    started = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True)
    elapsed = time.perf_counter() - started
    return int(done.stderr.split()[-1]) / 1024, count / elapsed


def batch(folder: Path, documents: int) -> Row:
    """Compare the peak memory of a tenth of a batch with that of the whole."""
    paths = sorted(folder.glob("*.bin"))
    few, _ = peak(folder, paths, documents // 10)
    many, rate = peak(folder, paths, documents)
    return {
        "what": f"batch: peak memory, {documents} documents / {documents // 10}",
        "ratio": round(many / few, 3),
        "limit": "≤ 1.05",
        "few_mb": round(few, 1),
        "many_mb": round(many, 1),
        "per_s": round(rate),
    }


def main() -> None:
    """Print a line for each figure."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--documents", type=int, default=100_000)
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        show(cold(), as_json=given.json)
        show(same_instance(folder), as_json=given.json)
        show(batch(folder, given.documents), as_json=given.json)


def show(row: Row, *, as_json: bool) -> None:
    """Print a figure with its limit and what it was made of."""
    if as_json:
        print(json.dumps(row, ensure_ascii=False), flush=True)
        return
    head = {"what", "ratio", "limit"}
    rest = ", ".join(f"{name} {value}" for name, value in row.items() if name not in head)
    print(f"{row['what']}: {row['ratio']} (limit {row['limit']}; {rest})", flush=True)


if __name__ == "__main__":
    main()
