"""Everything that would make a launch fail, said before it: one cause each, with its E-code.

nitro-cli finds most of these one process later, and then shows what followed from them: an expired
certificate as E36, E39 and E11 (its issue 243). Nothing is started here, and nothing is hashed: the
hypervisor measures the very bytes that it runs.
"""

from __future__ import annotations

import itertools
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from nitro_workflow.errors import HostError, ImageError, ImageRefused, NitroWorkflowError
from nitro_workflow.host.rules import launch_rules
from nitro_workflow.host.rules.allocator import Pool, read_pool
from nitro_workflow.host.rules.ecodes import failure
from nitro_workflow.image import (
    ApplicationRamdisk,
    check_certificate_validity,
    open_image,
    ramdisk_entries,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from nitro_workflow.host.protocol import LaunchRequest
    from nitro_workflow.image import Image

__all__ = ["launch_problems", "least_launch"]

_T = TypeVar("_T")


def launch_problems(
    request: LaunchRequest, *, at: datetime | None = None, pool: Pool | None = None
) -> tuple[HostError, ...]:
    """Return what forbids this launch on this machine, the first cause first; () for nothing.

    ``at``: when it would be, now by default. ``pool``: what may be set apart, by default what
    `read_pool` says. What other enclaves have taken of it is the hypervisor's to know.
    """
    found: list[HostError] = []
    size = _collect(found, lambda: _size(Path(request.eif_path)))
    if size is not None:
        _collect(found, lambda: _check_image(Path(request.eif_path), at or datetime.now(UTC)))
    shared = pool or _collect(found, read_pool)
    if shared is not None:
        taken = shared
        if size is not None:
            _collect(
                found,
                lambda: launch_rules.check_memory(size, request.memory_mib, taken.memory_mib),
            )
        _collect(
            found,
            lambda: launch_rules.choose_cpus(taken.cpus, (), request.cpu_count, request.cpu_ids),
        )
    _collect(found, lambda: launch_rules.check_cid(request.enclave_cid))
    if request.enclave_name is not None:
        name = request.enclave_name
        _collect(found, lambda: launch_rules.check_name(name))
    return tuple(found)


def least_launch(path: Path) -> tuple[int, int]:
    """Return the least memory in MiB, and the least CPUs, that the image at ``path`` starts with.

    One that is not there needs what every enclave does: `launch_problems` says what is wrong.
    """
    size = path.stat().st_size if path.is_file() else 0
    return launch_rules.least_memory(size), launch_rules.threads_of_a_core()


def _collect(found: list[HostError], check: Callable[[], _T]) -> _T | None:
    try:
        return check()
    except NitroWorkflowError as error:
        found.append(_coded(error))
        return None


def _coded(error: NitroWorkflowError) -> HostError:
    """Return the error with the code and the words that nitro-cli has for it."""
    if isinstance(error, HostError):
        return error
    code, what = "E35", "EIF file parsing error"
    if isinstance(error, ImageRefused):
        code, what = "E59", "EIF signature checker error"
    return failure(code, f"{what}: {error.found}", expected=error.expected, next=error.next)


def _size(path: Path) -> int:
    """Return the size of a regular file that can be read; raises `HostError` E19 or E35."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise failure(
            "E19",
            f"File: '{path.name}', failing operation: 'Open'. {why}",
            expected="an EIF file",
            next="give the path of an image: `nitro-cli build-enclave` makes one",
        ) from error
    try:
        status = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise failure("E35", "EIF file parsing error: not a regular file", expected="an EIF file")
    return status.st_size


def _check_image(path: Path, at: datetime) -> None:
    with open_image(path) as image:
        _check_architecture(image)
        check_certificate_validity(image, at)
        _check_command(image)


def _check_command(image: Image) -> None:
    parts = (ramdisk_entries(image, index) for index in range(1, len(image.ramdisks)))
    application = ApplicationRamdisk.read(itertools.chain.from_iterable(parts))
    problem = application.command_problem(launch_rules.host_architecture())
    if not application.command:
        problem = "no /cmd in the image: nothing to run"
    if problem:
        raise failure(
            "E36",
            f"Enclave boot failure: {problem}",
            expected="a command that init can execute in the image's root filesystem",
            next="change the image and build it again",
        )


def _check_architecture(image: Image) -> None:
    ours = launch_rules.host_architecture()
    if image.header.architecture != ours:
        raise ImageError(
            f"an image for {image.header.architecture}",
            expected=ours,
            where="EIF header, flags",
            next="build it on, or for, this architecture",
        )
