"""The local KMS against moto's, in one run: `python benchmarks/kms.py [--seconds S] [--json]`.

Every figure is a ratio to a peer that ran in turns with it on the same machine, the median of many
turns, so that a busy machine does not decide; beside each rate stand the server's and a client's
CPU time for one answer. "One client" and "eight" are processes, each with its own boto3 client. An
attested client includes all that an enclave pays: a fresh signed document for every try, made here
by an issuer in the client's own process, and opening the envelope.

An attested answer is held against a plain one and its four bare primitives, all of this run, in
processor time of both sides: eight clients share the processors with the server, so that their rate
is that time and nothing else. The line shows what it is made of.

A bare primitive is timed in a loop of its own, which has the processor's caches to itself. In an
answer it comes between thousands of other steps, which it pushes out of them. So a second line,
without a limit, holds the same answers against plain ones whose clients run the four primitives
after each answer, and says what is left: parsing, checking and recording the document.
"""

from __future__ import annotations

import argparse
import base64
import datetime as dt
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ACCOUNT = "111122223333"
INSTANCE = "i-0123456789abcdef0"
MODULE = f"{INSTANCE}-enc0123456789abcdef"
PLAIN_LIMIT = 2.4  # times moto's rate
ATTESTED_LIMIT = 1.3  # times the cost of a plain one and the bare primitives
ROUNDS = 9
WARM_UP = 5  # answers before the clock starts
BESIDE = "plain, and the four primitives after each answer"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a KMS listens, and with which credentials."""

    endpoint: str
    verify: str
    key_id: str
    secret: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the result: a value, its limit (None: it only tells), and whether it holds."""

    name: str
    value: float
    limit: float | None
    unit: str
    detail: str

    @property
    def holds(self) -> bool:
        if self.limit is None:
            return True
        return self.value <= self.limit if self.unit != "x" else self.value >= self.limit


@dataclass(frozen=True, slots=True)
class Run:
    """What some clients together had in one measurement: answers a second, seconds of CPU each."""

    rate: float
    server: float
    client: float


def client_of(target: Target) -> Any:
    import boto3

    return boto3.client(
        "kms",
        region_name="us-east-1",
        endpoint_url=target.endpoint,
        verify=target.verify or True,
        aws_access_key_id=target.key_id,
        aws_secret_access_key=target.secret,
    )


# --- the two servers -----------------------------------------------------------------------------


@contextmanager
def local_cloud(folder: Path) -> Iterator[tuple[Target, int, float]]:
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "nitro_workflow.cloud.local.serve", "--lab", str(folder)],
        stderr=subprocess.DEVNULL,
    )
    ready = folder / "cloud" / "endpoint.json"
    try:
        while not ready.exists():
            if process.poll() is not None:
                raise SystemExit("the local cloud did not start")
            time.sleep(0.005)
        seconds = time.perf_counter() - began
        told = json.loads(ready.read_text())
        key = json.loads((folder / "cloud" / "credentials.json").read_text())[ACCOUNT]
        yield (
            Target(told["endpoint"], told["ca"], key["access_key_id"], key["secret_access_key"]),
            process.pid,
            seconds,
        )
    finally:
        process.terminate()
        process.wait()


