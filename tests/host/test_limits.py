"""What an instance or an enclave takes of the machine is held: tried from inside, as it would."""

import contextlib
import errno
import json
import os
import resource
import sys
from pathlib import Path

import pytest

from nitro_workflow.errors import HostError, VsockError
from nitro_workflow.host import LaunchRequest
from tests.host.conftest import INSTANCE
from tests.host.waiting import wait_for

pytestmark = pytest.mark.sandbox

MIB = 1 << 20

FORKS = """
import os, time
def forks(count):
    pids = []
    try:
        for _ in range(count):
            pid = os.fork()
            if pid == 0:
                time.sleep(30)
                os._exit(0)
            pids.append(pid)
    except OSError as error:
        return [len(pids), error.errno]
    finally:
        for pid in pids:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
    return [len(pids), 0]
"""

MEMFD = """
import os
def memfd(mib):
    descriptor = os.memfd_create("x")
    try:
        for at in range(mib):
            os.pwrite(descriptor, bytes(1 << 20), at << 20)
    except OSError as error:
        return [at, error.errno]
    return [mib, 0]
"""


@pytest.fixture
def instance(own_host):
    """A booted instance with a disk of 64 MiB, of which a file may take half."""
    own_host.client.boot_instance(INSTANCE, disk_mib=64)
    return own_host


def ended_for(host):
    """Return what the instance was ended for."""
    wait_for(lambda: host.client.describe_instance(INSTANCE)["EndedFor"])
    return host.client.describe_instance(INSTANCE)["EndedFor"]


def tried(host, code):
    return json.loads(host.python(f"import json\n{code}\nprint(json.dumps(result))"))


def provoke(host, code):
    """Run what ends the instance: whoever asked for it gets no answer."""
    with contextlib.suppress(HostError):
        host.client.run_command(INSTANCE, [sys.executable, "-c", code], timeout=60)


def test_processes_of_an_instance(instance):
    count, number = tried(instance, f"{FORKS}\nresult = forks(600)")
    assert 100 < count < 256
    assert number == errno.EAGAIN
    assert instance.python("print(1)") == "1"  # it goes on


def test_memory_of_one_process_of_an_instance(instance):
    code = "try:\n result = len(bytearray(1500 << 20))\nexcept MemoryError:\n result = 0"
    assert tried(instance, code) == 0
    mib, number = tried(instance, f"{MEMFD}\nresult = memfd(900)")
    assert (mib, number) == (32, errno.EFBIG)


def test_descriptors_and_files_of_an_instance(instance):
    code = """
held = []
try:
    while len(held) < 5000:
        held.append(open("/dev/null"))
except OSError as error:
    result = [len(held), error.errno]
"""
    count, number = tried(instance, code)
    assert (count <= 1024, number) == (True, errno.EMFILE)
    code = """
result = []
for name in ("/run/instance/state/big", "/tmp/big"):
    try:
        with open(name, "wb", buffering=0) as file:
            while file.tell() < 700 << 20:
                file.write(bytes(1 << 20))
    except OSError as error:
        result.append([file.tell() >> 20, error.errno]) if not file.closed else result.append(error.errno)
"""
    assert tried(instance, code) == [errno.EFBIG, errno.EFBIG]


def test_a_first_process_without_descriptors_ends_no_instance(own_host):
    """Its administrator's command waits; whoever lives there could else have it ended."""
    own_host.client.boot_instance(INSTANCE)

    def is_first(pid):
        return b".first_process\0" in Path(f"/proc/{pid}/cmdline").read_bytes()

    (pid,) = filter(is_first, own_host.processes())
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, limits[1]))
    own_host.client.run_command(INSTANCE, ["true"])  # it had a descriptor for this one already
    with pytest.raises(HostError, match="does not answer"):
        own_host.client.run_command(INSTANCE, ["true"], timeout=-3)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    assert own_host.client.run_command(INSTANCE, ["true"])["exit"] == 0
    assert own_host.client.describe_instances()[0]["State"] == "running"


@pytest.mark.parametrize("how", ["open", "mapped", "unlinked", "shared", "let go"])
def test_memory_of_all_its_processes_together(own_host, how):
    """More than 1 GiB in pieces that each are allowed: the hypervisor ends it, and boots it anew."""
    own_host.client.boot_instance(INSTANCE, disk_mib=1024)  # a file, and a memfd, of 512 MiB
    make = {
        "open": "fd = os.memfd_create('x'); fill(fd); kept.append(fd)",
        "mapped": "fd = os.memfd_create('x'); fill(fd); kept.append(mmap.mmap(fd, 256 << 20)); "
        "kept[-1][::4096]; os.close(fd)",
        "shared": "kept.append(mmap.mmap(-1, 256 << 20)); "
        "[(kept[-1].seek(at << 20), kept[-1].write(bytes(1 << 20))) for at in range(256)]",
        "let go": "kept.append(mmap.mmap(-1, 256 << 20)); "
        "[(kept[-1].seek(at << 20), kept[-1].write(bytes(1 << 20)), "
        "kept[-1].madvise(mmap.MADV_DONTNEED)) for at in range(256)]",
        "unlinked": "fd = os.open('/tmp/x', os.O_RDWR | os.O_CREAT); os.unlink('/tmp/x'); "
        "kept.append(fd)\n if at == 0: fill(fd)\n elif os.fork() == 0:\n"
        "  kept = bytearray(300 << 20); kept[::4096] = b'x' * len(kept[::4096]); time.sleep(60)",
    }[how]
    provoke(
        own_host,
        "import mmap, os, time\nkept = []\n"
        "def fill(fd):\n for at in range(256): os.pwrite(fd, bytes(1 << 20), at << 20)\n"
        f"for at in range(5):\n {make}\ntime.sleep(60)",
    )
    assert ended_for(own_host).startswith("memory")
    wait_for(lambda: "more than its memory" in (own_host.folder / "log").read_text())
    assert own_host.client.boot_instance(INSTANCE)["EndedFor"] == ""
    assert own_host.python("print(1)") == "1"


