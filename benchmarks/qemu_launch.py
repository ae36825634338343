"""An image booted by the QEMU host: launch to first document, beside the bare boot, and its vsock.

``python benchmarks/qemu_launch.py [--runs N] [--mebibytes N]``. The bare boot is the same QEMU with
the same image's kernel and ramdisks, nothing of ours around it, until its init has started. Limit:
the launch takes at most 1.2 times that. Needs `nitro-workflow host install-qemu` and a C compiler.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from nitro_workflow.attestation import HypervisorPki
from nitro_workflow.host.qemu import Acceleration, acceleration, find_qemu, installed_blobs
from nitro_workflow.host.qemu.boot_image import boot_files
from nitro_workflow.host.qemu.qemu_command import time_stamp_khz
from nitro_workflow.host.qemu.qemu_enclave import QemuEnclave
from nitro_workflow.host.qemu.qemu_program import QemuProgram
from nitro_workflow.host.sandbox import Plan
from nitro_workflow.host.sandbox.launch_measurement import launch_registers, measure_image
from nitro_workflow.host.sandbox.sealed_copy import sealed_copy
from nitro_workflow.image import BootParts, build_image

RATIO = 1.2
INSTANCE = "i-0123456789abcdef0"
DOCUMENT_PORT, SINK_PORT, SOURCE_PORT = 7000, 7001, 7002

# Asks for a document, then sends and receives as much as its first argument says, in MiB.
PROGRAM = r"""
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
static char request[] = "\xa1\x6b" "Attestation"
    "\xa3\x69user_data\xf6\x65nonce\xf6\x6apublic_key\xf6";
static char buffer[1 << 20];
static int dial(unsigned port) {
    struct sockaddr_vm parent = {.svm_family = AF_VSOCK, .svm_cid = 3, .svm_port = port};
    int line = socket(AF_VSOCK, SOCK_STREAM, 0);
    if (connect(line, (struct sockaddr *)&parent, sizeof parent)) exit(2);
    return line;
}
int main(int count, char **words) {
    struct { uint64_t request, size, response, room; } both = {
        (uintptr_t)request, sizeof request - 1, (uintptr_t)buffer, 0x3000};
    int module = open("/dev/nsm", O_RDWR);
    if (count < 2 || ioctl(module, 0xC0200A00, &both)) return 1;
    int line = dial(7000);
    write(line, buffer, both.room);
    close(line);
    line = dial(7001);
    for (long left = atol(words[1]) << 20; left > 0; ) left -= write(line, buffer, sizeof buffer);
    close(line);
    line = dial(7002);
    while (read(line, buffer, sizeof buffer) > 0);
    close(line);
    for (;;) pause();
}
"""


def build(folder: Path, mebibytes: int) -> Path:
    """Return an image whose program asks, sends and receives."""
    root = folder / "rootfs"
    root.mkdir()
    (folder / "program.c").write_text(PROGRAM)
    words = ["cc", "-static", "-O2", "-w", "-o", str(root / "program"), str(folder / "program.c")]
    subprocess.run(words, check=True)
    (root / "ballast").write_bytes(os.urandom(20 << 20))  # as a small application
    return build_image(
        rootfs=root, command=["/program", str(mebibytes)], environment={}, name="benchmark",
        version="1", output=folder / "image.eif", boot=BootParts.from_blobs(installed_blobs()),
        build_time=datetime(2026, 1, 1, tzinfo=UTC),
    ).path  # fmt: skip


def bare_boot(program: QemuProgram, accelerated: Acceleration, image: int, seconds: float) -> float:
    """Return the seconds until the image's init runs, with nothing of ours around QEMU."""
    files = boot_files(image)
    kvm = accelerated.accelerator == "kvm"
    appended = f"{files.command_line} reboot=t panic=-1 tsc=reliable no_timer_check"
    appended += "" if kvm else f" tsc_early_khz={time_stamp_khz()}"
    words = [
        *program.start(), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        "-accel", accelerated.accelerator, "-cpu", "host" if kvm else "max", "-smp", "2",
        "-m", "512M", "-machine", "microvm,acpi=on,rtc=on,pit=on,pic=on,isa-serial=on",
        "-serial", "stdio", "-kernel", f"/proc/self/fd/{files.kernel}",
        "-initrd", f"/proc/self/fd/{files.ramdisk}", "-append", appended,
    ]  # fmt: skip
    begun = time.monotonic()
    with subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        pass_fds=(files.kernel, files.ramdisk),
    ) as qemu:  # fmt: skip
        timer = threading.Timer(seconds, qemu.kill)
        timer.start()
        for line in qemu.stdout or ():
            if b"Run /init" in line:
                break
        else:
            raise SystemExit("the bare machine did not boot")
        taken = time.monotonic() - begun
        timer.cancel()
        qemu.kill()
    files.close()
    return taken


