"""What the administrator tries with enclaves of their own: other images, debug mode, changed files.

They may run any image they like; what they cannot make is one that measures like the owner's.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import tempfile
import time
import zlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from nitro_workflow.errors import EnclaveError, HostError, NitroWorkflowError
from nitro_workflow.host import LaunchRequest
from nitro_workflow.lab.attacks.attack import (
    Attack,
    Stopped,
    explained,
    succeeded,
)
from nitro_workflow.lab.evidence import decision_lookup
from nitro_workflow.lab.steps import (
    forms_of,
    image_of,
    measured_config,
    pack,
    start_job,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nitro_workflow.lab.workbench import Workbench

__all__ = ["ENCLAVES", "extra_enclave"]

WHO: Final = "parent administrator"
CONSOLE_SECONDS: Final = 60.0  # by emulation Python alone takes ten

_SANDBOX: Final = "the sandbox: no network, and a filter of system calls"
_MACHINE: Final = "the machine: no network device but loopback, one way over vsock"

CRC_AT: Final = 544
"""Offset of the CRC in an image's header; it covers all the rest. [src: IF README.md]"""

# Runs in an enclave of the attacker's own making: every way out that a program may try.
_WAYS_OUT: Final = """
import errno, json, os, socket
tried = {}
def attempt(name, do):
    try:
        do()
        tried[name] = "open"
    except OSError as error:
        tried[name] = os.strerror(error.errno) if error.errno else str(error)
def dial(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(2)
        sock.connect(address)
attempt("AF_VSOCK to the machine below", lambda: dial(socket.AF_VSOCK, (2, 443)))
attempt("AF_VSOCK to another enclave", lambda: dial(socket.AF_VSOCK, (%(other)d, 5005)))
def frames():
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        names = [name for _, name in socket.if_nameindex() if name != "lo"]
        for name in names:
            sock.bind((name, 0))
            sock.send(bytes(64))
        if not names:  # a machine has the family, and nothing to send by
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
attempt("AF_PACKET", frames)
attempt("TCP to the Internet", lambda: dial(socket.AF_INET, ("192.0.2.1", 443)))
attempt("TCP to loopback", lambda: dial(socket.AF_INET, ("127.0.0.1", %(port)d)))
attempt("IPv6", lambda: dial(socket.AF_INET6, ("2001:db8::1", 443)))
attempt("the host's files", lambda: open(%(file)r).close())
print("TRIED " + json.dumps(tried), flush=True)
"""


@contextlib.contextmanager
def extra_enclave(
    bench: Workbench, image: Path, *, debug: bool = False
) -> Iterator[dict[str, Any]]:
    """Run one more enclave beside the lab's, and end it after the block."""
    host = bench.host
    instance = bench.produced("P8", "instance_id")
    memory = bench.enclave_mib
    running = host.run_enclave(
        LaunchRequest(str(image), memory, 2, debug_mode=debug, instance_id=instance)
    )
    try:
        yield running
    finally:
        with contextlib.suppress(HostError):  # it may have ended by itself
            host.terminate_enclave(running["EnclaveID"])


@contextlib.contextmanager
def _work_folder(bench: Workbench) -> Iterator[Path]:
    """Return a folder on the lab's disk, so that a root filesystem can be linked into it."""
    with tempfile.TemporaryDirectory(dir=bench.path / "developer", prefix=".attack-") as name:
        yield Path(name)


def denied_job(bench: Workbench, cid: int) -> Stopped:
    """Hand the data to the enclave at ``cid`` and return KMS's refusal, with its reason."""
    job = start_job(bench, forms_of(bench)[-1], cid=cid)
    state = job.ended()
    if state.get("status") == "done":
        raise succeeded("KMS Decrypt")
    document = job.evidence("D3")["document_sha256"]
    event = decision_lookup.find_event(
        bench, "Decrypt", lambda it: decision_lookup.document_digest(it) == document
    )
    return explained(Stopped.from_error("KMS, key policy", job.failure(state, "D4")), event)


def other_image(bench: Workbench) -> Stopped:
    """Build the application with a threshold of two customers, and give it the data."""
    with _work_folder(bench) as folder:
        rootfs = folder / "rootfs"
        shutil.copytree(bench.path / "developer" / "rootfs", rootfs, copy_function=os.link)
        config = rootfs / "etc" / "nitro-workflow" / "config.json"
        config.unlink()  # a link to the developer's file, which must stay as it is
        config.write_bytes(measured_config(bench, threshold=2))
        pack(bench, rootfs, folder / "other.eif")
        with extra_enclave(bench, folder / "other.eif") as running:
            return denied_job(bench, running["EnclaveCID"])


def debug_enclave(bench: Workbench) -> Stopped:
    """Run the owner's very image in debug mode: its console and memory would be readable."""
    with extra_enclave(bench, image_of(bench), debug=True) as running:
        return denied_job(bench, running["EnclaveCID"])


