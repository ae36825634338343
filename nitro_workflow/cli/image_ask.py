"""What the command line of `nitro-workflow image` asks for: progress, keys, boot parts, sources."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import click

from nitro_workflow.errors import ImageError, UsageError
from nitro_workflow.image import (
    COMMAND_LINES,
    KMS_ARN,
    BootParts,
    KmsSigningKey,
    SigningKey,
    Tree,
    build_time,
    built_dockerfile,
    choose_command,
    host_architecture,
    open_container_image,
    signing_key_from_pem,
    tree_from_folder,
)

__all__ = [
    "Progress",
    "RootfsSource",
    "ask_boot",
    "ask_key",
    "ask_moment",
    "ask_rootfs",
    "ask_time",
    "read_file",
]

LINUXKIT = (
    "PCRs: nitro-cli makes its ramdisks with linuxkit, so from the same container image its PCR0 "
    "and PCR2 are others; equal ramdisks give equal PCRs. Use the PCRs printed here for this file"
)
STAND_IN = (
    "boot parts: a stand-in; this image measures and runs in the lab, and does NOT boot on AWS"
)


class Progress:
    """A bar on stderr for work on many bytes; silent where stderr is not a terminal."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._bar: Any = None
        self._done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.__exit__(kind, error, trace)

    def __call__(self, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` bytes are done."""
        if self._bar is None:
            if not sys.stderr.isatty():
                return
            self._bar = click.progressbar(length=total, label=self._label, file=sys.stderr)
            self._bar.__enter__()
        self._bar.update(done - self._done)
        self._done = done


def read_file(path: Path, what: str, limit: int = 1 << 20) -> bytes:
    """Return a small file's bytes. Raises `ImageError`."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise ImageError(
            error.strerror or str(error),
            expected=what,
            where=str(path),
            next="Check the path and its permissions.",
        ) from error
    if len(data) > limit:
        raise ImageError(f"more than {limit} bytes", expected=what, where=str(path))
    return data


def ask_time(text: str | None) -> datetime:
    """Return the time given (ISO 8601), or SOURCE_DATE_EPOCH, or now. Raises `UsageError`."""
    if text is None:
        return build_time(os.environ, datetime.now(UTC))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            repr(text), expected="a time such as 2026-01-02T03:04:05Z", where="time"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class _Kms:
    """A boto3 KMS client whose errors are the package's."""

    def __init__(self, region: str, endpoint: str | None) -> None:
        import boto3

        self._client = boto3.client("kms", region_name=region, endpoint_url=endpoint)

    def sign(self, **parameters: Any) -> Mapping[str, Any]:
        from nitro_workflow.cloud import cloud_errors

        with cloud_errors(f"kms:Sign with {parameters['KeyId']}"):
            answer: Mapping[str, Any] = self._client.sign(**parameters)
        return answer


def ask_key(certificate: Path | None, key: str | None, endpoint: str | None) -> SigningKey | None:
    """Return the signing key asked for, None for none. Raises `UsageError`, `ImageError`."""
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise UsageError(
            "one of --signing-certificate and --private-key",
            expected="both or neither",
            next="The key is a PEM file or a KMS key ARN.",
        )
    pem = read_file(certificate, "a certificate in PEM")
    arn = KMS_ARN.fullmatch(key)
    if arn is None:
        return signing_key_from_pem(pem, read_file(Path(key), "a private key in PEM"))
    return KmsSigningKey(pem, key, _Kms(arn["region"], endpoint))


def ask_boot(
    architecture: str | None,
    blobs: Path | None,
    parts: Mapping[str, Path | None],
    command_line: str | None,
) -> BootParts:
    """Return the boot parts asked for: from a folder, each by path, or the stand-in."""
    if blobs is not None:
        return BootParts.from_blobs(blobs, architecture)
    given = {name: path for name, path in parts.items() if path is not None}
    if not given:
        return BootParts.stand_in(architecture)
    missing = [name for name in ("kernel", "init", "nsm") if name not in given]
    if missing:
        raise UsageError(
            f"boot parts without --{', --'.join(missing)}",
            expected="--kernel, --init and --nsm, or --blobs, or none for a stand-in",
        )
    name = architecture or host_architecture()
    line = COMMAND_LINES[name] if command_line is None else command_line.strip().encode()
    return BootParts.from_files(
        architecture=name,
        kernel=given["kernel"],
        init=given["init"],
        nsm_module=given["nsm"],
        command_line=line,
        kernel_config=given.get("kernel_config"),
    )


def _say(text: str) -> None:
    click.echo(text, err=True)


@dataclass(frozen=True, slots=True)
class RootfsSource:
    """A root filesystem with what its source says about it."""

    tree: Tree
    command: Sequence[str]
    environment: Sequence[str]
    notes: tuple[str, ...]
    name: str
    version: str
    architecture: str | None = None
    docker_info: Any = None


@contextlib.contextmanager
def ask_rootfs(
    rootfs: Path | None,
    image: Path | None,
    dockerfile: Path | None,
    *,
    architecture: str | None,
    command: Sequence[str],
    environment: Sequence[str],
    join_entrypoint: bool,
    tag: str | None = None,
    digest: str | None = None,
) -> Iterator[RootfsSource]:
    """Open the root filesystem asked for: exactly one of the three. Raises `UsageError`."""
    if image is None and (tag or digest):
        raise UsageError("--tag or --digest without --image", expected="an image to choose in")
    if sum(source is not None for source in (rootfs, image, dockerfile)) != 1:
        raise UsageError(
            "no root filesystem, or several",
            expected="one of --rootfs, --image, --dockerfile; or --kernel with --ramdisk",
        )
    with contextlib.ExitStack() as stack:
        if rootfs is not None:
            tree = tree_from_folder(rootfs)
            name = _unicode(rootfs.resolve().name)
            yield RootfsSource(tree, command, environment, (), name, "1.0")
            return
        if dockerfile is not None:
            image = stack.enter_context(built_dockerfile(dockerfile, architecture, say=_say))
        opened = stack.enter_context(
            open_container_image(image or Path(), architecture, tag=tag, digest=digest)
        )
        choice = choose_command(opened.config, join_entrypoint=join_entrypoint, given=command)
        from_path = _unicode((dockerfile or image or Path()).resolve().stem)
        tag = opened.tags[0] if opened.tags else from_path
        yield RootfsSource(
            opened.tree,
            choice.command,
            (*choice.environment, *environment),
            (*choice.notes, LINUXKIT),
            tag.partition(":")[0],
            opened.image_id.partition(":")[2],
            opened.architecture,
            opened.docker_info,
        )


def _unicode(name: str) -> str:
    """Return a file's name as text that JSON has: bytes that are no UTF-8 are written out."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def ask_moment(at: str | None) -> datetime:
    """Return the time given, or now. Raises `UsageError`."""
    return datetime.now(UTC) if at is None else ask_time(at)
