"""nitro-cli by itself: no lab, no tutorial; and the ways to talk to the enclave."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from tests.host import images

pytestmark = pytest.mark.sandbox

ECHO = """
import socket, sys, threading
from nitro_workflow.vsock import open_transport
transport = open_transport()
listener = transport.listen(7)
print("listening", flush=True)

def serve(sock):
    data = b""
    while piece := sock.recv(65536):
        data += piece
    if data.startswith(b"dial "):
        with transport.connect(3, int(data[5:])) as out:
            out.sendall(b"from the enclave")
            out.shutdown(socket.SHUT_WR)
            data = out.makefile("rb").read()
    sock.sendall(data.upper())
    sock.close()

while True:
    sock, _ = listener.accept()
    threading.Thread(target=serve, args=(sock,)).start()
"""
NITRO_CLI = "from nitro_workflow.cli.host_programs import nitro_cli_program as it; it()"
PROXY = "from nitro_workflow.cli.host_programs import vsock_proxy_program as it; it()"
WORKFLOW = "from nitro_workflow.cli import main; main()"


class Machine:
    """A user's machine: a home of its own, and the commands."""

    def __init__(self, home):
        self.home = home
        kept = {name: value for name, value in os.environ.items() if "NITRO" not in name}
        self.environment = {
            **kept, "HOME": str(home), "XDG_DATA_HOME": f"{home}/data", "PYTHONPATH": str(images.ROOT),
            "XDG_CONFIG_HOME": f"{home}/config", "XDG_RUNTIME_DIR": str(home),
        }  # fmt: skip

    def start(self, program, *arguments, **more):
        return subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            env=self.environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more,
        )  # fmt: skip

    def run(self, program, *arguments, given=b""):
        with self.start(program, *arguments) as process:
            out, err = process.communicate(given, timeout=120)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err.decode())

    def json(self, program, *arguments):
        done = self.run(program, *arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @property
    def folder(self):
        return self.home / "data" / "nitro-workflow" / "host"


@pytest.fixture(scope="module")
def machine(sandbox_works):
    if not sandbox_works:
        pytest.skip("no user namespaces")
    home = Path(tempfile.mkdtemp(prefix="nw-", dir="/tmp"))
    it = Machine(home)
    yield it
    it.run(WORKFLOW, "host", "down")
    shutil.rmtree(home)


@pytest.fixture(scope="module")
def echo(machine, workshop):
    return images.build(workshop, ECHO, name="echo")


@pytest.fixture(scope="module")
def enclave(machine, echo):
    return machine.json(
        NITRO_CLI, "run-enclave", "--eif-path", echo, "--memory", 256, "--cpu-count", 2,
        "--debug-mode",
    )  # fmt: skip


def test_looking_starts_nothing(sandboxed, machine):
    assert machine.json(NITRO_CLI, "describe-enclaves") == []
    assert machine.json(NITRO_CLI, "terminate-enclave", "--all") == []
    gone = machine.run(NITRO_CLI, "terminate-enclave", "--enclave-id", "i-0-enc0")
    assert (gone.returncode, gone.stdout) == (11, b"")
    assert "host up" in machine.run(WORKFLOW, "vsock", "connect", "16", "7").stderr
    status = machine.json(WORKFLOW, "host", "status", "--json")
    assert set(status.get("processes", {"": "stopped"}).values()) == {"stopped"}


def test_a_walks_enclaves_are_mentioned(sandboxed, machine, monkeypatch, capsys):
    """Someone who has walked looks for that enclave: it runs in the walk's lab."""
    from nitro_workflow.cli import host as module
    from nitro_workflow.lab import OwnInstance

    class Walked:
        def describe_enclaves(self, *, metadata=False):
            return [{"EnclaveID": "i-0-enc1"}]

    monkeypatch.delenv("NITRO_WORKFLOW_LAB", raising=False)
    monkeypatch.setattr(OwnInstance, "find", lambda _: Walked())
    module._mention_the_walks()
    assert "lab has 1: nitro-workflow nitro-cli --lab" in capsys.readouterr().err
    monkeypatch.setenv("NITRO_WORKFLOW_LAB", "/tmp/named")
    module._mention_the_walks()
    assert capsys.readouterr().err == ""


def test_a_launch_that_must_fail_starts_nothing(sandboxed, machine, tmp_path):
    wanted = ["--memory", 256, "--cpu-count", 2, "--eif-path", tmp_path / "absent.eif"]
    done = machine.run(NITRO_CLI, "run-enclave", *wanted)
    assert done.returncode == 19
    assert done.stderr.count("[ E") == 1  # one cause, no cascade
    status = machine.json(WORKFLOW, "host", "status", "--json")
    assert set(status["processes"].values()) == {"stopped"}


def test_the_enclave_runs_and_is_listed(machine, enclave):
    assert list(enclave) == [
        "EnclaveName", "EnclaveID", "ProcessID", "EnclaveCID", "NumberOfCPUs", "CPUIDs", "MemoryMiB",
    ]  # fmt: skip
    assert enclave["EnclaveName"] == "echo"
    (listed,) = machine.json(NITRO_CLI, "describe-enclaves")
    assert (listed["EnclaveID"], listed["Flags"]) == (enclave["EnclaveID"], "DEBUG_MODE")
    text = machine.run(WORKFLOW, "host", "status").stdout.decode()
    assert enclave["EnclaveID"] in text
    console = ["console", "--enclave-name", "echo", "--disconnect-timeout", 0]
    assert b"listening" in machine.run(NITRO_CLI, *console).stdout


def test_the_last_words_of_one_that_ended_at_once(machine, enclave, workshop):
    """Whoever ran it is told: in the answer of a debug enclave, in the status of any."""
    image = images.build(workshop, "import sys; sys.exit('no configuration')", name="quick")
    run = ["run-enclave", "--eif-path", image, "--memory", 256, "--cpu-count", 2]
    deadline = time.monotonic() + 60
    while (done := machine.run(NITRO_CLI, *run)).returncode != 36:
        assert time.monotonic() < deadline  # it ended, but after the second that is waited for that
    assert "no configuration" not in done.stderr  # a production enclave has no console
    said = machine.json(WORKFLOW, "host", "status", "--json")["ended"]
    assert "no configuration" in said
    assert b"Last ended" in machine.run(WORKFLOW, "host", "status").stdout


def test_connect_both_ways_with_half_close(machine, enclave):
    data = os.urandom(300_000).hex().encode()
    done = machine.run(WORKFLOW, "vsock", "connect", enclave["EnclaveCID"], 7, given=data)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == data.upper()
    nobody = machine.run(WORKFLOW, "vsock", "connect", enclave["EnclaveCID"], 8)
    assert nobody.returncode == 4
    assert "listener" in nobody.stderr


def test_listen_takes_what_the_enclave_sends(machine, enclave):
    with machine.start(WORKFLOW, "vsock", "listen", 4040) as listener:
        assert b"listening" in listener.stderr.readline()
        with machine.start(WORKFLOW, "vsock", "connect", enclave["EnclaveCID"], 7) as dialler:
            dialler.stdin.write(b"dial 4040")
            dialler.stdin.close()
            answer = listener.communicate(b"from the parent", timeout=60)[0]
            assert answer == b"from the enclave"
            assert dialler.stdout.read() == b"FROM THE PARENT"


def test_an_unmodified_program_of_the_parent(machine, enclave):
    """Python's own socket.AF_VSOCK, both ways; the role's credentials; the program's status."""
    code = f"""
import os, socket, sys
with socket.socket(socket.AF_VSOCK) as listener:
    listener.bind((socket.VMADDR_CID_ANY, 4041))
    listener.listen()
    with socket.socket(socket.AF_VSOCK) as sock:
        sock.connect(({enclave["EnclaveCID"]}, 7))
        sock.sendall(b"dial 4041")
        sock.shutdown(socket.SHUT_WR)
        out, peer = listener.accept()
        out.sendall(out.makefile("rb").read())
        out.close()
        print(peer[0], sock.makefile("rb").read(), os.environ["AWS_REGION"])
sys.exit(5)
"""
    done = machine.run(WORKFLOW, "parent", "run", sys.executable, "-c", code)
    assert done.returncode == 5, done.stderr
    assert done.stdout.decode() == f"{enclave['EnclaveCID']} b'FROM THE ENCLAVE' us-east-1\n"
    missing = machine.run(WORKFLOW, "parent", "run", "no-such-program")
    assert missing.returncode == 2


def test_vsock_proxy_carries_to_one_allowed_place(machine, enclave, tmp_path):
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]

    def serve():
        sock, _ = server.accept()
        with server, sock, sock.makefile("rb") as heard:
            sock.sendall(b"tcp heard: " + heard.read())

    threading.Thread(target=serve, daemon=True).start()
    config = tmp_path / "vsock-proxy.yaml"
    config.write_text(f"allowlist:\n- {{address: 127.0.0.1, port: {port}}}\n")
    refused = machine.run(PROXY, "--config", config, 9001, "127.0.0.1", 1)
    assert refused.returncode == 1
    assert "not allowed" in refused.stderr
    with machine.start(PROXY, "-4", "-w", 2, "--config", config, 9001, "127.0.0.1", port) as proxy:
        assert b"9001" in proxy.stderr.readline()
        given = b"dial 9001"
        done = machine.run(WORKFLOW, "vsock", "connect", enclave["EnclaveCID"], 7, given=given)
        proxy.terminate()
        proxy.communicate(timeout=60)
    assert done.stdout == b"TCP HEARD: FROM THE ENCLAVE"


