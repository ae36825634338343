"""What a hostile parent reaches of the network: its metadata service and the cloud, nothing else."""

import contextlib
import json
import os
import resource
import secrets
import shutil
import socket
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from nitro_workflow.cloud import Endpoint
from nitro_workflow.errors import HostError
from nitro_workflow.host.control.control_line import SOCKET_NAME, ask
from nitro_workflow.host.instance.instance_network import InstanceNetwork, hosts_file, places
from nitro_workflow.host.sandbox.descriptor_reserve import RESERVE
from nitro_workflow.vsock import recv_json, send_json
from tests.host.conftest import INSTANCE, Host
from tests.host.test_cloud_relay import Cloud
from tests.host.waiting import wait_for

OTHER_INSTANCE = "i-0123456789abcdef1"

# Runs in the instance: dials each (family, address) it is given and says what came of it.
DIAL = """
import json, os, socket, sys
answers = []
for family, address in json.loads(sys.argv[1]):
    address = "\\0" + address[1:] if isinstance(address, str) and address[:1] == "@" else address
    with socket.socket(getattr(socket, family), socket.SOCK_STREAM) as sock:
        sock.settimeout(60)
        try:
            sock.connect(tuple(address) if isinstance(address, list) else address)
            answers.append("open")
        except OSError as error:
            answers.append(os.strerror(error.errno) if error.errno else str(error))
print(json.dumps(answers))
"""

ECHO = """
import socket, sys
try:
    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 60) as sock:
        sock.sendall(b"hello")
        print(sock.recv(5, socket.MSG_WAITALL).decode())
except OSError as error:
    print(type(error).__name__)
"""

REFUSED, NOWHERE = "Connection refused", "Network is unreachable"


@pytest.fixture(scope="module")
def cloud():
    it = Cloud()
    yield it
    it.close()


@pytest.fixture(scope="module")
def module_host(sandbox_works, workshop, cloud):
    if not sandbox_works:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="nw-", dir="/tmp"))
    it = Host(folder, workshop / "parent.py", cloud.address[1])
    it.client.boot_instance(INSTANCE)
    yield it
    it.stop()
    shutil.rmtree(folder)


@pytest.fixture
def host(sandboxed, module_host):
    return module_host


def dialled(host, *targets):
    done = host.inside(sys.executable, "-c", DIAL, json.dumps(targets))
    assert done["exit"] == 0, done
    return json.loads(done["stdout"])


def echoed(host, port, instance=INSTANCE):
    done = host.client.run_command(instance, [sys.executable, "-c", ECHO, str(port)])
    assert done["exit"] == 0, done
    return done["stdout"].strip()


def listening(pid):
    """The TCP sockets of a process that listen in this machine's network namespace."""
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            target = str(entry.readlink())
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    rows = []
    for table in ("tcp", "tcp6"):
        text = Path("/proc/self/net", table).read_text("ascii")
        rows += [line.split() for line in text.splitlines()[1:]]
    return [row[1] for row in rows if row[3] == "0A" and row[9] in inodes]


def test_it_reaches_the_cloud_at_its_own_address(host, cloud):
    assert echoed(host, cloud.address[1]) == "hello"


def test_no_other_port_of_this_machine(host):
    """A notebook server, a database, another lab's cloud: all that is on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as four, socket.create_server(
        ("::1", 0), family=socket.AF_INET6
    ) as six:  # fmt: skip
        answers = dialled(
            host,
            ("AF_INET", list(four.getsockname())),
            ("AF_INET", ["127.0.0.2", four.getsockname()[1]]),
            ("AF_INET6", list(six.getsockname()[:2])),
        )
        assert answers == [REFUSED] * 3
        four.settimeout(0)
        with pytest.raises(BlockingIOError):
            four.accept()


def test_no_address_beyond_loopback(host):
    addresses = ["192.0.2.1", "10.0.0.2", "169.254.169.253"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
        sock.connect(("192.0.2.1", 9))  # sends nothing: tells which address this machine has
        addresses.append(sock.getsockname()[0])
    targets = [("AF_INET", [it, 443]) for it in addresses]
    answers = dialled(host, *targets, ("AF_INET6", ["2001:db8::1", 443]))
    assert set(answers) == {NOWHERE}


def test_no_name_is_looked_up(host):
    code = "import socket\ntry:\n print(socket.getaddrinfo('example.com', 443))\nexcept socket.gaierror:\n print('unknown')"
    assert host.python(code) == "unknown"


def test_no_abstract_socket_of_this_machine(host):
    """A session bus, an X server: abstract names belong to a network namespace."""
    name = f"@nw-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("\0" + name[1:])
        listener.listen()
        assert dialled(host, ("AF_UNIX", name)) == [REFUSED]


def test_it_cannot_change_its_network(host):
    """Every capability is gone: no interface, no address, no raw socket."""
    code = """