class Parent:
    """The parent's ends: what comes for the document, and what is carried."""

    def __init__(self, folder: Path, mebibytes: int) -> None:
        (folder / "3").mkdir()
        self.folder, self.mebibytes = folder, mebibytes
        self.documented = self.sent = self.received = 0.0
        self.done = threading.Event()
        self.listeners = {port: self._listen(port) for port in (7000, 7001, 7002)}
        threading.Thread(target=self._run, daemon=True).start()

    def _listen(self, port: int) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(self.folder / "3" / f"v.sock_{port}"))
        sock.listen()
        return sock

    def _run(self) -> None:
        with self.listeners[DOCUMENT_PORT].accept()[0] as sock:
            while sock.recv(65536):
                pass
        self.documented = time.monotonic()
        with self.listeners[SINK_PORT].accept()[0] as sock:
            begun = time.monotonic()
            while sock.recv(1 << 20):
                pass
            self.sent = self.mebibytes / (time.monotonic() - begun)
        with self.listeners[SOURCE_PORT].accept()[0] as sock:
            begun, block = time.monotonic(), bytes(1 << 20)
            for _ in range(self.mebibytes):
                sock.sendall(block)
            sock.shutdown(socket.SHUT_WR)
            sock.recv(1)
            self.received = self.mebibytes / (time.monotonic() - begun)
        self.done.set()


def launch(
    program: QemuProgram, accelerated: Acceleration, path: Path, mebibytes: int
) -> tuple[float, float, float]:
    """Return the seconds from the launch to the document, and MiB/s from and to the guest."""
    with tempfile.TemporaryDirectory(prefix="nw-", dir="/tmp") as temporary:
        parent = Parent(Path(temporary), mebibytes)
        issuer = HypervisorPki.create(datetime.now(UTC)).instance(INSTANCE, datetime.now(UTC))
        folder = os.open(temporary, os.O_RDONLY)
        begun = time.monotonic()
        image, _ = sealed_copy(path)
        plan = Plan("b", f"{INSTANCE}-enc0123456789abcdef", 16, (1, 2), 512, False, image, 1)
        enclave = QemuEnclave(plan, program, accelerated, lambda _: None)
        with ThreadPoolExecutor(1) as measuring:
            enclave.launch(
                measuring.submit(measure_image, image, datetime.now(UTC)),
                lambda it: launch_registers(it, instance_id=INSTANCE, role_arn=None, debug=False),
                issuer.issue, folder,
            )  # fmt: skip
        parent.done.wait(120)
        enclave.terminate()
        os.close(folder)
        return parent.documented - begun, parent.sent, parent.received


def main() -> int:
    """Print one JSON object; the exit status is 1 where the ratio is above the limit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--mebibytes", type=int, default=64)
    options = parser.parse_args()
    program = find_qemu()
    accelerated = acceleration(program, installed_blobs() / "bzImage")
    with tempfile.TemporaryDirectory() as temporary:
        path = build(Path(temporary), options.mebibytes)
        image, _ = sealed_copy(path)
        bare, launched = [], []
        for _ in range(options.runs):  # one beside the other: the machine's load counts for both
            bare.append(bare_boot(program, accelerated, image, 120))
            launched.append(launch(program, accelerated, path, options.mebibytes))
        size = path.stat().st_size
    ratio = statistics.median(it[0] for it in launched) / statistics.median(bare)
    print(json.dumps({
        "qemu": program.version, "accelerator": str(accelerated), "image_bytes": size,
        "bare_boot_s": [round(it, 2) for it in bare],
        "launch_to_document_s": [round(it[0], 2) for it in launched],
        "ratio": round(ratio, 2), "limit": RATIO,
        "vsock_from_guest_mib_s": round(statistics.median(it[1] for it in launched), 1),
        "vsock_to_guest_mib_s": round(statistics.median(it[2] for it in launched), 1),
    }, indent=1))  # fmt: skip
    return int(ratio > RATIO)


if __name__ == "__main__":
    raise SystemExit(main())
