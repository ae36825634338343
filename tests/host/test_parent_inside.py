"""The administrator is root on the instance: what he gets there, and what stays out of his reach."""

import json
import sys
from pathlib import Path

import pytest

from tests.host.conftest import INSTANCE

pytestmark = pytest.mark.sandbox


def test_the_enclave_is_not_among_its_processes(host, enclave):
    pids = json.loads(host.python("import os, json; print(json.dumps([p for p in os.listdir('/proc') if p.isdigit()]))"))  # fmt: skip
    named = host.inside("/bin/sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")["stdout"]
    assert "app.py" not in named
    assert len(pids) < 10
    assert enclave["ProcessID"] not in map(int, pids)


def test_process_vm_readv_ptrace_and_signals(host, enclave):
    code = f"""
import ctypes, os
c = ctypes.CDLL(None, use_errno=True)
answers = []
for call in (lambda: c.process_vm_readv({enclave["ProcessID"]}, 0, 0, 0, 0, 0), lambda: c.ptrace(16, {enclave["ProcessID"]}, 0, 0)):
    call()
    answers.append(ctypes.get_errno())
try:
    os.kill({enclave["ProcessID"]}, 0)
except OSError as error:
    answers.append(error.errno)
print(answers)
"""
    assert host.python(code) == "[38, 38, 3]"


def test_the_lab_the_image_and_the_hypervisor_are_not_there(host, eif):
    paths = [host.runtime / "hypervisor.sock", host.folder / "lab", eif, host.folder]
    paths.append(Path(__file__))
    for path in paths:
        assert host.inside("/bin/ls", str(path))["exit"] != 0, path


def test_it_has_no_security_module(host):
    code = """
from nitro_workflow.enclave.nsm_device import open_nsm
from nitro_workflow.errors import NsmError
try:
    open_nsm().attest(public_key=b"the administrator's own")
except NsmError as error:
    print(error.found)
"""
    assert "is not" in host.python(code)


def test_its_programs_are_cid_three(host, ask, enclave):
    """Any program of the instance, with AF_VSOCK alone; the enclave sees its port."""
    ask("""
import json, socket, threading
heard = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
heard.bind((socket.VMADDR_CID_ANY, 5120))
heard.listen()
def answer():
    sock, peer = heard.accept()
    with sock:
        sock.sendall(json.dumps(peer).encode())
    heard.close()
threading.Thread(target=answer).start()
""")
    code = f"""
import json, socket
with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as sock:
    sock.connect(({enclave["EnclaveCID"]}, 5120))
    with sock.makefile() as stream:
        print(json.dumps([json.load(stream), sock.getsockname(), sock.getpeername()]))
"""
    seen, own, peer = json.loads(host.python(code))
    assert seen == own
    assert own[0] == 3
    assert peer == [enclave["EnclaveCID"], 5120]


def test_its_supervisor_follows_no_link_of_its_administrator(host, tmp_path):
    """It has more rights than they: a link in their folder must not make it write elsewhere."""
    elsewhere = host.folder / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    place = "/run/instance/vsock/3"
    swap = f"mv {place} {place}.kept && ln -s {elsewhere} {place}"
    assert host.inside("/bin/sh", "-c", swap)["exit"] == 0
    code = """
import socket
with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as sock:
    try:
        sock.bind((socket.VMADDR_CID_ANY, 7400))
    except OSError as error:
        print(error.errno)
"""
    try:
        assert host.python(code) in ("20", "40")  # ENOTDIR, ELOOP
        assert list(elsewhere.iterdir()) == []
    finally:
        host.inside("/bin/sh", "-c", f"rm {place} && mv {place}.kept {place}")


def test_no_vsock_of_this_machines_kernel(host):
    """What is made there is the supervisor's: it reaches nobody but the instance's enclaves."""
    code = """
import socket
for family in (socket.AF_VSOCK, socket.AF_PACKET, 38):
    try:
        socket.socket(family, socket.SOCK_STREAM)
        print("made")
    except OSError as error:
        print(error.errno)
"""
    assert host.python(code).split() == ["made", "97", "97"]


