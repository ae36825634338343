"""KMS's TLS over a stand-in for vsock: real sockets, real certificates, real botocore."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from nitro_workflow.enclave import kms_over_vsock
from nitro_workflow.enclave.kms_over_vsock import over_vsock
from nitro_workflow.errors import UntrustedAnswer, UsageError, VsockError

HOST = "kms.us-east-1.nitro-lab.internal"


class Authority:
    """A certificate authority, and the certificates that it gives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "an authority")])
        self.certificate = self._build(self.name, self.key.public_key(), [], ca=True)
        self.pem = self.certificate.public_bytes(Encoding.PEM)

    def _build(self, name, public, names, *, ca=False, days=1) -> x509.Certificate:
        now = datetime.now(UTC)
        key_id = x509.SubjectKeyIdentifier.from_public_key(public)
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=3))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(key_id, critical=False)
            .add_extension(authority, critical=False)
        )
        if names:
            general = [x509.DNSName(entry) for entry in names]
            builder = builder.add_extension(x509.SubjectAlternativeName(general), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def server_context(self, *names: str, days: int = 1) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
        certificate = self._build(name, key.public_key(), names, days=days)
        path = self.folder / "server.pem"
        path.write_bytes(
            certificate.public_bytes(Encoding.PEM)
            + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


class Server(ThreadingHTTPServer):
    """Answers every POST with `behave`; counts connections and requests."""

    daemon_threads = True
    request_queue_size = 64  # more than come at once: a connection dropped would be made again

    def __init__(self, context: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.context = context
        self.connections, self.requests = 0, []
        self.ended = threading.Event()  # a connection was
        self.behave: Callable[[_Handler, int], None] = lambda handler, _: handler.answer()

    def get_request(self):
        raw, address = super().get_request()
        self.connections += 1
        if self.context is None:
            return raw, address
        secure = self.context.wrap_socket(raw, server_side=True, do_handshake_on_connect=False)
        return secure, address

    def shutdown_request(self, request) -> None:
        super().shutdown_request(request)
        self.ended.set()

    def handle_error(self, request, client_address) -> None:
        pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((dict(self.headers.items()), body))
        self.server.behave(self, len(self.server.requests))

    def answer(self, members: Any = None, *, close: bool = False, status: int = 200) -> None:
        content = json.dumps(members or {"Plaintext": base64.b64encode(b"r" * 8).decode()})
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        if close:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content.encode())

    def log_message(self, *_: Any) -> None:
        pass


class Vsock:
    """Connects to the server whatever CID and port are asked for, and keeps what was asked."""

    def __init__(self, port: int) -> None:
        self.port, self.asked = port, []

    def connect(self, cid: int, port: int, timeout: float) -> socket.socket:
        self.asked.append((cid, port))
        return socket.create_connection(("127.0.0.1", self.port), timeout)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def serve() -> Iterator[Callable[[ssl.SSLContext | None], Server]]:
    running = []

    def start(context: ssl.SSLContext | None) -> Server:
        server = Server(context)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((server, thread))
        return server

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


_LOADER = botocore.session.Session().get_component("data_loader")


def make_client(server: Server, ca_pem: bytes, *, endpoint: str = HOST, host: str = HOST) -> Any:
    session = botocore.session.Session()
    session.register_component("data_loader", _LOADER)
    session.set_credentials("AKIAEXAMPLE", "secret", "token")
    client = session.create_client(
        "kms", region_name="us-east-1", endpoint_url=f"https://{endpoint}"
    )
    client.vsock = Vsock(server.server_address[1])
    return over_vsock(client, ca_pem=ca_pem, host=host, transport=client.vsock)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch) -> None:
    import time

    real = time.sleep
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: real(0))


def test_a_request_goes_to_the_proxy_and_its_answer_comes_back(authority, serve):
    server = serve(authority.server_context(HOST))
    client = make_client(server, authority.pem)
    assert client.generate_random(NumberOfBytes=8)["Plaintext"] == b"r" * 8
    assert client.vsock.asked == [(3, 8000)]
    headers, body = server.requests[0]
    assert headers["Host"] == HOST
    assert headers["Authorization"].startswith("AWS4-HMAC-SHA256")
    assert json.loads(body) == {"NumberOfBytes": 8}


def test_a_connection_serves_many_requests_one_after_the_other(authority, serve):
    server = serve(authority.server_context(HOST))
    client = make_client(server, authority.pem)
    for _ in range(5):
        client.generate_random(NumberOfBytes=8)
    assert (server.connections, len(server.requests)) == (1, 5)


def test_a_connection_that_the_other_side_closed_is_replaced(authority, serve):
    server = serve(authority.server_context(HOST))
    client = make_client(server, authority.pem)
    server.behave = lambda handler, count: handler.answer(close=count == 1)
    for _ in range(3):
        client.generate_random(NumberOfBytes=8)
    assert (server.connections, len(server.requests)) == (2, 3)


def test_an_idle_connection_that_was_cut_is_replaced(authority, serve):
    server = serve(authority.server_context(HOST))
    client = make_client(server, authority.pem)

    def answer_and_cut(handler: _Handler, count: int) -> None:
        handler.answer()
        handler.close_connection = count == 1

    server.behave = answer_and_cut
    client.generate_random(NumberOfBytes=8)
    assert server.ended.wait(60)
    assert client.generate_random(NumberOfBytes=8)["Plaintext"]
    assert (server.connections, len(server.requests)) == (2, 2)