@contextmanager
def moto_cloud() -> Iterator[tuple[Target, int]]:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = Path(sys.executable).parent / "moto_server"
    process = subprocess.Popen(
        [program, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    target = Target(f"http://127.0.0.1:{port}", "", "AKIAEXAMPLE", "secret")
    try:
        for _ in range(600):
            try:
                client_of(target).list_keys()
                break
            except Exception:  # noqa: BLE001 - not there yet
                time.sleep(0.05)
        yield target, process.pid
    finally:
        process.terminate()
        process.wait()


# --- the clients ---------------------------------------------------------------------------------


class Enclave:
    """An `Attester` with one key pair; its documents come from an issuer in this process."""

    def __init__(self, issuer: Any) -> None:
        from cryptography.hazmat.primitives.asymmetric import rsa
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        self.issuer = issuer
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.spki = self.key.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )

    def document(self) -> tuple[bytes, Any]:
        document = self.issuer.issue(
            module_id=MODULE,
            pcrs={index: bytes([index]) * 48 for index in range(16)},
            public_key=self.spki,
            nonce=os.urandom(32),
            now=dt.datetime.now(dt.UTC),
        )
        return document, self.key


def work(target: Target, blob: bytes, kind: Any, seconds: float, start: Any, out: Any) -> None:
    """Decrypt again and again for some seconds; put answers a second and CPU of one into `out`."""
    client = client_of(target)
    beside = list(primitive_calls().values()) if kind == BESIDE else []
    if kind is not None and not beside:
        from nitro_workflow.enclave import attested

        attested(client, Enclave(kind))
    for _ in range(WARM_UP):
        client.decrypt(CiphertextBlob=blob)
    start.wait()
    count, began, spent = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - began < seconds:
        client.decrypt(CiphertextBlob=blob)
        for primitive in beside:
            primitive()
        count += 1
    out.put((count / (time.perf_counter() - began), (time.process_time() - spent) / count))


def run(
    target: Target, pid: int, blob: bytes, clients: int, seconds: float, kind: Any = None
) -> Run:
    """Let so many client processes ask the server `pid` at once.

    `kind` is None for plain ones, an issuer for attested ones, or `BESIDE`.
    """
    context = multiprocessing.get_context("fork")
    out, start = context.Queue(), context.Barrier(clients)
    arguments = (target, blob, kind, seconds, start, out)
    workers = [context.Process(target=work, args=arguments) for _ in range(clients)]
    before = cpu_seconds(pid)
    for worker in workers:
        worker.start()
    each = [out.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join()
    rate = sum(told for told, _ in each)
    spent = cpu_seconds(pid) - before
    answers = rate * seconds + WARM_UP * clients
    return Run(rate, spent / answers, statistics.mean(cost for _, cost in each))


def make_blob(target: Target) -> bytes:
    client = client_of(target)
    key = client.create_key()["KeyMetadata"]["KeyId"]
    return bytes(client.generate_data_key(KeyId=key, KeySpec="AES_256")["CiphertextBlob"])


# --- the figures ---------------------------------------------------------------------------------


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def compare(
    pids: dict[Target, int], issuer: Any, seconds: float, note: Callable[[str], None]
) -> Iterator[Figure]:
    local, moto = pids
    blobs = {target: make_blob(target) for target in pids}
    bare = primitives()
    kinds = {
        "moto": (moto, None), "plain": (local, None), "attested": (local, issuer),
        "beside": (local, BESIDE),
    }  # fmt: skip
    for clients in (1, 8):
        runs: dict[str, list[Run]] = {name: [] for name in kinds}
        for turn in range(ROUNDS):  # in turns, compared turn by turn: a busy moment hits all
            for name, (target, kind) in kinds.items():
                note(f"{name}, {clients} clients, round {turn + 1} of {ROUNDS}")
                runs[name].append(run(target, pids[target], blobs[target], clients, seconds, kind))
        middle = {name: median(values) for name, values in runs.items()}
        detail = ", ".join(
            f"{name} {one.rate:.0f}/s at {one.server * 1000:.1f} + {one.client * 1000:.1f} ms"
            for name, one in middle.items()
            if name != "beside"
        )
        for name, limit in {"plain": PLAIN_LIMIT, "attested": None}.items():
            pairs = zip(runs[name], runs["moto"], strict=True)
            ratio = statistics.median(one.rate / peer.rate for one, peer in pairs)
            yield Figure(f"{name} Decrypt, {clients} clients, to moto's", ratio, limit, "x", detail)
        yield attested_cost(runs["attested"], runs["plain"], bare, f"{clients} clients")
        yield in_place(runs["attested"], runs["beside"], f"{clients} clients")


def median(runs: list[Run]) -> Run:
    return Run(
        statistics.median(one.rate for one in runs),
        statistics.median(one.server for one in runs),
        statistics.median(one.client for one in runs),
    )


def attested_cost(
    attested: list[Run], plain: list[Run], bare: dict[str, float], who: str
) -> Figure:
    """Return what an attested answer costs, to a plain one and its primitives (processor time)."""
    primitive = sum(bare.values())
    pairs = zip(attested, plain, strict=True)
    ratio = statistics.median(
        (one.server + one.client) / (other.server + other.client + primitive)
        for one, other in pairs
    )
    one, other = median(attested), median(plain)
    parts = ", ".join(f"{name} {seconds * 1000:.2f}" for name, seconds in bare.items())
    detail = (
        f"{(one.server + one.client) * 1000:.2f} ms (server {one.server * 1000:.2f}, client"
        f" {one.client * 1000:.2f}) to plain {(other.server + other.client) * 1000:.2f}"
        f" (server {other.server * 1000:.2f}, client {other.client * 1000:.2f}) + {parts}"
    )
    name = f"an attested Decrypt, {who}, to a plain one and its primitives"
    return Figure(name, ratio, ATTESTED_LIMIT, "of", detail)


def in_place(attested: list[Run], beside: list[Run], who: str) -> Figure:
    """Return what an attested answer costs, to a plain one with the primitives in its client."""
    pairs = zip(attested, beside, strict=True)
    ratio = statistics.median(
        (one.server + one.client) / (other.server + other.client) for one, other in pairs
    )
    one, other = median(attested), median(beside)
    left = (one.server - other.server) * 1000, (one.client - other.client) * 1000
    detail = (
        f"{(other.server + other.client) * 1000:.2f} ms for the latter; server {left[0]:+.2f},"
        f" client {left[1]:+.2f}, where all four ran in the client"
    )
    return Figure(f"the same, {who}, to a plain one that runs them", ratio, None, "of", detail)


def primitives() -> dict[str, float]:
    """Return the seconds of each bare primitive of an attested answer, both sides together."""
    return {
        name: statistics.median(timed(call) for _ in range(500))
        for name, call in primitive_calls().items()
    }


def primitive_calls() -> dict[str, Callable[[], object]]:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    leaf, ecdsa, signed = ec.generate_private_key(ec.SECP384R1()), ec.ECDSA(hashes.SHA384()), b"s"
    pair = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    signature = leaf.sign(signed, ecdsa)
    leaf_public, public = leaf.public_key(), pair.public_key()
    wrapped = public.encrypt(bytes(32), oaep)
    return {
        "sign": lambda: leaf.sign(signed, ecdsa),
        "verify": lambda: leaf_public.verify(signature, signed, ecdsa),
        "encrypt": lambda: public.encrypt(bytes(32), oaep),
        "decrypt": lambda: pair.decrypt(wrapped, oaep),
    }


def timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def envelope_cost() -> Figure:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    from nitro_workflow import cms

    class Nobody:
        def issue(self, **_: Any) -> bytes:
            return b""

    enclave = Enclave(Nobody())
    envelope = cms.seal_envelope(os.urandom(32), enclave.spki)
    encrypted = cms.parse_envelope(envelope).encrypted_key
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    bare, opening = [], []
    for _ in range(2000):  # in turns: a busy moment hits both
        began = time.perf_counter()
        enclave.key.decrypt(encrypted, oaep)
        between = time.perf_counter()
        cms.open_envelope(envelope, enclave.key)
        bare.append(between - began)
        opening.append(time.perf_counter() - between)
    low, high = statistics.median(bare), statistics.median(opening)
    detail = f"{high * 1e6:.0f} us, bare RSA-2048 {low * 1e6:.0f} us"
    return Figure("opening an envelope, to the bare decryption", high / low, 1.2, "of", detail)


def resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def publish_root(folder: Path) -> Any:
    """Make an attestation PKI and let the cloud trust it; return an issuer of documents."""
    from nitro_workflow.attestation import HypervisorPki

    now = dt.datetime.now(dt.UTC)
    pki = HypervisorPki.create(now)
    path = folder / "hypervisor" / "root.pem"
    path.parent.mkdir(parents=True)
    body = base64.encodebytes(pki.root_der).decode()
    path.write_text(f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n")
    return pki.instance(INSTANCE, now)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.5, help="for each measurement")
    parser.add_argument("--json", action="store_true", help="one object a line")
    options = parser.parse_args()

    def note(text: str) -> None:
        sys.stderr.write(f"\r\033[K{text}")

    figures = [envelope_cost()]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        issuer = publish_root(folder)
        with local_cloud(folder) as (local, pid, started), moto_cloud() as (moto, moto_pid):
            pids = {local: pid, moto: moto_pid}
            figures += compare(pids, issuer, options.seconds, note)
            figures.append(Figure("start of the local cloud", started, 1.0, "s", ""))
            memory = resident_mb(pid)
            figures.append(Figure("memory of the local cloud at its most", memory, 120, "MB", ""))
    note(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors\n")
    for figure in figures:
        if options.json:
            print(json.dumps({**asdict(figure), "holds": figure.holds}))
        else:
            mark = "ok  " if figure.holds else "MISS"
            limit = "" if figure.limit is None else f" (limit {figure.limit:g})"
            print(f"{mark} {figure.name}: {figure.value:.2f} {figure.unit}{limit} {figure.detail}")
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
