"""What runs between hypervisor and sandboxed program: kernel, ramdisk 0 and init in one.

Started as ``python -I -S bootstrap.py SPEC`` by `host.sandbox`; SPEC is JSON. Four processes
come of it: the *supervisor* stays outside and answers for vsock and the module; the *outer* one
leaves the namespaces and waits; the *init*, process 1 of the new ones, builds the root, gives up
its privileges and reaps; the *program* is what the image says. Whoever dies takes those below
along. Everything is imported before the old root goes: afterwards
a module would come from the image.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from nitro_workflow.errors import NitroWorkflowError
from nitro_workflow.host.sandbox import linux, seccomp
from nitro_workflow.host.sandbox.execution import reap, start
from nitro_workflow.host.sandbox.guest import (
    Boot,
    network_device,
    say_heartbeat,
    unpack,
    vsock_device,
)
from nitro_workflow.host.sandbox.unsandboxed import run_without_sandbox
from nitro_workflow.host.supervisor.descriptor_lines import send_descriptors
from nitro_workflow.host.supervisor.notification import install_listener
from nitro_workflow.host.supervisor.sandbox_supervisor import supervise_sandbox

WORK = "/tmp"  # noqa: S108 - a mount point in a mount namespace of our own
END_SECONDS = 0.5  # for a supervisor to see that its programs have ended; milliseconds in fact
DEVICES = ("null", "zero", "full", "random", "urandom")

NAMESPACES = (
    linux.CLONE_NEWUSER
    | linux.CLONE_NEWNS
    | linux.CLONE_NEWPID
    | linux.CLONE_NEWIPC
    | linux.CLONE_NEWUTS
    | linux.CLONE_NEWNET
)


def main() -> int:
    """Be the outer process; return the exit status of the program."""
    spec = json.loads(sys.argv[1])
    boot = Boot(spec["boot"])
    stage = "start"
    try:
        # A parent that died before this line leaves us to init: the pid then differs.
        linux.die_with_parent()
        if os.getppid() != spec["parent"]:
            return 1
        if spec["supervisor"] is not None:
            stage = "supervisor"
            spec.update(_start_supervisor(spec))
        if spec["group"] is not None:
            os.write(spec["group"], b"0")  # before anything is started that belongs inside
        if spec["unsafe_folder"] is not None:
            return run_without_sandbox(spec, boot)
        stage = "namespaces"
        _leave_namespaces(spec)
        stage = "network"
        network_device(boot, spec["listeners"])
        stage = "mounts"
        trees = _clone_trees(spec)
    except OSError as error:
        boot.tell("error", stage=stage, errno=error.errno, text=error.strerror or str(error))
        return 1
    child = os.fork()
    if child == 0:
        os._exit(_init(spec, boot, trees))
    # Process 1 of the namespace goes only once all others have: who waits for us waits for all.
    signal.signal(signal.SIGTERM, lambda *_: _end(child))
    linux.die_with_parent()
    linux.close_from(3)
    _, status = os.waitpid(child, 0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # its number may be another's from here on
    if "supervisor_pid" in spec:
        _see_off(spec["supervisor_pid"])
    return os.waitstatus_to_exitcode(status) & 0xFF


def _end(child: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has ended by itself, and keeps its status
        os.kill(child, signal.SIGKILL)


def _see_off(supervisor: int) -> None:
    """Wait for the supervisor, which ends by itself; not for long: who waits for us waits too."""
    deadline = time.monotonic() + END_SECONDS
    while os.waitpid(supervisor, os.WNOHANG)[0] == 0:
        if time.monotonic() > deadline:
            os.kill(supervisor, signal.SIGKILL)
            deadline = float("inf")
        time.sleep(0.002)


def _start_supervisor(spec: dict[str, Any]) -> dict[str, Any]:
    """Fork the supervisor into a network namespace of its own; return its pid, and a line to it.

    It must own the user namespace that the sandbox's will be made in, to act on its processes.
    """
    if spec["user"] is None:
        _enter_user_namespace(linux.CLONE_NEWUSER | linux.CLONE_NEWNET, os.geteuid(), os.getegid())
    else:
        linux.unshare(linux.CLONE_NEWNET)
    inside, outside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    outer = os.getpid()
    child = os.fork()
    if child == 0:
        inside.close()
        linux.die_with_parent()
        # For root's: sockets and memory are of the sandbox's user. The rest comes of owning it.
        linux.drop_capabilities((linux.CAP_DAC_OVERRIDE, linux.CAP_SYS_PTRACE))
        linux.no_new_privileges()
        if os.getppid() == outer:
            supervise_sandbox(outside, spec["supervisor"])
        os._exit(0)
    outside.close()
    return {"supervisor_pid": child, "line": inside}


def _enter_user_namespace(flags: int, uid: int, gid: int) -> None:
    """Enter new namespaces, in which this user has these numbers."""
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    linux.unshare(flags)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{uid} {outer_uid} 1")
    _write("/proc/self/gid_map", f"{gid} {outer_gid} 1")


def _leave_namespaces(spec: dict[str, Any]) -> None:
    """Enter new namespaces, as user 0 of a user namespace that maps one ordinary user."""
    if spec["user"] is None:
        _enter_user_namespace(NAMESPACES, 0, 0)
        return
    # Started by root: the sandbox is another user. Only a process outside may write such a map.
    me, (ready, go) = os.getpid(), os.pipe()
    helper = os.fork()
    if helper == 0:
        os.read(ready, 1)
        try:
            _write(f"/proc/{me}/uid_map", f"0 {spec['user']} 1")
            _write(f"/proc/{me}/gid_map", f"0 {spec['user']} 1")
        except OSError:
            os._exit(1)
        os._exit(0)
    try:
        linux.unshare(NAMESPACES)
    finally:
        os.write(go, b"!")
        _, status = os.waitpid(helper, 0)
        os.close(ready)
        os.close(go)
    if status:
        raise PermissionError(1, "the user map could not be written")


def _clone_trees(spec: dict[str, Any]) -> dict[str, int]:
    """Copy what will be mounted, as the first user still: files may be its own."""
    linux.mount("none", "/", None, linux.MS_REC | linux.MS_PRIVATE)
    sources = {f"/dev/{name}": f"/dev/{name}" for name in DEVICES}
    sources.update({f"/dev/{name}": "/dev/null" for name in spec["played"]})
    sources.update({bind["target"]: bind["source"] for bind in spec["binds"]})
    return {target: linux.clone_tree(source) for target, source in sources.items()}


def _init(spec: dict[str, Any], boot: Boot, trees: dict[str, int]) -> int:
    """Be process 1: returns the exit status of the program."""
    stage = "user"
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if spec["user"] is not None:
            os.setgroups([])
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        linux.die_with_parent()
        os.setsid()
        os.umask(0o022)
        stage = "root"
        size = f"size={spec['limits']['root']},mode=755"
        linux.mount("tmpfs", WORK, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, size)
        trees.update(_fresh_proc())
        if spec["image"] is not None:
            stage = "image"
            spec = {**spec, **unpack(spec["image"], Path(WORK, "image"))}
            stage = "root"
            trees.update(_folders_in_memory())
            _enter_root(f"{WORK}/image/rootfs")
        else:
            _build_instance_root(spec, trees)
            _enter_root(WORK)
        _furnish(spec, trees)
        if spec["supervisor"] is None:
            stage = "vsock"
            if spec["image"] is not None:
                vsock_device(boot, Path("/run/vsock"))
            stage = "privileges"
            _give_up_privileges(spec)
        else:
            if spec["image"] is not None:
                boot.tell("unpacked")
            stage = "supervisor"
            _be_supervised(spec)
        stage = "program"
        child = start(spec)
    except (OSError, NitroWorkflowError, ValueError) as error:
        number = getattr(error, "errno", None)
        boot.tell("error", stage=stage, errno=number, text=str(error)[:2000])
        return 1
    # What it stores is counted, what watches over it is not.
    root = os.open("/", os.O_PATH | os.O_DIRECTORY)
    boot.tell("started", [root], supervisor=spec.get("supervisor_pid"))
    linux.close_from(3)
    return reap(child)


def _folders_in_memory() -> dict[str, int]:
    """Return /tmp, /run and /dev/shm of an enclave: one tmpfs with its root, of one size."""
    folders = {"/tmp": 0o1777, "/run": 0o755, "/dev/shm": 0o1777}  # noqa: S108 - in its own tmpfs
    trees = {}
    for target, mode in folders.items():
        folder = Path(WORK, target.replace("/", "-"))
        folder.mkdir()
        folder.chmod(mode)
        trees[target] = linux.clone_tree(str(folder))
    return trees


def _build_instance_root(spec: dict[str, Any], trees: dict[str, int]) -> None:
    """Put the read-only system and the instance's own folder into an empty root."""
    shared = Path(WORK, "run/shm")
    shared.mkdir(parents=True)
    shared.chmod(0o1777)
    trees["/dev/shm"] = linux.clone_tree(str(shared))  # noqa: S108 - the POSIX name of it
    for target, source in spec["links"].items():
        link = Path(WORK + target)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(source)
    for bind in spec["binds"]:
        target = Path(WORK + bind["target"])
        if bind["folder"]:
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
        linux.attach_tree(trees[bind["target"]], str(target))
        linux.restrict_mount(str(target), read_only=not bind["writable"])


