"""The application alone: memory and speed with 256 MiB, start-up, size of the root filesystem.

    python benchmarks/enclave.py [--mib 256]

Runs the application in its own bare interpreter against a KMS in memory, as `lab.closure` does, and
prints its peak resident memory (limit 150 MB) and its speed as a ratio to the Encryption SDK that
decrypts the same message and does nothing else.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from enclave_image import ENVELOPE_MAX_BYTES, ENVELOPE_OVERHEAD
from enclave_image.owner import CustomerRecords, encrypt_envelope, encrypt_message
from enclave_image.packing import KEY_ARN, PracticeKms, build_rootfs, closure
from enclave_image.packing.wheels import Wheels
from nitro_workflow.vsock import recv_json, send_json, write_stream

MIB = 1024 * 1024
LIMIT_MB = 150


def memory(pid: int) -> dict[str, float]:
    """Return the process's memory in MB: resident now, and its peak."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = dict(re.findall(r"^(VmHWM|VmRSS):\s+(\d+) kB", text, re.MULTILINE))
    return {name: int(kib) * 1024 / 1e6 for name, kib in found.items()}


def cpu(pid: int) -> float:
    """Return the process's CPU seconds so far: a loaded machine does not change them much."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def application(folder: Path) -> Iterator[tuple[PracticeKms, subprocess.Popen[bytes]]]:
    """Run the application with a KMS in memory."""
    issued: dict[bytes, bytes] = {}
    kms = PracticeKms(closure.HOST, lambda document: issued[document])
    config = folder / "config.json"
    config.write_bytes(closure._config(kms).to_json())  # noqa: SLF001
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    answer = closure._answer_nsm  # noqa: SLF001
    short = closure._short(folder)  # noqa: SLF001
    with ours, theirs, short as (descriptor, sockets), closure.kms_gateway(kms, sockets):
        threading.Thread(target=answer, args=(ours, issued), daemon=True).start()
        wheels, inherited = Wheels.of_lock(folder / "wheels"), (theirs.fileno(), descriptor)
        script = closure.Script.of_customers()
        process = closure._start(folder, config, inherited, wheels, script)  # noqa: SLF001
        with socket.socket(socket.AF_UNIX) as looks:
            closure.connect(looks, folder, process)
        yield kms, process
        process.kill()
        process.communicate()


def job(folder: Path, data: BinaryIO, size: int, key: bytes | None) -> float:
    """Run one job and return its seconds."""
    from enclave_image import Credentials, JobRequest

    request = JobRequest(
        job="00000000-0000-4000-8000-000000000000",
        form="envelope" if key else "encryption-sdk",
        credentials=Credentials("AKIAIOSFODNN7EXAMPLE", "benchmark", "benchmark"),
        nonce=bytes(32),
        encrypted_key=key,
        size=size,
    )
    begin = time.perf_counter()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(folder / "5005"))
        send_json(sock, request.to_json())
        write_stream(sock, data)
        event: dict[str, Any] = {"event": "evidence"}
        while event["event"] == "evidence":
            event = recv_json(sock)
    if event["event"] != "result":
        raise SystemExit(f"the job ended in {event}")
    return time.perf_counter() - begin


def sdk_alone(kms: PracticeKms, path: Path) -> float:
    """Return the CPU seconds that the SDK takes to decrypt the message and drop the plaintext."""
    import aws_encryption_sdk
    from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
    from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
    from aws_cryptographic_material_providers.mpl.models import CreateAwsKmsKeyringInput

    class Plain:
        meta = kms.owner_client().meta

        def decrypt(self, **params: Any) -> dict[str, Any]:
            from enclave_image.job_protocol import b64

            key, _ = kms._keys[b64(params["CiphertextBlob"])]  # noqa: SLF001
            return {"Plaintext": key, "KeyId": params["KeyId"]}

    keyring = AwsCryptographicMaterialProviders(
        config=MaterialProvidersConfig()
    ).create_aws_kms_keyring(CreateAwsKmsKeyringInput(kms_key_id=KEY_ARN, kms_client=Plain()))
    begin = time.process_time()
    with (
        path.open("rb") as source,
        aws_encryption_sdk.EncryptionSDKClient().stream(
            mode="decrypt-unsigned", source=source, keyring=keyring
        ) as stream,
    ):
        while stream.read(64 * 1024):
            pass
    return time.process_time() - begin


def show(**values: Any) -> None:
    """Print one line of JSON."""
    print(json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in values.items()}))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mib", type=int, default=256)
    size = parser.parse_args().mib * MIB
    with tempfile.TemporaryDirectory(prefix="nw-") as name:
        folder = Path(name)
        begin = time.perf_counter()
        with application(folder) as (kms, process):
            show(what="process start to listening", seconds=time.perf_counter() - begin)
            measure(folder, kms, process, size)
    with tempfile.TemporaryDirectory() as name:
        config = closure._config(PracticeKms(closure.HOST, lambda d: d)).to_json()  # noqa: SLF001
        begin = time.perf_counter()
        report = build_rootfs(Path(name) / "rootfs", config=config)
        seconds = time.perf_counter() - begin
        show(what="root filesystem", seconds=seconds, mb=report.size / 1e6, python=report.python)


def measure(folder: Path, kms: PracticeKms, process: subprocess.Popen[bytes], size: int) -> None:
    """Run both forms with ``size`` bytes of records."""
    client = kms.owner_client()
    begin = time.perf_counter()
    small = io.BytesIO()
    encrypt_message(
        CustomerRecords(seed=1, size=4096),
        small,
        kms=client,
        key_arn=KEY_ARN,
        encryption_context=closure.CONTEXT,
    )
    small.seek(0)
    first = job(folder, small, len(small.getvalue()), None)
    show(what="first small job", seconds=first, **memory(process.pid))
    message, letter = folder / "message", folder / "letter"
    made = client.generate_data_key(
        KeyId=KEY_ARN, KeySpec="AES_256", EncryptionContext=closure.CONTEXT
    )
    with message.open("wb") as one, letter.open("wb") as other:
        encrypt_message(
            CustomerRecords(seed=1, size=size),
            one,
            kms=client,
            key_arn=KEY_ARN,
            encryption_context=closure.CONTEXT,
        )
        encrypt_envelope(
            CustomerRecords(seed=1, size=min(size, ENVELOPE_MAX_BYTES - ENVELOPE_OVERHEAD)),
            other,
            data_key=bytearray(made["Plaintext"]),
            encryption_context=closure.CONTEXT,
        )
    show(what="owner encrypted both forms", seconds=time.perf_counter() - begin)
    alone = sdk_alone(kms, message)
    show(what="SDK alone", cpu_seconds=alone, mb_cpu_s=size / alone / 1e6)
    for path, key in ((message, None), (letter, made["CiphertextBlob"])):
        before, length = cpu(process.pid), path.stat().st_size
        with path.open("rb") as data:
            seconds = job(folder, data, length, key)
        used, spent = memory(process.pid), cpu(process.pid) - before
        ratio = (spent / length) / (alone / size)
        show(
            what=path.name,
            mib=length // MIB,
            seconds=seconds,
            cpu_seconds=spent,
            mb_cpu_s=length / spent / 1e6,
            cpu_ratio_to_sdk_alone=ratio,
            **used,
            within_limit=used["VmHWM"] <= LIMIT_MB,
        )


if __name__ == "__main__":
    sys.exit(main())
