"""S3's other clients: how each is had, and what a step with it is.

A step is one operation group of the table in docs/clients.md; every client is asked the same ones,
in this order, on one bucket: ``small`` (an odd key, there and back), ``large`` (12 MiB, in parts),
``listing``, ``copy`` (and move), ``tags``, ``conditional`` (only where nothing is), ``presigned``,
``public`` (an ACL, which no bucket allows), ``delete``.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.interop.peers import python_program, trixie_folder

__all__ = ["CLIENTS", "STEPS", "Client"]

HERE = Path(__file__).parent
STEPS = {
    "small": "put, get", "large": "in parts", "listing": "list", "copy": "copy, move",
    "tags": "tags", "conditional": "if none match", "presigned": "presigned",
    "public": "public ACL", "delete": "delete",
}  # fmt: skip
SMALL, LARGE = b"small \xff", bytes(range(256)) * (12 * 4096)
ODD = "dir/a b+ü.bin"
# How clients show S3's own error codes: botocore, minio, AWS's SDK for Go.
CODES = (
    re.compile(r"An error occurred \((\w+)\)"),
    re.compile(r"S3 operation failed; code: (\w+)"),
    re.compile(r"\b([A-Z][A-Za-z]+): [^\n]*\n\s*status code: \d+"),
)

Environment = Mapping[str, str]
Run = Callable[[str, str, Environment, Path], str]


@dataclass(frozen=True)
class Client:
    """One client: the recipe of `cloud env` that serves it, what builds it, what a step does.

    `run` returns ``works``, ``refused: CODE`` or ``-`` (it has no such operation); whatever else
    happens is an AssertionError.
    """

    name: str
    recipe: str
    remedy: str
    make: Callable[[], list[str]]
    run: Callable[[list[str], str, str, Environment, Path], str]


def _debian(name: str) -> Callable[[], list[str]]:
    def make() -> list[str]:
        return [str(trixie_folder(HERE / "debian_clients") / "bin" / name)]

    return make


def _library(name: str) -> Callable[[list[str], str, str, Environment, Path], str]:
    def run(words: list[str], step: str, bucket: str, environment: Environment, _: Path) -> str:
        done = subprocess.run(
            [*words, name, step, bucket], capture_output=True, text=True, env=dict(environment),
            timeout=120, check=False,
        )  # fmt: skip
        if done.returncode:
            return f"refused: {_code(done.stderr)}"
        return done.stdout.split()[-1]

    return run


def _code(said: str) -> str:
    """Return S3's own code from what a program said; without one, it failed."""
    code = next((found[1] for pattern in CODES if (found := pattern.search(said))), "")
    assert code, said[-3000:]
    return code


class _Refused(Exception):
    """S3's own code, as the program showed it."""


@dataclass(frozen=True)
class _Shell:
    """A command-line client in a folder with the files ``small`` and ``large``."""

    words: list[str]
    environment: Environment
    folder: Path

    def __call__(self, *words: str) -> str:
        done = subprocess.run(
            [*self.words, *words], capture_output=True, text=True, env=dict(self.environment),
            cwd=self.folder, timeout=120, check=False,
        )  # fmt: skip
        if done.returncode:
            raise _Refused(_code(done.stdout + done.stderr))
        return done.stdout

    def same(self, name: str, wanted: bytes) -> None:
        path = self.folder / name
        assert path.read_bytes() == wanted, f"{name}: other bytes came back"
        path.unlink()


