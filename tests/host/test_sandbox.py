"""The launcher itself: ordinary user, root of a container, and machines that forbid it."""

import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from nitro_workflow.errors import SandboxUnavailable
from nitro_workflow.host import supervision_problem
from nitro_workflow.host.rules import instance_limits
from nitro_workflow.host.sandbox import launcher, sandbox_errors
from nitro_workflow.host.sandbox.launcher import SandboxSpec, Supervision
from tests.host.waiting import wait_for

pytestmark = pytest.mark.sandbox

REPOSITORY = Path(__file__).parents[2]

# With the standard library alone: another user may not see this environment's packages.
PROBE = """
import json, sys
sys.path.insert(0, sys.argv[1])
from nitro_workflow.errors import NitroWorkflowError
from nitro_workflow.host.sandbox import launcher, supervision
try:
    launcher.require_sandbox()
    print(json.dumps({"works": True, "supervision": supervision.supervision_problem()}))
except NitroWorkflowError as error:
    print(json.dumps({"works": False, "type": type(error).__name__, "next": error.next}))
"""


def probe(*prefix, python=sys.executable):
    done = subprocess.run(
        [*prefix, python, "-I", "-S", "-c", PROBE, str(REPOSITORY)],
        capture_output=True, text=True, check=False, cwd="/",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_this_user(sandboxed):
    assert probe() == {"works": True, "supervision": None}


def test_an_ordinary_user(sandboxed, require):
    python = Path("/usr/bin/python3")
    require("sandbox", python.exists(), "apt-get install python3")
    nobody = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
    prefix = nobody if os.geteuid() == 0 else ()  # who is not root is an ordinary user already
    assert probe(*prefix, python=str(python)) == {"works": True, "supervision": None}


def test_who_is_ended_after_their_own_end_keeps_their_status(require, tmp_path):
    """As where a supervisor is late on a loaded machine: the hypervisor ends what has ended."""
    require("sandbox", supervision_problem() is None, supervision_problem() or "")
    binds, links = launcher.system_binds()
    go = tmp_path / "go"
    tmp_path.chmod(0o755)  # the sandbox may be another user
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        it = launcher.start(
            SandboxSpec(
                limits=instance_limits(),
                command=("/bin/sh", "-c", f"until [ -e {go} ]; do sleep 0.05; done; exit 7"),
                binds=[*binds, launcher.Bind(str(tmp_path), str(tmp_path))],
                links=links,
                user=launcher.sandbox_user(0),
                supervision=Supervision(3, theirs.fileno(), folder=str(tmp_path)),
            ),
            output=subprocess.DEVNULL,
        )
        try:
            started = it.next_event(60)
            for descriptor in started.descriptors:
                os.close(descriptor)
            supervisor = started.fields["supervisor"]
            os.kill(supervisor, signal.SIGSTOP)
            go.touch()
            children = Path(f"/proc/{it.pid}/task/{it.pid}/children")
            wait_for(lambda: children.read_text().split() == [str(supervisor)])
            it.process.terminate()
            assert it.process.wait(60) == 7
        finally:
            it.kill()


def test_the_root_of_a_container(sandboxed):
    """In a user namespace that maps one user there are no ids to give away."""
    assert probe("unshare", "--user", "--map-root-user") == {"works": True, "supervision": None}


@pytest.mark.parametrize("setting", ["max_user_namespaces", "max_net_namespaces"])
def test_namespaces_forbidden_by_a_setting(sandboxed, setting):
    """The limit is one of the user namespace that we make here; this machine's stays."""
    script = f'echo 0 > /proc/sys/user/{setting} && exec "$@"'
    answer = probe("unshare", "--user", "--map-root-user", "sh", "-c", script, "-")
    assert (answer["works"], answer["type"]) == (False, "SandboxUnavailable")
    assert f"user.{setting}" in answer["next"]


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"),
        ("kernel/unprivileged_userns_clone", "0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
        ("kernel/unprivileged_userns_clone", "1", "CAP_SYS_ADMIN"),
    ],
)  # fmt: skip
def test_the_error_names_the_setting(tmp_path, setting, value, said):
    (tmp_path / setting).parent.mkdir()
    (tmp_path / setting).write_text(value + "\n")
    assert said in sandbox_errors.remedy(tmp_path)


