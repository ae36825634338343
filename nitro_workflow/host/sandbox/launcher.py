"""Start a program in a sandbox: an enclave from its image, or an instance from this system.

`bootstrap` does the work in the child. Needs nothing installed, and no privilege where user
namespaces are allowed; started by root, the sandbox is another, unprivileged user.
"""

from __future__ import annotations

import array
import contextlib
import errno
import functools
import json
import os
import select
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import HostError, SandboxUnavailable
from nitro_workflow.host.rules.limits import instance_limits
from nitro_workflow.host.sandbox.control_group import ControlGroup, place_of_this_process
from nitro_workflow.host.sandbox.sandbox_errors import boot_error
from nitro_workflow.started_threads import start_threads

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nitro_workflow.host.rules.limits import Limits

__all__ = [
    "Bind",
    "BootEvent",
    "Sandbox",
    "SandboxSpec",
    "Supervision",
    "limits_in_force",
    "require_sandbox",
    "sandbox_user",
    "start",
]

BOOTSTRAP: Final = Path(__file__).with_name("bootstrap.py")

USER_BASE: Final = 1_878_990_000
"""First of the user ids that sandboxes get when root starts them. [src: systemd's range for
containers ends at 1879048191: no person and no service has such an id]"""

USERS: Final = 50_000

KILL_SECONDS: Final = 5.0  # for the outer process to take the others along; milliseconds in fact

ERROR_LIMIT: Final = 16 * 1024  # bytes of the bootstrap's own standard error

EVENT_LIMIT: Final = 64 * 1024  # bytes of one boot event

TRIAL_SECONDS: Final = 30.0
"""For a sandbox that is started to see whether one can be. Tenths in fact, on a loaded machine some
seconds: and what is found is kept."""

# PR_SET_PDEATHSIG fires when the *thread* that forked ends: this one lives as long as the process.
_spawner: Final = ThreadPoolExecutor(1, thread_name_prefix="sandbox-spawner")


@dataclass(frozen=True, slots=True)
class Bind:
    """A file or folder of this machine that an instance sees at ``target``."""

    source: str
    target: str
    writable: bool = False


@dataclass(frozen=True, slots=True)
class Supervision:
    """What a sandbox's supervisor is given: its machine's CID, and its lines, as descriptors.

    ``control`` leads to whoever starts the sandbox, ``nsm`` to an enclave's module; ``folder`` is a
    parent's vsock folder.
    """

    cid: int
    control: int
    nsm: int | None = None
    folder: str = ""


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """What to run. ``image`` is a descriptor of an EIF; without it, ``command`` runs on ``binds``.

    ``listeners``: addresses and ports of the sandbox's own loopback. ``nsm`` is the module's socket
    for a program without supervision, which finds it as its descriptor 3.
    ``limits`` are held by the kernel where a control group can be made, else by rlimits, the size
    of the one tmpfs and a `Watch`: not the hard partition of real hardware.
    """

    limits: Limits
    image: int | None = None
    nsm: int | None = None
    command: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    binds: Sequence[Bind] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    folder: str = "/"
    hostname: str = "enclave"
    user: int | None = None
    listeners: Sequence[tuple[str, int]] = ()
    unsafe_folder: str | None = None  # run without a sandbox, in this folder
    supervision: Supervision | None = None


@dataclass(frozen=True, slots=True)
class BootEvent:
    """``network`` (listeners), ``unpacked``, ``started`` (the root; the supervisor's pid).

    Without supervision, ``unpacked`` brings the gateway and the vsock folder.
    """

    event: str
    fields: Mapping[str, Any]
    descriptors: tuple[int, ...] = ()


