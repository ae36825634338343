"""Programs that nobody here wrote, or that know nothing of this package, run as they are.

Each is built from its own source, put into an image, and run by nitro-cli with no lab beside it;
vsock and the security module are all that they are given. What is ours among them says so.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from nitro_workflow.attestation import Verifier
from nitro_workflow.cloud import Endpoint
from nitro_workflow.errors import NitroWorkflowError, SandboxUnavailable
from nitro_workflow.host import install_qemu, require_sandbox
from nitro_workflow.host.qemu.qemu_program import cache_folder
from tests.interop.enclaves import WORKFLOW, Machine, Programs, build_programs, scratch
from tests.interop.peers import Unbuilt

pytestmark = [pytest.mark.interop, pytest.mark.sandbox]

CONTEXT = {"dataset": "records"}


@pytest.fixture(scope="module")
def built() -> Programs | str:
    missing = [name for name in ("go", "cargo", "apt-get") if shutil.which(name) is None]
    if missing:
        return f"no {', '.join(missing)}"
    try:
        require_sandbox()
        return build_programs()
    except (Unbuilt, SandboxUnavailable) as trouble:
        return str(trouble)


@pytest.fixture
def programs(built: Programs | str, require: Callable[[str, bool, str], None]) -> Programs:
    trouble = built if isinstance(built, str) else ""
    require("interop", not trouble, trouble)
    assert isinstance(built, Programs)
    return built


@pytest.fixture(scope="module", params=["sandbox", "qemu"])
def built_machine(request: pytest.FixtureRequest) -> Iterator[Machine | str]:
    """A machine whose enclaves run in the sandbox, and one that boots their images."""
    try:
        blobs = qemu_blobs() if request.param == "qemu" else None
    except NitroWorkflowError as trouble:
        yield str(trouble)
        return
    home = Path(tempfile.mkdtemp(prefix="nw-", dir="/tmp"))  # a socket's path has 107 bytes
    it = Machine(home, request.param, blobs)
    yield it
    it.run(WORKFLOW, "host", "down")
    shutil.rmtree(home)


@pytest.fixture
def machine(built_machine: Machine | str, require: Callable[[str, bool, str], None]) -> Machine:
    trouble = built_machine if isinstance(built_machine, str) else ""
    require("interop", not trouble, trouble)
    assert isinstance(built_machine, Machine)
    return built_machine


@pytest.fixture
def run(machine: Machine, tmp_path: Path) -> Iterator[Callable[..., dict[str, Any]]]:
    """Build an image of a root filesystem and run it; ended with the test."""
    running: list[dict[str, Any]] = []

    def build_and_run(
        rootfs: Path, *argv: str, debug: bool = True, **environment: str
    ) -> dict[str, Any]:
        image = tmp_path / f"{len(running)}.eif"
        measured = machine.image(image, rootfs, *argv, **environment)
        running.append({**machine.launch(image, debug=debug), "measured": measured})
        return running[-1]

    yield build_and_run
    for enclave in running:
        machine.end(enclave)


@pytest.fixture
def debian(programs: Programs, tmp_path: Path) -> Path:
    """Debian's root filesystem with the files of ours; hard links: nobody writes to them.

    What its packages would set up when they are installed and these programs need: root's name.
    """
    root = tmp_path / "debian"
    shutil.copytree(programs.debian, root, symlinks=True, copy_function=os.link)
    for file in programs.files.iterdir():
        shutil.copy2(file, root / file.name)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    return root


def listening(machine: Machine, port: int) -> subprocess.Popen[bytes]:
    """Listen on the parent; what one connection sends is the command's output."""
    machine.done(WORKFLOW, "host", "up")
    listener = machine.start(WORKFLOW, "vsock", "listen", port)
    assert listener.stderr is not None
    assert b"listening" in listener.stderr.readline()
    return listener


def heard(machine: Machine, port: int) -> Callable[[], bytes]:
    """Listen on the parent; the result waits for what one connection sent."""
    listener = listening(machine, port)

    def wait() -> bytes:
        with listener:
            return listener.communicate(timeout=120)[0]

    return wait