def image_changed(bench: Workbench) -> Stopped:
    """Change the threshold in the built image itself, and mend its checksum."""
    with _work_folder(bench) as folder:
        changed = folder / "changed.eif"
        shutil.copyfile(image_of(bench), changed)
        _change(changed, b'"threshold": 10', b'"threshold": 11')
        with extra_enclave(bench, changed) as running:
            return denied_job(bench, running["EnclaveCID"])


def _change(image: Path, old: bytes, new: bytes) -> None:
    data = bytearray(image.read_bytes())
    place = data.rindex(old)
    data[place : place + len(new)] = new
    crc = zlib.crc32(memoryview(data)[CRC_AT + 4 :], zlib.crc32(memoryview(data)[:CRC_AT]))
    data[CRC_AT : CRC_AT + 4] = crc.to_bytes(4, "big")
    image.write_bytes(data)


def image_truncated(bench: Workbench) -> Stopped:
    """Launch an image of which the last bytes are missing."""
    with _work_folder(bench) as folder:
        cut = folder / "truncated.eif"
        shutil.copyfile(image_of(bench), cut)
        os.truncate(cut, cut.stat().st_size - 4096)
        return _launch_refused(bench, cut, bench.enclave_mib)


def too_little_memory(bench: Workbench) -> Stopped:
    """Launch with less than four times the image's size."""
    return _launch_refused(bench, image_of(bench), 64)


def _launch_refused(bench: Workbench, image: Path, memory: int) -> Stopped:
    host, instance = bench.host, bench.produced("P8", "instance_id")
    try:
        running = host.run_enclave(LaunchRequest(str(image), memory, 2, instance_id=instance))
    except NitroWorkflowError as error:
        return Stopped.from_error("the hypervisor, at launch", error)
    host.terminate_enclave(running["EnclaveID"])
    raise succeeded("the hypervisor")


def network_from_enclave(bench: Workbench) -> Stopped:
    """Run a program in an enclave that tries every way out: AF_VSOCK, networks, files."""
    is_booted = bench.folder.settings().get("host") == "qemu"
    boundary = _MACHINE if is_booted else _SANDBOX
    port = urlsplit(bench.cloud.url).port or 443
    other = bench.produced("P8", "enclave_cid")
    script = _WAYS_OUT % {"port": port, "file": str(bench.path / "lab.json"), "other": other}
    with _work_folder(bench) as folder:
        image = folder / "ways-out.eif"
        packed = base64.b64encode(script.encode()).decode()  # a command is one line
        program = f"import base64; exec(base64.b64decode('{packed}'))"
        command = ("/usr/bin/python3", "-I", "-S", "-B", "-c", program)
        pack(bench, bench.path / "developer" / "rootfs", image, command=command)
        with extra_enclave(bench, image, debug=True) as running:
            tried = _console(bench, running["EnclaveID"])
    open_ways = [name for name, answer in tried.items() if answer == "open"]
    if open_ways:
        raise succeeded(f"{boundary.partition(':')[0]} ({', '.join(open_ways)})")
    return Stopped(
        "refused",
        boundary,
        "; ".join(f"{name}: {answer}" for name, answer in tried.items()),
        "an enclave reaches its parent over the vsock that the hypervisor gives it, nothing else",
    )


def _console(bench: Workbench, enclave: str) -> dict[str, str]:
    """Return what the program printed after ``TRIED`` on its debug console."""
    host = bench.host
    deadline = time.monotonic() + CONSOLE_SECONDS
    while time.monotonic() < deadline:
        for line in str(host.console(enclave)["text"]).splitlines():
            if line.startswith("TRIED "):
                return dict(json.loads(line.removeprefix("TRIED ")))
        time.sleep(0.05)
    raise EnclaveError(
        "the program in the enclave said nothing",
        expected="what it tried, on its debug console",
        where="console",
        next="run the attack again",
    )


_row: Final = partial(Attack, needs="P8", party=WHO)

ENCLAVES: Final = (
    _row(
        "decrypt-other-image",
        "Run a changed application with the data",
        "the same code, threshold 2 instead of 10",
        other_image,
    ),
    _row(
        "decrypt-debug-enclave",
        "Run the right image in debug mode",
        "run-enclave --debug-mode",
        debug_enclave,
    ),
    _row(
        "image-changed",
        "Change the image after it was measured",
        "one digit in the EIF, its CRC mended",
        image_changed,
    ),
    _row("image-truncated", "Launch a truncated image", "the last 4096 bytes cut", image_truncated),
    _row(
        "too-little-memory",
        "Launch with too little memory",
        "run-enclave --memory 64",
        too_little_memory,
    ),
    _row(
        "network-from-enclave",
        "Send data out of an enclave",
        "AF_VSOCK, networks, the host's files, from inside",
        network_from_enclave,
    ),
)