class Sandbox:
    """One running sandbox: its outer process, the line to its bootstrap, its control group."""

    def __init__(
        self, process: subprocess.Popen[bytes], boot: socket.socket, group: ControlGroup | None
    ) -> None:
        self.process = process
        self.group = group
        self._boot = boot

    @property
    def pid(self) -> int:
        """The outer process, as this machine sees it."""
        return self.process.pid

    def next_event(self, timeout: float) -> BootEvent:
        """Return the bootstrap's next event; raises `SandboxUnavailable` or `HostError` for one.

        ``timeout`` in seconds; raises TimeoutError after it. Raises OSError EMFILE where this
        process has no descriptor left for what the event brings: it would seem to bring less.
        """
        ready, _, _ = select.select([self._boot], [], [], max(timeout, 0))
        if not ready:
            raise TimeoutError
        data, ancillary, flags, _ = self._boot.recvmsg(
            EVENT_LIMIT, socket.CMSG_SPACE(8 * 4), socket.MSG_CMSG_CLOEXEC
        )
        descriptors = tuple(_descriptors(ancillary))
        if flags & socket.MSG_CTRUNC:
            for descriptor in descriptors:
                os.close(descriptor)
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), "what a sandbox hands out")
        if not data:
            raise self._ended_early()
        fields = json.loads(data)
        if fields["event"] == "error":
            raise boot_error(fields)
        return BootEvent(fields["event"], fields, descriptors)

    def kill(self) -> None:
        """End every process of the sandbox; returns when they are gone."""
        self.process.terminate()
        try:
            self.process.wait(KILL_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.close()
        self.release()

    def release(self) -> None:
        """Let the control group go, once every process has ended; may be called again."""
        if self.group is not None:
            self.group.close()

    def close(self) -> None:
        """Close the line to the bootstrap."""
        self._boot.close()
        if self.process.stderr is not None:
            self.process.stderr.close()

    def _ended_early(self) -> HostError:
        """Say how the bootstrap ended, with the last line that it wrote."""
        said = b""
        with contextlib.suppress(subprocess.TimeoutExpired, OSError, ValueError):
            self.process.wait(KILL_SECONDS)
            if self.process.stderr is not None:
                os.set_blocking(self.process.stderr.fileno(), False)
                said = self.process.stderr.read(ERROR_LIMIT) or b""
        last = said.decode("utf-8", "replace").strip().rpartition("\n")[2]
        return HostError(
            f"the sandbox ended while it started (status {self.process.returncode}"
            f"{': ' if last else ''}{last[:300]})",
            expected="a running program",
            where="sandbox",
            next="run it again; if it stays, the line above says what the bootstrap met",
        )


def start(spec: SandboxSpec, *, output: int | None = None) -> Sandbox:
    """Start ``spec``; what the program prints goes to descriptor ``output``, else to a pipe.

    Raises RuntimeError where there is no thread for it.
    """
    start_threads(_spawner, 1)
    return _spawner.submit(_start, spec, output).result()


def sandbox_user(number: int) -> int | None:
    """Return the user id for sandbox ``number`` when root starts it, else None (the same user).

    None too for the root of a container that has no such ids: it is no root outside.
    """
    user = USER_BASE + number % USERS
    return user if os.geteuid() == 0 and _is_mapped(user) else None


@functools.cache
def require_sandbox() -> None:
    """Start a sandbox that does nothing; raises `SandboxUnavailable` where it cannot be."""
    binds, links = system_binds()
    spec = SandboxSpec(
        limits=instance_limits(),
        command=("/bin/true",),
        binds=binds,
        links=links,
        user=sandbox_user(0),
        listeners=(("169.254.169.254", 80),),
    )
    sandbox = start(spec, output=subprocess.DEVNULL)
    try:
        for _ in range(2):  # its network, its start
            for descriptor in sandbox.next_event(TRIAL_SECONDS).descriptors:
                os.close(descriptor)
    except TimeoutError as error:
        raise SandboxUnavailable(
            f"a sandbox did not start within {TRIAL_SECONDS:.0f} s",
            expected="a started program",
            where="sandbox",
        ) from error
    finally:
        sandbox.kill()


def system_binds() -> tuple[list[Bind], dict[str, str]]:
    """Return the binds and the links that give a sandbox this system's programs, read-only."""
    binds, links = [], {}
    for name in ("usr", "lib", "lib64", "lib32", "bin", "sbin"):
        path = Path("/", name)
        if path.is_symlink():
            links[str(path)] = str(path.readlink())
        elif path.is_dir():
            binds.append(Bind(str(path), str(path)))
    return binds, links


def _start(spec: SandboxSpec, output: int | None) -> Sandbox:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    group = None if spec.unsafe_folder else _group(spec.limits)
    entry = group.open_entry() if group else None
    given = spec.supervision
    lines = (given.control, given.nsm) if given is not None else (spec.nsm,)
    passed = [fd for fd in (spec.image, entry, *lines) if fd is not None]
    with theirs, _closing(entry):
        body = {
            **_described(spec),
            "boot": theirs.fileno(),
            "parent": os.getpid(),
            "group": entry,
        }
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(BOOTSTRAP), json.dumps(body)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if output is None else output,
            stderr=subprocess.PIPE,
            pass_fds=(theirs.fileno(), *passed),
            env={"LC_ALL": "C.UTF-8"},
            cwd="/",
            start_new_session=True,
        )
    return Sandbox(process, ours, group)


def limits_in_force() -> str:
    """Return what holds the limits on this machine, in words."""
    if place_of_this_process() is None:
        return "rlimits, tmpfs sizes and the hypervisor's watch (no control group is delegated)"
    return "control groups (memory, processes), rlimits and the hypervisor's watch (disk, logs)"


def _group(limits: Limits) -> ControlGroup | None:
    place = place_of_this_process()
    return ControlGroup(place, limits) if place is not None else None


@contextlib.contextmanager
def _closing(descriptor: int | None) -> Iterator[None]:
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _described(spec: SandboxSpec) -> dict[str, Any]:
    return {
        "image": spec.image,
        "nsm": spec.nsm,
        # Without namespaces the kernel would count all that this user runs.
        "limits": {**asdict(spec.limits), **({"processes": 0} if spec.unsafe_folder else {})},
        "command": list(spec.command),
        "environment": dict(spec.environment),
        "binds": [
            {
                "source": bind.source,
                "target": bind.target,
                "writable": bind.writable,
                "folder": Path(bind.source).is_dir(),
            }
            for bind in spec.binds
        ],
        "links": dict(spec.links),
        "folder": spec.folder,
        "hostname": spec.hostname,
        "user": spec.user,
        "unsafe_folder": spec.unsafe_folder,
        "listeners": list(spec.listeners),
        "supervisor": asdict(spec.supervision) if spec.supervision is not None else None,
        "played": _played(spec),
    }


def _played(spec: SandboxSpec) -> list[str]:
    """Return the devices that the supervisor answers for."""
    if spec.supervision is None:
        return []
    return ["nsm", "vsock"] if spec.image is not None else ["vsock"]


def _descriptors(ancillary: Sequence[tuple[int, int, bytes]]) -> list[int]:
    found = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return found.tolist()


def _is_mapped(user: int) -> bool:
    """Return whether this process's user namespace knows ``user``."""
    lines = (line.split() for line in Path("/proc/self/uid_map").read_text("ascii").splitlines())
    return any(int(first) <= user < int(first) + int(count) for first, _, count in lines)