def test_many_threads_have_connections_of_their_own(authority, serve):
    from concurrent.futures import ThreadPoolExecutor

    server = serve(authority.server_context(HOST))
    client = make_client(server, authority.pem)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: client.generate_random(NumberOfBytes=8), range(40)))
    assert len(server.requests) == 40
    assert server.connections <= 8


# --- who is on the other side --------------------------------------------------------------------


def test_another_authority_another_name_and_an_old_certificate_are_refused(
    authority, serve, tmp_path
):
    stranger = Authority(tmp_path)
    cases = {
        "unable to get local issuer": stranger.server_context(HOST),
        "Hostname mismatch": authority.server_context("kms.us-east-1.amazonaws.com"),
        "expired": authority.server_context(HOST, days=-1),
    }
    for text, context in cases.items():
        server = serve(context)
        client = make_client(server, authority.pem)
        with pytest.raises(UntrustedAnswer, match=text) as caught:
            client.generate_random(NumberOfBytes=8)
        assert "nothing was sent" in caught.value.next
        assert server.requests == []


def test_a_server_without_tls_gets_no_request(authority, serve):
    server = serve(None)
    client = make_client(server, authority.pem)
    with pytest.raises(EndpointConnectionError):
        client.generate_random(NumberOfBytes=8)
    assert server.requests == []


def test_old_tls_is_not_spoken(authority):
    context = kms_over_vsock._context(authority.pem)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


def test_only_the_given_authorities_count(authority):
    assert len(kms_over_vsock._context(authority.pem).get_ca_certs()) == 1


def test_a_request_for_another_host_is_not_sent(authority, serve):
    server = serve(authority.server_context(HOST))
    for endpoint in ("kms.us-east-1.amazonaws.com", f"{HOST}:8443"):
        client = make_client(server, authority.pem, endpoint=endpoint)
        with pytest.raises(UsageError, match="a request for"):
            client.generate_random(NumberOfBytes=8)
    assert server.connections == 0


@pytest.mark.parametrize("ca_pem", [b"", b"no certificate", b"\xff\xfe"])
def test_a_ca_that_is_none_is_refused_at_once(ca_pem):
    with pytest.raises(UsageError, match="no certificate"):
        over_vsock(object(), ca_pem=ca_pem, host=HOST, transport=Vsock(1))


# --- when it does not work -----------------------------------------------------------------------


def test_botocore_tries_again_where_a_connection_is_cut(authority, serve):
    server = serve(authority.server_context(HOST))
    client = make_client(server, authority.pem)

    def cut_twice(handler: _Handler, count: int) -> None:
        if count > 2:
            handler.answer()
        elif count == 2:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            handler.close_connection = True
        else:
            handler.close_connection = True

    server.behave = cut_twice
    assert client.generate_random(NumberOfBytes=8)["Plaintext"] == b"r" * 8
    assert len(server.requests) == 3


def test_an_answer_that_ends_without_tls_end_is_not_taken(authority, serve):
    server = serve(authority.server_context(HOST))
    client = make_client(server, authority.pem)

    def cut(handler: _Handler, _count: int) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}")
        handler.wfile.flush()
        handler.connection.unwrap = None
        socket.socket.shutdown(handler.connection, socket.SHUT_RDWR)
        handler.close_connection = True

    server.behave = cut
    with pytest.raises(ConnectionClosedError):
        client.generate_random(NumberOfBytes=8)


def test_a_connection_that_is_always_cut_is_botocores_error(authority, serve):
    server = serve(authority.server_context(HOST))
    client = make_client(server, authority.pem)
    server.behave = lambda handler, _: setattr(handler, "close_connection", True)
    with pytest.raises(ConnectionClosedError):
        client.generate_random(NumberOfBytes=8)


def test_no_proxy_is_botocores_error(authority, serve):
    server = serve(authority.server_context(HOST))
    client = make_client(server, authority.pem)

    class Gone:
        def connect(self, *_: Any) -> socket.socket:
            raise VsockError("no route to host")

    over_vsock(client, ca_pem=authority.pem, host=HOST, transport=Gone())
    with pytest.raises(EndpointConnectionError):
        client.generate_random(NumberOfBytes=8)


def test_silence_is_a_timeout(authority, serve, monkeypatch):
    monkeypatch.setattr(kms_over_vsock, "READ_TIMEOUT_S", 0.05)
    server = serve(authority.server_context(HOST))
    done = threading.Event()
    server.behave = lambda *_: done.wait(2) and None
    client = make_client(server, authority.pem)
    with pytest.raises(ReadTimeoutError):
        client.generate_random(NumberOfBytes=8)
    done.set()


def test_an_answer_without_end_is_cut_off(authority, serve, monkeypatch):
    monkeypatch.setattr(kms_over_vsock, "MAX_ANSWER_BYTES", 1000)
    server = serve(authority.server_context(HOST))
    server.behave = lambda handler, _: handler.answer({"Plaintext": "A" * 2000})
    client = make_client(server, authority.pem)
    with pytest.raises(UntrustedAnswer, match="more than 1000 bytes"):
        client.generate_random(NumberOfBytes=8)


def test_clients_that_a_session_makes_are_carried_too(authority, serve):
    server = serve(authority.server_context(HOST))
    session = botocore.session.Session()
    session.register_component("data_loader", _LOADER)
    session.set_credentials("AKIAEXAMPLE", "secret", "token")
    vsock = Vsock(server.server_address[1])
    over_vsock(session, ca_pem=authority.pem, host=HOST, cid=4, port=9, transport=vsock)
    client = session.create_client("kms", "us-east-1", endpoint_url=f"https://{HOST}")
    assert client.generate_random(NumberOfBytes=8)["Plaintext"] == b"r" * 8
    assert vsock.asked == [(4, 9)]
