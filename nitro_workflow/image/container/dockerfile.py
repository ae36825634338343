"""Dockerfiles built, and images saved, by what is there: docker, podman or buildah."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from nitro_workflow.errors import ImageError, ServiceError
from nitro_workflow.image.container.scratch_dockerfile import NEEDS_TOOL
from nitro_workflow.image.container.scratch_image import write_scratch_image
from nitro_workflow.image.format import host_architecture

TOOLS: Final = ("docker", "podman", "buildah")
_DAEMON_SECONDS: Final = 20  # for docker's daemon to answer
_PLATFORMS: Final = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}


@contextlib.contextmanager
def built_dockerfile(
    folder: Path,
    architecture: str | None = None,
    tool: str | None = None,
    say: Callable[[str], None] | None = None,
) -> Iterator[Path]:
    """Build ``folder``'s Dockerfile and yield a docker save archive, removed afterwards.

    The first of docker, podman and buildah that is on PATH and works (docker's client has no use
    without its daemon) is used, or ``tool``; ``say`` is given what it prints, line by line. Where
    there is none, a Dockerfile ``FROM scratch`` in which nothing runs is built all the same.
    SOURCE_DATE_EPOCH reaches it with the environment. Raises `ImageError` for a folder without a
    Dockerfile, `ServiceError` where no tool is there or it fails.
    """
    if not any((folder / name).is_file() for name in ("Dockerfile", "Containerfile")):
        raise ImageError(
            "no Dockerfile",
            expected="a folder with a Dockerfile",
            where=str(folder),
            next="Give the folder of the Dockerfile, or a root filesystem with --rootfs.",
        )
    name = tool or next(filter(_works, TOOLS), None)
    if tool is not None and shutil.which(tool) is None:
        raise _no_tool(str(folder), name)
    with tempfile.TemporaryDirectory() as scratch:
        identity, archive = Path(scratch) / "id", Path(scratch) / "image.tar"
        if name is None:
            _without_tool(folder, architecture or host_architecture(), archive)
            yield archive
            return
        platform = ["--platform", _PLATFORMS[architecture]] if architecture else []
        _run([name, "build", "--iidfile", str(identity), *platform, str(folder)], say)
        image = identity.read_text().strip()
        _run(_save(name, image, archive), say)
        yield archive


def _without_tool(folder: Path, architecture: str, archive: Path) -> None:
    """Build what needs no tool; say of the rest which line does, and which tools there are."""
    try:
        write_scratch_image(folder, architecture, archive)
    except ImageError as error:
        if error.code != NEEDS_TOOL:
            raise
        raise _no_tool(
            f"{folder}, {error.where}", None, f"{error.found}: that needs a tool; "
        ) from error


@contextlib.contextmanager
def saved_image(image: str) -> Iterator[Path]:
    """Save an image that docker, podman or buildah holds; yield the archive, removed afterwards.

    Raises `ServiceError` where none of them works or has it.
    """
    name = next(filter(_works, TOOLS), None)
    if name is None:
        raise _no_tool(f"image {image!r:.80}", None)
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch) / "image.tar"
        _run(_save(name, image, archive), None)
        yield archive


def _works(tool: str) -> bool:
    if shutil.which(tool) is None:
        return False
    if tool != "docker":
        return True
    try:
        asked = subprocess.run(
            [tool, "version"], capture_output=True, timeout=_DAEMON_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


def _no_tool(where: str, name: str | None, why: str = "") -> ServiceError:
    silent = " (docker is there, its daemon does not answer)" if shutil.which("docker") else ""
    return ServiceError(
        f"{why}no {name or ', '.join(TOOLS)} that works on this machine{'' if name else silent}",
        expected="a tool that builds and holds images",
        where=where,
        next="Start docker's daemon or install buildah; or build the image elsewhere and bring it "
        "by `skopeo copy docker://NAME oci:FOLDER`, then --image FOLDER.",
    )


def _save(tool: str, image: str, archive: Path) -> list[str]:
    if tool == "buildah":
        return [tool, "push", "--", image, f"docker-archive:{archive}"]
    form = ["--format", "docker-archive"] if tool == "podman" else []
    return [tool, "save", *form, "-o", str(archive), "--", image]


def _run(command: list[str], say: Callable[[str], None] | None) -> None:
    """Run a tool, handing on what it says; the last of it goes into the error."""
    tail: deque[str] = deque(maxlen=3)
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as tool:
            for raw in tool.stdout or ():
                line = raw.decode("utf-8", "replace").strip()
                tail.append(line)
                if say is not None:
                    say(line)
    except OSError as error:
        raise _failed(command, str(error)) from error
    if tool.returncode:
        raise _failed(command, " / ".join(filter(None, tail)) or f"exit code {tool.returncode}")


def _failed(command: list[str], reason: str) -> ServiceError:
    return ServiceError(
        reason,
        expected="a command that succeeds",
        where=" ".join(command[:2]),
        next="Run the command by hand; for docker, check that its daemon is running.",
    )