def test_what_forked_processes_share_counts_once(instance):
    code = f"""
import os, time
held = bytearray(300 << 20)
held[::4096] = b"x" * len(held[::4096])
{FORKS.replace("time.sleep(30)", "time.sleep(1.5)")}
pids = []
for _ in range(6):
    pid = os.fork()
    if pid == 0:
        time.sleep(1.5)
        os._exit(0)
    pids.append(pid)
result = [os.waitpid(pid, 0)[1] for pid in pids]
"""
    assert tried(instance, code) == [0] * 6
    assert instance.client.describe_instance(INSTANCE)["EndedFor"] == ""


@pytest.mark.parametrize("hidden", [False, True])
def test_disk_of_an_instance(instance, hidden):
    hide = "os.unlink(name)" if hidden else "pass"
    provoke(
        instance,
        "import os, time\nkept = []\nfor at in range(4):\n"
        " name = f'/run/instance/state/f{at}'\n kept.append(open(name, 'wb', buffering=0))\n"
        f" {hide}\n for _ in range(30): kept[-1].write(os.urandom(1 << 20))\ntime.sleep(60)",
    )
    assert ended_for(instance).startswith("disk")
    assert instance.client.boot_instance(INSTANCE, disk_mib=64)["EndedFor"] == ""
    assert not list((instance.runtime / "instance" / INSTANCE / "state").glob("f*"))


def test_many_files_are_too_many(instance):
    provoke(
        instance,
        "import os\nfor at in range(60000):\n os.close(os.open(f'/run/instance/state/{at}', os.O_CREAT))\n"
        "import time; time.sleep(60)",
    )
    assert ended_for(instance).startswith("files")
    assert instance.client.boot_instance(INSTANCE, disk_mib=64)["EndedFor"] == ""


def test_logs_do_not_grow_for_ever(instance):
    code = "with open('/run/instance/parent.log', 'ab') as log:\n for _ in range(20): log.write(bytes(1 << 20))"
    instance.python(code)
    log = instance.runtime / "instance" / INSTANCE / "parent.log"
    wait_for(lambda: log.stat().st_size < 8 * MIB)
    assert instance.client.describe_instance(INSTANCE)["EndedFor"] == ""


def test_its_folder_gives_no_privilege_and_keeps_its_mode(instance):
    code = """
import os
open("/run/instance/state/s", "w").close()
os.chmod("/run/instance/state/s", 0o6755)
flags = os.statvfs("/run/instance").f_flag
try:
    os.chmod("/run/instance", 0o777)
    answer = 0
except OSError as error:
    answer = error.errno
result = [bool(flags & os.ST_NOSUID), bool(flags & os.ST_NODEV), answer]
"""
    nosuid, nodev, answer = tried(instance, code)
    assert (nosuid, nodev) == (True, True)
    folder = instance.runtime / "instance" / INSTANCE
    if os.geteuid() == 0:  # the folder is not the instance's own then
        assert answer == errno.EPERM
    wait_for(lambda: folder.stat().st_mode & 0o007 == 0)
    assert folder.parent.parent.stat().st_mode & 0o077 == 0


def test_processes_and_memory_of_an_enclave(host, eif):
    started = host.client.run_enclave(LaunchRequest(str(eif), 256, 2))
    try:
        count, number = host.ask(started["EnclaveCID"], f"{FORKS}\nresult = forks(500)")
        assert (count < 256, number) == (True, errno.EAGAIN)
        assert host.ask(started["EnclaveCID"], f"{MEMFD}\nresult = memfd(600)") == [
            128,
            errno.EFBIG,
        ]
    finally:
        host.client.terminate_enclave(started["EnclaveID"])


@pytest.mark.parametrize("where", ["memfds", "tmpfs", "heaps"])
def test_an_enclave_that_takes_more_in_pieces_is_ended(host, eif, where):
    started = host.client.run_enclave(LaunchRequest(str(eif), 256, 2))
    code = {
        "memfds": f"{MEMFD}\nfor _ in range(3): memfd(100)\nresult = 1",
        "tmpfs": "kept = bytearray(120 << 20); kept[::4096] = b'x' * len(kept[::4096])\nfor name in ('/tmp/a', '/run/b', '/dev/shm/c'):\n"
        " with open(name, 'wb') as file:\n  for _ in range(60): file.write(bytes(1 << 20))\n"
        "import time; time.sleep(60)",  # what is kept must be there when the watch looks
        "heaps": "import os, time\nfor _ in range(3):\n if os.fork() == 0:\n"
        "  kept = bytearray(110 << 20); kept[::4096] = b'x' * len(kept[::4096]); time.sleep(60)\nresult = 1",
    }[where]
    with contextlib.suppress(VsockError, OSError):  # it is ended while it answers
        host.ask(started["EnclaveCID"], code)
    running = lambda: {it["EnclaveID"] for it in host.client.describe_enclaves()}  # noqa: E731
    wait_for(lambda: started["EnclaveID"] not in running())
    assert f"{started['EnclaveID']} ended: " in (host.folder / "log").read_text()


def test_the_hypervisor_says_what_is_in_force(host):
    said = host.client.ping()["limits"]
    assert said.startswith(("control groups", "rlimits"))
