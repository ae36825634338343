"""Firecracker's convention on the host side, one folder on the guest's, and which one is chosen."""

import socket
import threading

import pytest

from nitro_workflow.errors import UsageError, VsockError
from nitro_workflow.vsock import GuestTransport, HostTransport, KernelTransport, open_transport
from nitro_workflow.vsock import transport as module


def serve(path, answer):
    """Answer one connection at ``path`` and return what it said."""
    said = []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def run():
        sock, _ = listener.accept()
        with listener, sock:
            sock.settimeout(60)
            said.append(module.read_line(sock))
            sock.sendall(answer)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return said, thread


def test_host_says_connect_port(tmp_path):
    (tmp_path / "16").mkdir()
    said, thread = serve(tmp_path / "16" / "v.sock", b"OK 1073741824\nhello")
    with HostTransport(tmp_path).connect(16, 5005) as sock:
        assert sock.recv(5) == b"hello"  # what follows the line is the application's
    thread.join()
    assert said == [b"CONNECT 5005"]


def test_guest_says_connect_cid_and_port(tmp_path):
    said, thread = serve(tmp_path / "host.sock", b"OK 8000\n")
    GuestTransport(tmp_path).connect(3, 8000).close()
    thread.join()
    assert said == [b"CONNECT 3 8000"]


@pytest.mark.parametrize("answer", [b"", b"NO\n", b"O", b"x" * 200])
def test_an_answer_other_than_ok_is_no_connection(tmp_path, answer):
    (tmp_path / "16").mkdir()
    serve(tmp_path / "16" / "v.sock", answer)
    with pytest.raises(VsockError) as caught:
        HostTransport(tmp_path).connect(16, 5005)
    assert "vsock 16:5005" in caught.value.where


def test_nobody_listens(tmp_path):
    with pytest.raises(VsockError, match="16:5005"):
        HostTransport(tmp_path).connect(16, 5005)
    with pytest.raises(VsockError):
        HostTransport(tmp_path / ("x" * 200)).connect(16, 5005)


def test_a_silent_peer_times_out(tmp_path):
    (tmp_path / "16").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "16" / "v.sock"))
        listener.listen()
        with pytest.raises(VsockError, match="timed out"):
            HostTransport(tmp_path).connect(16, 5005, timeout=0.1)


def test_host_listens_as_cid_3(tmp_path):
    with HostTransport(tmp_path).listen(8000) as listener, socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(tmp_path / "3" / "v.sock_8000"))
        listener.accept()[0].close()


def test_a_dead_socket_is_replaced_a_living_one_is_not(tmp_path):
    HostTransport(tmp_path).listen(8000).close()  # what a killed process leaves
    with HostTransport(tmp_path).listen(8000), pytest.raises(VsockError, match="taken"):
        HostTransport(tmp_path).listen(8000)


def test_guest_listens_in_its_folder(tmp_path):
    with GuestTransport(tmp_path).listen(5005):
        assert (tmp_path / "5005").is_socket()


def test_which_transport(monkeypatch, tmp_path):
    monkeypatch.setenv("NITRO_WORKFLOW_VSOCK", f"host:{tmp_path}")
    assert isinstance(open_transport(), HostTransport)
    monkeypatch.setenv("NITRO_WORKFLOW_VSOCK", f"guest:{tmp_path}")
    assert isinstance(open_transport(), GuestTransport)
    for wrong in ("host:", "kernel", "/run/vsock", "guest:"):
        monkeypatch.setenv("NITRO_WORKFLOW_VSOCK", wrong)
        with pytest.raises(UsageError):
            open_transport()
    monkeypatch.delenv("NITRO_WORKFLOW_VSOCK")
    monkeypatch.setattr(module, "GUEST_FOLDER", tmp_path)
    assert isinstance(open_transport(), GuestTransport)
    monkeypatch.setattr(module, "GUEST_FOLDER", tmp_path / "absent")
    assert isinstance(open_transport(), KernelTransport)


def test_a_kernel_without_vsock_says_so(monkeypatch):
    def no_family(*_):
        raise OSError(97, "Address family not supported by protocol")

    monkeypatch.setattr(module.socket, "socket", no_family)
    for use in (lambda: KernelTransport().listen(1), lambda: KernelTransport().connect(3, 1)):
        with pytest.raises(VsockError, match="AF_VSOCK"):
            use()