def _enter_root(folder: str) -> None:
    """Make ``folder`` the root and let the old one go."""
    if not Path(folder).is_dir() or Path(folder).is_symlink():
        raise ValueError("the image has no /rootfs folder")
    linux.mount(folder, folder, None, linux.MS_BIND | linux.MS_REC)
    os.chdir(folder)
    linux.pivot_root(".", ".")
    # The old root now lies on top of the new one: detach it, then stand in the new one.
    linux.unmount(".")
    os.chdir("/")


def _fresh_proc() -> dict[str, int]:
    """Return a /proc of the new pid namespace, detached; none where the kernel refuses one.

    The kernel asks that a /proc be visible already, so this comes before the old root goes.
    """
    folder = Path(WORK, ".proc")
    folder.mkdir()
    flags = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC | linux.MS_RDONLY
    try:
        linux.mount("proc", str(folder), "proc", flags)
    except PermissionError:
        # This machine's own /proc is masked (a container's is): the sandbox's stays empty.
        return {}
    tree = linux.clone_tree(str(folder))
    linux.unmount(str(folder))
    folder.rmdir()
    return {"/proc": tree}


def _furnish(spec: dict[str, Any], trees: dict[str, int]) -> None:
    """Mount /dev, /proc, /tmp and /run. Paths are looked up in the new root: links lead nowhere."""
    for name in ("dev", "proc", "sys", "tmp", "run"):
        Path("/", name).mkdir(exist_ok=True)
    linux.mount("tmpfs", "/dev", "tmpfs", linux.MS_NOSUID | linux.MS_NOEXEC, "size=64k,mode=755")
    for name in (*DEVICES, *spec["played"]):
        os.close(os.open(f"/dev/{name}", os.O_CREAT | os.O_WRONLY, 0o666))
        linux.attach_tree(trees[f"/dev/{name}"], f"/dev/{name}")
    Path("/dev/shm").mkdir()  # noqa: S108 - the POSIX name of shared memory
    for name, target in {"fd": "fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}.items():
        Path("/dev", name).symlink_to(f"/proc/self/{target}")
    for target in ("/proc", "/dev/shm", "/tmp", "/run"):  # noqa: S108
        if target in trees:
            linux.attach_tree(trees[target], target)
    if spec["image"] is None:
        Path("/tmp").chmod(0o1777)  # noqa: S108 - in memory already, and may hold the package
    socket.sethostname(spec["hostname"])


def _give_up_privileges(spec: dict[str, Any]) -> None:
    """From here on: few capabilities, no way to get one, only the system calls of the list.

    An enclave's root may set up its loopback: they count in its own network namespace alone.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would be the memory, on disk
    kept = (linux.CAP_NET_ADMIN, linux.CAP_NET_BIND_SERVICE) if spec["image"] is not None else ()
    supervised = spec["supervisor"] is not None
    code = seccomp.build_filter(supervised=supervised)
    linux.drop_capabilities(kept)
    linux.no_new_privileges()
    if supervised:
        send_descriptors(spec["line"], b"L", [install_listener(code)])
    else:
        linux.install_filter(code)


def _be_supervised(spec: dict[str, Any]) -> None:
    """Give up privileges, and see that the supervisor answers before anything runs."""
    _give_up_privileges(spec)
    if spec["image"] is not None:
        say_heartbeat()
    else:
        with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as sock:
            sock.getsockname()


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    os._exit(main())