import fcntl, socket, struct
for family, kind in ((socket.AF_INET, socket.SOCK_RAW), (socket.AF_PACKET, socket.SOCK_RAW)):
    try:
        socket.socket(family, kind, 1)
        print("made")
    except OSError as error:
        print(error.errno)
control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try:
    fcntl.ioctl(control, 0x8914, struct.pack("=16sH22x", b"lo", 0))
    print("down")
except OSError as error:
    print(error.errno)
"""
    assert host.python(code).split() == ["1", "97", "1"]
    assert host.python("import socket; print([n for _, n in socket.if_nameindex() if n == 'lo'])") == "['lo']"  # fmt: skip


def test_it_cannot_take_the_place_of_the_cloud(host, cloud):
    code = f"""
import socket
for address in ("127.0.0.1", "0.0.0.0"):
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            sock.bind((address, {cloud.address[1]}))
            sock.listen()
            print("taken")
        except OSError as error:
            print(error.errno)
"""
    assert host.python(code).split() == ["98", "98"]


def test_the_metadata_service_is_where_ec2_has_it_and_this_machine_does_not(host):
    code = """
import os
from botocore.utils import InstanceMetadataFetcher
assert "AWS_EC2_METADATA_SERVICE_ENDPOINT" not in os.environ
print(InstanceMetadataFetcher(timeout=60, num_attempts=1).retrieve_iam_role_credentials()["role_name"])
"""
    assert host.python(code) == "ParentInstance"
    booted = host.client.describe_instance(INSTANCE)
    assert booted["MetadataEndpoint"] == "http://169.254.169.254/"
    assert listening(host.process.pid) == []


def test_the_cloud_comes_back_on_its_port(host, cloud):
    port = cloud.address[1]
    cloud.go()
    assert echoed(host, port) == "ConnectionResetError"
    cloud.come()
    assert echoed(host, port) == "hello"


def test_two_instances_do_not_reach_each_other(host, cloud):
    host.client.boot_instance(OTHER_INSTANCE)
    try:
        serve = "import socket, time; s = socket.create_server(('127.0.0.1', 7777)); t = socket.socket(socket.AF_UNIX); t.bind(chr(0) + 'other'); t.listen(); print('up', flush=True); time.sleep(99)"
        argv = ["/bin/sh", "-c", f'{sys.executable} -c "{serve}" > /run/instance/other.log 2>&1 &']
        assert host.client.run_command(OTHER_INSTANCE, argv)["exit"] == 0
        log = host.runtime / "instance" / OTHER_INSTANCE / "other.log"
        wait_for(lambda: log.read_text() == "up\n")
        assert dialled(host, ("AF_INET", ["127.0.0.1", 7777]), ("AF_UNIX", "@other")) == [REFUSED] * 2  # fmt: skip
        assert echoed(host, cloud.address[1], OTHER_INSTANCE) == "hello"
    finally:
        host.client.stop_instance(OTHER_INSTANCE)


def test_an_instance_that_several_boot_at_once_is_booted_once(host):
    booted = []
    boot = partial(host.client.boot_instance, OTHER_INSTANCE)
    threads = [threading.Thread(target=lambda: booted.append(boot())) for _ in range(3)]
    before = host.processes()
    for it in threads:
        it.start()
    for it in threads:
        it.join()
    assert [it["Programs"] for it in booted] == [booted[0]["Programs"]] * 3
    assert len(host.processes() - before) == 6  # three of the sandbox, the instance's own three
    host.client.stop_instance(OTHER_INSTANCE)
    assert host.processes() == before


def test_each_instance_is_a_user_of_its_own_when_root_makes_it(host, require):
    before = host.processes()
    host.client.boot_instance(OTHER_INSTANCE)
    users = [
        {Path(f"/proc/{pid}").stat().st_uid for pid in pids} - {os.geteuid()}
        for pids in (before, host.processes() - before)
    ]
    host.client.stop_instance(OTHER_INSTANCE)
    if os.geteuid() == 0:
        assert [len(it) for it in users] == [1, 1]
        assert users[0] != users[1]
    else:
        assert users == [set(), set()]


def test_nothing_of_the_network_stays_when_the_instance_ends(host):
    """Stopped or killed: the hypervisor has as many descriptors and threads as before."""

    def held():
        return tuple(
            len(list(Path(f"/proc/{host.process.pid}", name).iterdir())) for name in ("fd", "task")
        )

    def settle(reached):
        deadline = time.monotonic() + 60
        while not reached(held()):  # the line that we asked over closes a moment later
            assert time.monotonic() < deadline, held()
            time.sleep(0.02)

    boot, stop = host.client.boot_instance, host.client.stop_instance
    boot(OTHER_INSTANCE)
    stop(OTHER_INSTANCE)
    looks = [held()]
    while len(looks) < 50 or len(set(looks[-50:])) > 1:  # what earlier tests left has ended
        time.sleep(0.02)
        looks.append(held())
        assert len(looks) < 3000, looks[-50:]
    before = looks[-1]
    for _ in range(3):
        boot(OTHER_INSTANCE)
        stop(OTHER_INSTANCE)
    settle(lambda now: now == before)
    processes = host.processes()
    boot(OTHER_INSTANCE)
    settle(lambda now: now[1] > before[1])
    for pid in host.processes() - processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)
    settle(lambda now: now[1] == before[1])  # with the sandbox: nobody has to ask for it
    stop(OTHER_INSTANCE)
    settle(lambda now: now == before)


def test_an_instance_that_takes_every_descriptor_ends_nothing_and_spins_nothing(host, cloud):
    """The last are not its to take: the hypervisor answers meanwhile, and looks at what it holds."""
    pid, port = host.process.pid, cloud.address[1]
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    few = len(descriptors(pid)) + RESERVE + 12
    folder = host.runtime / "instance" / INSTANCE
    hold = f"""
