"""AWS's SDKs, one program each beside this file, and how its tool chain builds it.

Every program has the same steps: ``who``, ``create POLICY SECRET``, ``decrypt CIPHERTEXT DOCUMENT``
(``-`` for no document) and ``store BUCKET``. A step prints one JSON object:
what it got, or ``{"code", "message"}`` where the service refused, or ``{"error"}`` where nothing
came back; it exits with 1 on the last two.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.interop.peers import (
    command,
    fetched,
    go_program,
    node_program,
    peer,
    python_program,
    rust_program,
)

__all__ = ["SDKS", "Sdk"]

HERE = Path(__file__).parent
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


@dataclass(frozen=True)
class Sdk:
    """One SDK: its name in `cloud env --for`, what builds it, and how it can be told apart."""

    name: str
    needs: tuple[str, ...]
    remedy: str
    make: Callable[[], list[str]]
    agent: str  # in the User-Agent header
    distrust: str  # what it says of a certificate under a CA that it does not know
    heavy: bool = False

    @property
    def present(self) -> bool:
        return all(shutil.which(name) for name in self.needs)


def _java() -> list[str]:
    with peer(HERE / "aws_sdk_java") as (folder, stale):
        if stale:
            shutil.rmtree(folder / "lib", ignore_errors=True)
            fetched("mvn", "-q", "-B", _COPY, "-DoutputDirectory=lib", cwd=folder)
            command("javac", "-d", "classes", "-cp", "lib/*", "Main.java", cwd=folder)
    path = f"{folder / 'classes'}:{folder / 'lib'}/*"
    return ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", path, "Main"]


SDKS = (
    Sdk(
        "go", ("go",), "the Go tool chain (1.24 or later) and the Go module proxy",
        partial(go_program, HERE / "aws_sdk_go"),
        "aws-sdk-go-v2", "certificate signed by unknown authority",
    ),
    Sdk(
        "js", ("node", "npm"), "Node.js 18 or later with npm",
        partial(node_program, HERE / "aws_sdk_js"),
        "aws-sdk-js/3", "unable to verify the first certificate",
    ),
    Sdk(
        "java", ("javac", "keytool", "mvn"), "a JDK (17 or later) and Maven", _java,
        "aws-sdk-java/2", "PKIX path",
    ),
    Sdk(
        "rust", ("cargo", "cmake"), "Rust (1.94 or later) with cargo, and cmake",
        partial(rust_program, HERE / "aws_sdk_rust"),
        "aws-sdk-rust", "invalid peer certificate", heavy=True,
    ),
    Sdk(
        "cli", (), "pip", partial(python_program, HERE / "aws_cli"),
        "aws-cli", "SSL validation failed",
    ),
)  # fmt: skip