def _aws(shell: _Shell, step: str, at: str) -> None:
    odd, large = f"s3://{at}/{ODD}", f"s3://{at}/large"
    match step:
        case "small" | "large":
            where = odd if step == "small" else large
            shell("s3", "cp", step, where)
            shell("s3", "cp", where, "back")
            shell.same("back", SMALL if step == "small" else LARGE)
        case "listing":
            listed = shell("s3", "ls", "--recursive", f"s3://{at}")
            assert [line.split(maxsplit=3)[3] for line in listed.splitlines()] == [ODD, "large"]
        case "copy":
            shell("s3", "cp", large, f"s3://{at}/copied")
            shell("s3", "mv", f"s3://{at}/copied", f"s3://{at}/moved")
            shell("s3", "sync", f"s3://{at}", f"s3://{at}/synced", "--exclude", "synced/*")
            shell("s3", "cp", f"s3://{at}/synced/moved", "back")
            shell.same("back", LARGE)
            shell("s3", "rm", "--recursive", f"s3://{at}/synced")
        case "tags":
            where = ("--bucket", at, "--key", "large")
            shell("s3api", "put-object-tagging", *where, "--tagging", "TagSet=[{Key=k,Value=v}]")
            assert '"v"' in shell("s3api", "get-object-tagging", *where, "--output", "json")
        case "conditional":
            where = ("--bucket", at, "--key", "once", "--body", "small", "--if-none-match", "*")
            shell("s3api", "put-object", *where)
            assert _refusal(shell, "s3api", "put-object", *where) == "PreconditionFailed"
        case "presigned":
            url = shell("s3", "presign", large).strip()
            assert "X-Amz-Signature=" in url
            ca = shell.environment["AWS_CA_BUNDLE"]
            assert _fetched(url, ca) == LARGE
        case "public":
            shell("s3", "cp", "small", f"s3://{at}/open", "--acl", "public-read")
        case "delete":
            shell("s3", "rm", "--recursive", f"s3://{at}")
            assert shell("s3", "ls", f"s3://{at}") == ""


def _refusal(shell: _Shell, *words: str) -> str:
    try:
        shell(*words)
    except _Refused as refused:
        return str(refused)
    return "nothing refused"


def _fetched(url: str, ca: str) -> bytes:
    import urllib.request
    from ssl import create_default_context

    with urllib.request.urlopen(url, context=create_default_context(cafile=ca)) as answer:
        return answer.read()


class _Absent(Exception):
    """The client has no such operation."""


def _rclone(shell: _Shell, step: str, at: str) -> None:
    match step:
        case "small" | "large":
            name = ODD if step == "small" else "large"
            parts = ("--s3-upload-cutoff", "5M", "--s3-chunk-size", "5M")
            shell("copyto", *parts, step, f"nitro:{at}/{name}")
            shell("copyto", f"nitro:{at}/{name}", "back")
            shell.same("back", SMALL if step == "small" else LARGE)
        case "listing":
            listed = shell("lsf", "-R", "--files-only", f"nitro:{at}")
            assert sorted(listed.splitlines()) == sorted([ODD, "large"])
        case "copy":
            shell("copyto", "--s3-copy-cutoff", "6M", f"nitro:{at}/large", f"nitro:{at}/copied")
            shell("moveto", f"nitro:{at}/copied", f"nitro:{at}/moved")
            shell("check", "large", f"nitro:{at}", "--download", "--one-way")
            shell("copyto", f"nitro:{at}/moved", "back")
            shell.same("back", LARGE)
        case "presigned":
            url = shell("link", f"nitro:{at}/large").strip()
            assert _fetched(url, shell.environment["SSL_CERT_FILE"]) == LARGE
        case "public":
            shell("copyto", "--s3-acl", "public-read", "--retries", "1", "--low-level-retries", "1",
                  "small", f"nitro:{at}/open")  # fmt: skip
        case "delete":
            shell("delete", f"nitro:{at}")
            shell("cleanup", f"nitro:{at}")
            assert shell("lsf", "-R", "--files-only", f"nitro:{at}") == ""
        case _:
            raise _Absent


def _shell(program: Callable[[_Shell, str, str], None]) -> Callable[..., str]:
    def run(
        words: list[str], step: str, bucket: str, environment: Environment, folder: Path
    ) -> str:
        (folder / "small").write_bytes(SMALL)
        (folder / "large").write_bytes(LARGE)
        try:
            program(_Shell(words, environment, folder), step, bucket)
        except _Absent:
            return "-"
        except _Refused as refused:
            return f"refused: {refused}"
        return "works"

    return run


_APT = "Debian for amd64 or arm64 with apt, and its mirror's trixie"
_PYTHON = partial(python_program, HERE / "s3_python")

CLIENTS = (
    Client("AWS CLI 2.23 (Debian)", "cli", _APT, _debian("aws"), _shell(_aws)),
    Client("cloudpathlib", "other", "pip", _PYTHON, _library("cloudpathlib")),
    Client("minio (Python)", "other", "pip", _PYTHON, _library("minio")),
    Client("pyarrow (C++ SDK)", "cpp", "pip", _PYTHON, _library("pyarrow")),
    Client("rclone 1.60 (Debian)", "rclone", _APT, _debian("rclone"), _shell(_rclone)),
    Client("s3fs", "other", "pip", _PYTHON, _library("s3fs")),
    Client("smart_open", "other", "pip", _PYTHON, _library("smart_open")),
)
