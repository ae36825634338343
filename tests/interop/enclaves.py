"""A user's machine with nitro-cli on it, and other people's programs as images of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.interop.peers import fetched, peer

__all__ = ["Machine", "Programs", "build_programs"]

SOURCES = Path(__file__).parent / "enclave_programs"
ROOT = Path(__file__).parents[2]
NITRO_CLI = "from nitro_workflow.cli.host_programs import nitro_cli_program as it; it()"
WORKFLOW = "from nitro_workflow.cli import main; main()"
NO_LISTENER = "a listener at the other end"
"""What `vsock connect` would have expected where a program does not listen yet."""


@dataclass(frozen=True)
class Programs:
    """Where what was built lies: two folders of static programs, a Debian root, our files."""

    go: Path
    rust: Path
    debian: Path
    files: Path = SOURCES / "files"


def build_programs() -> Programs:
    """Build each from its own source by its own tool chain.

    Raises `Unbuilt`: a registry or a tool chain could not give what it needs.
    """
    return Programs(_go(), _rust(), _debian())


def _go() -> Path:
    with peer(SOURCES / "go_programs") as (folder, stale):
        if stale:
            names = (
                "./kms",
                "github.com/mdlayher/vsock/cmd/vscp",
                "github.com/hf/nsm/example/attestation",
            )
            build = ("go", "build", "-trimpath", "-mod=readonly", "-o", "bin/", *names)
            fetched("env", "CGO_ENABLED=0", *build, cwd=folder)
    return folder / "bin"


def _rust() -> Path:
    with peer(SOURCES / "rust_programs") as (folder, stale):
        # Named, so that the flags count for what is built and not for what builds it.
        told = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout
        target = next(line.split()[1] for line in told.splitlines() if line.startswith("host:"))
        if stale:
            static = 'build.rustflags=["-C", "target-feature=+crt-static"]'
            build = ("cargo", "build", "--quiet", "--release", "--locked")
            fetched(*build, "--target", target, "--config", static, cwd=folder)
    return folder / "target" / target / "release"


def _debian() -> Path:
    with peer(SOURCES / "debian_root") as (folder, stale):
        if stale:
            fetched("sh", "build.sh", cwd=folder)
    return folder / "root"


class Machine:
    """A home of its own, nothing of the tutorial in it, and the commands as a user types them.

    ``blobs``: the boot parts of its images, where the host executes them.
    """

    def __init__(self, home: Path, host: str, blobs: Path | None = None) -> None:
        self.home = home
        self._blobs = ["--blobs", str(blobs)] if blobs else []
        cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        kept = {name: value for name, value in os.environ.items() if "NITRO" not in name}
        self.environment = {
            **kept, "HOME": str(home), "XDG_DATA_HOME": f"{home}/data", "PYTHONPATH": str(ROOT),
            "XDG_CONFIG_HOME": f"{home}/config", "XDG_RUNTIME_DIR": str(home),
            "XDG_CACHE_HOME": cache, "NITRO_WORKFLOW_HOST": host,
        }  # fmt: skip

    @property
    def lab(self) -> Path:
        """The folder of the quiet instance that nitro-cli makes for itself."""
        return self.home / "data" / "nitro-workflow" / "host"

    def start(self, program: str, *words: object) -> subprocess.Popen[bytes]:
        """Start a command with pipes at all three ends."""
        pipe = subprocess.PIPE
        argv = [sys.executable, "-c", program, *map(str, words)]
        return subprocess.Popen(argv, env=self.environment, stdin=pipe, stdout=pipe, stderr=pipe)

    def run(self, program: str, *words: object, given: bytes = b"") -> tuple[int, bytes, str]:
        """Run a command to its end: exit status, output, what it said beside."""
        with self.start(program, *words) as process:
            out, err = process.communicate(given, timeout=300)  # by emulation
        return process.returncode, out, err.decode()

    def done(self, program: str, *words: object, given: bytes = b"") -> bytes:
        """Run a command that must succeed; return its output."""
        code, out, err = self.run(program, *words, given=given)
        assert code == 0, err
        return out

    def image(self, output: Path, rootfs: Path, *argv: str, **environment: str) -> dict[str, str]:
        """Build an image; return its measurements."""
        options = [*self._blobs, *(f"--command={word}" for word in argv)]
        options += [f"--env={name}={value}" for name, value in environment.items()]
        words = ("image", "build", "--rootfs", rootfs, "-o", output, *options, "--json")
        return json.loads(self.done(WORKFLOW, *words))["Measurements"]

    def launch(self, image: Path, *, debug: bool = True) -> dict[str, Any]:
        """Run an enclave of an image; return nitro-cli's object."""
        words = ["run-enclave", "--eif-path", image, "--memory", 512, "--cpu-count", 2]
        return json.loads(self.done(NITRO_CLI, *words, *(["--debug-mode"] if debug else [])))

    def end(self, enclave: dict[str, Any]) -> None:
        """Terminate an enclave, if it has not ended by itself."""
        self.run(NITRO_CLI, "terminate-enclave", "--enclave-id", enclave["EnclaveID"])

    def ask(self, enclave: dict[str, Any], data: bytes, port: int = 5000) -> bytes:
        """Send ``data`` to the enclave's port, once it listens there; return what comes back."""
        words = ("vsock", "connect", enclave["EnclaveCID"], port)
        deadline = time.monotonic() + 120
        while True:
            code, out, err = self.run(WORKFLOW, *words, given=data)
            if code == 0:
                return out
            assert NO_LISTENER in err, err
            assert time.monotonic() < deadline, err
            time.sleep(0.2)

    def console(self, enclave: dict[str, Any], until: str) -> str:
        """Return the console once it holds ``until``, or after a while what it holds.

        A line comes in pieces: ``until`` is all of it that counts.
        """
        words = ("console", "--enclave-id", enclave["EnclaveID"], "--disconnect-timeout", 0)
        deadline = time.monotonic() + 60
        while True:
            text = self.run(NITRO_CLI, *words)[1].decode()
            if until in text or time.monotonic() > deadline:
                return text
            time.sleep(0.2)


def scratch(folder: Path, *programs: Path) -> Path:
    """Return a root filesystem that holds these programs in its root and nothing else."""
    folder.mkdir()
    for program in programs:
        shutil.copy2(program, folder / program.name)
    return folder