def test_what_it_shares_with_this_machine_is_read_only(host):
    import nitro_workflow

    for folder in ("/usr", sys.prefix, Path(nitro_workflow.__file__).parent):
        assert host.inside("/bin/sh", "-c", f"touch {folder}/x")["exit"] != 0
        assert not Path(folder, "x").exists()
    assert host.inside("/bin/sh", "-c", "echo x > /etc/nitro-workflow/ca.pem")["exit"] != 0


def test_its_environment_has_addresses_and_no_secret(host):
    environment = json.loads(host.python("import os, json; print(json.dumps(dict(os.environ)))"))
    assert not {name for name in environment if "SECRET" in name or "TOKEN" in name}
    assert "NITRO_WORKFLOW_VSOCK" not in environment  # it has AF_VSOCK itself
    assert environment["AWS_ENDPOINT_URL"].startswith("https://127.0.0.1:")


def test_the_role_comes_from_the_metadata_service(host):
    code = """
import urllib.request
root = "http://169.254.169.254/"
def get(method, path, **headers):
    request = urllib.request.Request(root + path, method=method, headers=headers)
    return urllib.request.urlopen(request, timeout=60).read().decode()
token = get("PUT", "latest/api/token", **{"X-aws-ec2-metadata-token-ttl-seconds": "60"})
print(get("GET", "latest/meta-data/iam/security-credentials/ParentInstance", **{"X-aws-ec2-metadata-token": token}))
"""
    body = json.loads(host.python(code))
    assert (body["AccessKeyId"], body["Token"], body["Code"]) == ("ASIA", "token", "Success")


def test_a_link_in_its_vsock_folder_does_not_make_the_hypervisor_dial(host, ask):
    """The enclave and the administrator together must not reach the hypervisor through itself."""
    target = host.runtime / "hypervisor.sock"
    link = "/run/instance/vsock/3/v.sock_7000"
    assert host.inside("/bin/ln", "-s", str(target), link)["exit"] == 0
    code = """
from nitro_workflow.errors import VsockError
try:
    open_transport().connect(3, 7000).close()
    result = "connected"
except VsockError:
    result = "refused"
"""
    assert ask(code) == "refused"
    host.inside("/bin/rm", link)


def test_it_talks_to_its_enclave(host, enclave):
    code = f"""
from nitro_workflow.vsock import open_transport, recv_json, send_json
sock = open_transport().connect({enclave["EnclaveCID"]}, 5005)
send_json(sock, {{"code": "result = 6 * 7"}})
print(recv_json(sock)["result"])
"""
    assert host.python(code) == "42"


def test_the_enclave_talks_to_a_port_of_it(host, ask):
    code = """
from nitro_workflow.vsock import open_transport
listener = open_transport().listen(7100)
listener.settimeout(60)
sock, _ = listener.accept()
sock.sendall(sock.recv(100).upper())
"""
    import threading

    server = threading.Thread(target=host.python, args=(code,))
    server.start()
    dial = """
import time
from nitro_workflow.errors import VsockError
for _ in range(3000):
    try:
        sock = open_transport().connect(3, 7100)
        break
    except VsockError:
        time.sleep(0.02)
sock.sendall(b"hello")
result = sock.recv(100).decode()
"""
    assert ask(dial) == "HELLO"
    server.join()


def test_commands_of_the_administrator(host):
    assert host.inside("/bin/sh", "-c", "echo out; echo err >&2; exit 3") == {
        "exit": 3,
        "stdout": "out\n",
        "stderr": "err\n",
    }
    assert host.inside("/no/such")["exit"] == 127
    assert host.client.run_command(INSTANCE, ["/bin/sleep", "9"], timeout=0.2)["exit"] == 124
