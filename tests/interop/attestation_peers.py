"""Verifiers of attestation documents that other people publish, asked about a pack.

Each has a program of ours in a folder beside this file: it reads a pack's manifest, asks, and
prints one JSON object a line, ``{"peer", "file", "accepted", "error"}``.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.interop.peers import go_program, node_program, python_program, rust_program

__all__ = ["PROGRAMS", "Verdicts", "VerifierProgram", "ask"]

HERE = Path(__file__).parent
Verdicts = dict[str, dict[str, str]]
"""peer → file → "" where it accepted, else what it said."""


@dataclass(frozen=True)
class VerifierProgram:
    """One program: what it needs, what builds it, and the peers that it asks.

    ``now``: it takes no time, and is asked about a pack that is made for now.
    """

    name: str
    peers: tuple[str, ...]
    needs: tuple[str, ...]
    remedy: str
    make: Callable[[], list[str]]
    now: bool = False
    heavy: bool = False

    @property
    def present(self) -> bool:
        return all(shutil.which(name) for name in self.needs)


PROGRAMS = (
    VerifierProgram(
        "go", ("github.com/hf/nitrite",), ("go",),
        "the Go tool chain (1.24 or later) and the Go module proxy",
        lambda: [*go_program(HERE / "nitrite"), "pack"],
    ),
    VerifierProgram(
        "rust", ("nsm-nitro-enclave-utils",), ("cargo",), "Rust with cargo",
        partial(rust_program, HERE / "attestation_crate"),
    ),
    VerifierProgram(
        "npm", ("@0xsequence/tee-verifier",), ("node", "npm"), "Node.js 20 or later with npm",
        partial(node_program, HERE / "attestation_npm"),
    ),
    VerifierProgram(
        "pypi", ("epsilon-attestation-verifier",), (), "pip",
        partial(python_program, HERE / "attestation_pypi"), now=True
    ),
)  # fmt: skip


def ask(program: list[str], pack: Path) -> Verdicts:
    """Return what a built program's peers say of every document in the folder ``pack``."""
    done = subprocess.run([*program, str(pack)], capture_output=True, text=True, check=True)
    said: Verdicts = {}
    for line in done.stdout.splitlines():
        row = json.loads(line)
        error = "" if row["accepted"] else row["error"] or "refused"
        said.setdefault(row["peer"], {})[Path(row["file"]).name] = error
    return said