def echoes(machine: Machine, enclave: dict[str, Any]) -> None:
    """Three clients at once, each a megabyte, byte for byte."""
    sent = [os.urandom(1 << 20) for _ in range(3)]
    got: dict[int, bytes] = {}

    def one(number: int) -> None:
        got[number] = machine.ask(enclave, sent[number])

    threads = [threading.Thread(target=one, args=(number,)) for number in range(len(sent))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert [got.get(number) == data for number, data in enumerate(sent)] == [True] * len(sent)


def verified(machine: Machine, document: bytes) -> Any:
    root = (machine.lab / "hypervisor" / "root.pem").read_bytes()
    return Verifier.local(root).verify(document, at=datetime.now(UTC)).document


def test_1_python_with_the_standard_library(machine, run, debian) -> None:
    enclave = run(debian, "/usr/bin/python3", "/echo_server.py")
    told = f"listening at ({2**32 - 1}, 5000)"
    assert told in machine.console(enclave, told)
    echoes(machine, enclave)
    assert "from cid 3" in machine.console(enclave, "from cid 3")


def test_2_rusts_vsock_crate(machine, run, programs, tmp_path) -> None:
    enclave = run(scratch(tmp_path / "root", programs.rust / "echo"), "/echo")
    said = machine.console(enclave, "listening on 5000").splitlines()  # a serial line ends in CR LF
    assert f"cid {enclave['EnclaveCID']}" in said
    echoes(machine, enclave)
    assert "from cid 3" in machine.console(enclave, "from cid 3")


def test_3_gos_vscp_receives_a_file(machine, run, programs, tmp_path) -> None:
    """mdlayher/vsock's own program, unmodified: it listens inside and takes one file."""
    root = scratch(tmp_path / "root", programs.go / "vscp")
    enclave = run(root, "/vscp", "-v", "-r", "-p", "1024", "/taken")
    machine.ask(enclave, os.urandom(5 << 20), port=1024)
    said = machine.console(enclave, "transfer complete")
    assert f"vm({enclave['EnclaveCID']}):1024" in said
    assert "transfer complete" in said


def test_3_gos_vscp_sends_a_file(machine, run, programs, tmp_path) -> None:
    data = os.urandom(5 << 20)
    root = scratch(tmp_path / "root", programs.go / "vscp")
    (root / "file").write_bytes(data)
    wait = heard(machine, 1025)
    run(root, "/vscp", "-s", "-c", "3", "-p", "1025", "/file")
    assert wait() == data


def test_4_the_nsm_crate(machine, run, programs, tmp_path) -> None:
    wait = heard(machine, 9100)
    enclave = run(scratch(tmp_path / "root", programs.rust / "nsm"), "/nsm", debug=False)
    told = [line.split() for line in wait().decode().splitlines()]
    assert [line[0] for line in told] == [
        "nsm", "pcr", "extended", "locked", "error", "error", "random", "document",
    ]  # fmt: skip
    assert told[0][1] == enclave["EnclaveID"]
    assert told[1][1:] == ["true", enclave["measured"]["PCR0"]]
    assert [told[4][1], told[5][1]] == ["ReadOnlyIndex", "ReadOnlyIndex"]
    document = verified(machine, bytes.fromhex(told[7][1]))
    assert (document.nonce, document.user_data) == (b"a nonce", b"who I am")
    assert document.pcrs[0].hex() == enclave["measured"]["PCR0"]
    assert document.pcrs[16].hex() == told[2][1]


def test_5_and_8_gos_nsm_example_in_a_helper_process(machine, run, programs, debian) -> None:
    """hf/nsm's own example, unmodified, as the child of a shell."""
    shutil.copy2(programs.go / "attestation", debian / "usr/bin/attestation")
    with listening(machine, 9100) as listener:
        enclave = run(debian, "/bin/dash", "/helper.sh", debug=False)
        ending = threading.Timer(120, machine.end, [enclave])  # of a helper that says nothing
        ending.start()
        assert listener.stdout is not None
        word, document, error = listener.stdout.readline().split()
        # The example sleeps for five minutes and keeps the connection: its end is the enclave's.
        machine.end(enclave)
        ending.cancel()
        listener.communicate(timeout=60)
    assert (word, error) == (b"attestation", b"<nil>")
    claims = verified(machine, base64.b64decode(document))
    assert claims.nonce == bytes(range(12))
    assert claims.pcrs[0].hex() == enclave["measured"]["PCR0"]


def qemu_blobs() -> Path:
    """Return the folder with boot parts that boot; QEMU and they are fetched where they lack."""
    install_qemu(lambda _: None)
    return cache_folder() / "blobs"


class Owner:
    """Who makes the key, in the instance's account: only an enclave of one PCR0 may use it."""

    def __init__(self, machine: Machine) -> None:
        at = Endpoint.of(machine.lab)
        keys = json.loads((machine.lab / "cloud" / "credentials.json").read_text())
        status = json.loads(machine.done(WORKFLOW, "host", "status", "--json"))
        self.role = status["role"]
        account = next(it for it in keys if it in self.role.split(":"))
        self.root = f"arn:aws:iam::{account}:root"
        self.kms = boto3.client(
            "kms", region_name="us-east-1", endpoint_url=at.url, verify=at.ca,
            aws_access_key_id=keys[account]["access_key_id"],
            aws_secret_access_key=keys[account]["secret_access_key"],
        )  # fmt: skip

    def key_for(self, pcr0: str) -> str:
        attested = {"StringEqualsIgnoreCase": {"kms:RecipientAttestation:PCR0": pcr0}}
        statements = [
            {"Effect": "Allow", "Principal": {"AWS": self.root}, "Action": "kms:*", "Resource": "*"},
            {
                "Effect": "Allow", "Principal": {"AWS": self.role}, "Resource": "*",
                "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Condition": attested,
            },
        ]  # fmt: skip
        text = json.dumps({"Version": "2012-10-17", "Statement": statements})
        return str(self.kms.create_key(Policy=text)["KeyMetadata"]["Arn"])


@pytest.fixture
def kms_root(machine: Machine, programs: Programs, tmp_path: Path) -> Path:
    """The program with AWS's SDK, and a trust store that holds the lab's CA."""
    machine.done(WORKFLOW, "host", "up")
    root = scratch(tmp_path / "root", programs.go / "kms")
    store = root / "etc/ssl/certs"
    store.mkdir(parents=True)
    shutil.copy2(Endpoint.of(machine.lab).ca, store / "ca-certificates.crt")
    return root


def test_6_attested_with_awss_sdk_for_go_and_denied_after_one_byte(machine, run, kms_root) -> None:
    """The program is ours; its calls are AWS's SDK's, its documents hf/nsm's."""
    enclave = run(kms_root, "/kms", debug=False)
    owner = Owner(machine)
    key = owner.key_for(enclave["measured"]["PCR0"])
    secret = os.urandom(32)
    sealed = owner.kms.encrypt(KeyId=key, Plaintext=secret, EncryptionContext=CONTEXT)
    keys = json.loads(machine.done(WORKFLOW, "host", "credentials", "--print-secrets"))
    job = {
        "Region": "us-east-1", "AccessKeyID": keys["AccessKeyId"], "KeyID": key,
        "SecretAccessKey": keys["SecretAccessKey"], "SessionToken": keys["SessionToken"],
    }  # fmt: skip
    ciphertext = base64.b64encode(sealed["CiphertextBlob"]).decode()

    def ask(enclave: dict[str, Any], **more: Any) -> dict[str, Any]:
        return json.loads(machine.ask(enclave, json.dumps({**job, **more}).encode()))

    opened = ask(enclave, Ciphertext=ciphertext, Attested=True)
    assert opened["Error"] == ""
    assert base64.b64decode(opened["Plaintext"]) == secret
    made = ask(enclave, Attested=True)
    assert (made["Error"], len(base64.b64decode(made["Plaintext"]))) == ("", 32)
    assert ask(enclave, Ciphertext=ciphertext)["Code"] == "AccessDeniedException"

    # One byte more in the image, in a file that nothing reads.
    (kms_root / "etc/motd").write_bytes(b"\n")
    other = run(kms_root, "/kms", debug=False)
    assert other["measured"]["PCR0"] != enclave["measured"]["PCR0"]
    assert ask(other, Ciphertext=ciphertext, Attested=True)["Code"] == "AccessDeniedException"


def test_7_a_web_server_that_a_shell_script_forwards_to(machine, run, debian) -> None:
    """No first line names an interpreter: AWS's init starts it with sh, and so does this."""
    (debian / "web.sh").chmod(0o755)
    enclave = run(debian, "/web.sh")
    assert "lo" in machine.console(enclave, "127.0.0.1/8")
    answer = machine.ask(enclave, b"GET / HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"served inside\n")


def test_9_debians_nginx_behind_a_forwarder(machine, run, debian) -> None:
    enclave = run(debian, "/bin/dash", "/nginx.sh")
    answer = machine.ask(enclave, b"GET / HTTP/1.0\r\n\r\n")
    assert b"Server: nginx" in answer, machine.console(enclave, "nginx")
    assert answer.endswith(b"nginx inside\n")
