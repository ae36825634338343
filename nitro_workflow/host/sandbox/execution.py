"""The program's own process: forked, given its descriptors and limits, executed, waited for.

Imported by the bootstrap before the old root goes: only the standard library.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import resource
import signal
from typing import TYPE_CHECKING, Any

from nitro_workflow.host.sandbox import linux

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["reap", "start"]

DEFAULT_PATH = "/sbin:/usr/sbin:/bin:/usr/bin"  # [src: sdk-bootstrap init/init.c]
SHELL = "/bin/sh"
NSM = 3  # the descriptor an enclave finds its module at

_NOT_THERE = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.ENODEV, errno.ETIMEDOUT))


def start(spec: dict[str, Any]) -> int:
    """Fork the program; return its pid once it runs. Raises OSError when it cannot be executed."""
    failed, report = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _execute(spec, report)
        finally:
            os._exit(127)
    os.close(report)
    number = os.read(failed, 16)
    os.close(failed)
    if number:
        text = f"{spec['command'][0]}: {os.strerror(int(number))}"
        raise OSError(int(number), text)
    return child


def reap(child: int) -> int:
    """Wait for the program and for whatever it left; return the program's exit status."""
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status) & 0xFF


def _execute(spec: dict[str, Any], report: int) -> None:
    """Be the program; what forbids it goes to ``report``, as the error's number."""
    try:
        report = _take_place(spec, report)
        _run_as_init_does(spec["command"], {"PATH": DEFAULT_PATH, **spec["environment"]})
    except (OSError, ValueError) as error:
        number = getattr(error, "errno", None) or errno.EINVAL
        os.write(report, f"{number}".encode())


def _take_place(spec: dict[str, Any], report: int) -> int:
    """Keep descriptors 0 to 2, for an enclave 3, and the report; return the report's new number."""
    os.setsid()
    linux.die_with_parent()
    os.chdir(spec["folder"])
    report = _move_up(report)
    nsm = _move_up(spec["nsm"]) if spec["nsm"] is not None else None
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(1, 2)  # until here, standard error was the bootstrap's own
    first = 3
    if nsm is not None:
        os.dup2(nsm, NSM, inheritable=True)
        first = NSM + 1
    os.dup2(report, first, inheritable=False)
    linux.close_from(first + 1)
    _limit(spec["limits"])
    for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    return first


def _limit(limits: dict[str, int]) -> None:
    """Set what the kernel holds for each process, the number of them for all."""
    wanted = {
        resource.RLIMIT_DATA: limits["heap"],
        resource.RLIMIT_FSIZE: limits["file_size"],
        resource.RLIMIT_NOFILE: limits["descriptors"],
    }
    if limits["processes"] and _counts_by_namespace():
        wanted[resource.RLIMIT_NPROC] = limits["processes"]
    for kind, value in wanted.items():
        _, hard = resource.getrlimit(kind)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)  # noqa: PLW2901
        resource.setrlimit(kind, (value, value))


def _counts_by_namespace() -> bool:
    """Tell whether RLIMIT_NPROC counts the processes of this user namespace alone.

    Before Linux 5.14 it counts all that this user has on the machine: the hypervisor watches then.
    """
    numbers = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= (5, 14)


def _run_as_init_does(command: list[str], environment: Mapping[str, str]) -> None:
    """Execute as glibc's ``execvpe``: a file without ``#!`` is a script of the shell's.

    Raises OSError. [src: sdk-bootstrap init/init.c calls it; glibc posix/execvpe.c]
    """
    denied: OSError | None = None
    for file in _candidates(command[0], environment):
        try:
            os.execve(file, command, environment)  # noqa: S606 - it is the point
        except OSError as error:
            if error.errno == errno.ENOEXEC:
                os.execve(SHELL, [SHELL, file, *command[1:]], environment)  # noqa: S606
            if error.errno == errno.EACCES:
                denied = error
            elif error.errno not in _NOT_THERE:
                raise
    raise denied or FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def _candidates(name: str, environment: Mapping[str, str]) -> Iterator[str]:
    if "/" in name:
        yield name
        return
    for folder in environment["PATH"].split(":"):
        yield f"{folder or '.'}/{name}"


def _move_up(descriptor: int) -> int:
    """Return a copy above those that are about to be set."""
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 64)