def test_the_instances_credentials_and_kms(machine, enclave):
    import boto3
    import botocore.config

    status = machine.json(WORKFLOW, "host", "status", "--json")
    keys = machine.json(WORKFLOW, "host", "credentials", "--print-secrets")
    client = boto3.Session().client(
        "sts",
        region_name="us-east-1",
        endpoint_url=status["kms"],
        verify=status["ca"],
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
        config=botocore.config.Config(proxies={}),
    )
    try:
        arn = client.get_caller_identity()["Arn"]
    finally:
        client.close()
    assert arn.split("/")[1] == status["role"].rpartition("/")[2]
    assert arn.endswith(status["instance"])
    config = machine.folder / "cloud" / "aws-config-instance"
    assert "credential_process" in config.read_text()
    assert keys["SecretAccessKey"] not in config.read_text()


def test_the_pool_is_shared_out(machine, enclave, echo):
    allocator = machine.home / "config" / "nitro-workflow" / "allocator.yaml"
    allocator.parent.mkdir(parents=True)
    allocator.write_text("---\nmemory_mib: 512\ncpu_count: 4\n")
    try:
        more = ["run-enclave", "--eif-path", echo, "--memory"]
        too_much = machine.run(NITRO_CLI, *more, 400, "--cpu-count", 2)
        assert too_much.returncode == 27
        assert "available hugepage memory (256 MB)" in too_much.stderr
        assert machine.run(NITRO_CLI, *more, 256, "--cpu-count", 4).returncode == 22
        taken = [str(it) for it in enclave["CPUIDs"]]
        assert machine.run(NITRO_CLI, *more, 256, "--cpu-ids", *taken).returncode == 21
        second = machine.json(NITRO_CLI, *more, 256, "--cpu-count", 2)
        assert second["EnclaveName"] == "echo_1"
        assert second["EnclaveCID"] != enclave["EnclaveCID"]
        ended = machine.json(NITRO_CLI, "terminate-enclave", "--enclave-name", "echo_1")
        assert ended["Terminated"] is True
    finally:
        allocator.unlink()


def test_down_ends_all_of_it(machine, enclave):
    started = time.monotonic()
    done = machine.run(WORKFLOW, "host", "down")
    assert b"hypervisor" in done.stdout
    assert time.monotonic() - started < 60
    assert machine.json(NITRO_CLI, "describe-enclaves") == []
    assert not Path(f"/proc/{enclave['ProcessID']}").exists()