import contextlib, os, socket, time
held = []
for address in [("127.0.0.1", {port})] * 40 + [("169.254.169.254", 80)] * 40:
    with contextlib.suppress(ConnectionResetError):  # for its half, no descriptor was left
        held.append(socket.create_connection(address, 60))
open("/run/instance/held", "w").close()
while not os.path.exists("/run/instance/enough"):
    time.sleep(0.05)
print(len(held) > 2)
"""
    path = host.client.describe_instance(INSTANCE)["RunSocket"]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (few, limits[1]))
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(path)
            send_json(sock, {"argv": [sys.executable, "-c", hold], "timeout": 300})
            deadline = time.monotonic() + 60
            while not (folder / "held").exists() or len(descriptors(pid)) < few - RESERVE - 4:
                assert time.monotonic() < deadline, descriptors(pid)
                time.sleep(0.02)
            assert max(descriptors(pid)) < few - RESERVE + 16
            assert ask(host.runtime / SOCKET_NAME, "ping", timeout=60)["pid"] == pid
            before = cpu_seconds(pid)
            time.sleep(3)  # three looks at the disk among it
            assert cpu_seconds(pid) - before < 1
            (folder / "enough").touch()
            assert recv_json(sock) == {"exit": 0, "stdout": "True\n", "stderr": ""}
        assert host.client.describe_instance(INSTANCE)["EndedFor"] == ""
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    assert host.client.ping()["pid"] == pid
    assert echoed(host, port) == "hello"


def descriptors(pid):
    return [int(it.name) for it in Path(f"/proc/{pid}/fd").iterdir()]


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize(
    ("host_name", "inside"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.9", "127.0.0.9"),
        ("192.0.2.7", "192.0.2.7"),
        ("::1", "::1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("kms.example", "127.0.0.1"),
    ],
)
def test_where_the_cloud_is_found(host_name, inside):
    url_host = f"[{host_name}]" if ":" in host_name else host_name
    address = Endpoint(f"https://{url_host}:8443", "/ca.pem")
    assert places(address) == (("169.254.169.254", 80), (inside, 8443))
    names = [line.split() for line in hosts_file(address).splitlines()]
    assert ("kms.example" in names[0]) is (host_name == "kms.example")
    assert [it[1] for it in names] == ["localhost", "localhost"]


def test_an_address_that_loopback_cannot_have_is_refused():
    with pytest.raises(HostError, match="2001:db8::1"):
        places(Endpoint("https://[2001:db8::1]:1", "/ca.pem"))


def test_other_listeners_than_those_asked_for_are_refused_and_closed():
    """What comes from the bootstrap is looked at: one listener too few, another port."""
    address = Endpoint("https://127.0.0.1:9", "/ca.pem")
    listener = socket.create_server(("127.0.0.1", 0))
    with pytest.raises(HostError, match="another network"):
        InstanceNetwork([descriptor := listener.detach()], None, address)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


@pytest.mark.parametrize("address", ["127.0.0.1", "192.0.2.7", "::1"])
def test_the_sandbox_listens_where_it_is_told(sandboxed, address):
    """Also at an address that this machine does not have; the hypervisor accepts from outside."""
    from nitro_workflow.host.rules import instance_limits
    from nitro_workflow.host.sandbox import launcher

    binds, links = launcher.system_binds()
    code = f"import socket; s = socket.create_connection(({address!r}, 443), 60); s.sendall(b'x'); s.recv(1)"
    it = launcher.start(
        launcher.SandboxSpec(
            limits=instance_limits(), command=("/usr/bin/python3", "-c", code), binds=binds, links=links,
            user=launcher.sandbox_user(0), listeners=((address, 443),),
        )
    )  # fmt: skip
    (descriptor,) = it.next_event(60).descriptors
    assert not os.get_inheritable(descriptor)
    with socket.socket(fileno=descriptor) as listener:
        it.next_event(60)
        listener.settimeout(60)
        sock, _ = listener.accept()
        with sock:
            assert sock.recv(1) == b"x"
    it.process.stdout.close()
    it.kill()