def test_stages_of_the_bootstrap_become_errors_with_a_place():
    error = sandbox_errors.boot_error(
        {"stage": "namespaces", "text": "unshare: Operation not permitted"}
    )
    assert isinstance(error, SandboxUnavailable)
    assert "namespaces" in error.found
    error = sandbox_errors.boot_error({"stage": "program", "text": "[Errno 2] /x: No such file"})
    assert (error.code, error.where) == ("E36", "boot, program")


def test_a_bootstrap_that_dies_is_an_error(sandboxed):
    from nitro_workflow.errors import HostError

    it = launcher.start(
        SandboxSpec(limits=replace(instance_limits(), root=-1), command=("/bin/true",))
    )
    with pytest.raises((HostError, SandboxUnavailable)):
        it.next_event(60)
    it.process.stdout.close()
    it.kill()


def test_a_bootstrap_that_cannot_start_says_its_last_line(monkeypatch, tmp_path):
    from nitro_workflow.errors import HostError

    broken = tmp_path / "bootstrap.py"
    broken.write_text("import no_such_module")
    monkeypatch.setattr(launcher, "BOOTSTRAP", broken)
    it = launcher.start(SandboxSpec(limits=instance_limits(), command=("/bin/true",)))
    with pytest.raises(HostError, match=r"status 1: ModuleNotFoundError.*no_such_module"):
        it.next_event(60)
    it.process.stdout.close()
    it.kill()


def test_nothing_but_the_three_descriptors_reaches_an_instance(sandboxed):
    binds, links = launcher.system_binds()
    secret = os.open("/etc/hostname", os.O_RDONLY)
    os.set_inheritable(secret, True)
    spec = SandboxSpec(
        limits=instance_limits(), command=("/bin/ls", "/proc/self/fd"), binds=binds, links=links,
        user=launcher.sandbox_user(0), environment={"ONLY": "this"},
    )  # fmt: skip
    it = launcher.start(spec)
    it.next_event(60)
    assert it.process.stdout.read().split() == [b"0", b"1", b"2", b"3"]  # 3 is the listing's
    it.process.stdout.close()
    it.kill()
    os.close(secret)


def test_a_path_whose_name_is_no_utf8_is_a_path(sandboxed, tmp_path):
    """A lab may lie in a folder of any name: its instance is bound from there."""
    named = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe"))
    named.write_text("there")
    binds, links = launcher.system_binds()
    spec = SandboxSpec(
        limits=instance_limits(), command=("/bin/cat", str(named)), links=links,
        binds=[*binds, launcher.Bind(str(named), str(named))],
        user=launcher.sandbox_user(0),
    )  # fmt: skip
    it = launcher.start(spec)
    it.next_event(60)
    assert it.process.stdout.read() == b"there"
    it.process.stdout.close()
    it.kill()


def test_writes_stay_in_memory_and_have_a_limit(sandboxed, tmp_path):
    binds, links = launcher.system_binds()
    script = "echo x > /new && dd if=/dev/zero of=/fill bs=1M count=9 2>&1 | tail -1"
    spec = SandboxSpec(
        limits=replace(instance_limits(), root=2 << 20), command=("/bin/sh", "-c", script), binds=binds, links=links,
        user=launcher.sandbox_user(0),
    )  # fmt: skip
    it = launcher.start(spec)
    it.next_event(60)
    text = it.process.stdout.read()
    it.process.stdout.close()
    it.kill()
    assert b"2.1 MB" in text or b"No space" in text or b"1.9 MB" in text, text
    assert not Path("/new").exists()
