"""The enclave's NSM client over a socket pair that a module answers, and over an ioctl."""

import fcntl
import os
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nitro_workflow.enclave import nsm_device
from nitro_workflow.enclave.nsm_device import DeviceChannel, NsmClient, SocketChannel, open_nsm
from nitro_workflow.errors import NsmError
from nitro_workflow.nsm import NsmModule


def module():
    return NsmModule(
        "i-0-enc1", {0: b"\1" * 48}, lambda **it: repr(it["nonce"]).encode(), os.urandom
    )


@pytest.fixture
def client():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    nsm = module()

    def answer():
        while data := theirs.recv(0x1001):
            theirs.sendall(nsm.handle(data, datetime.now(UTC)))

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    yield NsmClient(SocketChannel(ours))
    ours.close()
    thread.join(60)
    theirs.close()


def test_every_operation(client):
    assert client.attest(nonce=b"n") == b"b'n'"
    assert client.describe().module_id == "i-0-enc1"
    assert client.describe_pcr(0).value == b"\1" * 48
    value = client.extend_pcr(16, b"x")
    client.lock_pcr(16)
    assert client.describe_pcr(16) == type(client.describe_pcr(16))(True, value)
    client.lock_pcrs(32)
    assert len(client.random()) == 256


def test_errors_have_the_modules_name(client):
    for call, code in (
        (lambda: client.describe_pcr(32), "InvalidIndex"),
        (lambda: client.extend_pcr(0, b""), "ReadOnlyIndex"),
        (lambda: client.attest(nonce=bytes(1025)), "InputTooLarge"),
        (lambda: client.attest(nonce=bytes(5000)), "InputTooLarge"),
    ):
        with pytest.raises(NsmError) as caught:
            call()
        assert caught.value.code == code


def test_threads_get_their_own_answers(client):
    wrong = []

    def ask(number):
        for turn in range(50):
            nonce = f"{number}-{turn}".encode()
            if client.attest(nonce=nonce) != repr(nonce).encode():
                wrong.append(nonce)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_hypervisor_that_is_gone():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        theirs.close()
        with pytest.raises(NsmError):
            NsmClient(SocketChannel(ours)).random()


def test_ioctl(monkeypatch):
    """The kernel's side of the ioctl, played on the addresses that it is given."""
    import ctypes

    nsm = module()

    def ioctl(descriptor, request, argument, mutate):
        assert (descriptor, request, mutate) == (7, 0xC0200A00, True)
        address, length, answer_at, room = nsm_device._IOVECS.unpack(argument)
        answer = nsm.handle(ctypes.string_at(address, length), datetime.now(UTC))
        assert room == 0x3000
        ctypes.memmove(answer_at, answer, len(answer))
        argument[:] = nsm_device._IOVECS.pack(address, length, answer_at, len(answer))

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    client = NsmClient(DeviceChannel(7))
    assert client.attest(nonce=b"n") == b"b'n'"

    def too_large(*_):
        raise OSError(90, "Message too long")

    monkeypatch.setattr(fcntl, "ioctl", too_large)
    with pytest.raises(NsmError) as caught:
        client.random()
    assert caught.value.code == "InputTooLarge"


OPEN = """
import os, sys
from nitro_workflow.enclave.nsm_device import open_nsm
from nitro_workflow.errors import NsmError
os.dup2(int(sys.argv[1]), 3) if sys.argv[1] else os.closerange(3, 4)
try:
    open_nsm()
except NsmError as error:
    print(error.found)
else:
    print("opened")
"""


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("nothing", "is not open"),
        ("file", "is not a socket"),
        ("stream", "another kind"),
        ("lonely", "is not connected"),
        ("right", "opened"),
    ],
)
def test_descriptor_3_is_looked_at(kind, said):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    stream, other = socket.socketpair()
    lonely = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs, stream, other, lonely, Path(os.devnull).open() as null:
        given = {"right": ours, "stream": stream, "lonely": lonely, "file": null}.get(kind)
        done = subprocess.run(
            [sys.executable, "-c", OPEN, str(given.fileno()) if given else ""],
            capture_output=True,
            text=True,
            pass_fds=(given.fileno(),) if given else (),
            check=True,
        )
    assert said in done.stdout


def test_imports_stay_light():
    heavy = "cryptography", "boto3", "botocore", "pycose", "aws_encryption_sdk", "yaml"
    code = "import sys, nitro_workflow.enclave.nsm_device; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()).isdisjoint(heavy)


def test_outside_of_an_enclave(monkeypatch):
    monkeypatch.setattr(nsm_device, "NSM_DESCRIPTOR", 999_999)
    with pytest.raises(NsmError, match="not open"):
        open_nsm()
